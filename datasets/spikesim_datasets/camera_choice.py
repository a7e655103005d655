"""Which sensor spikes are of: a preset by its name, a camera, or the file of one; and whether it fits a clip."""

import os
from collections.abc import Iterable

from spikesim import SpikeCamera
from spikesim.errors import InvalidValueError
from spikesim.noise import Calibration
from spikesim_datasets.sources import Clip

DEFAULT_PRESET = "ssdm"
"""The sensor of the published numbers."""


def chosen_camera(preset: str | None = None, camera: SpikeCamera | str | os.PathLike[str] | None = None) -> SpikeCamera:
    """The camera that is meant; that of `DEFAULT_PRESET` where nothing is given.

    Args:
        preset: Name of a preset.
        camera: A camera, or a file for `SpikeCamera.load`.

    Raises:
        InvalidValueError: Both are given, or there is no such preset.
        InputFileError: The file is missing or describes no camera.
    """
    if preset is not None and camera is not None:
        raise InvalidValueError("preset and camera both say which sensor is meant; leave one out")
    if camera is None:
        return SpikeCamera.preset(DEFAULT_PRESET if preset is None else preset)
    return camera if isinstance(camera, SpikeCamera) else SpikeCamera.load(camera)


def check_calibration(cameras: Iterable[SpikeCamera], clip: Clip, ratio: int) -> None:
    """Refuse, before any work, a camera whose pixels were measured, and are not as many as the clip gives light.

    Raises:
        InvalidValueError: The sizes differ.
        InputFileError: The calibration is missing, damaged, or another than the one meant.
    """
    for camera in cameras:
        if (calibration := camera.term(Calibration)) is not None:
            calibration.check_size(
                clip.height // ratio,
                clip.width // ratio,
                f"{clip.key} is {clip.width}×{clip.height} and has {ratio} pixels for one of the spikes: take frames "
                "of another size, another ratio, or another camera",
            )
