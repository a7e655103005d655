"""Compiled loops of the interpolators: arrays in, arrays out, no checks.

A frame is packed into one uint64 a pixel, 21 bits a channel, so that one multiplication weighs all three channels:
positions are kept to 1/64 px, the four weights of a bilinear sample then sum to 64² = 4096, and 255 · 4096 < 2²¹.
Work goes row by row through buffers that stay in the cache, in loops that the compiler turns into vector instructions
(all but the gathering of samples). For that, division must not raise, and rows are flat: of an inner axis whose length
it does not know, the compiler guesses 1. fastmath stays off: the bits are those of any IEEE 754 machine.
"""

import numpy as np
from numba import njit

_F32, _I32, _U8, _U64 = np.float32, np.int32, np.uint8, np.uint64

_SUBPIXEL_BITS = 6
_SUBPIXELS = 1 << _SUBPIXEL_BITS
_LANE1, _LANE2, _LANE_MASK = _U64(21), _U64(42), _U64((1 << 21) - 1)

_compile = njit(cache=True, nogil=True, error_model="numpy")


@_compile
def crossfade(frame0: np.ndarray, frame1: np.ndarray, t: np.float32, out: np.ndarray) -> None:
    """Write (1-t) frame0 + t frame1, rounded, to `out`; all uint8 (H,W,3)."""
    start, stop, row = frame0.reshape(-1), frame1.reshape(-1), out.reshape(-1)
    for i in range(row.size):
        first = _F32(start[i])
        row[i] = _U8(_I32(first + t * (_F32(stop[i]) - first) + _F32(0.5)))


@_compile
def pack(frame: np.ndarray) -> np.ndarray:
    """Return the packed pixels of a uint8 (H,W,3) frame, uint64 (H·W + W + 1,).

    The zeros at the end are the right and lower neighbours of the last pixels; they are read with weight 0.
    """
    height, width, _ = frame.shape
    bytes_ = frame.reshape(-1)
    packed = np.zeros(height * width + width + 1, np.uint64)
    for i in range(height * width):
        packed[i] = _U64(bytes_[3 * i]) | _U64(bytes_[3 * i + 1]) << _LANE1 | _U64(bytes_[3 * i + 2]) << _LANE2
    return packed


@_compile
def motion_blend(
    packed0: np.ndarray,
    packed1: np.ndarray,
    flow01: np.ndarray,
    flow10: np.ndarray,
    t: np.float32,
    agreement: np.float32,
    out: np.ndarray,
) -> None:
    """Write the frame at time t between two packed frames to `out`, uint8 (H,W,3).

    The candidate motions v from frame 0 to frame 1 are flow01 and -flow10, float32 (H,W,2) in pixels. Each gives a
    sample of frame 0 at -t·v and one of frame 1 at (1-t)·v from the pixel, weighted 1-t and t, or 0 and 1 where only
    one lies within its frame. The results are weighted by 1/(1 + (d/agreement)²), d the mean absolute difference of
    the two samples over the channels.
    """
    height, width, _ = out.shape
    forward, backward, rows = (
        flow01.reshape(height, 2 * width),
        flow10.reshape(height, 2 * width),
        out.reshape(height, 3 * width),
    )
    positions = np.empty((4, width), np.int32)
    shares = np.empty((2, width), np.float32)
    samples = np.empty((4, width), np.uint64)
    u = _F32(1) - t
    for y in range(height):
        _follow(forward[y], y, height, -t, u, t, positions, shares[0])
        _sample(packed0, positions[0], positions[1], samples[0])
        _sample(packed1, positions[2], positions[3], samples[1])
        _follow(backward[y], y, height, t, -u, t, positions, shares[1])
        _sample(packed0, positions[0], positions[1], samples[2])
        _sample(packed1, positions[2], positions[3], samples[3])
        _mix(samples, shares, agreement, rows[y])


@_compile
def _follow(
    flow: np.ndarray,
    y: int,
    height: int,
    scale0: np.float32,
    scale1: np.float32,
    t: np.float32,
    positions: np.ndarray,
    share1: np.ndarray,
) -> None:
    """Follow a row of flow by scale0 and scale1: positions x0, y0, x1, y1 in 1/64 px, and the share of frame 1."""
    width = share1.size
    right, bottom = _F32((width - 1) * _SUBPIXELS), _F32((height - 1) * _SUBPIXELS)
    scale0, scale1, row = scale0 * _F32(_SUBPIXELS), scale1 * _F32(_SUBPIXELS), _F32(y * _SUBPIXELS)
    zero = _F32(0)  # the first argument of max: NaN then gives 0, and no flow leads outside the frames
    margin = _F32(_SUBPIXELS // 2)  # a pixel reaches half its width beyond its centre
    for x in range(width):
        column, dx, dy = _F32(_I32(x * _SUBPIXELS)), flow[2 * x], flow[2 * x + 1]
        x0, y0, x1, y1 = column + scale0 * dx, row + scale0 * dy, column + scale1 * dx, row + scale1 * dy
        cx0, cy0 = min(max(zero, x0), right), min(max(zero, y0), bottom)
        cx1, cy1 = min(max(zero, x1), right), min(max(zero, y1), bottom)
        within0 = max(abs(cx0 - x0), abs(cy0 - y0)) <= margin
        within1 = max(abs(cx1 - x1), abs(cy1 - y1)) <= margin
        share1[x] = t if within0 == within1 else (_F32(1) if within1 else zero)
        positions[0, x], positions[1, x] = _I32(cx0 + _F32(0.5)), _I32(cy0 + _F32(0.5))
        positions[2, x], positions[3, x] = _I32(cx1 + _F32(0.5)), _I32(cy1 + _F32(0.5))


@_compile
def _sample(packed: np.ndarray, xs: np.ndarray, ys: np.ndarray, out: np.ndarray) -> None:
    """Bilinear samples of a packed frame, each lane times 4096."""
    width, whole = _U64(out.size), _U64(_SUBPIXELS)
    for x in range(out.size):
        fx, fy = _U64(xs[x] & (_SUBPIXELS - 1)), _U64(ys[x] & (_SUBPIXELS - 1))
        i = _U64(ys[x] >> _SUBPIXEL_BITS) * width + _U64(xs[x] >> _SUBPIXEL_BITS)
        upper = packed[i] * (whole - fx) + packed[i + _U64(1)] * fx
        lower = packed[i + width] * (whole - fx) + packed[i + width + _U64(1)] * fx
        out[x] = upper * (whole - fy) + lower * fy


@_compile
def _lanes(sample: np.uint64) -> tuple[np.float32, np.float32, np.float32]:
    """The three channels of a packed sample."""
    return (
        _F32(_I32(sample & _LANE_MASK)),
        _F32(_I32((sample >> _LANE1) & _LANE_MASK)),
        _F32(_I32(sample >> _LANE2)),
    )


@_compile
def _mix(samples: np.ndarray, shares: np.ndarray, agreement: np.float32, row: np.ndarray) -> None:
    """Blend the four samples of each pixel into a row of bytes: two of frame 0 and 1 for each of the two motions."""
    unit = _F32(_SUBPIXELS * _SUBPIXELS)
    scale = _F32(1) / (_F32(3) * unit * agreement)
    for x in range(shares.shape[1]):
        a0, a1, a2 = _lanes(samples[0, x])
        b0, b1, b2 = _lanes(samples[1, x])
        c0, c1, c2 = _lanes(samples[2, x])
        d0, d1, d2 = _lanes(samples[3, x])
        ab = (abs(b0 - a0) + abs(b1 - a1) + abs(b2 - a2)) * scale
        cd = (abs(d0 - c0) + abs(d1 - c1) + abs(d2 - c2)) * scale
        # 1/(1+ab²) is to 1/(1+cd²) as 1+cd² is to 1+ab²: one division does
        weight_ab, weight_cd = _F32(1) + cd * cd, _F32(1) + ab * ab
        norm = _F32(1) / ((weight_ab + weight_cd) * unit)
        weight_ab, weight_cd, s, r = weight_ab * norm, weight_cd * norm, shares[0, x], shares[1, x]
        red = weight_ab * (a0 + s * (b0 - a0)) + weight_cd * (c0 + r * (d0 - c0))
        green = weight_ab * (a1 + s * (b1 - a1)) + weight_cd * (c1 + r * (d1 - c1))
        blue = weight_ab * (a2 + s * (b2 - a2)) + weight_cd * (c2 + r * (d2 - c2))
        row[3 * x] = _U8(_I32(red + _F32(0.5)))
        row[3 * x + 1] = _U8(_I32(green + _F32(0.5)))
        row[3 * x + 2] = _U8(_I32(blue + _F32(0.5)))
