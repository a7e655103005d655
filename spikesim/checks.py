"""Checks of arguments, shared by every public function: each gives the value in its own type, or says what is wrong.

Numbers of numpy are taken like Python's; a bool is no number, and a float no whole number, not even 2.0.
"""

import errno
import os
import re
from collections.abc import Collection, Mapping
from math import inf, isfinite
from numbers import Complex, Integral, Real
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from spikesim.addresses import is_address, without_secrets
from spikesim.brief import short, shortened
from spikesim.errors import InvalidValueError

if TYPE_CHECKING:
    import numpy as np

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
        raise InvalidValueError(f"{name} must be a whole number{_in_range(least, most, unit)}, got {short(value)}")
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
    if hasattr(value, "__float__") and not _is_bool(value) and _is_single(value):
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = None
    if number is None or not isfinite(number) or not least <= number <= most or not number > above:
        kind = "positive finite number" if above == 0 else "finite number"
        range_ = f" greater than {above:g}" if above > -inf and above != 0 else _in_range(least, most, unit)
        raise InvalidValueError(f"{name} must be a {kind}{range_}, got {short(value)}")
    return number


def plain_number(value: Any) -> int | float:
    """A number that was checked, in Python's own type: whole numbers stay whole, because files hold them as given."""
    return int(value) if isinstance(value, Integral) else float(value)


def require_flag(value: Any, name: str) -> bool:
    """True or False, numpy's included.

    Raises:
        InvalidValueError: It is neither.
    """
    if not _is_bool(value) or not _is_single(value):
        raise InvalidValueError(f"{name} must be True or False, got {short(value)}")
    return bool(value)


def require_choice(value: T, name: str, choices: Collection[T]) -> T:
    """One of several values.

    Raises:
        InvalidValueError: It is none of them.
    """
    # By equality alone: what was given may not be hashable.
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        raise InvalidValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {short(value)}")
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
            f"{name} must be {_a(kind.__name__)}, got {type(value).__name__}{'; ' * bool(advice)}{advice}"
        )
    return value


def require_callable(value: T, name: str) -> T:
    """Something that can be called.

    Raises:
        InvalidValueError: It cannot.
    """
    if not callable(value):
        raise InvalidValueError(f"{name} must be a function, got {short(value)}")
    return value


def require_mapping(value: Any, name: str, what: str) -> Mapping[Any, Any]:
    """A dict or another mapping; what it holds is not looked at.

    Args:
        value: What was given.
        name: Of the argument, for the message.
        what: What it holds by what, for the message.

    Raises:
        InvalidValueError: It is none.
    """
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"{name} must be a dict of {what}, got {type(value).__name__}")
    return value


def require_list(values: Any, name: str, what: str) -> list[Any]:
    """Several things, as a list; what they are is not looked at.

    Args:
        values: What was given: anything to go through but text.
        name: Of the argument, for the message.
        what: The things, for the message.

    Raises:
        InvalidValueError: It is nothing to go through.
    """
    try:
        if isinstance(values, str | bytes):
            raise TypeError
        return list(values)
    except TypeError:
        raise InvalidValueError(f"{name} must be a list of {what}, got {short(values)}") from None


def require_array(value: Any, name: str) -> "np.ndarray":
    """Anything that numpy takes for an array of numbers, without a copy where it is one.

    Raises:
        InvalidValueError: It is none.
    """
    import numpy as np  # what has no array to check is spared it

    try:
        array = np.asarray(value)
    except Exception as error:  # ragged lists, tensors of another device, objects whose own conversion fails
        raise InvalidValueError(f"{name} must be an array of numbers, got {type(value).__name__} ({error})") from error
    if array.dtype.kind not in "biufc":
        raise InvalidValueError(f"{name} must be an array of numbers, got {array.dtype} of {type(value).__name__}")
    return array


def require_path(value: Any, name: str = "path") -> Path:
    """A path, given as text or as any object that stands for one.

    Raises:
        InvalidValueError: It is none, empty (which would mean the current folder by accident), or no file can have it:
            it holds a zero byte or half a surrogate pair, or is too long; or it is an address, by which a folder `s3:`
            would be made.
    """
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if isinstance(path, str) and is_address(path):
        raise InvalidValueError(
            f"{name} must be a path on this machine, got the address {shortened(without_secrets(path))}; only datasets "
            "and shards are read elsewhere, and nothing is written there: copy what lies there to this machine, or "
            "what is made here to there"
        )
    if not isinstance(path, str) or not path or not _is_possible(path):
        raise InvalidValueError(f"{name} must be a path, as text or as a Path, got {short(value)}")
    return value if isinstance(value, Path) else Path(path)


def _is_possible(path: str) -> bool:
    """Whether the system takes a path for one, be there a file or not."""
    try:
        os.lstat(path)
    except ValueError:  # what it is not even asked
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    return True


def parse_device(name: Any) -> str:
    """The name of a device to compute on: `auto`, `cpu`, `cuda`, or `cuda:N` for one of several.

    Whether it is available only torch can tell: `spikesim.gpu.devices.find_device`.

    Raises:
        InvalidValueError: It is no such name.
    """
    if not isinstance(name, str) or not _DEVICE.fullmatch(name):
        raise InvalidValueError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {short(name)}")
    return name


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "AEIOUaeiou" else f"a {noun}"


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool) or getattr(getattr(value, "dtype", None), "kind", None) == "b"


def _is_single(value: Any) -> bool:
    """Whether a value is one real number, and no array of them, though it be of one."""
    complex_ = isinstance(value, Complex) and not isinstance(value, Real)
    return not complex_ and getattr(value, "shape", ()) == ()


def _in_range(least: float, most: float, unit: str) -> str:
    of = f" {unit}" if unit else ""
    if least == -inf and most == inf:
        return of and f" of{of}"
    if most == inf:
        return f" of at least {_shown(least)}{of}"
    if least == -inf:
        return f" of at most {_shown(most)}{of}"
    return f" from {_shown(least)} to {_shown(most)}{of}"


def _shown(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"
