"""Compiled inner loops: arrays in, arrays out, no checks. The public functions check, allocate and cast before they
call.

Every kernel works on the rows `first..stop-1`, which do not depend on each other, so that `threads.run_on_rows` can
share them out. fastmath stays off: it changed 56 spikes in 8.2 million.
"""

import numpy as np
from numba import njit
from numba.extending import overload

MODULO, SUBTRACT, ZERO = 0, 1, 2

_compile = njit(cache=True, nogil=True, error_model="numpy")
_inline = njit(cache=True, nogil=True, error_model="numpy", inline="always")

# Multiplying eight bytes of 0/1 by this gathers them, least significant first, in the top byte.
_GATHER = np.uint64(0x0102040810204080)
_TOP_BYTE = np.uint64(56)


def _unit(value):
    """Light as float32 in [0, 1]: float32 as it is, uint8 as value/255."""


@overload(_unit, inline="always")
def _unit_of(value):
    if getattr(value, "bitwidth", 0) == 8:
        return lambda value: np.float32(value) / np.float32(255)
    return lambda value: value


@_compile
def integrate_and_fire(first, stop, light, charge, packed, gain, v_th, reset, tie_fires):
    """Integrate light (T,H,W) into charge (H,W, changed in place) and write the spikes' bits to packed (T,H,ceil(W/8)).

    Plain loops over one row at a time, because those the compiler turns into vector instructions; the charge of a row
    stays in the first cache through all readouts.
    """
    readouts, _, width = light.shape
    fired = np.zeros(packed.shape[2] * 8, np.uint8)
    words = fired.view(np.uint64)
    for y in range(first, stop):
        row_charge = charge[y]
        for t in range(readouts):
            row = light[t, y]
            if reset == MODULO:
                crossed_again = False
                for x in range(width):
                    full = row_charge[x] + _unit(row[x]) * gain
                    spike = (full > v_th) | (tie_fires & (full == v_th))
                    fired[x] = np.uint8(spike)
                    left = full - v_th if spike else full
                    crossed_again |= spike & (left >= v_th)
                    row_charge[x] = left
                if crossed_again:
                    for x in range(width):
                        if fired[x]:
                            row_charge[x] = np.fmod(row_charge[x], v_th)
            elif reset == SUBTRACT:
                for x in range(width):
                    full = row_charge[x] + _unit(row[x]) * gain
                    spike = (full > v_th) | (tie_fires & (full == v_th))
                    fired[x] = np.uint8(spike)
                    row_charge[x] = full - v_th if spike else full
            else:
                for x in range(width):
                    full = row_charge[x] + _unit(row[x]) * gain
                    spike = (full > v_th) | (tie_fires & (full == v_th))
                    fired[x] = np.uint8(spike)
                    row_charge[x] = np.float32(0) if spike else full
            for b in range(packed.shape[2]):
                packed[t, y, b] = np.uint8((words[b] * _GATHER) >> _TOP_BYTE)


@_compile
def within_unit_range(first, stop, light, valid):
    """Set valid (H,) to whether every value of the row, in all readouts of light (T,H,W) float32, is in [0, 1]."""
    for y in range(first, stop):
        inside = True
        for t in range(light.shape[0]):
            row = light[t, y]
            for x in range(light.shape[2]):
                inside &= (row[x] >= np.float32(0)) & (row[x] <= np.float32(1))
        valid[y] = inside


@_inline
def philox4x32(c0, c1, c2, c3, k0, k1):
    """Philox4x32-10 (Salmon et al., SC 2011): a counter of 4 and a key of 2 32-bit words, held in uint64; 4 words."""
    low = np.uint64(0xFFFFFFFF)
    half = np.uint64(32)
    for _ in range(10):
        product0 = np.uint64(0xD2511F53) * c0
        product1 = np.uint64(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (product1 >> half) ^ c1 ^ k0, product1 & low, (product0 >> half) ^ c3 ^ k1, product0 & low
        k0 = (k0 + np.uint64(0x9E3779B9)) & low
        k1 = (k1 + np.uint64(0xBB67AE85)) & low
    return c0, c1, c2, c3


@_inline
def random_word(pixel, readout, purpose, draw, key):
    """The random 32-bit word (in uint64) of a pixel, a readout, a purpose and a draw under a key (2,)."""
    stream = np.uint64(purpose) | (np.uint64(draw) << np.uint64(8)) & np.uint64(0xFFFFFFFF)
    return philox4x32(np.uint64(pixel), np.uint64(readout), stream, np.uint64(0), key[0], key[1])[0]


@_compile
def uniform(first, stop, purpose, key, values):
    """Fill values (H,W) float32 with U[0, 1) on a grid of 2^-24, one number a pixel."""
    width = values.shape[1]
    for y in range(first, stop):
        for x in range(width):
            word = random_word(y * width + x, 0, purpose, 0, key)
            values[y, x] = np.float32(word >> np.uint64(8)) * np.float32(2.0**-24)


@_compile
def first_renewals(first, stop, purpose, key, table, due):
    """Fill due (H,W) int64 with the readout of each pixel's first renewal; table as in `noise.renewal_tables`."""
    width = due.shape[1]
    for y in range(first, stop):
        for x in range(width):
            due[y, x] = np.searchsorted(table, random_word(y * width + x, 0, purpose, 0, key), side="right")


@_compile
def add_renewals(first, stop, start, purpose, key, table, due, draws, packed):
    """OR a spike into packed (T,H,ceil(W/8)), whose first readout is `start`, at each renewal; due, draws move on."""
    readouts = packed.shape[0]
    width = due.shape[1]
    for y in range(first, stop):
        for x in range(width):
            bit = np.uint8(1 << (x & 7))
            while due[y, x] < start + readouts:
                packed[due[y, x] - start, y, x >> 3] |= bit
                draws[y, x] += 1
                word = random_word(y * width + x, 0, purpose, draws[y, x], key)
                due[y, x] += np.searchsorted(table, word, side="right")


@_compile
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


@_compile
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
