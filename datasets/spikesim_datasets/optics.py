"""From frames to light: what the spike camera sees of a frame, and the blurry image an exposure makes of many."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from spikesim.checks import require_array, require_choice, require_flag
from spikesim.errors import InvalidValueError
from spikesim_datasets.image_checks import require_image
from spikesim_datasets.kernels.optics import add_codes, look_up, mean_luma

Downscale = Literal["bilinear", "area", "none"]

SCALE = 4
"""A spike camera's pixel is this many pixels of the colour camera wide and high."""

_GAMMA = 2.2

# Side of the block of frame pixels that one spike pixel sees, and how wide a rim of it is not sampled.
_BLOCKS: dict[Downscale, tuple[int, int]] = {"bilinear": (SCALE, 1), "area": (SCALE, 0), "none": (1, 0)}

_VALUES = np.arange(256, dtype=np.float32) / np.float32(255)


@dataclass(frozen=True)
class Optics:
    """The light a frame stands for.

    Args:
        downscale: How light comes to quarter size. `bilinear`: bilinear sampling without antialias, which at exactly ¼
            is the mean of the middle 2×2 of each 4×4 block (the S-SDM release); `area`: the mean of the whole block, as
            a pixel integrates; `none`: full size, one spike pixel for each of the frame's.
        linear_light: Whether frames are decoded with gamma 2.2 before any mean, and blurry images encoded again.
            Without it light is the coded value, as in the release.

    Raises:
        InvalidValueError: `downscale` is unknown, or `linear_light` is neither True nor False.
    """

    downscale: Downscale = "bilinear"
    linear_light: bool = False

    def __post_init__(self) -> None:
        require_choice(self.downscale, "downscale", get_args(Downscale))
        object.__setattr__(self, "linear_light", require_flag(self.linear_light, "linear_light"))

    @cached_property
    def _linear(self) -> np.ndarray:
        """Light in [0, 255] of each code, float64 (256,)."""
        codes = np.arange(256, dtype=np.float64)
        return (codes / 255) ** _GAMMA * 255 if self.linear_light else codes

    def light(self, frame: np.ndarray) -> np.ndarray:
        """Grey light as the spike camera sees it.

            light = (0.30 R + 0.59 G + 0.11 B) / 255, averaged over the sampled pixels of each block

        Args:
            frame: RGB uint8 (H, W, 3); H and W multiples of 4 unless `downscale` is `none`.

        Returns:
            float32 in [0, 1], (H/4, W/4) or, with `none`, (H, W).

        Raises:
            InvalidValueError: It is no such frame, or its size is no multiple of 4.
        """
        height, width, _ = require_image(frame, "frame").shape
        block, rim = _BLOCKS[self.downscale]
        if height % block or width % block:
            raise InvalidValueError(
                f"frames of {width}×{height} have no quarter size; both must be multiples of {SCALE}"
            )
        light = np.empty((height // block, width // block), np.float32)
        mean_luma(frame, self._linear, block, rim, light)
        return light

    def exposure(self) -> "Exposure":
        """An exposure that has not seen a frame yet."""
        return Exposure(self._linear.astype(np.float32) if self.linear_light else None)


class Exposure:
    """A mean of frames in the making: what a colour camera collects while its shutter is open.

    Args:
        linear: float32 (256,) light in [0, 255] of each code, or None where codes themselves are averaged.

    Raises:
        InvalidValueError: `linear` is of another shape or type.
    """

    def __init__(self, linear: np.ndarray | None) -> None:
        if linear is not None:
            linear = require_array(linear, "linear")
            if (linear.dtype, linear.shape) != (np.float32, (256,)):
                raise InvalidValueError(f"linear must be float32 (256,) or None, got {linear.dtype} {linear.shape}")
        self._linear = linear
        self._total = np.zeros((), np.uint32 if linear is None else np.float32)
        self._frames = 0

    def add(self, frame: np.ndarray) -> None:
        """Collect one more frame, RGB uint8 (H, W, 3), all of one size.

        Raises:
            InvalidValueError: It is no such frame, or of another size than the first.
        """
        require_image(frame, "frame")
        light = frame if self._linear is None else self._linear[frame]
        if self._frames == 0:
            self._total = light.astype(self._total.dtype, order="C")
        else:
            if light.shape != self._total.shape:
                raise InvalidValueError(
                    f"the frames of an exposure have one size, got {light.shape} after {self._total.shape}"
                )
            if self._linear is None:
                add_codes(np.ascontiguousarray(frame), self._total)
            else:
                np.add(self._total, light, out=self._total)
        self._frames += 1

    def blur(self) -> np.ndarray:
        """The mean of the frames so far, rounded to uint8 (H, W, 3).

        Raises:
            InvalidValueError: There is none yet.
        """
        if not self._frames:
            raise InvalidValueError("an exposure of no frame has no mean; add frames first")
        if self._linear is None:
            return ((2 * self._total + self._frames) // (2 * self._frames)).astype(np.uint8)
        mean = self._total / np.float32(255 * self._frames)
        return np.rint(np.clip(mean, 0, 1) ** (1 / _GAMMA) * 255).astype(np.uint8)


def planes(images: np.ndarray) -> np.ndarray:
    """Coded RGB as networks take it: uint8 (..., H, W, 3), of any strides, as float32 (..., 3, H, W) of value/255."""
    *some, height, width, _ = images.shape
    values = np.empty((*some, 3, height, width), np.float32)
    look_up(images.reshape(-1, height, width, 3), _VALUES, values.reshape(-1, 3, height, width))
    return values
