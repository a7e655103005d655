"""A fixed pattern that was measured."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np

from spikesim.archives import open_npz
from spikesim.checks import require_instance, require_path
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import checksum, is_checksum
from spikesim.noise.dark_current import DarkCurrent
from spikesim.noise.dead_pixels import DeadPixels
from spikesim.noise.dead_time import DeadTime
from spikesim.noise.gain_pattern import GainPattern
from spikesim.noise.term import NoiseTerm, PixelMaps, SensorPart


@dataclass(frozen=True)
class Calibration(NoiseTerm):
    """A measured fixed pattern: gain and dark current of every pixel, from a file that `spikesim.calibration` wrote.

        x_p = g_p · gain · L + d_p

    Args:
        path: The `.npz` file; it is read when first used.
        sha256: Of the file; None takes it from the file. It is what makes two calibrations equal, wherever they lie.

    Raises:
        InvalidValueError: A value is no path or no hash.
        InputFileError: The file is missing, or another than the one meant.
    """

    path: str
    sha256: str | None = None

    stands_for = ("GainPattern", "DarkCurrent")

    def __post_init__(self) -> None:
        require_path(self.path, "path of Calibration")
        object.__setattr__(self, "path", os.fspath(self.path))  # as it was given, because files hold it
        if self.sha256 is None:
            object.__setattr__(self, "sha256", checksum(self.path))
        require_instance(self.sha256, "sha256 of Calibration", str)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """The calibration that a file describes, of which nothing is opened: the file may be anybody's, and its path
        lead anywhere. It says by its hash which calibration it means; that is compared before a calibration is used.

        Args:
            record: Its fields, as JSON values.

        Raises:
            InvalidValueError: It does not say its hash.
        """
        if not is_checksum(sha256 := record.get("sha256")):
            raise InvalidValueError(
                f"a calibration in a file is known by its sha256, 64 hexadecimal digits, got {sha256!r}"
            )
        return super().from_record(record)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Calibration) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def maps(self) -> tuple[np.ndarray, np.ndarray]:
        """Gain and dark current [thresholds a readout], float32 (H, W) each.

        Raises:
            InputFileError: The file is missing, damaged, or another than the one meant.
        """
        return _load_maps(self.path, self.sha256)

    def check_size(self, height: int, width: int, advice: str) -> None:
        """Refuse light of another size than the sensor's.

        Args:
            height, width: Of the light.
            advice: What to do, for the message.

        Raises:
            InvalidValueError: The sizes differ.
            InputFileError: As for `maps`.
        """
        measured = self.maps()[0].shape
        if measured != (height, width):
            raise InvalidValueError(
                f"the calibration {self.path} is of a sensor of {'×'.join(map(str, measured))}, the light is of "
                f"{height}×{width}; {advice}"
            )

    def pixel_maps(self, part: SensorPart) -> PixelMaps:
        gain, dark = self.maps()
        crop, (height, width) = part.crop, part.shape
        self.check_size(crop.sensor_height, crop.sensor_width, "a Crop says on which part it falls")
        seen = np.s_[crop.top : crop.top + height, crop.left : crop.left + width]
        return PixelMaps(gain=gain[seen], dark=dark[seen])


def calibrated_fields(path: str, noise: Iterable[NoiseTerm]) -> dict[str, Any]:
    """The fields of a camera that a calibration decides.

    Args:
        path: The `.npz` file.
        noise: What the camera has otherwise, of which the terms that were measured are left out.

    Returns:
        `noise`; and `readout_hz` where the clock is known.

    Raises:
        InputFileError: The file is missing or no calibration.
    """
    measured = Calibration(path)
    measured.maps()
    try:
        with open_npz(path) as archive:
            dead_time, readout_hz = DeadTime(float(archive["dead_time"])), float(archive["readout_hz"])
    except Exception as error:  # a damaged archive fails in many ways
        raise InputFileError(f"{path} is no calibration ({error}); `spikesim calibrate` makes one") from error
    own = (Calibration, GainPattern, DarkCurrent, DeadPixels, DeadTime)
    others = (term for term in noise if not isinstance(term, own))
    clock = {} if np.isnan(readout_hz) else {"readout_hz": readout_hz}
    return {"noise": (measured, dead_time, *others), **clock}


@lru_cache(maxsize=4)
def _load_maps(path: str, sha256: str | None) -> tuple[np.ndarray, np.ndarray]:
    if checksum(path) != sha256:
        raise InputFileError(f"{path} is not the calibration that was meant: its content has changed; calibrate again")
    try:
        with open_npz(path) as archive:
            gain, dark = archive["gain"].astype(np.float32), archive["dark"].astype(np.float32)
    except Exception as error:  # a damaged archive fails in many ways
        raise InputFileError(f"{path} is no calibration ({error}); `spikesim calibrate` makes one") from error
    if gain.ndim != 2 or gain.shape != dark.shape or not np.isfinite(gain).all() or not np.isfinite(dark).all():
        raise InputFileError(f"{path} holds a gain {gain.shape} and a dark map {dark.shape} that do not fit together")
    if (gain < 0).any() or (dark < 0).any():
        raise InputFileError(f"{path} holds negative gain or dark current; calibrate again")
    gain.setflags(write=False)
    dark.setflags(write=False)
    return gain, dark
