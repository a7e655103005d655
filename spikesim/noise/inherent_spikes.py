"""Thermal noise as the field models it."""

from dataclasses import dataclass
from functools import cache
from math import erf, sqrt

import numpy as np

from spikesim.noise.bit_events import BitEvents, RenewalEvents
from spikesim.noise.distributions import WordTable, word_table
from spikesim.noise.term import NoiseTerm


@dataclass(frozen=True)
class InherentSpikes(NoiseTerm):
    """Thermal noise as the field models it: spurious spikes at Gaussian intervals, OR-ed into the stream.

    Every pixel runs a renewal process of its own with intervals N(mean_interval, std_interval²), rounded to whole
    readouts and at least one, that began long before the first readout (a stationary start). The spikes are added to
    the output and do not touch the charge. The release draws one process that runs through all pixels, time fastest;
    inside a pixel the law is the same, and ours does not depend on the length of the stream or on how it is cut.

    Args:
        mean_interval: Mean interval between two spurious spikes of a pixel [readouts], from 1 to 1e6.
        std_interval: Its standard deviation [readouts], from 0 to the mean.

    Raises:
        InvalidValueError: A value is outside its range.

    Source:
        SpikingSIM (Zhao et al., "SpikingSIM: A Bio-inspired Spiking Simulator", ISCAS 2022), `Inherent_Noise`; the
        S-SDM release uses the same with its positions in 32-bit floats, which pile up after 2^24 samples; here they are
        integers.
    """

    mean_interval: float = 140.0
    std_interval: float = 50.0

    purposes = (11,)
    in_sub_ticks = "also"

    def __post_init__(self) -> None:
        self._require("mean_interval", 1, 1e6, "readouts")
        self._require("std_interval", 0, self.mean_interval, "readouts")

    def bit_events(self) -> tuple[BitEvents, ...]:
        (purpose,) = self.purposes
        first, interval = renewal_laws(self.mean_interval, self.std_interval)
        return (RenewalEvents(purpose, first, interval),)


@cache
def renewal_laws(mean: float, std: float) -> tuple[WordTable, WordTable]:
    """The laws of the renewal process with Gaussian intervals.

    Returns:
        first: P(first spike ≤ readout k), the forward recurrence time of the stationary process:
            P(first = k) = P(interval > k)/E[interval].
        interval: P(interval ≤ k); intervals are ≥ 1, so the first entry is 0.
    """
    longest = int(np.ceil(mean + 7 * std)) + 1
    below = np.array([_gaussian_cdf(k + 0.5, mean, std) for k in range(longest + 1)])
    below[0], below[-1] = 0.0, 1.0
    survival = 1.0 - below
    first = np.cumsum(survival) / survival.sum()
    first[-1] = 1.0
    return word_table(first), word_table(below)


def _gaussian_cdf(x: float, mean: float, std: float) -> float:
    if std == 0:
        return float(x >= mean)
    return 0.5 * (1.0 + erf((x - mean) / (std * sqrt(2.0))))
