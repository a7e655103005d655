"""What objects that hold much say of themselves when they are printed: one line of what they are, and no numbers."""

import os
from collections.abc import Mapping
from dataclasses import fields
from reprlib import Repr
from typing import Any

_LISTED = 6
_LONGEST = 120
_LONGEST_MESSAGE = 1000


class Brief:
    """A dataclass that is printed in one line: arrays by type and shape, long lists by their number, no defaults.

    The dataclass is declared with `repr=False`, so that this is taken.
    """

    def __repr__(self) -> str:
        parts = {}
        for field in fields(self):  # type: ignore[arg-type]
            if not _same(value := getattr(self, field.name), field.default):
                parts[field.name] = value
        return brief_object(self, parts)


def brief_object(value: object, parts: Mapping[str, Any]) -> str:
    """An object by its class and parts, in one line."""
    return f"{type(value).__name__}({', '.join(f'{name}={brief(part)}' for name, part in parts.items())})"


def brief(value: Any) -> str:
    """A value in one line."""
    if _is_array(value):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    match value:
        case os.PathLike():
            return repr(os.fspath(value))
        case Mapping():
            return f"{{{_few([repr(key) for key in value]).removesuffix(',')}}}"
        case tuple() | list() if not hasattr(value, "_fields"):
            return f"({_few([brief(part) for part in value])})"
    return repr(value)


class _Short(Repr):
    """`repr`, of long values only the beginning and the end."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 4
        self.maxtuple = self.maxlist = self.maxarray = self.maxdict = self.maxset = self.maxfrozenset = 2 * _LISTED
        self.maxstring = self.maxlong = self.maxother = _LONGEST

    def repr_int(self, number: int, level: int) -> str:
        # Python refuses to write out longer ones.
        return f"a number of {number.bit_length()} bits" if number.bit_length() > 1024 else repr(number)


_SHORT = _Short()


def short(value: object) -> str:
    """A value as a message quotes it: like `repr`, but never long."""
    return shortened(_SHORT.repr(value))


def shortened(message: str) -> str:
    """A message without its middle where it is longer than anybody reads."""
    half = _LONGEST_MESSAGE // 2
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:half]} … {message[-half:]}"


def _is_array(value: Any) -> bool:
    return hasattr(value, "dtype") and getattr(value, "shape", ()) != ()


def _same(value: Any, default: Any) -> bool:
    return value is default or (not _is_array(value) and bool(value == default))


def _few(parts: list[str]) -> str:
    """Parts of a list, or their number and the ends where they are many or long."""
    if len(parts) <= _LISTED and sum(map(len, parts)) <= _LONGEST:
        return ", ".join(parts) + "," * (len(parts) == 1)
    ends = f": {parts[0]} to {parts[-1]}" if len(parts[0]) + len(parts[-1]) <= _LONGEST // 2 else ""
    return f"{len(parts)}{ends}"
