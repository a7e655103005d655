"""Compiled loops of the interpolators: arrays in, arrays out, no checks.

Work goes row by row through buffers that stay in the cache, in loops that the compiler turns into vector instructions
(all but the gathering of samples). For that, division must not raise, and rows are flat: of an inner axis whose length
it does not know, the compiler guesses 1. fastmath stays off: the bits are those of any IEEE 754 machine.
"""

import numpy as np

from spikesim.kernels.compile import kernel
from spikesim_datasets.kernels.sampling import SUBPIXELS, UNIT, follow, join, sample, write

_F32, _I16, _I32, _U8, _U64 = np.float32, np.int16, np.int32, np.uint8, np.uint64

_MOTIONS = 4
_CANDIDATES = np.array(
    [  # motion, whether taken where it starts in its own frame, and how far off, pixels right and down
        (0, 0, 0, 0),
        (1, 0, 0, 0),
        (2, 1, 0, 0),
        (3, 1, 0, 0),
        (0, 1, 12, 12),
        (0, 1, -12, -12),
        (1, 1, 12, 12),
        (1, 1, -12, -12),
    ]
)


@kernel
def crossfade(frame0: np.ndarray, frame1: np.ndarray, t: np.float32, out: np.ndarray) -> None:
    """Write (1-t) frame0 + t frame1, rounded, to `out`; all uint8 (H,W,3)."""
    start, stop, row = frame0.reshape(-1), frame1.reshape(-1), out.reshape(-1)
    for i in range(row.size):
        first = _F32(start[i])
        row[i] = _U8(_I32(first + t * (_F32(stop[i]) - first) + _F32(0.5)))


@kernel
def join_flows(fine01: np.ndarray, fine10: np.ndarray, coarse01: np.ndarray, coarse10: np.ndarray) -> np.ndarray:
    """Return the motions from frame 0 to frame 1 that four flows, float32 (H,W,2) in pixels, mean.

    int16 (H,8,W) in 1/32 px: x and y of fine01, -fine10, coarse01 and -coarse10. Beyond ±1023 px they are cut.
    """
    height, width, _ = fine01.shape
    motions = np.empty((height, 2 * _MOTIONS, width), np.int16)
    for y in range(height):
        _quantise(fine01[y].reshape(-1), _F32(SUBPIXELS), motions[y, 0], motions[y, 1])
        _quantise(fine10[y].reshape(-1), _F32(-SUBPIXELS), motions[y, 2], motions[y, 3])
        _quantise(coarse01[y].reshape(-1), _F32(SUBPIXELS), motions[y, 4], motions[y, 5])
        _quantise(coarse10[y].reshape(-1), _F32(-SUBPIXELS), motions[y, 6], motions[y, 7])
    return motions


@kernel
def _quantise(flow: np.ndarray, scale: np.float32, horizontal: np.ndarray, vertical: np.ndarray) -> None:
    limit = _F32(1023 * SUBPIXELS)
    for x in range(horizontal.size):
        # -limit as the first argument of max: that is what NaN becomes
        dx, dy = min(max(-limit, scale * flow[2 * x]), limit), min(max(-limit, scale * flow[2 * x + 1]), limit)
        horizontal[x], vertical[x] = _I16(np.floor(dx + _F32(0.5))), _I16(np.floor(dy + _F32(0.5)))


@kernel
def motion_blend(
    coefficients0: np.ndarray,
    coefficients1: np.ndarray,
    motions: np.ndarray,
    t: np.float32,
    agreement: np.float32,
    radius: int,
    swift: np.float32,
    out: np.ndarray,
) -> None:
    """Write the frame at time t between two frames, given as `coefficients`, to `out`, uint8 (H,W,3).

    A motion v at a pixel gives a sample of frame 0 at -t·v and one of frame 1 at (1-t)·v from it, weighted 1-t and t,
    or 0 and 1 where only one lies within its frame; beyond `swift` pixels (see `follow`), of the smoothed frames. d is
    the mean absolute difference of the two over the channels and the pixels of the row within `radius`. Where the four
    `motions` of a pixel are nearly one, or where d of their mean is under `agreement`, that mean is followed. Elsewhere
    the result is the mean of `_CANDIDATES`, weighted by 1/(1 + d/agreement), d over such pixels of the row alone.
    """
    height, width, _ = out.shape
    everywhere, apart = np.arange(width).astype(np.int32), np.empty(width, np.int32)
    mean, motion = np.empty((2, width), np.float32), np.empty((2, width), np.float32)
    colours, candidate = np.empty((3, width), np.float32), np.empty((3, width), np.float32)
    differences, weights = np.empty(width, np.int32), np.empty(width, np.float32)
    totals = np.empty((4, width), np.float32)
    positions, share, samples = (
        np.empty((4, width), np.int32),
        np.empty(width, np.float32),
        np.empty((2, width), np.uint64),
    )
    sums = np.zeros(width + 2 * radius + 1, np.int32)
    rows = out.reshape(height, 3 * width)
    for y in range(height):
        n = _tell_apart(motions[y], mean, apart)
        follow(mean, everywhere, y, height, t, swift, positions, share)
        sample(coefficients0, positions[0], positions[1], width, samples[0])
        sample(coefficients1, positions[2], positions[3], width, samples[1])
        join(samples, share, width, differences, colours)
        if n:
            _weigh(differences, agreement, radius, sums, weights)
            n = _doubtful(weights, apart, n)
        if n:
            places = apart[:n]
            totals[:, :n] = 0
            for k in range(_CANDIDATES.shape[0]):
                _pick(motions, _CANDIDATES[k], places, y, t, motion)
                follow(motion, places, y, height, t, swift, positions, share)
                sample(coefficients0, positions[0], positions[1], n, samples[0])
                sample(coefficients1, positions[2], positions[3], n, samples[1])
                join(samples, share, n, differences, candidate)
                _weigh(differences[:n], agreement, radius, sums, weights)
                _add(weights[:n], candidate, totals)
            for j in range(n):
                norm = _F32(1) / totals[3, j]
                for channel in range(3):
                    colours[channel, places[j]] = totals[channel, j] * norm
        write(colours, rows[y])


@kernel
def _tell_apart(motions: np.ndarray, mean: np.ndarray, apart: np.ndarray) -> int:
    """Means of the four motions of a row, and how many pixels have motions apart; these are listed in `apart`.

    Apart is more than 2/5 px and 1/16 of the mean: what moves fast is known and seen less sharply.
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
        tolerance = _I32(SUBPIXELS * 2 // 5) + (max(abs(sx), abs(sy)) >> _I32(6))
        mean[0, x], mean[1, x] = _F32(sx) * _F32(0.25), _F32(sy) * _F32(0.25)
        flags[x] = _U8(max(spread_x, spread_y) > tolerance)
    n = 0
    for x in range(width):
        apart[n] = x
        n += int(flags[x])
    return n


@kernel
def _doubtful(weights: np.ndarray, apart: np.ndarray, n: int) -> int:
    """Keep those of the n pixels listed in `apart` whose weight is under 1/2, and return how many they are."""
    kept = 0
    for j in range(n):
        x = apart[j]
        apart[kept] = x
        kept += int(weights[x] < _F32(0.5))
    return kept


@kernel
def _pick(
    motions: np.ndarray, candidate: np.ndarray, places: np.ndarray, y: int, t: np.float32, motion: np.ndarray
) -> None:
    """The motions that a row of `_CANDIDATES` means for places of row y."""
    k, at_origin, right, down = candidate
    bottom, last, zero = _F32(motions.shape[0] - 1), _F32(motions.shape[2] - 1), _F32(0)
    row = min(max(y + down, 0), motions.shape[0] - 1)
    horizontal, vertical = motions[row, 2 * k], motions[row, 2 * k + 1]
    scale = _F32(at_origin) * (-t if k % 2 == 0 else _F32(1) - t) / _F32(SUBPIXELS)
    i, edge = _U64(2 * k), motions.shape[2] - 1
    for j in range(places.size):
        x = min(max(places[j] + right, 0), edge)
        nearest_x = _U64(_I32(min(max(_F32(x) + scale * _F32(horizontal[x]) + _F32(0.5), zero), last)))
        nearest_y = _U64(_I32(min(max(_F32(row) + scale * _F32(vertical[x]) + _F32(0.5), zero), bottom)))
        motion[0, j] = _F32(motions[nearest_y, i, nearest_x])
        motion[1, j] = _F32(motions[nearest_y, i + _U64(1), nearest_x])


@kernel
def _weigh(errors: np.ndarray, agreement: np.float32, radius: int, sums: np.ndarray, weights: np.ndarray) -> None:
    """1/(1 + d/agreement) for each of a row of errors, d the mean of those within `radius`."""
    n, total = errors.size, _I32(0)
    for j in range(n):
        total += errors[j]
        sums[radius + 1 + j] = total
    for j in range(n + radius + 1, n + 2 * radius + 1):
        sums[j] = total
    starts, stops = sums[:n], sums[2 * radius + 1 :]
    unit, reach = _F32(3 * UNIT // 256) * agreement, _I32(radius)
    for j in range(n):
        i = _I32(j)
        share = _F32(min(i, reach) + min(_I32(n) - _I32(1) - i, reach) + _I32(1)) * unit
        weights[j] = share / (share + _F32(stops[j] - starts[j]))


@kernel
def _add(weights: np.ndarray, colours: np.ndarray, totals: np.ndarray) -> None:
    """Add weighted colours, and the weights as a fourth channel."""
    for j in range(weights.size):
        weight = weights[j]
        totals[0, j] += weight * colours[0, j]
        totals[1, j] += weight * colours[1, j]
        totals[2, j] += weight * colours[2, j]
        totals[3, j] += weight
