"""Pixels of a recording that do not fire as their neighbours do."""

from typing import NamedTuple

import numpy as np

from spikesim.checks import require_instance
from spikesim.stream import SpikeStream

_HOT, _DEAD = 2, 4  # times as often as a neighbour, or a neighbour as it
_SPIKES = 10  # beyond that, so that few spikes prove nothing
_COUNTED = 65_535  # readouts that `SpikeStream.counts` takes at once
_NEIGHBOURS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]


class OutlyingPixel(NamedTuple):
    """A pixel that fires otherwise.

    Attributes:
        row, column: Where it is.
        spikes: How often it fired.
        neighbours: The median of how often its eight neighbours did.
    """

    row: int
    column: int
    spikes: int
    neighbours: float

    @property
    def hot(self) -> bool:
        """Whether it fires too often; else it is dead."""
        return self.spikes > self.neighbours


def outlying_pixels(stream: SpikeStream) -> list[OutlyingPixel]:
    """The pixels that fire over twice as often as seven of their eight neighbours, or less than a quarter as often.

    Ten spikes are allowed beyond that. One neighbour may be as bad; thin lines of a scene, where two are alike, are
    no outliers. Beyond the rim, the rim's own pixels count as neighbours.

    Args:
        stream: Spikes (T, H, W).

    Returns:
        The pixels, those farthest from their neighbours first.

    Raises:
        InvalidValueError: It is no stream.
    """
    readouts, height, width = require_instance(stream, "stream", SpikeStream).shape
    counts = np.zeros((height, width), np.int64)
    for start in range(0, readouts, _COUNTED):
        counts += stream[start : start + _COUNTED].counts()
    padded = np.pad(counts, 1, mode="edge")
    around = np.sort([padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width] for dy, dx in _NEIGHBOURS], axis=0)
    hot = counts > _HOT * around[-2] + _SPIKES
    dead = _DEAD * counts + _SPIKES < around[1]
    median = np.median(around, axis=0)
    found = [
        OutlyingPixel(row, column, int(counts[row, column]), float(median[row, column]))
        for row, column in np.argwhere(hot | dead).tolist()
    ]
    return sorted(found, key=lambda pixel: -abs(pixel.spikes - pixel.neighbours))
