"""The random numbers of `kernels.random` in torch operations that round alike on every device.

torch multiplies no unsigned 32-bit words, so words are held in int64, where the lower 64 bits of a product are right
whatever its sign. Arguments are broadcast, and plain integers stay plain until they meet a tensor.
"""

import numpy as np
import torch
from torch import Tensor

from spikesim.constants import COSINE, LOG, SINE

_WORD = 0xFFFFFFFF
_LOG_2 = float(np.float32(0.6931471805599453))

Word = Tensor | int


def random_words(pixels: Tensor, readouts: Word, purpose: Word, key: tuple[int, int]) -> tuple[Tensor, ...]:
    """Philox4x32-10: four words, int64, of a pixel, a readout and a purpose (with the draw above its lowest byte)."""
    c0: Word = pixels
    c3: Word = 0
    c1, c2 = readouts, purpose
    for turn in range(10):
        k0, k1 = (key[0] + turn * 0x9E3779B9) & _WORD, (key[1] + turn * 0xBB67AE85) & _WORD
        product0, product1 = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1 = (product1 >> 32 & _WORD) ^ c1 ^ k0, product1 & _WORD
        c2, c3 = (product0 >> 32 & _WORD) ^ c3 ^ k1, product0 & _WORD
    return c0, c1, c2, c3  # type: ignore[return-value] # every word depends on the pixel


def unit_uniforms(words: Tensor) -> Tensor:
    """U(0, 1) of 32 bits, float64, never 0 or 1."""
    return (words.double() + 0.5) * 2.0**-32


def lane_words(pixels: Tensor, start: int, readouts: int, purpose: int, key: tuple[int, int]) -> Tensor:
    """A word, int64 (readouts, H, W), for each readout from `start` on; four share a counter."""
    lanes = torch.stack(_words_of_four(pixels, start, readouts, purpose, key), dim=1)
    return lanes.flatten(0, 1)[start & 3 :][:readouts]


def normals(pixels: Tensor, start: int, readouts: int, purpose: int, key: tuple[int, int]) -> Tensor:
    """N(0, 1), float32 (readouts, H, W), made of the words of four readouts; arguments as for `lane_words`."""
    words = _words_of_four(pixels, start, readouts, purpose, key)
    lanes = [*_box_muller(words[0], words[1]), *_box_muller(words[2], words[3])]
    return torch.stack(lanes, dim=1).flatten(0, 1)[start & 3 :][:readouts]


def _words_of_four(pixels: Tensor, start: int, readouts: int, purpose: int, key: tuple[int, int]) -> tuple[Tensor, ...]:
    groups = torch.arange(start >> 2, (start + readouts + 3) >> 2, device=pixels.device)[:, None, None]
    return random_words(pixels, groups, purpose, key)


def _box_muller(words0: Tensor, words1: Tensor) -> tuple[Tensor, Tensor]:
    """√(−2 ln u) · (cos, sin)(2πv), u from the first words, v from the second."""
    u = ((words0 >> 1).int().float() + 0.5) * 2.0**-31
    bits = u.view(torch.int32)
    exponent = (bits - 0x3F400000) >> 23  # u = m · 2^exponent, m in [3/4, 3/2)
    m = (bits - (exponent << 23)).view(torch.float32) - 1
    log_u = exponent.float() * _LOG_2 + m * _polynomial(LOG, m)
    radius = (log_u * -2).clamp(min=0).sqrt()
    quadrant = (words1 + 0x20000000) >> 30 & 3
    r = (words1 - (quadrant << 30)).int().float() * 2.0**-30  # from the nearest quarter turn
    r2 = r * r
    s, c = _polynomial(SINE, r2) * r, _polynomial(COSINE, r2)
    odd = (quadrant & 1).bool()
    cosine, sine = torch.where(odd, s, c), torch.where(odd, c, s)
    cosine = torch.where((quadrant + 1 & 2).bool(), -cosine, cosine)
    sine = torch.where((quadrant & 2).bool(), -sine, sine)
    return radius * cosine, radius * sine


def _polynomial(coefficients: tuple[np.float32, ...], x: Tensor) -> Tensor:
    total = x * float(coefficients[-1]) + float(coefficients[-2])
    for coefficient in coefficients[-3::-1]:
        total = total * x + float(coefficient)
    return total
