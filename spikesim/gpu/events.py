"""Sparse events that add or take away spikes, as in `kernels.bits`."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from spikesim.gpu.random import random_words, unit_uniforms
from spikesim.noise.bit_events import BitEvents, ChanceEvents
from spikesim.noise.distributions import WordTable

Law = Callable[[Tensor], Tensor]


class Events:
    """Events of every pixel: when the next is due, and how many have been drawn.

    Args:
        events: What happens, and how often.
        pixels: Numbers of the pixels, int64 (H, W).
        key: Of the random numbers.
    """

    def __init__(self, events: BitEvents, pixels: Tensor, key: tuple[int, int]) -> None:
        # The readout of the first event and the intervals from one to the next, int64, of random words.
        if isinstance(events, ChanceEvents):
            self._sets, first, self._later = events.sets, *_trials(events.chance)
        else:
            first, self._later = (draw_from(law, pixels.device) for law in (events.first, events.interval))
            self._sets = True
        self._pixels, self._key, self._purpose = pixels.flatten(), key, events.purpose
        self._due = first(random_words(self._pixels, 0, self._purpose, key)[0])
        self._draws = torch.zeros_like(self._due)

    def state(self) -> tuple[Tensor, Tensor]:
        """A copy of what `apply` changes, to come back to."""
        return self._due.clone(), self._draws.clone()

    def restore(self, state: tuple[Tensor, Tensor]) -> None:
        """Come back to an earlier state."""
        self._due, self._draws = state

    def apply(self, start: int, spikes: Tensor) -> None:
        """Put the events of these readouts, the first of which is `start`, into bool (T, H, W)."""
        readouts, _, width = spikes.shape
        while len(places := (self._due < start + readouts).nonzero()[:, 0]):
            spikes[self._due[places] - start, places // width, places % width] = self._sets
            self._draws[places] += 1
            draws = self._draws[places]
            words = random_words(self._pixels[places], 0, self._purpose | draws >> 2 << 8, self._key)
            self._due[places] += self._later(torch.stack(list(words)).gather(0, (draws & 3)[None])[0])


def draw_from(law: WordTable, device: torch.device) -> Law:
    """The numbers that words stand for in a table."""
    below = torch.from_numpy(law.below.astype(np.int64)).to(device)
    return lambda words: torch.searchsorted(below, words, right=True)


def _trials(chance: float) -> tuple[Law, Law]:
    """Trials before the first success of this chance, and up to it."""
    log_of_miss = float(np.log1p(-min(chance, 1 - 1e-12)))

    def before(words: Tensor) -> Tensor:
        return (unit_uniforms(words).log() / log_of_miss).floor().long()

    return before, lambda words: before(words) + 1
