"""Sparse events that add or take away spikes, as in `kernels.bits`."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from spikesim.camera import SpikeCamera
from spikesim.gpu.random import random_words, unit_uniforms
from spikesim.noise import BitErrors, InherentSpikes
from spikesim.noise.readout import renewal_tables
from spikesim.randomness import DROPPED_BITS, FALSE_BITS, INHERENT_SPIKES

Law = Callable[[Tensor], Tensor]


class Events:
    """Events of every pixel: when the next is due, and how many have been drawn.

    Args:
        pixels: Numbers of the pixels, int64 (H, W).
        key: Of the random numbers.
        purpose: Of the random numbers.
        sets: Whether an event sets the bit, or clears it.
        first, later: The readout of the first event and the intervals from one to the next, int64, of random words.
    """

    def __init__(
        self, pixels: Tensor, key: tuple[int, int], purpose: int, *, sets: bool, first: Law, later: Law
    ) -> None:
        self._pixels, self._key, self._purpose = pixels.flatten(), key, purpose
        self._sets, self._later = sets, later
        self._due = first(random_words(self._pixels, 0, purpose, key)[0])
        self._draws = torch.zeros_like(self._due)

    def apply(self, start: int, spikes: Tensor) -> None:
        """Put the events of these readouts, the first of which is `start`, into bool (T, H, W)."""
        readouts, _, width = spikes.shape
        while len(places := (self._due < start + readouts).nonzero()[:, 0]):
            spikes[self._due[places] - start, places // width, places % width] = self._sets
            self._draws[places] += 1
            draws = self._draws[places]
            words = random_words(self._pixels[places], 0, self._purpose | draws >> 2 << 8, self._key)
            self._due[places] += self._later(torch.stack(list(words)).gather(0, (draws & 3)[None])[0])


def make_events(camera: SpikeCamera, pixels: Tensor, key: tuple[int, int]) -> Iterator[Events]:
    """What happens to a camera's bits after they were fired, in order."""
    if (errors := camera.term(BitErrors)) is not None:
        for chance, purpose, sets in ((errors.drop, DROPPED_BITS, False), (errors.false, FALSE_BITS, True)):
            if chance > 0:
                first, later = _trials(chance)
                yield Events(pixels, key, purpose, sets=sets, first=first, later=later)
    if (term := camera.term(InherentSpikes)) is not None:
        interval, begin = (on_device(table, pixels.device) for table in renewal_tables(term))
        yield Events(pixels, key, INHERENT_SPIKES, sets=True, first=draw_from(begin), later=draw_from(interval))


def on_device(table: np.ndarray, device: torch.device) -> Tensor:
    """A cumulative distribution on 32-bit words as int64."""
    return torch.from_numpy(table.astype(np.int64)).to(device)


def draw_from(table: Tensor) -> Law:
    """The law that gives the smallest k with word < table[k]."""
    return lambda words: torch.searchsorted(table, words, right=True)


def _trials(chance: float) -> tuple[Law, Law]:
    """Trials before the first success of this chance, and up to it."""
    log_of_miss = float(np.log1p(-min(chance, 1 - 1e-12)))

    def before(words: Tensor) -> Tensor:
        return (unit_uniforms(words).log() / log_of_miss).floor().long()

    return before, lambda words: before(words) + 1
