"""What a random number depends on: the key that a seed and a stream's name make, the purpose it serves, the pixel.

The numbers themselves are drawn in `kernels.random` (compiled), `gpu.random` (torch) and `reference` (numpy) from the
same counters. Purposes, each a stream of its own, are numbers from 1 to 255; noise terms state theirs themselves.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from spikesim.checks import require_whole
from spikesim.errors import InvalidValueError

INITIAL_CHARGE = 6
"""Purpose of the random numbers that the starting charge is made of."""

PATTERN_NAME = "fixed pattern"
"""Name of the random numbers of a sensor's fixed pattern, whatever stream it is seen in."""


@dataclass(frozen=True)
class Crop:
    """Which part of a sensor is simulated; its pixels get the bits they would have in the whole sensor.

    Args:
        top, left: First row and column of the part, ≥ 0.
        sensor_height, sensor_width: Size of the whole sensor.

    Raises:
        InvalidValueError: A value is no whole number or out of range.
    """

    top: int
    left: int
    sensor_height: int
    sensor_width: int

    def __post_init__(self) -> None:
        for name, least in (("top", 0), ("left", 0), ("sensor_height", 1), ("sensor_width", 1)):
            object.__setattr__(self, name, require_whole(getattr(self, name), f"{name} of a crop", least))

    def check(self, height: int, width: int) -> None:
        """Refuse a part of this size that reaches outside the sensor.

        Args:
            height, width: Of the part, pixels.

        Raises:
            InvalidValueError: It does, or has no size.
        """
        height, width = require_whole(height, "height", 1), require_whole(width, "width", 1)
        if self.top + height > self.sensor_height or self.left + width > self.sensor_width:
            raise InvalidValueError(
                f"a crop of {height}×{width} at row {self.top}, column {self.left} reaches outside a sensor of "
                f"{self.sensor_height}×{self.sensor_width}"
            )

    def first_pixels(self, height: int) -> np.ndarray:
        """Number of the first pixel of each row, counted through the whole sensor, int64 (height,).

        Args:
            height: Rows of the part.

        Raises:
            InvalidValueError: It is no whole number, or negative.
        """
        rows = self.top + np.arange(require_whole(height, "height", 0), dtype=np.int64)
        return rows * self.sensor_width + self.left


def make_key(seed: int, name: str) -> np.ndarray:
    """The Philox key of a stream: a hash of its seed and its name, uint32 (2,).

    Raises:
        InvalidValueError: The seed is not a whole number from 0 to 2^64 − 1, or the name is not a string.
    """
    number = require_whole(seed, "seed", 0, 2**64 - 1)
    if not isinstance(name, str):
        raise InvalidValueError(f"key must be a string, the name of the stream, got {name!r}")
    # Names of files that are no valid text have lone surrogates.
    text = name.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(text, digest_size=8, key=number.to_bytes(8, "little")).digest()
    return np.frombuffer(digest, "<u4").astype(np.uint32)
