"""The random numbers of pixels: Philox4x32-10 (Salmon et al., SC 2011), and what is made of its words."""

import numpy as np

from spikesim.constants import COSINE, LOG, SINE

_f = np.float32


def uniforms(pixels: np.ndarray, purpose: int, draw: int, key: np.ndarray) -> np.ndarray:
    """U[0, 1) on a grid of 2^-24, float32, of pixels of any shape."""
    return (random_words(pixels, 0, purpose, draw, key)[0] >> np.uint32(8)).astype(_f) * _f(2.0**-24)


def normals(pixels: np.ndarray, readout: int, purpose: int, key: np.ndarray) -> list[np.ndarray]:
    """Four N(0, 1) of each pixel, float32: Box-Muller pairs of the words of one counter."""
    words = random_words(pixels, readout, purpose, 0, key)
    return [*_box_muller(words[0], words[1]), *_box_muller(words[2], words[3])]


def _box_muller(words0: np.ndarray, words1: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    u = ((words0 >> np.uint32(1)).astype(np.int32).astype(_f) + _f(0.5)) * _f(2.0**-31)
    bits = u.view(np.int32)
    exponent = (bits - np.int32(0x3F400000)) >> np.int32(23)
    m = (bits - (exponent << np.int32(23))).view(_f) - _f(1)
    log_u = exponent.astype(_f) * _f(0.6931471805599453) + m * _polynomial(LOG, m)
    radius = np.sqrt(np.maximum(_f(-2) * log_u, _f(0)))
    quadrant = (words1 + np.uint32(0x20000000)) >> np.uint32(30)
    r = (words1 - (quadrant << np.uint32(30))).view(np.int32).astype(_f) * _f(2.0**-30)
    sine, cosine = _polynomial(SINE, r * r) * r, _polynomial(COSINE, r * r)
    # Quarter turns: (c, s), (−s, c), (−c, −s), (s, −c).
    turned = [(cosine, sine), (-sine, cosine), (-cosine, -sine), (sine, -cosine)]
    horizontal, vertical = (np.choose(quadrant, [turn[i] for turn in turned]) for i in (0, 1))
    return radius * horizontal, radius * vertical


def _polynomial(coefficients: tuple[np.float32, ...], x: np.ndarray) -> np.ndarray:
    total = np.full(x.shape, coefficients[-1], _f)
    for coefficient in coefficients[-2::-1]:
        total = total * x + coefficient
    return total


def random_words(pixels: np.ndarray, readout: int, purpose: int, draw: int, key: np.ndarray) -> tuple[np.ndarray, ...]:
    """The four words (uint32) of pixels of any shape, for a readout, a purpose and a draw."""
    counter = np.asarray(pixels, np.uint64)
    zero = np.zeros_like(counter)
    words = philox4x32(
        (counter, zero + np.uint64(readout), zero + np.uint64(purpose | draw << 8), zero),
        (zero + np.uint64(key[0]), zero + np.uint64(key[1])),
    )
    return tuple(word.astype(np.uint32) for word in words)


def philox4x32(counter: tuple[np.ndarray, ...], key: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Philox4x32-10 of arrays of 32-bit words held in uint64 (Salmon et al., SC 2011, Fig. 2)."""
    c0, c1, c2, c3 = counter
    for round_number in range(10):
        k0 = (key[0] + np.uint64(round_number * 0x9E3779B9 & 0xFFFFFFFF)) % 2**32
        k1 = (key[1] + np.uint64(round_number * 0xBB67AE85 & 0xFFFFFFFF)) % 2**32
        high0, low0 = np.divmod(c0 * np.uint64(0xD2511F53), 2**32)
        high1, low1 = np.divmod(c2 * np.uint64(0xCD9E8D57), 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
    return c0, c1, c2, c3
