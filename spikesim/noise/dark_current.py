"""Dark current: charge without light."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from spikesim.checks import require_choice
from spikesim.noise.term import NoiseTerm, PixelMaps, SensorPart

Distribution = Literal["lognormal", "normal"]

_HOT_FROM, _HOT_TO = 5.0, 130.0


@dataclass(frozen=True)
class DarkCurrent(NoiseTerm):
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
    distribution: Distribution = "lognormal"

    purposes = (8,)

    def __post_init__(self) -> None:
        self._require("median", 0, 1, "thresholds a readout")
        self._require("sigma", 0, 3)
        self._require("hot_fraction", 0, 1)
        require_choice(self.distribution, "distribution of DarkCurrent", get_args(Distribution))

    def pixel_maps(self, part: SensorPart) -> PixelMaps:
        (purpose,) = self.purposes
        normal = part.normals(purpose)
        if self.distribution == "normal":
            one_by_one = np.float32(self.median) * (1 + np.float32(self.sigma) * normal)
            return PixelMaps(dark=np.maximum(np.float32(0), one_by_one))
        dark = self.median * np.exp(self.sigma * normal.astype(np.float64))
        hot = part.uniforms(purpose, 1) < self.hot_fraction
        log_uniform = part.uniforms(purpose, 2)[hot].astype(np.float64)
        dark[hot] *= _HOT_FROM * (_HOT_TO / _HOT_FROM) ** log_uniform
        return PixelMaps(dark=dark.astype(np.float32))
