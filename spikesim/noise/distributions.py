"""Distributions on 32-bit words, so that every machine draws alike: a random word w stands for the smallest k with
w < below[k]."""

from dataclasses import dataclass
from functools import cache
from math import lgamma, log, sqrt

import numpy as np


@dataclass(frozen=True, eq=False)
class WordTable:
    """A distribution of whole numbers k = 0..K−1.

    Attributes:
        below: uint64 (K,), P(number ≤ k)·2^32; read-only.
        guide: int32 (4096,), for the top twelve bits of a word the first k that can be meant: where a search begins.
    """

    below: np.ndarray
    guide: np.ndarray


def word_table(cumulative: np.ndarray) -> WordTable:
    """The table of a cumulative distribution, float64 (K,), the last of which is 1."""
    below = np.rint(cumulative * 2.0**32).astype(np.uint64)
    guide = np.searchsorted(below, np.arange(4096, dtype=np.uint64) << np.uint64(20), side="right").astype(np.int32)
    below.setflags(write=False)
    guide.setflags(write=False)
    return WordTable(below, guide)


@cache
def poisson_table(mean: float) -> WordTable:
    """A Poisson number, of which at least 1 is drawn."""
    longest = int(np.ceil(mean + 10 * sqrt(mean))) + 10
    logs = np.array([k * log(mean) - mean - lgamma(k + 1) for k in range(longest + 1)])
    below = np.minimum(np.cumsum(np.exp(logs)), 1.0)
    below[0], below[-1] = 0.0, 1.0
    return word_table(below)
