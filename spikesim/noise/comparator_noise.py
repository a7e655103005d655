"""Noise of the comparator."""

from dataclasses import dataclass

from spikesim.checks import require_flag
from spikesim.noise.term import NoiseTerm


@dataclass(frozen=True)
class ComparatorNoise(NoiseTerm):
    """Jitter of the comparator: the threshold differs from readout to readout.

    Args:
        sigma: Standard deviation in thresholds, from 0 to 1. Below 1e-3 in real recordings.
        in_reset: Whether a reset subtracts the threshold as it was at that readout (SCSim), or the nominal one.

    Raises:
        InvalidValueError: The value is outside its range.
    """

    sigma: float
    in_reset: bool = False

    purposes = (10,)

    def __post_init__(self) -> None:
        self._require("sigma", 0, 1, "thresholds")
        object.__setattr__(self, "in_reset", require_flag(self.in_reset, "in_reset of ComparatorNoise"))

    def charge_parameters(self, v_th: float) -> dict[str, float | bool]:
        return {"comparator_sigma": self.sigma * v_th, "comparator_in_reset": self.in_reset}
