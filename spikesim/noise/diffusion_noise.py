"""Noise inside a readout, on the sub-ticks of SpikingSIM."""

from dataclasses import dataclass
from typing import Any

from spikesim.noise.distributions import poisson_table
from spikesim.noise.term import NoiseTerm


@dataclass(frozen=True)
class DiffusionNoise(NoiseTerm):
    """SpikingSIM's diffusion noise: inside every readout the light takes small random steps.

    At sub-ticks t_j = Σ Poisson(interval) the light changes by amplitude · (U − ½) and keeps the change until the
    readout ends. Needs a camera with `sub_ticks`.

    Args:
        interval: Mean interval between two steps in sub-ticks, from 1 to 1e4.
        amplitude: Range of a step in units of full-scale light, from 0 to 1.

    Raises:
        InvalidValueError: A value is outside its range.

    Source:
        Zhao et al., "SpikingSIM: A Bio-inspired Spiking Simulator", ISCAS 2022.
    """

    interval: float = 25.0
    amplitude: float = 1e-3

    purposes = (9,)
    in_sub_ticks = "only"

    def __post_init__(self) -> None:
        self._require("interval", 1, 1e4, "sub-ticks")
        self._require("amplitude", 0, 1)

    def tick_parameters(self) -> dict[str, Any]:
        interval = poisson_table(self.interval)
        return {"amplitude": float(self.amplitude), "below": interval.below, "guide": interval.guide}
