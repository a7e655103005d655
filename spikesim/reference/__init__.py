"""The sensor's mathematics in plain numpy, importing no kernel.

It is what the compiled code is compared with, bit for bit, and the place to read what is computed. Not fast.
"""

from spikesim.reference.random import philox4x32, random_words
from spikesim.reference.reconstruction import counts, fractional_counts, plasticity_states, tfi, tfstp
from spikesim.reference.sensor import simulate

__all__ = [
    "counts",
    "fractional_counts",
    "philox4x32",
    "plasticity_states",
    "random_words",
    "simulate",
    "tfi",
    "tfstp",
]
