"""What a camera's pixels are and begin with: the fixed pattern of its sensor, and the starting charge of a stream."""

from dataclasses import dataclass
from functools import reduce
from operator import add, and_, mul
from typing import Any

import numpy as np

from spikesim.brief import Brief
from spikesim.camera import SpikeCamera
from spikesim.kernels import random
from spikesim.noise.term import acting_order
from spikesim.randomness import INITIAL_CHARGE, PATTERN_NAME, Crop, make_key
from spikesim.threads import run_on_rows


@dataclass(frozen=True, eq=False, repr=False)
class FixedPattern(Brief):
    """What a camera's pixels are.

    Attributes:
        gain: float32 (H, W) factor of light, or (0, 0) where all are 1.
        dark: float32 (H, W) charge a readout, or (0, 0) where all are 0.
        alive: bool (H, W), or (0, 0) where all are.
    """

    gain: np.ndarray
    dark: np.ndarray
    alive: np.ndarray


@dataclass(frozen=True, eq=False)
class PixelNumbers:
    """Random numbers of the pixels of a part of a sensor, one set for every purpose and draw.

    Args:
        shape: (H, W) of the part.
        crop: Where it lies.
        key: Of the random numbers, uint32 (2,).
    """

    shape: tuple[int, int]
    crop: Crop
    key: np.ndarray

    def uniforms(self, purpose: int, draw: int = 0) -> np.ndarray:
        """U[0, 1) on a grid of 2^-24, float32 (H, W)."""
        return self._fill(random.uniforms, purpose, draw)

    def normals(self, purpose: int, draw: int = 0) -> np.ndarray:
        """N(0, 1), float32 (H, W)."""
        return self._fill(random.normals, purpose, draw)

    def _fill(self, kernel: Any, purpose: int, draw: int) -> np.ndarray:
        height, width = self.shape
        values = np.empty(self.shape, np.float32)
        run_on_rows(kernel, height, width, purpose, draw, self.key, self.crop.first_pixels(height), values)
        return values


def draw_pattern(camera: SpikeCamera, shape: tuple[int, int], crop: Crop, seed: int) -> FixedPattern:
    """The pattern of a part of a camera's sensor.

    It depends on the seed alone, not on the stream: all streams of one seed come from one sensor. Where several terms
    make a map of one kind, gains are multiplied, dark currents added, and pixels alive that are so in all.

    Args:
        camera: The camera.
        shape: (H, W) of the part.
        crop: Where it lies.
        seed: Of the random numbers.

    Raises:
        InvalidValueError: A calibration has another size than the sensor.
        InputFileError: A calibration's file is missing or has changed.
    """
    part = PixelNumbers(shape, crop, make_key(seed, PATTERN_NAME))
    maps = [term.pixel_maps(part) for term in acting_order(camera.noise)]
    gains = [one.gain for one in maps if one.gain is not None]
    darks = [one.dark for one in maps if one.dark is not None]
    alive = [one.alive for one in maps if one.alive is not None]
    nothing = np.empty((0, 0), np.float32)
    return FixedPattern(
        np.ascontiguousarray(reduce(mul, gains)) if gains else nothing,
        np.ascontiguousarray(reduce(add, darks) * np.float32(camera.v_th)) if darks else nothing,
        reduce(and_, alive) if alive else nothing.astype(bool),
    )


def starting_charge(camera: SpikeCamera, shape: tuple[int, int], crop: Crop, key: np.ndarray) -> np.ndarray:
    """The charge float32 (H, W) that `camera.start` gives."""
    if camera.start == "zero":
        return np.zeros(shape, np.float32)
    fraction = PixelNumbers(shape, crop, key).uniforms(INITIAL_CHARGE)
    if camera.start == "uniform":
        return fraction * np.float32(camera.v_th)
    return np.fmod(fraction * np.float32(camera.start), np.float32(camera.v_th))
