"""Noise of the readout: bits that are wrong, and a pixel that cannot fire again at once."""

from dataclasses import dataclass
from functools import cache
from math import erf, lgamma, log, sqrt

import numpy as np

from spikesim.noise.checks import require


@dataclass(frozen=True)
class InherentSpikes:
    """Thermal noise as the field models it: spurious spikes at Gaussian intervals, OR-ed into the stream.

    Every pixel runs a renewal process of its own with intervals N(mean_interval, std_interval²), rounded to whole
    readouts and at least one, that began long before the first readout (a stationary start). The spikes are added to
    the output and do not touch the charge. The release draws one process that runs through all pixels, time fastest;
    inside a pixel the law is the same, and ours does not depend on the length of the stream or on how it is cut.

    Args:
        mean_interval: Mean interval between two spurious spikes of a pixel [readouts], ≥ 1.
        std_interval: Its standard deviation [readouts], ≥ 0.

    Raises:
        InvalidValueError: A value is outside its range.

    Source:
        SpikingSIM (Zhao et al., "SpikingSIM: A Bio-inspired Spiking Simulator", ISCAS 2022), `Inherent_Noise`; the
        S-SDM release uses the same with its positions in 32-bit floats, which pile up after 2^24 samples; here they are
        integers.
    """

    mean_interval: float = 140.0
    std_interval: float = 50.0

    def __post_init__(self) -> None:
        require(self, "mean_interval", 1, 1e6, "readouts")
        require(self, "std_interval", 0, self.mean_interval, "readouts")


@dataclass(frozen=True)
class DeadTime:
    """After a spike a pixel does not integrate for a while: r = x / (1 + readouts · x).

    Args:
        readouts: How long, in readouts, from 0 to 1. SCSim: 0.002 (100 ns of 50 µs); RSIR and SpikeNeRF: 1.

    Raises:
        InvalidValueError: The value is outside its range.
    """

    readouts: float = 0.002

    def __post_init__(self) -> None:
        require(self, "readouts", 0, 1, "readouts")


@dataclass(frozen=True)
class BitErrors:
    """Bits that get lost or appear between pixel and file; the charge knows nothing of them.

    Args:
        drop: Probability that a spike is lost, from 0 to 1. Measured: 8e-7.
        false: Probability that an empty readout becomes a spike, from 0 to 1. Measured: below 1.6e-7.

    Raises:
        InvalidValueError: A value is outside its range.
    """

    drop: float = 8e-7
    false: float = 0.0

    def __post_init__(self) -> None:
        require(self, "drop", 0, 1)
        require(self, "false", 0, 1)


@cache
def renewal_tables(term: InherentSpikes) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative distributions of the renewal process on 32-bit integers, so that every machine draws alike.

    A random 32-bit word w stands for the smallest k with w < table[k].

    Returns:
        interval: uint64 (K,), P(interval ≤ k)·2^32 for k = 0..K−1; intervals are ≥ 1, so interval[0] is 0.
        first: uint64 (K,), P(first spike ≤ readout k)·2^32: the forward recurrence time of the stationary process,
            P(first = k) = P(interval > k)/E[interval].
    """
    longest = int(np.ceil(term.mean_interval + 7 * term.std_interval)) + 1
    below = np.array([_gaussian_cdf(k + 0.5, term.mean_interval, term.std_interval) for k in range(longest + 1)])
    below[0], below[-1] = 0.0, 1.0
    survival = 1.0 - below
    first = np.cumsum(survival) / survival.sum()
    first[-1] = 1.0
    return on_words(below), on_words(first)


@cache
def poisson_table(mean: float) -> np.ndarray:
    """The cumulative distribution of a Poisson number on 32-bit integers, as `renewal_tables`; at least 1 is drawn."""
    longest = int(np.ceil(mean + 10 * sqrt(mean))) + 10
    logs = np.array([k * log(mean) - mean - lgamma(k + 1) for k in range(longest + 1)])
    below = np.minimum(np.cumsum(np.exp(logs)), 1.0)
    below[0], below[-1] = 0.0, 1.0
    return on_words(below)


def guide_of(table: np.ndarray) -> np.ndarray:
    """For the top twelve bits of a word the first k that can be meant, int32 (4096,): where a search begins."""
    return np.searchsorted(table, np.arange(4096, dtype=np.uint64) << np.uint64(20), side="right").astype(np.int32)


def _gaussian_cdf(x: float, mean: float, std: float) -> float:
    if std == 0:
        return float(x >= mean)
    return 0.5 * (1.0 + erf((x - mean) / (std * sqrt(2.0))))


def on_words(cumulative: np.ndarray) -> np.ndarray:
    """A cumulative distribution scaled to 32-bit words, uint64, read-only."""
    table = np.rint(cumulative * 2.0**32).astype(np.uint64)
    table.setflags(write=False)
    return table
