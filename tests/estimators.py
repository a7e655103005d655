"""Statistics of spike trains that tell sensors apart; real and simulated recordings are compared by them.

Dense spikes are (T, P): readouts by pixels. An ideal pixel in constant light is the measure of all of them: it fires at
⌈(k + φ) / x⌉ for a drive x, and its intervals are ⌊1/x⌋ and ⌈1/x⌉.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True)
class Trains:
    """Spike times of P pixels, each of which fired at least twice.

    Attributes:
        times: float64 (P, K), in readouts; rows are filled up with the pixel's last spike.
        counts: int64 (P,), spikes of each.
        rate: float64 (P,), spikes a readout, by regression of the times on their number.
    """

    times: np.ndarray
    counts: np.ndarray
    rate: np.ndarray

    @classmethod
    def of(cls, dense: np.ndarray) -> Self:
        """The trains of dense spikes (T, P)."""
        by_pixel = np.ascontiguousarray(dense.T)
        counts = by_pixel.sum(axis=1, dtype=np.int64)
        assert counts.min() >= 2, "a pixel that fired less than twice has no interval"
        number = np.minimum(np.arange(counts.max()), counts[:, None] - 1)
        first = np.cumsum(counts) - counts
        times = np.nonzero(by_pixel)[1][first[:, None] + number].astype(np.float64)
        known = np.arange(counts.max()) < counts[:, None]
        centred = np.where(known, number - (counts[:, None] - 1) / 2, 0)
        return cls(times, counts, (centred**2).sum(axis=1) / (centred * times).sum(axis=1))

    def take(self, pixels: np.ndarray) -> Self:
        """The trains of some of the pixels."""
        return type(self)(self.times[pixels], self.counts[pixels], self.rate[pixels])

    def intervals(self, per_period: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All inter-spike intervals, and beside each the value of its pixel, from per_period (P,)."""
        intervals = np.diff(self.times, axis=1)
        known = intervals > 0
        return intervals[known], np.broadcast_to(per_period[:, None], known.shape)[known]


def outside(trains: Trains, rate: np.ndarray) -> float:
    """Fraction of the intervals that an ideal pixel of that rate (P,) does not have: neither ⌊1/r⌋ nor ⌈1/r⌉."""
    intervals, period = trains.intervals(1 / rate)
    return float(((intervals < np.floor(period)) | (intervals > np.ceil(period))).mean())


def stray(trains: Trains, rate: np.ndarray) -> tuple[float, float]:
    """Fractions of the intervals below 0.6 and above 1.6 periods of that rate (P,): spurious and missed spikes."""
    intervals, period = trains.intervals(1 / rate)
    return float((intervals < 0.6 * period).mean()), float((intervals > 1.6 * period).mean())


def wander(trains: Trains) -> np.ndarray:
    """How far each train strays from an even beat, R = min_b range_k(t_k − b k), float64 (P,), in readouts.

    An ideal pixel in constant light has R < 1.
    """
    number = np.minimum(np.arange(trains.times.shape[1]), trains.counts[:, None] - 1)

    def spread(beat: np.ndarray) -> np.ndarray:
        return np.ptp(trains.times - beat[:, None] * number, axis=1)

    # Convex in the beat. A beat so far from the regression that it is 8 readouts off at the end is no minimum.
    low, high = 1 / trains.rate - 8 / trains.counts, 1 / trains.rate + 8 / trains.counts
    for _ in range(24):
        a, b = low + (high - low) / 3, high - (high - low) / 3
        nearer_a = spread(a) < spread(b)
        low, high = np.where(nearer_a, low, a), np.where(nearer_a, b, high)
    return spread((low + high) / 2)


def window_counts(dense: np.ndarray, window: int) -> np.ndarray:
    """Counts (T // window, P) of successive windows."""
    windows = len(dense) // window
    return dense[: windows * window].reshape(windows, window, -1).sum(axis=1, dtype=np.int64)


def count_variance(dense: np.ndarray, window: int) -> float:
    """Unbiased variance of the counts of a pixel's successive windows, averaged over pixels."""
    return float(window_counts(dense, window).var(axis=0, ddof=1).mean())


def phase_noise(trains: Trains, lag: int) -> float:
    """Relative variance of an interval by noise alone: the structure function of the spikes' phase, at a lag in spikes.

        CV²(m) = (E[(r (t_{k+2m} − 2 t_{k+m} + t_k))²] − r² · 2 min(f, 1 − f)) / 2m,   f = frac(m / r)

    What is subtracted is the clock's share, the same second difference of an ideal pixel of random phase. The result
    does not depend on m where the noise is new in every interval.
    """
    times, rate = trains.times, trains.rate
    second = (times[:, 2 * lag :] - 2 * times[:, lag:-lag] + times[:, : -2 * lag]) * rate[:, None]
    known = np.arange(second.shape[1]) < trains.counts[:, None] - 2 * lag
    fraction = lag / rate % 1
    clock = np.broadcast_to((2 * np.minimum(fraction, 1 - fraction) * rate**2)[:, None], known.shape)
    return float((second[known] ** 2 - clock[known]).mean()) / (2 * lag)


def interval_range(dense: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shortest and longest interval of each pixel, int64 (P,) each; the most and 0 where there is none."""
    pixels = dense.shape[1]
    shortest, longest = np.full(pixels, np.iinfo(np.int64).max), np.zeros(pixels, np.int64)
    last = np.full(pixels, -1)
    for t, fired in enumerate(dense.astype(bool)):
        interval = t - last
        again = fired & (last >= 0)
        shortest[again] = np.minimum(shortest, interval)[again]
        longest[again] = np.maximum(longest, interval)[again]
        last[fired] = t
    return shortest, longest


def static_region(recording: np.ndarray) -> np.ndarray:
    """The 46,760 pixels (T, P) of the real recording (T, 250, 400) on a wall and pavement, where nothing moves."""
    wall, pavement = recording[:, 106:200, 10:360], recording[:, 214:249, 2:398]
    return np.concatenate([part.reshape(len(recording), -1) for part in (wall, pavement)], axis=1)
