"""Noise of the frame: white, and new in every readout."""

from dataclasses import dataclass

from spikesim.noise.term import NoiseTerm


@dataclass(frozen=True)
class FrameNoise(NoiseTerm):
    """White noise on the charge of every readout.

    Args:
        sigma: Standard deviation in thresholds, from 0 to 1. Below 1.5e-3 in real recordings.

    Raises:
        InvalidValueError: The value is outside its range.
    """

    sigma: float

    purposes = (2,)

    def __post_init__(self) -> None:
        self._require("sigma", 0, 1, "thresholds")

    def charge_parameters(self, v_th: float) -> dict[str, float | bool]:
        return {"frame_sigma": self.sigma * v_th}
