"""Noise terms of the sensor, small frozen dataclasses that a camera holds in its `noise`."""

from dataclasses import dataclass
from functools import cache
from math import erf, isfinite, sqrt
from typing import Any

import numpy as np

from spikesim.errors import InvalidValueError


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
        if not (isfinite(self.mean_interval) and 1 <= self.mean_interval <= 1e6):
            raise InvalidValueError(f"mean_interval must be from 1 to 1e6 readouts, got {self.mean_interval!r}")
        if not (isfinite(self.std_interval) and 0 <= self.std_interval <= self.mean_interval):
            raise InvalidValueError(
                f"std_interval must be from 0 to mean_interval, {self.mean_interval}, got {self.std_interval!r}"
            )


NoiseTerm = InherentSpikes
"""Any noise term a camera can hold."""

NOISE_TERMS: dict[str, Any] = {"InherentSpikes": InherentSpikes}
"""Noise terms by the name they have in files."""


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
    return _on_words(below), _on_words(first)


def _gaussian_cdf(x: float, mean: float, std: float) -> float:
    if std == 0:
        return float(x >= mean)
    return 0.5 * (1.0 + erf((x - mean) / (std * sqrt(2.0))))


def _on_words(cumulative: np.ndarray) -> np.ndarray:
    table = np.rint(cumulative * 2.0**32).astype(np.uint64)
    table.setflags(write=False)
    return table
