"""Compiled loops of the interpolators: arrays in, arrays out, no checks.

Frames are sampled between their pixels by shifted linear interpolation: as fast as the linear one, it keeps the
contrast of fine detail nearly as a cubic one does. The coefficients of a pixel's three channels lie in one uint64, 21
bits each, so that one multiplication weighs all three: positions are kept to 1/32 px, the four weights of a sample then
sum to 32² = 1024, and coefficients to half a grey level; with the overshoot of the filter, -142..397, they stay under
2048 half levels.

Work goes row by row through buffers that stay in the cache, in loops that the compiler turns into vector instructions
(all but the gathering of samples). For that, division must not raise, and rows are flat: of an inner axis whose length
it does not know, the compiler guesses 1. fastmath stays off: the bits are those of any IEEE 754 machine.

Source:
    Blu, Thévenaz and Unser, "Linear Interpolation Revitalized", IEEE Trans. Image Processing 13(5), 2004.
"""

import numpy as np
from numba import njit

_F32, _I16, _I32, _U8, _U64 = np.float32, np.int16, np.int32, np.uint8, np.uint64

_SUBPIXEL_BITS = 5
_SUBPIXELS = 1 << _SUBPIXEL_BITS
_SHIFT = 5  # of the linear interpolation, 1/32 px; the best for smooth signals is 0.21 px, footage wants less
_STEPS, _BIAS = 2, 290  # coefficients in half grey levels, made positive
_UNIT = _STEPS * _SUBPIXELS**2  # what one grey level is in a sample
_LANE1, _LANE2, _LANE_MASK = _U64(21), _U64(42), _U64((1 << 21) - 1)
_MOTIONS = 4

_compile = njit(cache=True, nogil=True, error_model="numpy")


@_compile
def crossfade(frame0: np.ndarray, frame1: np.ndarray, t: np.float32, out: np.ndarray) -> None:
    """Write (1-t) frame0 + t frame1, rounded, to `out`; all uint8 (H,W,3)."""
    start, stop, row = frame0.reshape(-1), frame1.reshape(-1), out.reshape(-1)
    for i in range(row.size):
        first = _F32(start[i])
        row[i] = _U8(_I32(first + t * (_F32(stop[i]) - first) + _F32(0.5)))


@_compile
def coefficients(frame: np.ndarray) -> np.ndarray:
    """Return the packed coefficients of shifted linear interpolation of a uint8 (H,W,3) frame, uint64 ((H+1)·(W+1),).

    c[k] = (s[k] - f c[k-1]) / (1 - f) with the shift f, along rows and then columns, so that (1-f) c[k] + f c[k-1] is
    the pixel s[k]. What is left of c[0] and above it, as if the frame went on there, is kept as well. Rounding goes
    into the recursion: at whole positions the error stays under a quarter of a level.
    """
    height, width, _ = frame.shape
    pixels = frame.reshape(height, 3 * width)
    gain, echo = _F32(_SUBPIXELS / (_SUBPIXELS - _SHIFT)), _F32(_SHIFT / (_SUBPIXELS - _SHIFT))
    along, down = np.empty(3 * width + 3, np.float32), np.empty(3 * width + 3, np.float32)
    packed = np.empty((height + 1, width + 1), np.uint64)
    for y in range(height):
        row = pixels[y]
        for i in range(3):
            along[i] = _F32(row[i])
        for i in range(row.size):
            along[i + 3] = gain * _F32(row[i]) - echo * along[i]
        if y == 0:
            for i in range(down.size):
                down[i] = _F32(_I32(_F32(_STEPS) * along[i] + _F32(_BIAS + 0.5)))
            _pack(down, packed[0])
        for i in range(down.size):
            down[i] = _F32(_I32(gain * (_F32(_STEPS) * along[i] + _F32(_BIAS)) - echo * down[i] + _F32(0.5)))
        _pack(down, packed[y + 1])
    return packed.reshape(-1)


@_compile
def _pack(row: np.ndarray, packed: np.ndarray) -> None:
    for x in range(packed.size):
        packed[x] = _U64(_I32(row[3 * x])) | _U64(_I32(row[3 * x + 1])) << _LANE1 | _U64(_I32(row[3 * x + 2])) << _LANE2


@_compile
def join_flows(fine01: np.ndarray, fine10: np.ndarray, coarse01: np.ndarray, coarse10: np.ndarray) -> np.ndarray:
    """Return the motions from frame 0 to frame 1 that four flows, float32 (H,W,2) in pixels, mean.

    int16 (H,8,W) in 1/32 px: x and y of fine01, -fine10, coarse01 and -coarse10. Beyond ±1023 px they are cut.
    """
    height, width, _ = fine01.shape
    motions = np.empty((height, 2 * _MOTIONS, width), np.int16)
    for y in range(height):
        _quantise(fine01[y].reshape(-1), _F32(_SUBPIXELS), motions[y, 0], motions[y, 1])
        _quantise(fine10[y].reshape(-1), _F32(-_SUBPIXELS), motions[y, 2], motions[y, 3])
        _quantise(coarse01[y].reshape(-1), _F32(_SUBPIXELS), motions[y, 4], motions[y, 5])
        _quantise(coarse10[y].reshape(-1), _F32(-_SUBPIXELS), motions[y, 6], motions[y, 7])
    return motions


@_compile
def _quantise(flow: np.ndarray, scale: np.float32, horizontal: np.ndarray, vertical: np.ndarray) -> None:
    limit = _F32(1023 * _SUBPIXELS)
    for x in range(horizontal.size):
        # -limit as the first argument of max: that is what NaN becomes
        dx, dy = min(max(-limit, scale * flow[2 * x]), limit), min(max(-limit, scale * flow[2 * x + 1]), limit)
        horizontal[x], vertical[x] = _I16(np.floor(dx + _F32(0.5))), _I16(np.floor(dy + _F32(0.5)))


@_compile
def motion_blend(
    coefficients0: np.ndarray,
    coefficients1: np.ndarray,
    motions: np.ndarray,
    t: np.float32,
    agreement: np.float32,
    radius: int,
    out: np.ndarray,
) -> None:
    """Write the frame at time t between two frames, given as `coefficients`, to `out`, uint8 (H,W,3).

    A motion v at a pixel gives a sample of frame 0 at -t·v and one of frame 1 at (1-t)·v from it, weighted 1-t and t,
    or 0 and 1 where only one lies within its frame. Where the four `motions` of a pixel are nearly one, their mean is
    followed. Elsewhere the result is the mean of four, weighted by 1/(1 + d/agreement), d the mean absolute difference
    of the two samples over the channels and the pixels of the row within `radius`: the two fine motions at the pixel,
    and the two coarse ones at the place in their own frame from which they lead to the pixel.
    """
    height, width, _ = out.shape
    everywhere, apart = np.arange(width).astype(np.int32), np.empty(width, np.int32)
    mean, motion = np.empty((2, width), np.float32), np.empty((2, width), np.float32)
    colours, candidate = np.empty((3, width), np.float32), np.empty((3, width), np.float32)
    differences, errors, own = np.empty(width, np.int32), np.empty(width, np.int32), np.empty(width, np.int32)
    weights, totals = np.empty(width, np.float32), np.empty((4, width), np.float32)
    positions, share, samples = (
        np.empty((4, width), np.int32),
        np.empty(width, np.float32),
        np.empty((2, width), np.uint64),
    )
    sums, scales = np.zeros(width + 2 * radius + 1, np.int32), np.empty(width, np.float32)
    for x in range(width):
        count = min(x + radius + 1, width) - max(x - radius, 0)
        scales[x] = _F32(1) / (_F32(3 * _UNIT // 256 * count) * agreement)
    rows = out.reshape(height, 3 * width)
    for y in range(height):
        n = _tell_apart(motions[y], mean, apart)
        _follow(mean, everywhere, y, height, t, positions, share)
        _sample(coefficients0, positions[0], positions[1], width, samples[0])
        _sample(coefficients1, positions[2], positions[3], width, samples[1])
        _join(samples, share, width, differences, colours)
        if n:
            places = apart[:n]
            totals[:, :n] = 0
            for k in range(_MOTIONS):
                if k < 2:
                    _pick(motions[y, 2 * k], motions[y, 2 * k + 1], places, motion)
                else:
                    _pick_at_origin(motions, k, places, y, -t if k == 2 else _F32(1) - t, motion)
                _follow(motion, places, y, height, t, positions, share)
                _sample(coefficients0, positions[0], positions[1], n, samples[0])
                _sample(coefficients1, positions[2], positions[3], n, samples[1])
                _join(samples, share, n, own, candidate)
                errors[:] = differences
                for j in range(n):
                    errors[places[j]] = own[j]
                _weigh(errors, scales, radius, sums, weights)
                _add(weights, places, candidate, totals)
            for j in range(n):
                norm = _F32(1) / totals[3, j]
                for channel in range(3):
                    colours[channel, places[j]] = totals[channel, j] * norm
        _write(colours, rows[y])


@_compile
def _tell_apart(motions: np.ndarray, mean: np.ndarray, apart: np.ndarray) -> int:
    """Means of the four motions of a row, and how many pixels have motions apart; these are listed in `apart`.

    Apart is more than 3/4 px and 1/8 of the mean: what moves fast is known and seen less sharply.
    """
    width = apart.size
    flags = np.empty(width, np.uint8)
    m0, m1, m2, m3, m4, m5, m6, m7 = (
        motions[0],
        motions[1],
        motions[2],
        motions[3],
        motions[4],
        motions[5],
        motions[6],
        motions[7],
    )
    for x in range(width):
        ax, bx, cx, dx = _I32(m0[x]), _I32(m2[x]), _I32(m4[x]), _I32(m6[x])
        ay, by, cy, dy = _I32(m1[x]), _I32(m3[x]), _I32(m5[x]), _I32(m7[x])
        sx, sy = ax + bx + cx + dx, ay + by + cy + dy
        spread_x = max(max(ax, bx), max(cx, dx)) - min(min(ax, bx), min(cx, dx))
        spread_y = max(max(ay, by), max(cy, dy)) - min(min(ay, by), min(cy, dy))
        tolerance = _I32(_SUBPIXELS * 3 // 4) + (max(abs(sx), abs(sy)) >> _I32(5))
        mean[0, x], mean[1, x] = _F32(sx) * _F32(0.25), _F32(sy) * _F32(0.25)
        flags[x] = _U8(max(spread_x, spread_y) > tolerance)
    n = 0
    for x in range(width):
        apart[n] = x
        n += int(flags[x])
    return n


@_compile
def _pick(horizontal: np.ndarray, vertical: np.ndarray, places: np.ndarray, motion: np.ndarray) -> None:
    for j in range(places.size):
        motion[0, j], motion[1, j] = _F32(horizontal[places[j]]), _F32(vertical[places[j]])


@_compile
def _pick_at_origin(
    motions: np.ndarray, k: int, places: np.ndarray, y: int, scale: np.float32, motion: np.ndarray
) -> None:
    """Motion k at the pixels nearest to `scale` times itself from the places of row y."""
    right, bottom, zero = _F32(motions.shape[2] - 1), _F32(motions.shape[0] - 1), _F32(0)
    horizontal, vertical = motions[y, 2 * k], motions[y, 2 * k + 1]
    scale /= _F32(_SUBPIXELS)
    i = _U64(2 * k)
    for j in range(places.size):
        x = places[j]
        column = _U64(_I32(min(max(_F32(x) + scale * _F32(horizontal[x]) + _F32(0.5), zero), right)))
        row = _U64(_I32(min(max(_F32(y) + scale * _F32(vertical[x]) + _F32(0.5), zero), bottom)))
        motion[0, j], motion[1, j] = _F32(motions[row, i, column]), _F32(motions[row, i + _U64(1), column])


@_compile
def _follow(
    motion: np.ndarray,
    places: np.ndarray,
    y: int,
    height: int,
    t: np.float32,
    positions: np.ndarray,
    share1: np.ndarray,
) -> None:
    """Follow motions from places of row y: x0, y0, x1, y1 among the coefficients in 1/32 px, and frame 1's share."""
    u = _F32(1) - t
    right, bottom, row = _F32((share1.size - 1) * _SUBPIXELS), _F32((height - 1) * _SUBPIXELS), _F32(y * _SUBPIXELS)
    zero, entry = _F32(0), _F32(_SUBPIXELS - _SHIFT + 0.5)  # one row and column precede the first pixel's
    margin = _F32(_SUBPIXELS // 2)  # a pixel reaches half its width beyond its centre
    for j in range(places.size):
        column, dx, dy = _F32(places[j] * _I32(_SUBPIXELS)), motion[0, j], motion[1, j]
        x0, y0, x1, y1 = column - t * dx, row - t * dy, column + u * dx, row + u * dy
        cx0, cy0 = min(max(zero, x0), right), min(max(zero, y0), bottom)
        cx1, cy1 = min(max(zero, x1), right), min(max(zero, y1), bottom)
        within0 = max(abs(cx0 - x0), abs(cy0 - y0)) <= margin
        within1 = max(abs(cx1 - x1), abs(cy1 - y1)) <= margin
        share1[j] = t if within0 == within1 else (_F32(1) if within1 else zero)
        positions[0, j], positions[1, j] = _I32(cx0 + entry), _I32(cy0 + entry)
        positions[2, j], positions[3, j] = _I32(cx1 + entry), _I32(cy1 + entry)


@_compile
def _sample(packed: np.ndarray, xs: np.ndarray, ys: np.ndarray, n: int, out: np.ndarray) -> None:
    """The first n samples of packed coefficients, each lane times 1024; borrows between lanes cancel in the sums."""
    stride, bits = _U64(out.size + 1), _U64(_SUBPIXEL_BITS)
    for j in range(n):
        fx, fy = _U64(xs[j] & (_SUBPIXELS - 1)), _U64(ys[j] & (_SUBPIXELS - 1))
        i = _U64(ys[j] >> _SUBPIXEL_BITS) * stride + _U64(xs[j] >> _SUBPIXEL_BITS)
        a, b = packed[i], packed[i + stride]
        upper = (a << bits) + (packed[i + _U64(1)] - a) * fx
        lower = (b << bits) + (packed[i + stride + _U64(1)] - b) * fx
        out[j] = (upper << bits) + (lower - upper) * fy


@_compile
def _lanes(sample: np.uint64) -> tuple[np.float32, np.float32, np.float32]:
    """The three channels of a packed sample."""
    return (
        _F32(_I32(sample & _LANE_MASK)),
        _F32(_I32((sample >> _LANE1) & _LANE_MASK)),
        _F32(_I32(sample >> _LANE2)),
    )


@_compile
def _join(samples: np.ndarray, share1: np.ndarray, n: int, differences: np.ndarray, colours: np.ndarray) -> None:
    """Blend n samples of frame 0 and 1; their differences are summed over the channels, in 1/8 grey level."""
    first, second, red, green, blue = samples[0], samples[1], colours[0], colours[1], colours[2]
    for j in range(n):
        a0, a1, a2 = _lanes(first[j])
        b0, b1, b2 = _lanes(second[j])
        d0, d1, d2, s = b0 - a0, b1 - a1, b2 - a2, share1[j]
        differences[j] = _I32(abs(d0) + abs(d1) + abs(d2)) >> 8
        red[j], green[j], blue[j] = a0 + s * d0, a1 + s * d1, a2 + s * d2


@_compile
def _weigh(errors: np.ndarray, scales: np.ndarray, radius: int, sums: np.ndarray, weights: np.ndarray) -> None:
    """1/(1 + scale · the sum of the errors within `radius`) for each pixel of a row."""
    width, total = errors.size, _I32(0)
    for x in range(width):
        total += errors[x]
        sums[radius + 1 + x] = total
    for x in range(width + radius + 1, sums.size):
        sums[x] = total
    starts, stops = sums[:width], sums[2 * radius + 1 :]
    for x in range(width):
        weights[x] = _F32(1) / (_F32(1) + _F32(stops[x] - starts[x]) * scales[x])


@_compile
def _add(weights: np.ndarray, places: np.ndarray, colours: np.ndarray, totals: np.ndarray) -> None:
    """Add weighted colours, and the weights as a fourth channel."""
    for j in range(places.size):
        weight = weights[places[j]]
        totals[0, j] += weight * colours[0, j]
        totals[1, j] += weight * colours[1, j]
        totals[2, j] += weight * colours[2, j]
        totals[3, j] += weight


@_compile
def _write(colours: np.ndarray, row: np.ndarray) -> None:
    """Round blended samples of a row to bytes."""
    unit, bias, zero, top = _F32(1 / _UNIT), _F32(_BIAS / _STEPS), _F32(0), _F32(255)
    for x in range(colours.shape[1]):
        row[3 * x] = _U8(_I32(min(max(colours[0, x] * unit - bias, zero), top) + _F32(0.5)))
        row[3 * x + 1] = _U8(_I32(min(max(colours[1, x] * unit - bias, zero), top) + _F32(0.5)))
        row[3 * x + 2] = _U8(_I32(min(max(colours[2, x] * unit - bias, zero), top) + _F32(0.5)))
