"""What a random number depends on: the key that a seed and a stream's name make, the purpose it serves, the pixel.

The numbers themselves are drawn in `kernels.random` (compiled) and `reference` (numpy) from the same counters.
"""

import hashlib
from dataclasses import dataclass
from operator import index

import numpy as np

from spikesim.errors import InvalidValueError

# Purposes of random numbers, each a stream of its own. A number once given to a purpose stays with it.
SHOT_NOISE = 1
FRAME_NOISE = 2
RESET_NOISE = 3
DROPPED_BITS = 4
FALSE_BITS = 5
INITIAL_CHARGE = 6
GAIN_PATTERN = 7
DARK_CURRENT = 8
DIFFUSION_NOISE = 9
COMPARATOR_NOISE = 10
INHERENT_SPIKES = 11
DEAD_PIXELS = 12
INTERVAL_NOISE = 13

PATTERN_NAME = "fixed pattern"
"""Name of the random numbers of a sensor's fixed pattern, whatever stream it is seen in."""


@dataclass(frozen=True)
class Crop:
    """Which part of a sensor is simulated; its pixels get the bits they would have in the whole sensor.

    Args:
        top, left: First row and column of the part, ≥ 0.
        sensor_height, sensor_width: Size of the whole sensor.

    Raises:
        InvalidValueError: A value is no integer or out of range.
    """

    top: int
    left: int
    sensor_height: int
    sensor_width: int

    def __post_init__(self) -> None:
        for name, least in (("top", 0), ("left", 0), ("sensor_height", 1), ("sensor_width", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidValueError(f"{name} of a crop must be an integer of at least {least}, got {value!r}")

    def check(self, height: int, width: int) -> None:
        """Refuse a part of this size that reaches outside the sensor.

        Raises:
            InvalidValueError: It does.
        """
        if self.top + height > self.sensor_height or self.left + width > self.sensor_width:
            raise InvalidValueError(
                f"a crop of {height}×{width} at row {self.top}, column {self.left} reaches outside a sensor of "
                f"{self.sensor_height}×{self.sensor_width}"
            )

    def first_pixels(self, height: int) -> np.ndarray:
        """Number of the first pixel of each row, counted through the whole sensor, int64 (height,)."""
        return (self.top + np.arange(height, dtype=np.int64)) * self.sensor_width + self.left


def make_key(seed: int, name: str) -> np.ndarray:
    """The Philox key of a stream: a hash of its seed and its name, uint32 (2,).

    Raises:
        InvalidValueError: The seed is not an integer from 0 to 2^64 − 1, or the name is not a string.
    """
    try:
        number = -1 if isinstance(seed, bool) else index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        raise InvalidValueError(f"seed must be an integer from 0 to 2^64 − 1, got {seed!r}")
    if not isinstance(name, str):
        raise InvalidValueError(f"key must be a string, the name of the stream, got {name!r}")
    digest = hashlib.blake2b(name.encode(), digest_size=8, key=number.to_bytes(8, "little")).digest()
    return np.frombuffer(digest, "<u4").astype(np.uint32)
