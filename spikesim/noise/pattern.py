"""Noise that belongs to the pixels and stays: fixed patterns, drawn or measured."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from spikesim.errors import InputFileError, InvalidValueError
from spikesim.noise.checks import require


@dataclass(frozen=True)
class DarkCurrent:
    """Charge that gathers without light, different from pixel to pixel.

        d_p = median · exp(sigma · ξ_p);   a `hot_fraction` of the pixels has 5 to 130 times that, log-uniformly

    Args:
        median: Thresholds a readout, from 0 to 1. Measured: 4.49e-3 at 20 kHz (half at 40 kHz).
        sigma: Spread, from 0 to 3: of the logarithm; for `normal` the standard deviation over the mean.
        hot_fraction: Fraction of hot pixels, from 0 to 1. Measured: 1e-3.
        distribution: `lognormal` as measured; `normal` as SCSim has it, cut off at 0.

    Raises:
        InvalidValueError: A value is outside its range.

    Source:
        Dark frames of a real camera published with RSIR (ACM MM 2023) and SpikeNeRF (CVPR 2024).
    """

    median: float = 4.49e-3
    sigma: float = 0.445
    hot_fraction: float = 1e-3
    distribution: Literal["lognormal", "normal"] = "lognormal"

    def __post_init__(self) -> None:
        require(self, "median", 0, 1, "thresholds a readout")
        require(self, "sigma", 0, 3)
        require(self, "hot_fraction", 0, 1)
        if self.distribution not in ("lognormal", "normal"):
            raise InvalidValueError(
                f"distribution of DarkCurrent must be 'lognormal' or 'normal', got {self.distribution!r}"
            )


@dataclass(frozen=True)
class GainPattern:
    """Pixels differ in sensitivity (PRNU), and the lens leaves the corners darker (shading).

        g_p = max(0.1, 1 + sigma · ξ_p) · s_p;   s_p ∝ 1 − shading · ρ², ρ = 1 in the corners, mean 1

    Args:
        sigma: Standard deviation of pixels, from 0 to 1. Measured: 0.026.
        shading: Loss in the corners, from 0 to 0.9. Measured: about 0.12.

    Raises:
        InvalidValueError: A value is outside its range.

    Source:
        Flat fields of a real camera published with RSIR (ACM MM 2023) and SpikeNeRF (CVPR 2024).
    """

    sigma: float = 0.026
    shading: float = 0.0

    def __post_init__(self) -> None:
        require(self, "sigma", 0, 1)
        require(self, "shading", 0, 0.9)


@dataclass(frozen=True)
class DeadPixels:
    """Pixels that never fire.

    Args:
        fraction: Of all pixels, from 0 to 1. Measured: 3e-5.

    Raises:
        InvalidValueError: The value is outside its range.
    """

    fraction: float = 3e-5

    def __post_init__(self) -> None:
        require(self, "fraction", 0, 1)


@dataclass(frozen=True)
class Calibration:
    """A measured fixed pattern: gain and dark current of every pixel, from a file that `spikesim.calibration` wrote.

        x_p = g_p · gain · L + d_p

    Args:
        path: The `.npz` file; it is read when first used.
        sha256: Of the file; None takes it from the file. It is what makes two calibrations equal, wherever they lie.

    Raises:
        InputFileError: The file is missing, or another than the one meant.
    """

    path: str
    sha256: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", str(self.path))
        if self.sha256 is None:
            object.__setattr__(self, "sha256", _file_hash(self.path))

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


def _file_hash(path: str) -> str:
    import hashlib

    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise InputFileError(f"the calibration {path} cannot be read ({error})") from error


@lru_cache(maxsize=4)
def _load_maps(path: str, sha256: str | None) -> tuple[np.ndarray, np.ndarray]:
    if _file_hash(path) != sha256:
        raise InputFileError(
            f"{path} is not the calibration that was meant: its contents have changed; calibrate again"
        )
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
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
