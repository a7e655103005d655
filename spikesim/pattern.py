"""The fixed pattern of a camera: gain, dark current and dead pixels, the same for every stream of one seed."""

from dataclasses import dataclass

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.errors import InvalidValueError
from spikesim.kernels import random
from spikesim.noise import Calibration, DarkCurrent, DeadPixels, GainPattern
from spikesim.randomness import DARK_CURRENT, DEAD_PIXELS, GAIN_PATTERN, INITIAL_CHARGE, PATTERN_NAME, Crop, make_key
from spikesim.threads import run_on_rows

_EMPTY = np.empty((0, 0), np.float32)
_HOT_FROM, _HOT_TO = 5.0, 130.0


@dataclass(frozen=True, eq=False)
class FixedPattern:
    """What a camera's pixels are.

    Attributes:
        gain: float32 (H, W) factor of light, or (0, 0) where all are 1.
        dark: float32 (H, W) charge a readout, or (0, 0) where all are 0.
        alive: bool (H, W), or (0, 0) where all are.
    """

    gain: np.ndarray
    dark: np.ndarray
    alive: np.ndarray


def draw_pattern(camera: SpikeCamera, shape: tuple[int, int], crop: Crop, seed: int) -> FixedPattern:
    """The pattern of a part of a camera's sensor.

    It depends on the seed alone, not on the stream: all streams of one seed come from one sensor.

    Args:
        camera: The camera.
        shape: (H, W) of the part.
        crop: Where it lies.
        seed: Of the random numbers.

    Raises:
        InvalidValueError: A calibration has another size than the sensor.
        InputFileError: A calibration's file is missing or has changed.
    """
    pixels, key = crop.first_pixels(shape[0]), make_key(seed, PATTERN_NAME)
    gain = dark = _EMPTY
    alive = np.ones((0, 0), bool)
    if (term := camera.term(GainPattern)) is not None:
        gain = np.maximum(np.float32(0.1), 1 + np.float32(term.sigma) * _normals(shape, GAIN_PATTERN, pixels, key))
        if term.shading:
            gain = gain * _shading(term.shading, shape, crop)
    if (current := camera.term(DarkCurrent)) is not None:
        dark = _dark(current, _normals(shape, DARK_CURRENT, pixels, key), pixels, key) * np.float32(camera.v_th)
    if (calibration := camera.term(Calibration)) is not None:
        whole_gain, whole_dark = calibration.maps()
        if whole_gain.shape != (crop.sensor_height, crop.sensor_width):
            raise InvalidValueError(
                f"the calibration {calibration.path} is of a sensor of {'×'.join(map(str, whole_gain.shape))}, the "
                f"light is of {crop.sensor_height}×{crop.sensor_width}; a Crop says on which part it falls"
            )
        part = np.s_[crop.top : crop.top + shape[0], crop.left : crop.left + shape[1]]
        gain, dark = whole_gain[part], whole_dark[part] * np.float32(camera.v_th)
    if (dead := camera.term(DeadPixels)) is not None:
        alive = _uniforms(shape, DEAD_PIXELS, 0, pixels, key) >= dead.fraction
    return FixedPattern(np.ascontiguousarray(gain), np.ascontiguousarray(dark), alive)


def _dark(term: DarkCurrent, normal: np.ndarray, pixels: np.ndarray, key: np.ndarray) -> np.ndarray:
    if term.distribution == "normal":
        return np.maximum(np.float32(0), np.float32(term.median) * (1 + np.float32(term.sigma) * normal))
    hot = _uniforms(normal.shape, DARK_CURRENT, 1, pixels, key) < term.hot_fraction
    dark = term.median * np.exp(term.sigma * normal.astype(np.float64))
    log_uniform = _uniforms(normal.shape, DARK_CURRENT, 2, pixels, key)[hot].astype(np.float64)
    dark[hot] *= _HOT_FROM * (_HOT_TO / _HOT_FROM) ** log_uniform
    return dark.astype(np.float32)


def _shading(loss: float, shape: tuple[int, int], crop: Crop) -> np.ndarray:
    """1 − loss·ρ² over the mean of the whole sensor, in which ρ² is on average 1/3."""
    y = (crop.top + np.arange(shape[0]) + 0.5) / crop.sensor_height * 2 - 1
    x = (crop.left + np.arange(shape[1]) + 0.5) / crop.sensor_width * 2 - 1
    rho2 = (y[:, None] ** 2 + x[None] ** 2) / 2
    return ((1 - loss * rho2) / (1 - loss / 3)).astype(np.float32)


def _normals(shape: tuple[int, ...], purpose: int, pixels: np.ndarray, key: np.ndarray) -> np.ndarray:
    values = np.empty(shape, np.float32)
    run_on_rows(random.normals, shape[0], shape[1], purpose, 0, key, pixels, values)
    return values


def _uniforms(shape: tuple[int, ...], purpose: int, draw: int, pixels: np.ndarray, key: np.ndarray) -> np.ndarray:
    values = np.empty(shape, np.float32)
    run_on_rows(random.uniforms, shape[0], shape[1], purpose, draw, key, pixels, values)
    return values


def starting_charge(camera: SpikeCamera, shape: tuple[int, int], crop: Crop, key: np.ndarray) -> np.ndarray:
    """The charge float32 (H, W) that `camera.start` gives."""
    if camera.start == "zero":
        return np.zeros(shape, np.float32)
    fraction = _uniforms(shape, INITIAL_CHARGE, 0, crop.first_pixels(shape[0]), key)
    if camera.start == "uniform":
        return fraction * np.float32(camera.v_th)
    return np.fmod(fraction * np.float32(camera.start), np.float32(camera.v_th))
