"""Compiled loops of the interpolators: arrays in, arrays out, no checks.

Work goes row by row through buffers that stay in the cache: samples two groups at once (`spikesim.kernels.groups`),
the rest in loops that the compiler turns into vector instructions. For that, division must not raise, and rows are
flat: of an inner axis whose length it does not know, the compiler guesses 1. fastmath stays off: the bits are those of
any IEEE 754 machine.
"""

import numpy as np

from spikesim.kernels.compile import kernel
from spikesim.kernels.groups import BYTES, GROUP, in_each
from spikesim.kernels.lanes import LANES, load, store
from spikesim_datasets.kernels.sampling import SUBPIXELS, UNIT, follow, join, write

_F32, _I16, _I32, _U8, _U64 = np.float32, np.int16, np.int32, np.uint8, np.uint64

_MOTIONS = 4
_CANDIDATES = np.array(
    [  # motion, whether taken where it starts in its own frame, and how far off, groups right and pixels down
        (0, 0, 0, 0),
        (1, 0, 0, 0),
        (2, 1, 0, 0),
        (3, 1, 0, 0),
        (0, 1, 1, 12),
        (0, 1, -1, -12),
        (1, 1, 1, 12),
        (1, 1, -1, -12),
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
def join_flows(
    fine01: np.ndarray, fine10: np.ndarray, coarse01: np.ndarray, coarse10: np.ndarray, height: int, width: int
) -> np.ndarray:
    """Return the motions from frame 0 to frame 1 that four flows mean, of frames of that height and width.

    Flows are float32 (2,h,w) in their own pixels, at any size up to the frames'. Motions are int16 (H,8,G) in 1/32 px:
    x and y of fine01, -fine10, coarse01 and -coarse10 for each group of eight pixels of a row, the mean of what the
    flow has there. Beyond ±1023 px they are cut. G is even: where groups are not, there is one more.
    """
    groups = (width + 2 * GROUP - 1) // (2 * GROUP) * 2
    motions = np.empty((height, 2 * _MOTIONS, groups), np.int16)
    _join_flow(fine01, _F32(SUBPIXELS), width, motions[:, 0:2])
    _join_flow(fine10, _F32(-SUBPIXELS), width, motions[:, 2:4])
    _join_flow(coarse01, _F32(SUBPIXELS), width, motions[:, 4:6])
    _join_flow(coarse10, _F32(-SUBPIXELS), width, motions[:, 6:8])
    return motions


@kernel
def _join_flow(flow: np.ndarray, scale: np.float32, width: int, motions: np.ndarray) -> None:
    """Write one motion of every group, `scale` times the flow in pixels of the frame; rows are linear between."""
    (height, _, groups), (_, rows, columns) = motions.shape, flow.shape
    starts, stops = np.empty(groups, np.int64), np.empty(groups, np.int64)
    for g in range(groups):
        starts[g] = min(GROUP * g, width - 1) * columns // width
        stops[g] = max(starts[g] + 1, min(GROUP * (g + 1), width) * columns // width)
    scales = _F32(scale * width / columns), _F32(scale * height / rows)
    means = np.empty((2, rows, groups), np.float32)
    for axis in range(2):
        for y in range(rows):
            for g in range(groups):
                total = _F32(0)
                for x in range(starts[g], stops[g]):
                    total += flow[axis, y, x]
                means[axis, y, g] = scales[axis] * total / _F32(stops[g] - starts[g])
    for y in range(height):
        place = min(max((y + 0.5) * rows / height - 0.5, 0.0), rows - 1.0)
        above = int(place)
        below, part = min(above + 1, rows - 1), _F32(place - above)
        _quantise(means[0, above], means[0, below], part, motions[y, 0])
        _quantise(means[1, above], means[1, below], part, motions[y, 1])


@kernel
def _quantise(above: np.ndarray, below: np.ndarray, part: np.float32, motion: np.ndarray) -> None:
    limit = _F32(1023 * SUBPIXELS)
    for g in range(motion.size):
        # -limit as the first argument of max: that is what NaN becomes
        motion[g] = _I16(np.floor(min(max(-limit, above[g] + part * (below[g] - above[g])), limit) + _F32(0.5)))


@kernel
def motion_blend(
    first: int,
    stop: int,
    coefficients0: np.ndarray,
    coefficients1: np.ndarray,
    motions: np.ndarray,
    times: np.ndarray,
    agreement: np.float32,
    swift: np.float32,
    frames: tuple[np.ndarray, ...],
) -> None:
    """Write rows first..stop-1 of the frames at some times between two, given as `coefficients`.

    A motion v of a group gives for each of its pixels a sample of frame 0 at -t·v and one of frame 1 at (1-t)·v from
    it, weighted 1-t and t, or 0 and 1 where only one lies within its frame; beyond `swift` pixels (see `follow`), of
    the smoothed frames. d is the mean absolute difference of the two over the channels, the group and its neighbours.
    Where the four `motions` of a group are nearly one, or where d of their mean is under `agreement`, that mean is
    followed. Elsewhere the result is the mean of `_CANDIDATES`, weighted by 1/(1 + d/agreement), the neighbours then
    being those among such groups of the row. times is float32 (N,); frames are a tuple of uint8 (H,W,3), N or more.
    """
    height, width, _ = frames[0].shape
    n_groups = motions.shape[2]
    inside = (width + GROUP - 1) // GROUP  # the others have no pixel
    everywhere, apart = np.arange(n_groups).astype(np.int32), np.empty(n_groups + 1, np.int32)
    doubtful, indices = np.empty(n_groups + 1, np.int32), np.empty(n_groups, np.int32)
    mean, motion = np.empty((2, n_groups), np.float32), np.zeros((2, n_groups), np.float32)
    starts, places = np.empty((2, n_groups), np.float32), np.empty((4, n_groups), np.int32)
    colours, totals = np.empty((3, GROUP * n_groups), np.float32), np.empty((3, GROUP * n_groups), np.float32)
    differences, sums = np.empty(n_groups, np.float32), np.empty(n_groups, np.float32)
    weights = np.ones(n_groups, np.float32)  # that of a group without pixels stays: it is not looked at closer
    row = np.empty(BYTES * (n_groups + 1), np.uint8)
    for y in range(first, stop):
        n_apart = _tell_apart(motions[y], mean, apart)
        for i in range(times.size):
            t = times[i]
            follow(mean, everywhere, y, height, width, t, swift, starts, places)
            join(coefficients0, coefficients1, starts, places, width, t, n_groups, differences, colours)
            write(colours, everywhere, n_groups, row)
            n = 0
            if n_apart:
                _weigh(differences[:inside], agreement, weights)
                n = _doubtful(weights, apart, n_apart, doubtful)
            if n:
                even = n + n % 2
                doubtful[n] = n_groups  # nowhere, should their number be odd
                totals[:, : GROUP * even] = 0
                sums[:even] = 0
                for k in range(_CANDIDATES.shape[0]):
                    _pick(motions, _CANDIDATES[k], doubtful[:n], y, t, indices[:n], motion)
                    follow(motion, doubtful[:even], y, height, width, t, swift, starts, places)
                    join(coefficients0, coefficients1, starts, places, width, t, even, differences, colours)
                    _weigh(differences[:n], agreement, weights)
                    _add(weights, colours, even, totals, sums)
                _divide(totals, sums, even)
                write(totals, doubtful, even, row)
            _copy(row, frames[i].reshape(height, 3 * width)[y])


@kernel
def _tell_apart(motions: np.ndarray, mean: np.ndarray, apart: np.ndarray) -> int:
    """Means of the four motions of a row, and how many groups have motions apart; these are listed in `apart`.

    Apart is more than 2/5 px and 1/16 of the mean: what moves fast is known and seen less sharply.
    """
    groups = mean.shape[1]
    flags = np.empty(groups, np.uint8)
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
    for g in range(groups):
        ax, bx, cx, dx = _I32(m0[g]), _I32(m2[g]), _I32(m4[g]), _I32(m6[g])
        ay, by, cy, dy = _I32(m1[g]), _I32(m3[g]), _I32(m5[g]), _I32(m7[g])
        sx, sy = ax + bx + cx + dx, ay + by + cy + dy
        spread_x = max(max(ax, bx), max(cx, dx)) - min(min(ax, bx), min(cx, dx))
        spread_y = max(max(ay, by), max(cy, dy)) - min(min(ay, by), min(cy, dy))
        tolerance = _I32(SUBPIXELS * 2 // 5) + (max(abs(sx), abs(sy)) >> _I32(6))
        mean[0, g], mean[1, g] = _F32(sx) * _F32(0.25), _F32(sy) * _F32(0.25)
        flags[g] = _U8(max(spread_x, spread_y) > tolerance)
    n = 0
    for g in range(groups):
        apart[n] = g
        n += int(flags[g])
    return n


@kernel
def _doubtful(weights: np.ndarray, apart: np.ndarray, n: int, doubtful: np.ndarray) -> int:
    """List those of n groups whose weight is under 1/2, and return how many they are."""
    kept = 0
    for j in range(n):
        doubtful[kept] = apart[j]
        kept += int(weights[apart[j]] < _F32(0.5))
    return kept


@kernel
def _pick(
    motions: np.ndarray,
    candidate: np.ndarray,
    groups: np.ndarray,
    y: int,
    t: np.float32,
    indices: np.ndarray,
    motion: np.ndarray,
) -> None:
    """The motions that a row of `_CANDIDATES` means for groups of row y; indices int32 (n,) are a buffer."""
    k, at_origin, right, down = candidate
    height, values, width = motions.shape
    row = min(max(y + down, 0), height - 1)
    flat, own, step = motions.reshape(-1), _U64((row * values + 2 * k) * width), _U64(width)
    shift, last = _I32(right), _I32(width - 1)
    for j in range(groups.size):
        indices[j] = min(max(groups[j] + shift, _I32(0)), last)
    for j in range(groups.size):
        i = own + _U64(indices[j])
        motion[0, j], motion[1, j] = _F32(flat[i]), _F32(flat[i + step])
    if at_origin:
        scale = (-t if k % 2 == 0 else _F32(1) - t) / _F32(SUBPIXELS)
        _start(motion, indices, scale, row, height, values * width)
        own = _U64(2 * k * width)
        for j in range(groups.size):
            i = own + _U64(indices[j])
            motion[0, j], motion[1, j] = _F32(flat[i]), _F32(flat[i + step])


@kernel
def _start(motion: np.ndarray, indices: np.ndarray, scale: np.float32, row: int, height: int, line: int) -> None:
    """Change indices of groups of a row to those of where motions, times a scale, lead from them."""
    horizontal, vertical, across, half, zero = motion[0], motion[1], scale * _F32(1 / GROUP), _F32(0.5), _F32(0)
    top, right, bottom = _F32(row), _F32(motion.shape[1] - 1), _F32(height - 1)
    for j in range(indices.size):
        x = min(max(zero, _F32(indices[j]) + across * horizontal[j] + half), right)
        y = min(max(zero, top + scale * vertical[j] + half), bottom)
        indices[j] = _I32(y) * _I32(line) + _I32(x)


@kernel
def _weigh(differences: np.ndarray, agreement: np.float32, weights: np.ndarray) -> None:
    """1/(1 + d/agreement) for each of a row of groups, d the mean of it and its neighbours."""
    last, unit = differences.size - 1, _F32(3 * GROUP * UNIT) * agreement
    for j in range(1, last):
        share = _F32(3) * unit
        weights[j] = share / (share + (differences[j - 1] + differences[j] + differences[j + 1]))
    if last == 0:
        weights[0] = unit / (unit + differences[0])
    else:
        share = _F32(2) * unit
        weights[0] = share / (share + (differences[0] + differences[1]))
        weights[last] = share / (share + (differences[last - 1] + differences[last]))


@kernel
def _add(weights: np.ndarray, colours: np.ndarray, n: int, totals: np.ndarray, sums: np.ndarray) -> None:
    """Add the weighted colours of n groups, an even number, to totals, and the weights to sums."""
    for j in range(n):
        sums[j] += weights[j]
    for j in range(0, n, 2):
        weight, x = in_each(weights[j], weights[j + 1]), GROUP * j
        for channel in range(3):
            total = load(totals, (channel, x), LANES) + weight * load(colours, (channel, x), LANES)
            store(totals, (channel, x), LANES, total)


@kernel
def _divide(totals: np.ndarray, sums: np.ndarray, n: int) -> None:
    for j in range(0, n, 2):
        share, x = in_each(_F32(1) / sums[j], _F32(1) / sums[j + 1]), GROUP * j
        for channel in range(3):
            store(totals, (channel, x), LANES, share * load(totals, (channel, x), LANES))


@kernel
def _copy(source: np.ndarray, target: np.ndarray) -> None:
    for i in range(target.size):
        target[i] = source[i]
