"""Checks of arguments, shared by every public function: each gives the value in its own type, or says what is wrong.

Numbers of numpy are taken like Python's; a bool is no number, and a float no whole number, not even 2.0.
"""

import os
import re
from collections.abc import Collection
from math import inf, isfinite
from operator import index
from pathlib import Path
from typing import Any, TypeVar

from spikesim.errors import InvalidValueError

T = TypeVar("T")

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def require_whole(value: Any, name: str, least: float = -inf, most: float = inf, unit: str = "") -> int:
    """A whole number from `least` to `most`.

    Args:
        value: What was given.
        name: Of the argument, for the message.
        least, most: The range, both included.
        unit: Of the number, for the message.

    Raises:
        InvalidValueError: It is none.
    """
    try:
        number = None if _is_bool(value) else index(value)
    except TypeError:
        number = None
    if number is None or not least <= number <= most:
        raise InvalidValueError(f"{name} must be a whole number{_in_range(least, most, unit)}, got {value!r}")
    return number


def require_number(
    value: Any, name: str, least: float = -inf, most: float = inf, *, above: float = -inf, unit: str = ""
) -> float:
    """A finite number from `least` to `most`, and greater than `above`.

    Args:
        value: What was given.
        name: Of the argument, for the message.
        least, most: The range, both included.
        above: What it must exceed.
        unit: Of the number, for the message.

    Raises:
        InvalidValueError: It is none.
    """
    number = None
    if hasattr(value, "__float__") and not _is_bool(value) and not isinstance(value, str):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):  # an array of several numbers has __float__ too
            number = None
    if number is None or not isfinite(number) or not least <= number <= most or not number > above:
        range_ = f" greater than {above:g}" if above > -inf else _in_range(least, most, unit)
        raise InvalidValueError(f"{name} must be a finite number{range_}, got {value!r}")
    return number


def require_flag(value: Any, name: str) -> bool:
    """True or False, numpy's included.

    Raises:
        InvalidValueError: It is neither.
    """
    if not _is_bool(value):
        raise InvalidValueError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def require_choice(value: T, name: str, choices: Collection[T]) -> T:
    """One of several values.

    Raises:
        InvalidValueError: It is none of them.
    """
    # By equality alone: what was given may not be hashable.
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise InvalidValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def require_instance(value: Any, name: str, kind: type[T], advice: str = "") -> T:
    """An object of a class.

    Args:
        value: What was given.
        name: Of the argument, for the message.
        kind: The class.
        advice: How to get one, for the message.

    Raises:
        InvalidValueError: It is of another class.
    """
    if not isinstance(value, kind):
        raise InvalidValueError(
            f"{name} must be a {kind.__name__}, got {type(value).__name__}{'; ' * bool(advice)}{advice}"
        )
    return value


def require_path(value: Any, name: str = "path") -> Path:
    """A path, given as text or as any object that stands for one.

    Raises:
        InvalidValueError: It is none, or holds a zero byte, which no name of a file has.
    """
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str) or "\0" in path:
        raise InvalidValueError(f"{name} must be a path, as text or as a Path, got {value!r}")
    return Path(path)


def parse_device(name: Any) -> str:
    """The name of a device to compute on: `auto`, `cpu`, `cuda`, or `cuda:N` for one of several.

    Whether it is available only torch can tell: `spikesim.gpu.devices.find_device`.

    Raises:
        InvalidValueError: It is no such name.
    """
    if not isinstance(name, str) or not _DEVICE.fullmatch(name):
        raise InvalidValueError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {name!r}")
    return name


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool) or type(value).__name__ == "bool_" or type(value).__name__ == "bool"


def _in_range(least: float, most: float, unit: str) -> str:
    of = f" {unit}" if unit else ""
    if least == -inf and most == inf:
        return of and f" of{of}"
    if most == inf:
        return f" of at least {least:g}{of}"
    if least == -inf:
        return f" of at most {most:g}{of}"
    return f" from {least:g} to {most:g}{of}"
