"""What a random number depends on: the key that a seed and a stream's name make, and the purpose it serves.

The numbers themselves are drawn in `kernels` (compiled) and `reference` (numpy) from the same counters.
"""

import hashlib
from operator import index

import numpy as np

from spikesim.errors import InvalidValueError

# Purposes of random numbers, each a stream of its own. A number once given to a purpose stays with it.
INITIAL_CHARGE = 6
INHERENT_SPIKES = 11


def make_key(seed: int, name: str) -> np.ndarray:
    """The Philox key of a stream: a hash of its seed and its name, two 32-bit words as uint64 (2,).

    Raises:
        InvalidValueError: The seed is not an integer from 0 to 2^64 − 1, or the name is not a string.
    """
    try:
        number = -1 if isinstance(seed, bool) else index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**64:
        raise InvalidValueError(f"seed must be an integer from 0 to 2^64 − 1, got {seed!r}")
    if not isinstance(name, str):
        raise InvalidValueError(f"key must be a string, the name of the stream, got {name!r}")
    digest = hashlib.blake2b(name.encode(), digest_size=8, key=number.to_bytes(8, "little")).digest()
    return np.frombuffer(digest, "<u4").astype(np.uint64)
