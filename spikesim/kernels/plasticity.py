"""The kernel of texture from short-term plasticity: two states of each pixel, moved by each of its spikes.

States move one spike at a time. Logarithms are taken of a whole row, spikes or not, where the compiler makes vector
code of them: with those of the library, spike by spike, the kernel took twice as long.
"""

import numpy as np

from spikesim.kernels.compile import kernel

_u8 = np.uint8
_f = np.float32

_MANTISSA = np.int32(23)  # bits of a float32
_SQRT_HALF = np.int32(0x3F3504F3)  # the bits of √½
_LOG_2 = _f(0.6931472)


@kernel
def plasticity_rates(first, stop, packed, start, constants, decays, video):
    """Fill video (n,H,W) float32 with the rate that the states tell after each of the readouts start, start + 1, ...

    What is kept is how far R and u are from rest: 1 − R vanishes beside 1 after a long interval, and with it the rate.

    constants float64 (u0, increment, D, F); decays float64 (2,T+1), exp(−i/D) and exp(−i/F) of an interval i.
    """
    row_bytes = packed.shape[2]
    length = video.shape[0]
    u0, increment, depression, facilitation = constants
    missing, raised = np.empty(8 * row_bytes), np.empty(8 * row_bytes)  # 1 − R and u − u0
    last, interval = np.empty(8 * row_bytes, np.int64), np.empty(8 * row_bytes, _f)
    excess = np.empty((2, 8 * row_bytes), _f)
    times = (_f(depression), _f(facilitation))
    for y in range(first, stop):
        missing[:] = 0
        raised[:] = 0
        last[:] = -1  # as if all pixels had fired just before the stream
        interval[:] = np.inf  # whose rate is the 0 of pixels that never fired
        excess[:] = 0
        for t in range(start + length):
            for b in range(row_bytes):
                byte = packed[t, y, b]
                x = 8 * b
                while byte:
                    if byte & _u8(1):
                        passed = t - last[x]
                        # What is missing and how far u is up right after a spike, before they decay.
                        spent = missing[x] + (1 - missing[x]) * (u0 + raised[x])
                        jumped = raised[x] + increment * (1 - u0 - raised[x])
                        missing[x] = spent * decays[0, passed]
                        raised[x] = jumped * decays[1, passed]
                        last[x] = t
                        interval[x] = passed
                        # By how much the new states have more of both: states that stay are those of this interval.
                        excess[0, x] = (missing[x] + (1 - missing[x]) * (u0 + raised[x])) / spent - 1
                        excess[1, x] = (raised[x] + increment * (1 - u0 - raised[x])) / jumped - 1
                    byte >>= _u8(1)
                    x += 1
            if t >= start:
                _tell(interval, excess, times, video[t - start, y])


@kernel
def _tell(interval, excess, times, rate):
    """Set rate to the mean of one over the intervals that both states tell, none below the one readout possible."""
    one, two = np.empty(interval.size, _f), np.empty(interval.size, _f)  # new: else the compiler fears overlaps
    _add_logarithm(interval, excess[0], times[0], one)
    _add_logarithm(interval, excess[1], times[1], two)
    for x in range(rate.size):
        shorter, longer = one[x] if one[x] > _f(1) else _f(1), two[x] if two[x] > _f(1) else _f(1)
        rate[x] = _f(0.5) / shorter + _f(0.5) / longer


@kernel
def _add_logarithm(interval, excess, time, out):
    """Set out to interval + time·log(1 + excess), where 1 + excess is a positive normal number, to 2e-7 of the log.

    log(1 + e) = k log 2 + log m with 1 + e = 2^k m, m in [√½, √2), and log m = 2 artanh s, s = (m − 1)/(m + 1).
    """
    for x in range(out.size):
        bits = np.int32(_f(_f(1) + excess[x]).view(np.int32) - _SQRT_HALF)
        k = np.int32(bits >> _MANTISSA)
        m = np.int32(bits - np.int32(k << _MANTISSA) + _SQRT_HALF).view(_f)
        above = m - _f(1) if k else excess[x]  # as it was before a one was added and digits lost
        s = above / (above + _f(2))
        z = s * s
        series = _f(1) + z * (_f(1 / 3) + z * (_f(1 / 5) + z * (_f(1 / 7) + z * _f(1 / 9))))
        out[x] = interval[x] + time * (_f(k) * _LOG_2 + _f(2) * s * series)
