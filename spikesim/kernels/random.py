"""Random numbers that are functions of (key, pixel, readout, purpose, draw): Philox4x32-10, and what is made of its
words.

Source: Salmon, Moraes, Dror, Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011. Normals are Box-Muller pairs
in float32, from additions, multiplications and square roots alone, so that every machine rounds them alike.
"""

import numpy as np

from spikesim.constants import COSINE, LOG, SINE
from spikesim.kernels.compile import inline, kernel
from spikesim.kernels.lanes import (
    LANES,
    choose,
    int_to_float,
    long_words,
    low_word,
    numbered,
    square_root,
    store,
    view_float,
    view_int,
    word_to_int,
)

_f, _i, _u, _w = np.float32, np.int32, np.uint32, np.uint64
_LOG_2 = np.float32(0.6931471805599453)


@inline
def _ten_rounds(a, b, c, d, key0, key1):
    """Philox4x32-10 on a counter of four and a key of two words.

    Words are held in 64 bits whose upper halves may hold anything: the multiplication that counts reads lower halves
    only, which vector units have an instruction for.
    """
    low, half = _w(0xFFFFFFFF), _w(32)
    for _ in range(10):
        product0 = (a & low) * _w(0xD2511F53)
        product1 = (c & low) * _w(0xCD9E8D57)
        a, b, c, d = (product1 >> half) ^ b ^ key0, product1, (product0 >> half) ^ d ^ key1, product0
        key0 = key0 + _w(0x9E3779B9)
        key1 = key1 + _w(0xBB67AE85)
    return a, b, c, d


@inline
def philox4x32(c0, c1, c2, c3, k0, k1):
    """Ten rounds on a counter of four and a key of two words, all uint32; four words."""
    a, b, c, d = _ten_rounds(_w(c0), _w(c1), _w(c2), _w(c3), _w(k0), _w(k1))
    return _u(a), _u(b), _u(c), _u(d)


@inline
def random_words(pixel, readout, purpose, draw, key):
    """The four words of a pixel, a readout, a purpose and a draw under a key (2,)."""
    return philox4x32(_u(pixel), _u(readout), _u(purpose | draw << 8), _u(0), key[0], key[1])


@inline
def lanes_of_words(pixel, readout, purpose, draw, key):
    """As `random_words`, of sixteen pixels from `pixel` on."""
    a, b, c, d = _ten_rounds(
        numbered(_w(_u(pixel))),
        long_words(_w(_u(readout))),
        long_words(_w(_u(purpose | draw << 8))),
        long_words(_w(0)),
        _w(key[0]),
        _w(key[1]),
    )
    return low_word(a), low_word(b), low_word(c), low_word(d)


@inline
def lanes_of_normals(pixel, readout, purpose, draw, key):
    """Four N(0, 1) of each of sixteen pixels from `pixel` on."""
    a, b, c, d = lanes_of_words(pixel, readout, purpose, draw, key)
    first, second = _box_muller(a, b)
    third, fourth = _box_muller(c, d)
    return first, second, third, fourth


@inline
def _box_muller(words0, words1):
    """√(−2 ln u) · (cos, sin)(2πv), u from the first words, v from the second."""
    u = (int_to_float(word_to_int(words0 >> 1)) + _f(0.5)) * _f(2.0**-31)
    bits = view_int(u)
    exponent = (bits - _i(0x3F400000)) >> 23  # u = m · 2^exponent, m in [3/4, 3/2)
    m = view_float(bits - (exponent << 23)) - _f(1)
    q = m * LOG[7] + LOG[6]
    q = q * m + LOG[5]
    q = q * m + LOG[4]
    q = q * m + LOG[3]
    q = q * m + LOG[2]
    q = q * m + LOG[1]
    q = q * m + LOG[0]
    log_u = int_to_float(exponent) * _LOG_2 + m * q
    radius = square_root(choose(log_u < _f(0), log_u * _f(-2), _f(0)))

    quadrant = (words1 + _u(0x20000000)) >> 30
    r = int_to_float(word_to_int(words1 - (quadrant << 30))) * _f(2.0**-30)  # from the nearest quarter turn
    r2 = r * r
    s = r2 * SINE[3] + SINE[2]
    s = s * r2 + SINE[1]
    s = s * r2 + SINE[0]
    s = s * r
    c = r2 * COSINE[4] + COSINE[3]
    c = c * r2 + COSINE[2]
    c = c * r2 + COSINE[1]
    c = c * r2 + COSINE[0]
    odd = (quadrant & 1) == 1
    cosine, sine = choose(odd, s, c), choose(odd, c, s)
    # Quarter turns: (c, s), (−s, c), (−c, −s), (s, −c). A sign is the highest bit.
    cosine = view_float(view_int(cosine) ^ word_to_int((quadrant + 1) >> 1 << 31))
    sine = view_float(view_int(sine) ^ word_to_int(quadrant >> 1 << 31))
    return radius * cosine, radius * sine


@kernel
def fill_words(pixel, readout, purpose, draw, key, words):
    """Fill words (4,W) uint32 for the pixels `pixel`, `pixel`+1, ... of a row."""
    width = words.shape[1]
    for x in range(0, width, LANES):
        a, b, c, d = lanes_of_words(pixel + x, readout, purpose, draw, key)
        count = min(LANES, width - x)
        store(words, (0, x), count, a)
        store(words, (1, x), count, b)
        store(words, (2, x), count, c)
        store(words, (3, x), count, d)


@kernel
def uniforms(first, stop, purpose, draw, key, pixels, values):
    """Fill values (H,W) float32 with U[0, 1) on a grid of 2^-24; pixels (H,) numbers each row's first pixel."""
    width = values.shape[1]
    for y in range(first, stop):
        for x in range(0, width, LANES):
            word, _, _, _ = lanes_of_words(pixels[y] + x, 0, purpose, draw, key)
            store(values, (y, x), min(LANES, width - x), int_to_float(word_to_int(word >> 8)) * _f(2.0**-24))


@kernel
def normals(first, stop, purpose, draw, key, pixels, values):
    """Fill values (H,W) float32 with N(0, 1); pixels as for `uniforms`."""
    width = values.shape[1]
    for y in range(first, stop):
        for x in range(0, width, LANES):
            normal, _, _, _ = lanes_of_normals(pixels[y] + x, 0, purpose, draw, key)
            store(values, (y, x), min(LANES, width - x), normal)
