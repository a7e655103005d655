"""Random numbers that are functions of (key, pixel, readout, purpose, draw): Philox4x32-10, and what is made of its
words.

Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011. Normals are Box-Muller pairs
in float32, from additions, multiplications and square roots alone, so that every machine rounds them alike.
"""

import numpy as np

from spikesim.constants import COSINE, LOG, SINE
from spikesim.kernels.compile import inline, kernel

_f, _i, _u, _w = np.float32, np.int32, np.uint32, np.uint64
_LOG_2 = np.float32(0.6931471805599453)


@inline
def philox4x32(c0, c1, c2, c3, k0, k1):
    """Ten rounds on a counter of four and a key of two words, all uint32; four words.

    Words are held in 64 bits whose upper halves may hold anything: the multiplication that counts reads lower halves
    only, which vector units have an instruction for.
    """
    low, half = _w(0xFFFFFFFF), _w(32)
    a, b, c, d, key0, key1 = _w(c0), _w(c1), _w(c2), _w(c3), _w(k0), _w(k1)
    for _ in range(10):
        product0 = _w(0xD2511F53) * (a & low)
        product1 = _w(0xCD9E8D57) * (c & low)
        a, b, c, d = (product1 >> half) ^ b ^ key0, product1, (product0 >> half) ^ d ^ key1, product0
        key0 = key0 + _w(0x9E3779B9)
        key1 = key1 + _w(0xBB67AE85)
    return _u(a), _u(b), _u(c), _u(d)


@inline
def random_words(pixel, readout, purpose, draw, key):
    """The four words of a pixel, a readout, a purpose and a draw under a key (2,)."""
    return philox4x32(_u(pixel), _u(readout), _u(purpose | draw << 8), _u(0), key[0], key[1])


@kernel
def fill_words(pixel, readout, purpose, draw, key, words):
    """Fill words (4,W) uint32 for the pixels `pixel`, `pixel`+1, ... of a row."""
    first, readout, stream = _w(_u(pixel)), _u(readout), _u(purpose | draw << 8)
    k0, k1 = key[0], key[1]  # read once: the compiler cannot know that no word is written over them
    words0, words1, words2, words3 = words[0], words[1], words[2], words[3]
    for x in range(words0.size):
        a, b, c, d = philox4x32(first + _w(x), readout, stream, _u(0), k0, k1)
        words0[x] = a
        words1[x] = b
        words2[x] = c
        words3[x] = d


@kernel
def fill_normals(pixel, readout, purpose, draw, key, words, normals):
    """Fill normals (4,W) float32 for the pixels `pixel`, `pixel`+1, ...; words (4,W) uint32 is room to work in."""
    fill_words(pixel, readout, purpose, draw, key, words)
    _box_muller(words[0], words[1], normals[0], normals[1])
    _box_muller(words[2], words[3], normals[2], normals[3])


@kernel
def _box_muller(words0, words1, normals0, normals1):
    """√(−2 ln u) · (cos, sin)(2πv) of two rows of words, u from the first, v from the second."""
    for x in range(words0.size):
        u = (_f(_i(words0[x] >> _u(1))) + _f(0.5)) * _f(2.0**-31)
        bits = _f(u).view(np.int32)
        exponent = _i(_i(bits - _i(0x3F400000)) >> _i(23))  # u = m · 2^exponent, m in [3/4, 3/2)
        m = _i(bits - _i(exponent << _i(23))).view(np.float32) - _f(1)
        q = LOG[7]
        q = q * m + LOG[6]
        q = q * m + LOG[5]
        q = q * m + LOG[4]
        q = q * m + LOG[3]
        q = q * m + LOG[2]
        q = q * m + LOG[1]
        q = q * m + LOG[0]
        log_u = _f(exponent) * _LOG_2 + m * q
        radius = np.sqrt(_f(-2) * log_u if log_u < 0 else _f(0))

        quadrant = _i(_u(words1[x] + _u(0x20000000)) >> _u(30))
        r = _f(_i(words1[x] - _u(_u(quadrant) << _u(30)))) * _f(2.0**-30)  # from the nearest quarter turn
        r2 = r * r
        s = SINE[3]
        s = s * r2 + SINE[2]
        s = s * r2 + SINE[1]
        s = s * r2 + SINE[0]
        s = s * r
        c = COSINE[4]
        c = c * r2 + COSINE[3]
        c = c * r2 + COSINE[2]
        c = c * r2 + COSINE[1]
        c = c * r2 + COSINE[0]
        odd = (quadrant & 1) != 0
        cosine = s if odd else c
        sine = c if odd else s
        cosine = -cosine if (quadrant == 1) | (quadrant == 2) else cosine
        sine = -sine if quadrant >= 2 else sine
        normals0[x] = radius * cosine
        normals1[x] = radius * sine


@kernel
def uniforms(first, stop, purpose, draw, key, pixels, values):
    """Fill values (H,W) float32 with U[0, 1) on a grid of 2^-24; pixels (H,) numbers each row's first pixel."""
    for y in range(first, stop):
        for x in range(values.shape[1]):
            word = random_words(pixels[y] + x, 0, purpose, draw, key)[0]
            values[y, x] = _f(_i(word >> _u(8))) * _f(2.0**-24)


@kernel
def normals(first, stop, purpose, draw, key, pixels, values):
    """Fill values (H,W) float32 with N(0, 1); pixels as for `uniforms`."""
    words = np.empty((4, values.shape[1]), np.uint32)
    rows = np.empty((4, values.shape[1]), np.float32)
    for y in range(first, stop):
        fill_normals(pixels[y], 0, purpose, draw, key, words, rows)
        values[y] = rows[0]
