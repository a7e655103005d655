"""Counts and intervals of dense spikes."""

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
