"""A pixel that cannot integrate again at once."""

from dataclasses import dataclass

from spikesim.noise.term import NoiseTerm


@dataclass(frozen=True)
class DeadTime(NoiseTerm):
    """After a spike a pixel does not integrate for a while: r = x / (1 + readouts · x).

    Args:
        readouts: How long, in readouts, from 0 to 1. SCSim: 0.002 (100 ns of 50 µs); RSIR and SpikeNeRF: 1.

    Raises:
        InvalidValueError: The value is outside its range.
    """

    readouts: float = 0.002

    def __post_init__(self) -> None:
        self._require("readouts", 0, 1, "readouts")

    def charge_parameters(self, v_th: float) -> dict[str, float | bool]:
        return {"dead_time": self.readouts}
