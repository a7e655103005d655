"""From frames to light: what the spike camera sees of a frame, and the blurry image an exposure makes of many."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np

from spikesim.checks import require_choice, require_flag, require_instance, require_mapping, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.image_checks import require_image
from spikesim_datasets.misalignment import Misalignment
from spikesim_datasets.response import GAMMA, LINEAR, Response

Downscale = Literal["bilinear", "area"]
Ratio = Literal[1, 2, 4, 8]

SCALE: Ratio = 4
"""So many pixels of the colour camera is one of the spike camera wide and high, in the field's data and networks."""

_VALUES = np.arange(256, dtype=np.float32) / np.float32(255)


OPTICS_CHOICES = "downscale", "linear_light", "response", "ratio"
"""The entries that the choices of a recipe have of `Optics`."""


@dataclass(frozen=True)
class Optics:
    """The light a frame stands for.

    Args:
        downscale: How light comes to the size of the spikes. `bilinear`: bilinear sampling without antialias, which at
            exactly ¼ is the mean of the middle 2×2 of each 4×4 block (the S-SDM release); `area`: the mean of the whole
            block, as a pixel integrates.
        response: Which light the codes of frames stand for, before any mean, and the codes of blurry images after it; a
            `Response` or its name. `linear`, by which light is the coded value, is that of the release.
        ratio: How many pixels of the frame one of the spike camera is wide and high: 1, 2, 4 or 8.

    Raises:
        InvalidValueError: `downscale`, `response` or `ratio` is unknown.
        InputFileError: The file of a response is missing or damaged.
    """

    downscale: Downscale = "bilinear"
    response: Response | str = LINEAR
    ratio: Ratio = SCALE

    def __post_init__(self) -> None:
        require_choice(self.downscale, "downscale", get_args(Downscale))
        object.__setattr__(self, "ratio", require_ratio(self.ratio))
        object.__setattr__(self, "response", Response.of(self.response))

    @property
    def _response(self) -> Response:
        return Response.of(self.response)

    def choices(self) -> dict[str, Any]:
        """What a recipe says of it, as JSON values. The usual ratio is not said: it was the only one."""
        said = {LINEAR: False, GAMMA: True}  # what the first two responses are called
        response = self._response
        return {
            "downscale": self.downscale,
            **({"linear_light": said[response]} if response in said else {"response": response.record()}),
            **({"ratio": self.ratio} if self.ratio != SCALE else {}),
        }

    @classmethod
    def of_choices(cls, choices: Mapping[str, Any]) -> "Optics":
        """The optics that the choices of a recipe say; where they say nothing, as in the release.

        Args:
            choices: As `Recipe.choices` gives them and shards hold them.

        Raises:
            InvalidValueError: They say what is none.
        """
        said = require_mapping(choices, "choices", "JSON values")
        found = {name: said[name] for name in ("downscale", "ratio") if name in said}
        if "response" in said:
            found["response"] = Response.of(said["response"])
        elif require_flag(said.get("linear_light", False), "linear_light"):
            found["response"] = GAMMA
        return cls(**found)

    def light(self, frame: np.ndarray, misalignment: Misalignment | None = None) -> np.ndarray:
        """Grey light as the spike camera sees it.

            light = (0.30 R + 0.59 G + 0.11 B) / 255, averaged over the sampled pixels of each block

        A misaligned camera samples where its pixel looks, or takes the mean of a block around that, by linear
        interpolation; past the frame, pixels at its rim. Its light is that times the gain, cut at 1. Its time is not
        that of one frame.

        Args:
            frame: RGB uint8 (H, W, 3); H and W multiples of the ratio.
            misalignment: Of the spike camera; None for one that sees just what the colour camera sees.

        Returns:
            float32 in [0, 1], (H/ratio, W/ratio).

        Raises:
            InvalidValueError: It is no such frame, its size is no multiple of the ratio, or the horizon of the
                misalignment lies in it.
        """
        from spikesim_datasets.kernels.optics import mean_luma, mean_luma_elsewhere

        height, width, _ = require_image(frame, "frame").shape
        check_ratio(height, width, self.ratio, "the frame")
        # Bilinear sampling at the centre of a block takes the mean of its middle 2×2.
        rim = max(0, self.ratio // 2 - 1) if self.downscale == "bilinear" else 0
        light = np.empty((height // self.ratio, width // self.ratio), np.float32)
        levels = self._response.levels
        if misalignment is None or require_instance(misalignment, "misalignment", Misalignment).sees_the_same:
            mean_luma(frame, levels, self.ratio, rim, light)
        else:
            gaze = misalignment.gaze(height, width, self.ratio)
            side = 1 if self.downscale == "bilinear" else self.ratio
            mean_luma_elsewhere(frame, levels, self.ratio, side, gaze, misalignment.gain, light)
        return light

    def exposure(self) -> "Exposure":
        """An exposure that has not seen a frame yet."""
        return Exposure(self._response)


class Exposure:
    """A mean of frames in the making: what a colour camera collects while its shutter is open.

    Args:
        response: Of the camera.

    Raises:
        InvalidValueError: It is none.
    """

    def __init__(self, response: Response = LINEAR) -> None:
        self._response = require_instance(response, "response", Response)
        # Codes that are light are added as whole numbers.
        self._levels = None if response == LINEAR else response.levels.astype(np.float32)
        self._total = np.zeros((), np.uint32 if self._levels is None else np.float32)
        self._frames = 0

    def add(self, frame: np.ndarray) -> None:
        """Collect one more frame, RGB uint8 (H, W, 3), all of one size.

        Args:
            frame: RGB uint8 (H, W, 3).

        Raises:
            InvalidValueError: It is no such frame, or of another size than the first.
        """
        from spikesim_datasets.kernels.optics import add_codes

        require_image(frame, "frame")
        light = frame if self._levels is None else self._levels[frame]
        if self._frames == 0:
            self._total = light.astype(self._total.dtype, order="C")
        else:
            if light.shape != self._total.shape:
                raise InvalidValueError(
                    f"the frames of an exposure have one size, got {light.shape} after {self._total.shape}"
                )
            if self._levels is None:
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
        if self._levels is None:
            return ((2 * self._total + self._frames) // (2 * self._frames)).astype(np.uint8)
        return self._response.codes(self._total / np.float32(255 * self._frames))


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
    from spikesim_datasets.kernels.optics import look_up

    *some, height, width, _ = images.shape
    values = np.empty((*some, 3, height, width), np.float32)
    look_up(images.reshape(-1, height, width, 3), _VALUES, values.reshape(-1, 3, height, width))
    return values
