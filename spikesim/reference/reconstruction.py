"""Counts, fractional counts, intervals and the states of synapses, of dense spikes."""

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


def plasticity_states(
    spikes: np.ndarray, u0: float, increment: float, depression: float, facilitation: float
) -> tuple[np.ndarray, np.ndarray]:
    """R and u after every readout of dense (T, H, W), each float64 (T, H, W); times in readouts."""
    resources, use = np.ones(spikes.shape), np.full(spikes.shape, u0)
    for y, x in np.ndindex(*spikes.shape[1:]):
        r, u, last = 1.0, u0, -1
        for t in range(len(spikes)):
            if spikes[t, y, x]:
                # Both at once: what a spike uses depends on u before it.
                r, u = (
                    1 - (1 - r * (1 - u)) * np.exp(-(t - last) / depression),
                    u0 + (u + increment * (1 - u) - u0) * np.exp(-(t - last) / facilitation),
                )
                last = t
            resources[t, y, x], use[t, y, x] = r, u
    return resources, use


def tfstp(
    spikes: np.ndarray, centre: int, u0: float, increment: float, depression: float, facilitation: float
) -> np.ndarray:
    """The mean of the two rates at which the states of dense (T, H, W) after `centre` would stay, float64 (H, W).

    R is 1 in float64 after an interval of 36 D: beyond a few D fewer digits are right than in the kernel.
    """
    states = plasticity_states(spikes[: centre + 1], u0, increment, depression, facilitation)
    resources, use = (state[-1] for state in states)
    with np.errstate(divide="ignore"):  # at rest both quotients are 0, and so are the rates
        of_depression = -depression * np.log((1 - resources) / (1 - resources * (1 - use)))
        of_facilitation = -facilitation * np.log((use - u0) / (increment - u0 + use * (1 - increment)))
    return (1 / np.maximum(of_depression, 1) + 1 / np.maximum(of_facilitation, 1)) / 2
