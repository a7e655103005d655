"""How noisy a camera is: what a short exposure of it tells of light that does not change."""

import numpy as np

from spikesim import SpikeCamera, simulate

READOUTS = 21
"""Of one short exposure."""

_EXPOSURES = 4
_BEFORE = 40  # readouts, in which charge forgets where it began
_LIGHTS = 64
_OUTLIERS = 0.005  # of either side: hot and dead pixels, a few of which would drown the noise of all others


def light_spread(camera: SpikeCamera, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation of the light that 21 readouts tell, over pixels and over time, by the light.

    It is of what the clock cuts off, of noise, and of what differs from pixel to pixel for good, without the outermost
    hundredth.

    Args:
        camera: The camera.
        height, width: Pixels of its sensor, over whose columns light rises from 0 to 1.

    Returns:
        Light in [0, 1], ascending, at most 64 of them, and the deviations, of full light 1, as many.
    """
    light = np.linspace(0, 1, width, dtype=np.float32)
    readouts = _BEFORE + _EXPOSURES * READOUTS
    stream = simulate(np.broadcast_to(light, (readouts, height, width)), camera, key="noise")
    starts = range(_BEFORE, readouts, READOUTS)
    counts = np.stack([stream.counts(start, start + READOUTS) for start in starts]).astype(np.float32)
    apart = counts - counts.mean((0, 1))
    groups = np.array_split(np.arange(width), min(_LIGHTS, width))
    spread = [_without_outliers(apart[:, :, group].ravel()).std() for group in groups]
    middles = [light[group].mean() for group in groups]
    return np.array(middles), np.array(spread) / READOUTS * camera.v_th / camera.gain


def _without_outliers(values: np.ndarray) -> np.ndarray:
    cut = int(_OUTLIERS * len(values))
    return np.sort(values)[cut : len(values) - cut]
