"""What a stream of spikes begins with: its arguments, checked, and all that is drawn before the first readout.

The compiled sensor and the one in torch both begin here.
"""

from dataclasses import dataclass
from typing import Any, Self, TypedDict

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.checks import require_array, require_flag, require_instance, require_whole
from spikesim.errors import InvalidValueError
from spikesim.pattern import FixedPattern, draw_pattern, starting_charge
from spikesim.randomness import Crop, make_key


class SharedOptions(TypedDict, total=False):
    """What several streams of the same light are told besides: keywords of `spikesim.simulate`, where they are
    explained and have their defaults."""

    seed: int
    charge: np.ndarray | None
    crop: Crop | None
    clip: bool


class StreamOptions(SharedOptions, total=False):
    """What a stream is told besides its light and its camera: keywords of `spikesim.simulate`."""

    key: str


@dataclass(frozen=True, eq=False)
class StreamSetup:
    """What a stream begins with.

    Attributes:
        camera: The camera.
        shape: (H, W) of the light.
        crop: The part of the sensor it falls on.
        key: Of the stream's random numbers, uint32 (2,).
        charge: Starting charge, float32 (H, W), nobody else's.
        pattern: What the pixels are.
        clip: Whether light is clipped to [0, 1], or refused outside.
    """

    camera: SpikeCamera
    shape: tuple[int, int]
    crop: Crop
    key: np.ndarray
    charge: np.ndarray
    pattern: FixedPattern
    clip: bool

    @classmethod
    def of(
        cls,
        camera: SpikeCamera,
        size: tuple[Any, Any],
        *,
        seed: int,
        key: str,
        charge: Any,
        crop: Crop | None,
        clip: bool,
    ) -> Self:
        """The beginning of a stream; `size` is (H, W), the others are as for `spikesim.simulate`.

        Raises:
            InvalidValueError: An argument is not as said there.
            InputFileError: A calibration's file is missing or has changed.
        """
        require_instance(camera, "camera", SpikeCamera, "SpikeCamera.preset(name) makes one")
        height, width = (
            require_whole(length, f"a sensor has at least one pixel: its {name}", 1)
            for name, length in zip(("height", "width"), size, strict=True)
        )
        crop = Crop(0, 0, height, width) if crop is None else require_instance(crop, "crop", Crop)
        crop.check(height, width)
        philox_key = make_key(seed, key)
        return cls(
            camera,
            (height, width),
            crop,
            philox_key,
            starting_charge(camera, (height, width), crop, philox_key)
            if charge is None
            else _checked_charge(charge, (height, width)),
            draw_pattern(camera, (height, width), crop, seed),
            require_flag(clip, "clip"),
        )


def _checked_charge(charge: Any, shape: tuple[int, int]) -> np.ndarray:
    given = require_array(charge, "charge")
    if given.dtype.kind == "c":
        raise InvalidValueError(f"charge must be an array of real numbers, got {given.dtype}")
    with np.errstate(over="ignore"):  # too large for float32 is infinite, and refused below
        checked = np.array(given, np.float32)
    if checked.shape != shape:
        raise InvalidValueError(f"charge must be {shape} as the sensor is, got shape {checked.shape}")
    if not np.isfinite(checked).all() or (checked < 0).any():
        raise InvalidValueError("charge must be finite and ≥ 0, in the unit of v_th; other values found")
    return checked
