"""Noise that RSIR adds to intervals."""

from dataclasses import dataclass

from spikesim.noise.term import NoiseTerm


@dataclass(frozen=True)
class IntervalNoise(NoiseTerm):
    """RSIR's quantisation noise: the interval that a drive stands for is lengthened by U(0, 1) in every readout.

        x = 1 / (1/x + dead_time + U)

    Real recordings do not have it (the clock quantises by itself, and the rate falls by a tenth); it is here to repeat
    RSIR.

    Args:
        dead_time: Readouts that every interval is lengthened by besides, from 0 to 10; 1 beside a measured calibration
            of theirs.

    Raises:
        InvalidValueError: The value is outside its range.

    Source:
        Zhu et al., "Recurrent Spike-based Image Restoration under General Illumination" (RSIR), ACM MM 2023.
    """

    dead_time: float = 0.0

    purposes = (13,)

    def __post_init__(self) -> None:
        self._require("dead_time", 0, 10, "readouts")

    def charge_parameters(self, v_th: float) -> dict[str, float | bool]:
        return {"intervals": True, "interval_dead_time": self.dead_time}
