"""Kernels on packed bits: sparse events that add or take away spikes, counting, and intervals."""

import numpy as np

from spikesim.kernels.compile import inline, kernel
from spikesim.kernels.lanes import LANES, choose, load_bits, prefetch, store
from spikesim.kernels.random import fill_words, random_words

_u = np.uint32


@inline
def draw_from(word, below, guide):
    """The number that a word stands for in a `noise.distributions.WordTable`."""
    k = guide[word >> _u(20)]
    while np.uint64(word) >= below[k]:
        k += 1
    return np.int64(k)


@inline
def _geometric(word, log_of_miss):
    """Trials up to the first success, log_of_miss = log(1 − p)."""
    return np.int64(1 + np.floor(np.log((np.float64(word) + 0.5) * 2.0**-32) / log_of_miss))


@kernel
def first_renewals(first, stop, purpose, key, pixels, below, guide, words, due):
    """Fill due (H,W) int64 with the readout of each pixel's first renewal, drawn from a `WordTable`.

    words (H,4,W) uint32 is filled with the words of the first draws.
    """
    for y in range(first, stop):
        fill_words(pixels[y], 0, purpose, 0, key, words[y])
        for x in range(due.shape[1]):
            due[y, x] = draw_from(words[y, 0, x], below, guide)


@kernel
def add_renewals(first, stop, start, purpose, key, pixels, below, guide, words, due, draws, packed):
    """OR a spike into packed (T,H,ceil(W/8)), first readout `start`, at each renewal; words, due and draws move on."""
    end = start + packed.shape[0]
    places = np.empty(due.shape[1], np.int64)
    for y in range(first, stop):
        number = _find_due(due, y, end, start, packed, places)
        while number > 0:
            later = 0
            for i in range(number):
                x = places[i]
                packed[due[y, x] - start, y, x >> 3] |= np.uint8(1 << (x & 7))
                draws[y, x] += 1
                if draws[y, x] & 3 == 0:
                    _refill(words, y, x, pixels[y] + x, purpose, draws[y, x] >> 2, key)
                due[y, x] += draw_from(words[y, draws[y, x] & 3, x], below, guide)
                places[later] = x
                later += due[y, x] < end
            number = later


@kernel
def first_events(first, stop, purpose, key, pixels, log_of_miss, words, due):
    """Fill due (H,W) int64 with the readout of each pixel's first event, as likely in every readout; words as above."""
    for y in range(first, stop):
        fill_words(pixels[y], 0, purpose, 0, key, words[y])
        for x in range(due.shape[1]):
            due[y, x] = _geometric(words[y, 0, x], log_of_miss) - 1


@kernel
def apply_events(first, stop, start, purpose, key, pixels, log_of_miss, set_bits, words, due, draws, packed):
    """Set or clear the bit of packed (T,H,ceil(W/8)) at each event; words, due and draws move on."""
    end = start + packed.shape[0]
    places = np.empty(due.shape[1], np.int64)
    for y in range(first, stop):
        number = _find_due(due, y, end, start, packed, places)
        while number > 0:
            later = 0
            for i in range(number):
                x = places[i]
                t, bit = due[y, x] - start, np.uint8(1 << (x & 7))
                if set_bits:
                    packed[t, y, x >> 3] |= bit
                else:
                    packed[t, y, x >> 3] &= ~bit
                draws[y, x] += 1
                if draws[y, x] & 3 == 0:
                    _refill(words, y, x, pixels[y] + x, purpose, draws[y, x] >> 2, key)
                due[y, x] += _geometric(words[y, draws[y, x] & 3, x], log_of_miss)
                places[later] = x
                later += due[y, x] < end
            number = later


@kernel
def _find_due(due, y, end, start, packed, places):
    """Write the places of row y that are due before `end`, in order, and ask for the bytes they will change.

    A list is walked without a branch for each pixel, which no processor could foretell.

    Returns:
        Their number.
    """
    number = 0
    for x in range(due.shape[1]):
        places[number] = x
        number += due[y, x] < end
    for x in places[:number]:
        prefetch(packed, (due[y, x] - start, y, x >> 3))
    return number


@kernel
def _refill(words, y, x, pixel, purpose, draw, key):
    """The next four words of a pixel."""
    words[y, 0, x], words[y, 1, x], words[y, 2, x], words[y, 3, x] = random_words(pixel, 0, purpose, draw, key)


@kernel
def mask_rows(first, stop, mask, packed):
    """Keep only the bits of mask (H,ceil(W/8)) in every readout of packed (T,H,ceil(W/8))."""
    for y in range(first, stop):
        for t in range(packed.shape[0]):
            for b in range(packed.shape[2]):
                packed[t, y, b] &= mask[y, b]


@kernel
def unpack(first, stop, packed, dense):
    """Fill dense (T,H,W), of any number type, with the bits of packed (T,H,ceil(W/8))."""
    width = dense.shape[2]
    for t in range(dense.shape[0]):
        for y in range(first, stop):
            for b in range(width >> 3):
                for i in range(8):
                    dense[t, y, 8 * b + i] = (packed[t, y, b] >> np.uint8(i)) & np.uint8(1)
            for x in range(width & ~7, width):
                dense[t, y, x] = (packed[t, y, x >> 3] >> np.uint8(x & 7)) & np.uint8(1)


@kernel
def unpack_to_float32(first, stop, packed, dense):
    """As `unpack`, twice as fast, for what networks take: float32."""
    width = dense.shape[2]
    for t in range(dense.shape[0]):
        for y in range(first, stop):
            for x in range(0, width, LANES):
                count = min(LANES, width - x)
                spikes = load_bits(packed, (t, y, x >> 3), count)
                store(dense, (t, y, x), count, choose(spikes, np.float32(1), np.float32(0)))


@kernel
def mirror(first, stop, width, packed, mirrored):
    """Fill mirrored with packed (T,H,ceil(W/8)), the W pixels of a row from the last to the first."""
    row_bytes = packed.shape[2]
    gap = np.uint16(8 * row_bytes - width)  # bits beyond W, which the reversal brings to the front
    for t in range(packed.shape[0]):
        for y in range(first, stop):
            behind = np.uint16(0)
            for b in range(row_bytes):
                byte = packed[t, y, b]
                byte = (byte & np.uint8(0x55)) << np.uint8(1) | (byte & np.uint8(0xAA)) >> np.uint8(1)
                byte = (byte & np.uint8(0x33)) << np.uint8(2) | (byte & np.uint8(0xCC)) >> np.uint8(2)
                word = np.uint16((byte & np.uint8(0x0F)) << np.uint8(4) | (byte & np.uint8(0xF0)) >> np.uint8(4))
                mirrored[t, y, row_bytes - 1 - b] = np.uint8((word | behind << np.uint16(8)) >> gap & np.uint16(255))
                behind = word


@kernel
def pack(first, stop, dense, packed, binary):
    """Fill packed (T,H,ceil(W/8)) with dense uint8 (T,H,W); binary (H,) tells of each row if it holds only 0 and 1."""
    width = dense.shape[2]
    for y in range(first, stop):
        seen = np.uint64(0)
        for t in range(dense.shape[0]):
            for b in range(packed.shape[2]):
                word = np.uint64(0)
                if 8 * b + 8 <= width:
                    for i in range(8):
                        word |= np.uint64(dense[t, y, 8 * b + i]) << np.uint64(8 * i)
                else:
                    for i in range(width & 7):
                        word |= np.uint64(dense[t, y, 8 * b + i]) << np.uint64(8 * i)
                seen |= word
                # Byte i of the word lands on bit 56 + i; no two bits meet on the way, so none carries.
                packed[t, y, b] = (word * np.uint64(0x0102040810204080)) >> np.uint64(56)
        binary[y] = seen & ~np.uint64(0x0101010101010101) == 0
