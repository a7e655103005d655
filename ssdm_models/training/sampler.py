"""Which samples a step trains on, and with which seeds: decided by seed, epoch and place alone."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

from spikesim_datasets.samples import SeededIndex


class SeededBatches(Sampler[list[SeededIndex]]):
    """The batches of one device, from some step to the last.

    Every epoch goes through the samples in an order of its own; its last batch is filled up from the beginning of that
    order. Nothing is kept from one step to the next, so that training goes on anywhere with the same batches, and the
    devices' parts together are the batch of one.

    Args:
        samples: Number of samples.
        batch: Samples a step, on all devices together.
        epochs: Times that each sample is seen.
        seed: Of the orders, and of all that is random about a sample.
        start: Steps done before.
        parts: Into how many equal parts a batch is cut: devices × accumulation.
        own: Which of the parts to give, in order.
    """

    def __init__(
        self, samples: int, batch: int, epochs: int, seed: int, *, start: int = 0, parts: int = 1, own: range = range(1)
    ) -> None:
        self._samples, self._batch, self._epochs, self._seed = samples, batch, epochs, seed
        self._start, self._size, self._own = start, batch // parts, own

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return -(-self._samples // self._batch)

    def __len__(self) -> int:
        return (self._epochs * self.steps - self._start) * len(self._own)

    def __iter__(self) -> Iterator[list[SeededIndex]]:
        for epoch in range(self._start // self.steps, self._epochs):
            indices = self._epoch(epoch)
            first = self._start - epoch * self.steps if epoch == self._start // self.steps else 0
            for step in range(first, self.steps):
                for part in self._own:
                    begin = step * self._batch + part * self._size
                    yield indices[begin : begin + self._size]

    def _epoch(self, epoch: int) -> list[SeededIndex]:
        rng = np.random.default_rng([self._seed, epoch])
        size = self.steps * self._batch
        order, seeds = np.resize(rng.permutation(self._samples), size), rng.integers(2**63, size=size)
        return [SeededIndex(int(sample), int(seed)) for sample, seed in zip(order, seeds, strict=True)]
