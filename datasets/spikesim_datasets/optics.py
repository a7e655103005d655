"""From frames to light: what the spike camera sees of a frame, and the blurry image an exposure makes of many."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast, get_args

import numpy as np

from spikesim.checks import require_array, require_choice, require_flag, require_instance, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.image_checks import require_image
from spikesim_datasets.kernels.optics import add_codes, look_up, mean_luma

Downscale = Literal["bilinear", "area"]
Ratio = Literal[1, 2, 4, 8]

SCALE: Ratio = 4
"""So many pixels of the colour camera is one of the spike camera wide and high, in the field's data and networks."""

_GAMMA = 2.2

_VALUES = np.arange(256, dtype=np.float32) / np.float32(255)


@dataclass(frozen=True)
class Optics:
    """The light a frame stands for.

    Args:
        downscale: How light comes to the size of the spikes. `bilinear`: bilinear sampling without antialias, which at
            exactly ¼ is the mean of the middle 2×2 of each 4×4 block (the S-SDM release); `area`: the mean of the whole
            block, as a pixel integrates.
        linear_light: Whether frames are decoded with gamma 2.2 before any mean, and blurry images encoded again.
            Without it light is the coded value, as in the release.
        ratio: How many pixels of the frame one of the spike camera is wide and high: 1, 2, 4 or 8.

    Raises:
        InvalidValueError: `downscale` or `ratio` is unknown, or `linear_light` is neither True nor False.
    """

    downscale: Downscale = "bilinear"
    linear_light: bool = False
    ratio: Ratio = SCALE

    def __post_init__(self) -> None:
        require_choice(self.downscale, "downscale", get_args(Downscale))
        object.__setattr__(self, "ratio", require_ratio(self.ratio))
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
            frame: RGB uint8 (H, W, 3); H and W multiples of the ratio.

        Returns:
            float32 in [0, 1], (H/ratio, W/ratio).

        Raises:
            InvalidValueError: It is no such frame, or its size is no multiple of the ratio.
        """
        height, width, _ = require_image(frame, "frame").shape
        check_ratio(height, width, self.ratio, "the frame")
        # Bilinear sampling at the centre of a block takes the mean of its middle 2×2.
        rim = max(0, self.ratio // 2 - 1) if self.downscale == "bilinear" else 0
        light = np.empty((height // self.ratio, width // self.ratio), np.float32)
        mean_luma(frame, self._linear, self.ratio, rim, light)
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


def require_ratio(ratio: Any) -> Ratio:
    """How many pixels of an image one of the spikes is wide and high.

    Raises:
        InvalidValueError: It is not 1, 2, 4 or 8.
    """
    number = require_whole(ratio, "ratio", 1, unit="pixels of an image for one of the spikes")
    return cast(Ratio, require_choice(number, "ratio", get_args(Ratio)))


def ratio_of(image: int, spikes: int, what: str) -> Ratio:
    """How many rows of an image one of its spikes is high.

    Args:
        image, spikes: How many rows they have.
        what: The image, for the message.

    Raises:
        InvalidValueError: There is no such ratio.
    """
    image, spikes = require_whole(image, "image", 0), require_whole(spikes, "spikes", 0)
    for ratio in get_args(Ratio):
        if image == ratio * spikes:
            return cast(Ratio, ratio)
    raise InvalidValueError(
        f"{require_instance(what, 'what', str)} has {image} rows and its spikes {spikes}; an image has 1, 2, 4 or 8 "
        "times as many as its spikes"
    )


def check_ratio(height: int, width: int, ratio: int, what: str) -> None:
    """Check that spikes of a size in a ratio to an image's are possible.

    Raises:
        InvalidValueError: Its sides are no multiples of the ratio.
    """
    height, width, ratio = (require_whole(number, "a size or ratio", 1) for number in (height, width, ratio))
    if height % ratio or width % ratio:
        raise InvalidValueError(
            f"{require_instance(what, 'what', str)} is {width}×{height}; both must be multiples of {ratio}, because a "
            f"pixel of the spikes is {ratio} of the image wide and high. Crop it first, or take another ratio"
        )


def planes(images: np.ndarray) -> np.ndarray:
    """Coded RGB as networks take it: uint8 (..., H, W, 3), of any strides, as float32 (..., 3, H, W) of value/255."""
    *some, height, width, _ = images.shape
    values = np.empty((*some, 3, height, width), np.float32)
    look_up(images.reshape(-1, height, width, 3), _VALUES, values.reshape(-1, 3, height, width))
    return values
