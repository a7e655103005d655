"""The check that all noise terms share."""

from math import isfinite

from spikesim.errors import InvalidValueError


def require(term: object, name: str, least: float, most: float, unit: str = "") -> None:
    """Refuse a field outside its range.

    Raises:
        InvalidValueError: The value is no finite number in [least, most].
    """
    value = getattr(term, name)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not isfinite(value)
        or not least <= value <= most
    ):
        wanted = f"from {least:g} to {most:g}{' ' if unit else ''}{unit}"
        raise InvalidValueError(f"{name} of {type(term).__name__} must be {wanted}, got {value!r}")
