"""Counts, fractional counts and intervals of dense spikes."""

import numpy as np


def counts(spikes: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Spikes of dense (T, H, W) in readouts start..stop−1, (H, W)."""
    return spikes[start:stop].sum(axis=0, dtype=np.int64)


def tfi(spikes: np.ndarray, centre: int) -> np.ndarray:
    """One over the interval of dense (T, H, W) that covers `centre`, float32 (H, W), 0 where none does."""
    image = np.zeros(spikes.shape[1:], np.float32)
    for y, x in np.ndindex(*image.shape):
        times = np.flatnonzero(spikes[:, y, x])
        before, after = times[times <= centre], times[times > centre]
        if len(before) and len(after):
            image[y, x] = np.float32(1) / np.float32(after[0] - before[-1])
    return image


def fractional_counts(spikes: np.ndarray) -> np.ndarray:
    """Spikes of dense (T, H, W) before every readout, interpolated between them, float32 (T + 1, H, W)."""
    readouts = len(spikes)
    boundaries = np.arange(readouts + 1)
    counts = np.empty((readouts + 1, *spikes.shape[1:]), np.float32)
    for y, x in np.ndindex(*spikes.shape[1:]):
        times = np.flatnonzero(spikes[:, y, x]) + 1
        if not len(times):
            counts[:, y, x] = 0.5 * boundaries / readouts
            continue
        intervals = np.diff(times) if len(times) > 1 else [max(times[0], readouts - times[0] + 1)]
        knots = [times[0] - intervals[0], *times, times[-1] + intervals[-1]]
        counts[:, y, x] = np.interp(boundaries, knots, np.arange(len(times) + 2))
    return counts
