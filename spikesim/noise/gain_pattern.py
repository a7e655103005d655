"""Sensitivity that differs from pixel to pixel."""

from dataclasses import dataclass

import numpy as np

from spikesim.noise.term import NoiseTerm, PixelMaps, SensorPart


@dataclass(frozen=True)
class GainPattern(NoiseTerm):
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

    purposes = (7,)

    def __post_init__(self) -> None:
        self._require("sigma", 0, 1)
        self._require("shading", 0, 0.9)

    def pixel_maps(self, part: SensorPart) -> PixelMaps:
        (purpose,) = self.purposes
        gain = np.maximum(np.float32(0.1), 1 + np.float32(self.sigma) * part.normals(purpose))
        return PixelMaps(gain=gain * self._shading(part) if self.shading else gain)

    def _shading(self, part: SensorPart) -> np.ndarray:
        """1 − shading·ρ² over the mean of the whole sensor, in which ρ² is on average 1/3."""
        crop, (height, width) = part.crop, part.shape
        y = (crop.top + np.arange(height) + 0.5) / crop.sensor_height * 2 - 1
        x = (crop.left + np.arange(width) + 0.5) / crop.sensor_width * 2 - 1
        rho2 = (y[:, None] ** 2 + x[None] ** 2) / 2
        return ((1 - self.shading * rho2) / (1 - self.shading / 3)).astype(np.float32)
