"""The response of a colour camera: which light the codes of its images stand for, and which code it gives a light."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.brief import shortened
from spikesim.checks import require_array, require_instance, require_number
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.input_files import require_file

_GAMMA = 2.2
_SIGMOID = "sigmoid"
_LARGEST_FILE = 1 << 16  # bytes

NAMES = "linear, gamma2.2, srgb, sigmoid:FILE"
"""What a response is called."""


@dataclass(frozen=True)
class Sigmoid:
    """A response that is steep in the middle and flat at both ends, as of negatives, scaled to go from 0 to 1.

        code = (s(x) − s(0)) / (s(1) − s(0));   s(x) = 1 / (1 + exp(−slope (x − midpoint)))

    Args:
        slope: > 0; at most 50, beyond which codes tell no light apart.
        midpoint: Where it is steepest, from 0 to 1.

    Raises:
        InvalidValueError: A value is out of range.
    """

    slope: float
    midpoint: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "slope", require_number(self.slope, "slope of a sigmoid", above=0))
        object.__setattr__(self, "midpoint", require_number(self.midpoint, "midpoint of a sigmoid"))
        if self.slope > 50 or not 0 <= self.midpoint <= 1:
            raise InvalidValueError(
                f"a sigmoid has a slope up to 50 and a midpoint from 0 to 1, got {self.slope:g} and {self.midpoint:g}"
            )


@dataclass(frozen=True)
class Response:
    """The response of a camera whose images have 8 bits.

    Args:
        name: `linear`: codes are light; `gamma2.2`: light is code to the power of 2.2; `srgb`: as displays of sRGB; or
            `sigmoid`.
        sigmoid: Its parameters, where it is one.

    Raises:
        InvalidValueError: There is no such response.

    Source:
        IEC 61966-2-1 for sRGB.
    """

    name: str = "linear"
    sigmoid: Sigmoid | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or self.name not in (*_CURVES, _SIGMOID):
            raise InvalidValueError(f"a response is {NAMES}, got {self.name!r}")
        if (self.name == _SIGMOID) != (self.sigmoid is not None):
            raise InvalidValueError("a sigmoid, and no other response, has parameters: write sigmoid:FILE")
        if self.sigmoid is not None:
            require_instance(self.sigmoid, "sigmoid", Sigmoid)

    @classmethod
    def of(cls, described: "Response | str | Mapping[str, Any]") -> "Response":
        """The response that a name stands for, as the command line and recipes give it.

        Args:
            described: One of `NAMES`; FILE is TOML with `slope` and `midpoint` of `Sigmoid`. Or what `record` gave.

        Raises:
            InvalidValueError: It is none of these.
            InputFileError: FILE is missing, no TOML, or holds something else.
        """
        if isinstance(described, Response):
            return described
        if isinstance(described, Mapping):
            try:
                return cls(_SIGMOID, Sigmoid(**described[_SIGMOID]))
            except (KeyError, TypeError) as error:
                raise InvalidValueError(f"this is no response of this version ({error!r})") from error
        name, colon, file = require_instance(described, "response", str).partition(":")
        if name == _SIGMOID and colon and file:
            return cls(_SIGMOID, _read(Path(file)))
        return cls(described)

    def record(self) -> str | dict[str, Any]:
        """What a recipe says of it, as JSON values."""
        return self.name if self.sigmoid is None else {_SIGMOID: asdict(self.sigmoid)}

    @cached_property
    def levels(self) -> np.ndarray:
        """Light in [0, 255] of each code, float64 (256,)."""
        codes = np.arange(256, dtype=np.float64)
        if self.name == "linear":
            return codes
        decode = partial(_of_sigmoid, self.sigmoid) if self.sigmoid else _CURVES[self.name][0]
        return np.clip(decode(codes / 255), 0, 1) * 255

    def codes(self, light: np.ndarray) -> np.ndarray:
        """The codes, uint8 of the same shape, of light in [0, 1].

        Args:
            light: Of any shape; what lies outside [0, 1] is clipped.

        Raises:
            InvalidValueError: It is no array of finite numbers.
        """
        light = require_array(light, "light")
        if light.dtype.kind == "c" or not np.isfinite(light).all():
            raise InvalidValueError("light must be finite real numbers; others found")
        encode = partial(_to_sigmoid, self.sigmoid) if self.sigmoid else _CURVES[self.name][1]
        return np.rint(encode(np.clip(light, 0, 1)) * 255).astype(np.uint8)


def _logistic(sigmoid: Sigmoid, light: Any) -> Any:
    return 1 / (1 + np.exp(-sigmoid.slope * (light - sigmoid.midpoint)))


def _of_sigmoid(sigmoid: Sigmoid, code: np.ndarray) -> np.ndarray:
    low, high = (_logistic(sigmoid, end) for end in (0, 1))
    shown = code * (high - low) + low
    return np.asarray(sigmoid.midpoint + np.log(shown / (1 - shown)) / sigmoid.slope)


def _to_sigmoid(sigmoid: Sigmoid, light: np.ndarray) -> np.ndarray:
    low, high = (_logistic(sigmoid, end) for end in (0, 1))
    return np.asarray((_logistic(sigmoid, light) - low) / (high - low))


def _of_srgb(code: np.ndarray) -> np.ndarray:
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def _to_srgb(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


# Light of codes, and codes of light, both of 1.
_CURVES = {
    "linear": (lambda code: code, lambda light: light),
    "gamma2.2": (lambda code: code**_GAMMA, lambda light: light ** (1 / _GAMMA)),
    "srgb": (_of_srgb, _to_srgb),
}

LINEAR = Response()
GAMMA = Response("gamma2.2")


def _read(path: Path) -> Sigmoid:
    if (size := require_file(path).st_size) > _LARGEST_FILE:
        raise InputFileError(f"cannot read {path}: it has {size} bytes, and a sigmoid has two numbers")
    try:
        return Sigmoid(**tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputFileError(
            f"{path} describes no sigmoid ({shortened(str(error))}); write two lines, as slope = 6.0 and midpoint = 0.5"
        ) from error
