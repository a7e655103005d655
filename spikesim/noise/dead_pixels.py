"""Pixels that never fire."""

from dataclasses import dataclass

from spikesim.noise.term import NoiseTerm, PixelMaps, SensorPart


@dataclass(frozen=True)
class DeadPixels(NoiseTerm):
    """Pixels that never fire.

    Args:
        fraction: Of all pixels, from 0 to 1. Measured: 3e-5.

    Raises:
        InvalidValueError: The value is outside its range.
    """

    fraction: float = 3e-5

    purposes = (12,)
    in_sub_ticks = "also"

    def __post_init__(self) -> None:
        self._require("fraction", 0, 1)

    def pixel_maps(self, part: SensorPart) -> PixelMaps:
        (purpose,) = self.purposes
        return PixelMaps(alive=part.uniforms(purpose) >= self.fraction)
