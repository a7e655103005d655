"""Kernels on packed bits: sparse events that add or take away spikes, counting, and intervals."""

import numpy as np

from spikesim.kernels.compile import inline, kernel
from spikesim.kernels.random import random_words

_u = np.uint32


@inline
def _draw(word, table, guide):
    """The smallest k with word < table[k]; guide (256,) is where to begin for each top byte."""
    k = guide[word >> _u(24)]
    while np.uint64(word) >= table[k]:
        k += 1
    return np.int64(k)


@inline
def _geometric(word, log_of_miss):
    """Trials up to the first success, log_of_miss = log(1 − p)."""
    return np.int64(1 + np.floor(np.log((np.float64(word) + 0.5) * 2.0**-32) / log_of_miss))


@kernel
def first_renewals(first, stop, purpose, key, pixels, table, guide, due):
    """Fill due (H,W) int64 with the readout of each pixel's first renewal; tables as in `noise.readout`."""
    for y in range(first, stop):
        for x in range(due.shape[1]):
            due[y, x] = _draw(random_words(pixels[y] + x, 0, purpose, 0, key)[0], table, guide)


@kernel
def add_renewals(first, stop, start, purpose, key, pixels, table, guide, due, draws, packed):
    """OR a spike into packed (T,H,ceil(W/8)), first readout `start`, at each renewal."""
    end = start + packed.shape[0]
    for y in range(first, stop):
        for x in range(due.shape[1]):
            bit = np.uint8(1 << (x & 7))
            while due[y, x] < end:
                packed[due[y, x] - start, y, x >> 3] |= bit
                draws[y, x] += 1
                due[y, x] += _draw(random_words(pixels[y] + x, 0, purpose, draws[y, x], key)[0], table, guide)


@kernel
def first_events(first, stop, purpose, key, pixels, log_of_miss, due):
    """Fill due (H,W) int64 with the readout of each pixel's first event, one having the same chance in every readout."""
    for y in range(first, stop):
        for x in range(due.shape[1]):
            due[y, x] = _geometric(random_words(pixels[y] + x, 0, purpose, 0, key)[0], log_of_miss) - 1


@kernel
def apply_events(first, stop, start, purpose, key, pixels, log_of_miss, set_bits, due, draws, packed):
    """Set or clear the bit of packed (T,H,ceil(W/8)) at each event; due, draws move on."""
    end = start + packed.shape[0]
    for y in range(first, stop):
        for x in range(due.shape[1]):
            bit = np.uint8(1 << (x & 7))
            while due[y, x] < end:
                t = due[y, x] - start
                if set_bits:
                    packed[t, y, x >> 3] |= bit
                else:
                    packed[t, y, x >> 3] &= ~bit
                draws[y, x] += 1
                due[y, x] += _geometric(random_words(pixels[y] + x, 0, purpose, draws[y, x], key)[0], log_of_miss)


@kernel
def mask_rows(first, stop, mask, packed):
    """Keep only the bits of mask (H,ceil(W/8)) in every readout of packed (T,H,ceil(W/8))."""
    for y in range(first, stop):
        for t in range(packed.shape[0]):
            for b in range(packed.shape[2]):
                packed[t, y, b] &= mask[y, b]


@kernel
def count_spikes(first, stop, packed, counts):
    """Fill counts (H,W) uint16 with the number of spikes of each pixel in packed (T,H,ceil(W/8))."""
    readouts, _, row_bytes = packed.shape
    for y in range(first, stop):
        row = np.zeros(row_bytes * 8, np.uint16)
        for t in range(readouts):
            for b in range(row_bytes):
                byte = packed[t, y, b]
                for i in range(8):
                    row[8 * b + i] += (byte >> i) & 1
        counts[y] = row[: counts.shape[1]]


@kernel
def covering_interval(first, stop, packed, centre, interval):
    """Fill interval (H,W) int32 with next − last, spikes around `centre`, last ≤ centre < next; 0 where none."""
    readouts, _, row_bytes = packed.shape
    width = interval.shape[1]
    for y in range(first, stop):
        for b in range(row_bytes):
            columns = min(8, width - 8 * b)
            wanted = np.uint8((1 << columns) - 1)
            last = np.full(8, -1, np.int32)
            missing = wanted
            t = centre
            while missing and t >= 0:
                found = packed[t, y, b] & missing
                for i in range(columns):
                    if (found >> i) & 1:
                        last[i] = t
                missing &= ~found
                t -= 1
            missing = wanted & ~missing
            for i in range(columns):
                interval[y, 8 * b + i] = 0
            t = centre + 1
            while missing and t < readouts:
                found = packed[t, y, b] & missing
                for i in range(columns):
                    if (found >> i) & 1:
                        interval[y, 8 * b + i] = t - last[i]
                missing &= ~found
                t += 1
