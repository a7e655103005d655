"""How noisy a camera is: what a short exposure of it tells of light that does not change."""

import numpy as np

from spikesim import SpikeCamera, simulate

READOUTS = 21
"""Of one short exposure."""

_EXPOSURES = 4
_BEFORE = 40  # readouts, in which charge forgets where it began


def light_spread(camera: SpikeCamera, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation of the light that 21 readouts tell, over pixels and over time, by the light.

    It is of what the clock cuts off, of noise, and of what differs from pixel to pixel for good.

    Args:
        camera: The camera.
        height, width: Pixels of its sensor; every column has a light of its own.

    Returns:
        The light of each column in [0, 1], and the deviation, of full light 1, both (width,).
    """
    light = np.linspace(0, 1, width, dtype=np.float32)
    readouts = _BEFORE + _EXPOSURES * READOUTS
    stream = simulate(np.broadcast_to(light, (readouts, height, width)), camera, key="noise")
    starts = range(_BEFORE, readouts, READOUTS)
    counts = np.stack([stream.counts(start, start + READOUTS) for start in starts])
    return light, counts.std((0, 1)) / READOUTS * camera.v_th / camera.gain
