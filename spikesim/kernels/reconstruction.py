"""Kernels that read packed bits (T,H,ceil(W/8)): counting, running windows, and intervals between spikes.

Helpers are kernels of their own, not inlined: the compiler makes vector code of each short loop alone, but gives up on
the same loops in one long function, which was eight times slower.
"""

import numpy as np

from spikesim.kernels.compile import kernel

_u8 = np.uint8
_f = np.float32

_TILE = 4096  # packed bytes counted at a time: the eight counters of each stay in the first cache
_BLOCK = 256  # packed bytes of a running window or interval
_DEPTH = 252  # readouts a byte can count; a multiple of three


@kernel
def count_spikes(first, stop, packed, counts):
    """Fill counts (H,W) uint16 with the number of spikes of each pixel; packed must be contiguous."""
    readouts, _, row_bytes = packed.shape
    rows = max(1, _TILE // row_bytes)
    lanes = np.empty((8, rows * row_bytes), _u8)
    none = np.zeros(rows * row_bytes, _u8)
    for y in range(first, stop, rows):
        end = min(y + rows, stop)
        size = (end - y) * row_bytes
        counts[y:end] = 0
        for begin in range(0, readouts, _DEPTH):
            lanes[:] = 0
            until = min(begin + _DEPTH, readouts)
            for t in range(begin, until, 3):
                one = packed[t, y:end].reshape(size)
                two = packed[t + 1, y:end].reshape(size) if t + 1 < until else none[:size]
                three = packed[t + 2, y:end].reshape(size) if t + 2 < until else none[:size]
                _count_three(one, two, three, lanes)
            _gather(lanes, counts[y:end], row_bytes)


@kernel
def _count_three(one, two, three, lanes):
    """Add the bits i of three rows of bytes to lanes[i]: their sum, in binary, is (carry, parity)."""
    parity, carry = np.empty(one.size, _u8), np.empty(one.size, _u8)
    for b in range(one.size):
        either = one[b] ^ two[b]
        parity[b] = either ^ three[b]
        carry[b] = (one[b] & two[b]) | (either & three[b])
    for i in range(8):
        lane = lanes[i]
        for b in range(one.size):
            lane[b] += ((parity[b] >> _u8(i)) & _u8(1)) + (((carry[b] >> _u8(i)) & _u8(1)) << _u8(1))


@kernel
def _gather(lanes, counts, row_bytes):
    for y in range(counts.shape[0]):
        for x in range(counts.shape[1]):
            counts[y, x] += lanes[x & 7, y * row_bytes + (x >> 3)]


@kernel
def running_rates(first, stop, packed, window, video):
    """Fill video (T−window+1,H,W) float32 with the spikes in each `window` readouts over `window`."""
    row_bytes = packed.shape[2]
    rows = max(1, _BLOCK // row_bytes)
    nothing = np.zeros((rows, row_bytes), _u8)
    count = np.empty((rows, 8 * row_bytes), np.uint16)
    for y in range(first, stop, rows):
        end = min(y + rows, stop)
        count[:] = 0
        for t in range(window - 1):
            _exchange(packed[t, y:end], nothing, count)
        for t in range(video.shape[0]):
            _exchange(packed[t + window - 1, y:end], packed[t - 1, y:end] if t else nothing, count)
            _divide(count, _f(window), video[t, y:end])


@kernel
def _exchange(new, old, count):
    for y in range(new.shape[0]):
        for b in range(new.shape[1]):
            for i in range(8):
                gained, lost = (new[y, b] >> _u8(i)) & _u8(1), (old[y, b] >> _u8(i)) & _u8(1)
                count[y, 8 * b + i] += np.uint16(gained) - np.uint16(lost)


@kernel
def _divide(count, window, rate):
    for y in range(rate.shape[0]):
        for x in range(rate.shape[1]):
            rate[y, x] = _f(count[y, x]) / window


@kernel
def covering_rates(first, stop, packed, start, video):
    """Fill video (n,H,W) float32 with one over the interval that covers each of the readouts start, start + 1, ..."""
    readouts, _, row_bytes = packed.shape
    length, _, width = video.shape
    rows = max(1, _BLOCK // row_bytes)
    bits = np.empty((rows, 8 * row_bytes), _u8)
    last = np.empty((2, rows, 8 * row_bytes), _f)
    following = np.empty((length, rows, 8 * row_bytes), _f)
    for y in range(first, stop, rows):
        end = min(y + rows, stop)
        # Times are counted from `start`, where float32 is exact. No spike is one at ±∞: one over that is the 0 wanted.
        following[-1] = np.inf
        _find(packed[:, y:end], start + length, readouts, 1, start, width, following[-1])
        for t in range(length - 1, 0, -1):
            _spread(packed[start + t, y:end], bits)
            _choose(bits, _f(t), following[t], following[t - 1])
        last[0] = -np.inf
        _find(packed[:, y:end], start - 1, -1, -1, start, width, last[0])
        for t in range(length):
            _spread(packed[start + t, y:end], bits)
            _choose(bits, _f(t), last[t % 2], last[1 - t % 2])
            _invert(following[t], last[1 - t % 2], video[t, y:end])


@kernel
def _find(packed, start, stop, step, origin, width, time):
    """Set time[y,x] to t − origin, t the first of start, start + step, ... before `stop` at which the pixel fired."""
    for y in range(packed.shape[1]):
        for b in range(packed.shape[2]):
            columns = min(8, width - 8 * b)
            missing = _u8((1 << columns) - 1)
            t = start
            while missing and t != stop:
                found = packed[t, y, b] & missing
                for i in range(columns):
                    if (found >> i) & 1:
                        time[y, 8 * b + i] = t - origin
                missing &= ~found
                t += step


@kernel
def _spread(packed, bits):
    for y in range(packed.shape[0]):
        for b in range(packed.shape[1]):
            for i in range(8):
                bits[y, 8 * b + i] = (packed[y, b] >> _u8(i)) & _u8(1)


@kernel
def _choose(bits, time, otherwise, out):
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            out[y, x] = time if bits[y, x] else otherwise[y, x]


@kernel
def _invert(following, last, rate):
    for y in range(rate.shape[0]):
        for x in range(rate.shape[1]):
            rate[y, x] = _f(1) / (following[y, x] - last[y, x])


@kernel
def fractional_counts(first, stop, packed, counts):
    """Fill counts (T+1,H,W) float32 with the spikes before every readout, interpolated between spikes."""
    readouts, _, row_bytes = packed.shape
    width = counts.shape[2]
    bits = np.empty((1, 8 * row_bytes), _u8)
    number, last = np.empty(width, _f), np.empty((readouts + 1, width), _f)
    following = np.empty(width, _f)
    for y in range(first, stop):
        number[:] = 0
        last[0] = -np.inf
        counts[0, y] = 0
        for t in range(readouts):
            _spread(packed[t, y : y + 1], bits)
            _count(bits[0], _f(t + 1), number, last[t], last[t + 1], counts[t + 1, y])
        following[:] = np.inf
        for t in range(readouts, -1, -1):
            if t < readouts:
                _spread(packed[t, y : y + 1], bits)
                _take(bits[0], _f(t + 1), following)
            _interpolate(_f(t), last[t], following, counts[t, y])
        for x in range(width):
            _extrapolate(last[:, x], counts[:, y, x])


@kernel
def _count(bits, time, number, before, last, count):
    for x in range(number.size):
        number[x] += _f(bits[x])
        last[x] = time if bits[x] else before[x]
        count[x] = number[x]


@kernel
def _take(bits, time, following):
    for x in range(following.size):
        following[x] = time if bits[x] else following[x]


@kernel
def _interpolate(time, last, following, count):
    """Add what has passed of the interval; where it has no beginning or no end, that is no number."""
    for x in range(count.size):
        count[x] += (time - last[x]) / (following[x] - last[x])


@kernel
def _extrapolate(last, count):
    """Write the counts of one pixel before its first spike and from its last one on.

    The first and the last interval go on beyond the spikes that end them, at most to the next spike.
    """
    end = count.size - 1
    final = last[end]
    if final < 0:
        for t in range(end + 1):
            count[t] = _f(0.5) * _f(t) / _f(end)
        return
    start = 0
    while last[start] < 0:
        start += 1
    begin = _f(start)
    first_interval = last_interval = max(begin, _f(end + 1) - begin)
    if final > begin:
        t = start
        while last[t] == begin:
            t += 1
        first_interval = last[t] - begin
        last_interval = final - last[np.int64(final) - 1]
    for t in range(start):
        count[t] = max(_f(1) - (begin - _f(t)) / first_interval, _f(0))
    whole = count[np.int64(final)]
    for t in range(np.int64(final), end + 1):
        count[t] = whole + min((_f(t) - final) / last_interval, _f(1))
