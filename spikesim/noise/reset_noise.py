"""Noise of the reset."""

from dataclasses import dataclass

from spikesim.noise.term import NoiseTerm


@dataclass(frozen=True)
class ResetNoise(NoiseTerm):
    """kTC noise: what a reset leaves varies.

    Args:
        sigma: Standard deviation in thresholds, from 0 to 1; √(kT/C)/ΔV = 8.93e-4 for 4.348 fF and 1.0924 V at 300 K.

    Raises:
        InvalidValueError: The value is outside its range.
    """

    sigma: float = 8.93e-4

    purposes = (3,)

    def __post_init__(self) -> None:
        self._require("sigma", 0, 1, "thresholds")

    def charge_parameters(self, v_th: float) -> dict[str, float | bool]:
        return {"reset_sigma": self.sigma * v_th}
