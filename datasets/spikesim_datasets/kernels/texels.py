"""Compiled rendering of textures: arrays in, arrays out, no checks.

A texel is RGBA, uint16, premultiplied, 256 steps to a grey level. Colours at any place between texels are their
quadratic B-spline: a weighted mean of 3×3 texels that changes smoothly, so that a moving edge keeps its sharpness where
bilinear sampling would blur it half-way between texels. Floats are rounded alike by every IEEE 754 machine: fastmath
stays off.
"""

import numpy as np

from spikesim.kernels.compile import inline, kernel
from spikesim.kernels.quads import lay_mean_of_nine, mean_of_nine

_F32, _F64, _U8, _U16, _I32 = np.float32, np.float64, np.uint8, np.uint16, np.int32

STEPS = 256
"""Steps of a texel's value in a grey level."""

OPAQUE = 255 * STEPS

_NOWHERE = -2e9


@kernel
def resample_rows(image: np.ndarray, places: np.ndarray, weights: np.ndarray, out: np.ndarray) -> None:
    """Write the weighted sums along x of an image (h,w,3), uint8, to out (h,n,3), float32; both others are (n,taps)."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            red, green, blue = _F32(0), _F32(0), _F32(0)
            for tap in range(places.shape[1]):
                j, weight = places[x, tap], weights[x, tap]
                red += weight * _F32(image[y, j, 0])
                green += weight * _F32(image[y, j, 1])
                blue += weight * _F32(image[y, j, 2])
            out[y, x, 0], out[y, x, 1], out[y, x, 2] = red, green, blue


@kernel
def resample_columns(rows: np.ndarray, places: np.ndarray, weights: np.ndarray, texels: np.ndarray) -> None:
    """Write the weighted sums along y of rows (h,w,3), float32, to opaque texels (n,w,4), uint16."""
    height, width, _ = rows.shape
    lines = rows.reshape(height, 3 * width)
    total = np.empty(3 * width, np.float32)
    for y in range(texels.shape[0]):
        total[:] = 0
        for tap in range(places.shape[1]):
            line, weight = lines[places[y, tap]], weights[y, tap]
            for i in range(total.size):
                total[i] += weight * line[i]
        for x in range(width):
            for channel in range(3):
                value = _F32(STEPS) * total[3 * x + channel]
                texels[y, x, channel] = _U16(_I32(min(max(value, _F32(0)), _F32(OPAQUE)) + _F32(0.5)))
            texels[y, x, 3] = _U16(OPAQUE)


@inline
def _mirrored(place, length):
    """The texel that stands at any place when an image is mirrored at its borders again and again."""
    if place < 0:
        place = -1 - place
    if place >= length:
        place = place % (2 * length)
        if place >= length:
            place = 2 * length - 1 - place
    return place


@kernel
def _follow(matrices: np.ndarray, sheet: int, y: int, left: int, right: int, xs: np.ndarray, ys: np.ndarray) -> None:
    """Write where the centres of a row's pixels fall among a sheet's texels; NaN for what lies behind the camera."""
    a, b, c = matrices[sheet, 0, 0], matrices[sheet, 0, 1], matrices[sheet, 0, 2]
    d, e, f = matrices[sheet, 1, 0], matrices[sheet, 1, 1], matrices[sheet, 1, 2]
    g, h, i = matrices[sheet, 2, 0], matrices[sheet, 2, 1], matrices[sheet, 2, 2]
    down = y + 0.5
    for x in range(right - left):
        across = left + x + 0.5
        depth = g * across + h * down + i
        near = 1.0 / depth if depth > 0 else np.nan
        xs[x] = (a * across + b * down + c) * near - 0.5
        ys[x] = (d * across + e * down + f) * near - 0.5


@kernel
def _bend(waves: np.ndarray, sheet: int, sign: float, count: int, xs: np.ndarray, ys: np.ndarray) -> None:
    """Bend a sheet with places among its texels by a wave (sizes of sine and cosine, frequency), or straighten it."""
    sine, cosine, frequency = waves[sheet, 0], waves[sheet, 1], waves[sheet, 2]
    if sine != 0 or cosine != 0:
        for x in range(count):
            angle = frequency * (ys[x] + 0.5)
            xs[x] += sign * (sine * np.sin(angle) + cosine * np.cos(angle))


@inline
def _near(place):
    """The texel next to a place, and the weights of the one before it, of itself and of the one after it."""
    texel = np.floor(place + 0.5)
    away = _F32(place - texel)
    before, after = _F32(0.5) - away, _F32(0.5) + away
    first, last = _F32(0.5) * before * before, _F32(0.5) * after * after
    return _I32(texel), first, _F32(1) - first - last, last


@kernel
def _look_up(count: int, xs: np.ndarray, ys: np.ndarray, texels: np.ndarray, weights: np.ndarray) -> None:
    """Write which texels are next to places, column and row, int32 (2,n), and the weights around them, float32 (6,n).

    The weights are those of the texels before, at and after it, first across, then down. What is endlessly far or
    nowhere (NaN) is at `_NOWHERE`.
    """
    columns, rows = texels[0], texels[1]
    a0, a1, a2, b0, b1, b2 = weights[0], weights[1], weights[2], weights[3], weights[4], weights[5]
    for i in range(count):
        there = abs(xs[i]) < 1e9 and abs(ys[i]) < 1e9
        x, y = (xs[i], ys[i]) if there else (_NOWHERE, _NOWHERE)
        columns[i], a0[i], a1[i], a2[i] = _near(x)
        rows[i], b0[i], b1[i], b2[i] = _near(y)


@kernel
def _fill(background: np.ndarray, count: int, texels: np.ndarray, weights: np.ndarray, colours: np.ndarray) -> None:
    """Write the colours of pixels of the mirrored, endless background, four values each, where `_look_up` says."""
    height, width = background.shape[0], background.shape[1]
    image = background.reshape(-1)
    for x in range(count):
        column, row = np.int64(texels[0, x]), np.int64(texels[1, x])
        across, down = (weights[0, x], weights[1, x], weights[2, x]), (weights[3, x], weights[4, x], weights[5, x])
        if 1 <= column < width - 1 and 1 <= row < height - 1:
            i = 4 * ((row - 1) * width + column - 1)
            mean_of_nine(image, (i, i + 4 * width, i + 8 * width), (0, 4, 8), across, down, colours, 4 * x)
        elif column == np.int64(_NOWHERE):  # the horizon, where everything is seen at once
            colours[4 * x : 4 * x + 4] = 0
        else:
            i, j, k = _mirrored(row - 1, height), _mirrored(row, height), _mirrored(row + 1, height)
            rows = 4 * width * i, 4 * width * j, 4 * width * k
            i, j, k = _mirrored(column - 1, width), _mirrored(column, width), _mirrored(column + 1, width)
            mean_of_nine(image, rows, (4 * i, 4 * j, 4 * k), across, down, colours, 4 * x)


@inline
def _around(texels, weights, x, start, height, width):
    """Of a place in a cut-out whether all three rows of texels around it are there, where these begin, and the weights.

    Its outermost texels are transparent.
    """
    column, row = np.int64(texels[0, x]), np.int64(texels[1, x])
    i = start + 4 * ((row - 1) * width + column - 1)
    across, down = (weights[0, x], weights[1, x], weights[2, x]), (weights[3, x], weights[4, x], weights[5, x])
    inside = 1 <= column < width - 1 and 1 <= row < height - 1
    return inside, (i, i + 4 * width, i + 8 * width), across, down


@kernel
def _cover(
    cutouts: np.ndarray, shapes: np.ndarray, layer: int, first: int, count: int, texels: np.ndarray,
    weights: np.ndarray, colours: np.ndarray,
) -> None:  # fmt: skip
    """Lay a cut-out over the colours of pixels, from the first of them on, where `_look_up` says."""
    start, height, width = shapes[layer, 0], shapes[layer, 1], shapes[layer, 2]
    for x in range(count):
        inside, rows, across, down = _around(texels, weights, x, start, height, width)
        if inside:
            lay_mean_of_nine(cutouts, rows, (0, 4, 8), across, down, _F32(1 / OPAQUE), colours, 4 * (first + x))


@inline
def _cut(slope, constant, left, right):
    """What of an interval is left where slope·x + constant is 0 or more."""
    if slope > 0:
        left = max(left, -constant / slope)
    elif slope < 0:
        right = min(right, -constant / slope)
    elif constant < 0:
        right = left
    return left, right


@kernel
def _reach(matrices: np.ndarray, waves: np.ndarray, shapes: np.ndarray, layer: int, y: int, left: int, right: int):
    """Where a cut-out begins and ends among a row's pixels from `left` to `right`, or farther out, never farther in."""
    sheet, bend = layer + 1, np.hypot(waves[layer + 1, 0], waves[layer + 1, 1])
    start, stop = _F64(left), _F64(right)
    depth, below = matrices[sheet, 2, 0], matrices[sheet, 2, 1] * (y + 0.5) + matrices[sheet, 2, 2]
    for axis in range(2):
        slope = matrices[sheet, axis, 0]
        constant = matrices[sheet, axis, 1] * (y + 0.5) + matrices[sheet, axis, 2]
        least = _F64(0) if axis else -bend
        most = _F64(shapes[layer, 1]) if axis else shapes[layer, 2] + bend
        start, stop = _cut(slope - least * depth, constant - least * below, start, stop)
        start, stop = _cut(most * depth - slope, most * below - constant, start, stop)
    if not start < stop:
        return left, left
    return max(left, np.int64(start) - 1), min(right, np.int64(stop) + 2)


@kernel
def render_sheets(background, cutouts, shapes, matrices, waves, boxes, gain, offset, out):
    """Write a frame, uint8 (H,W,3): gain times the colour, in grey levels, plus offset, clipped and rounded.

    background: uint16 (h,w,4), mirrored without end. cutouts: all texels of the cut-outs, uint16 (N,), the rearmost
    first. shapes: int64 (L,3), where each begins there, its height and width. matrices: float64 (1+L,3,3), from pixels
    to texels, of the background first. waves: float64 (1+L,3), how each is bent, see `_bend`; 0 if it is not.
    boxes: int64 (L,4), left, top, right and bottom of the pixels that each reaches.
    """
    height, width, _ = out.shape
    xs, ys = np.empty(width), np.empty(width)
    texels, weights = np.empty((2, width), np.int32), np.empty((6, width), np.float32)
    colours, levels = np.empty(4 * width, np.float32), np.empty(4 * width, np.uint8)
    scale, zero, top = _F32(gain / STEPS), _F32(0), _F32(255)
    for y in range(height):
        _follow(matrices, 0, y, 0, width, xs, ys)
        _look_up(width, xs, ys, texels, weights)
        _fill(background, width, texels, weights, colours)
        for layer in range(shapes.shape[0]):
            if boxes[layer, 1] <= y < boxes[layer, 3]:
                left, right = _reach(matrices, waves, shapes, layer, y, boxes[layer, 0], boxes[layer, 2])
                _follow(matrices, layer + 1, y, left, right, xs, ys)
                _bend(waves, layer + 1, -1.0, right - left, xs, ys)
                _look_up(right - left, xs, ys, texels, weights)
                _cover(cutouts, shapes, layer, left, right - left, texels, weights, colours)
        for i in range(4 * width):
            levels[i] = _U8(_I32(min(max(scale * colours[i] + offset, zero), top) + _F32(0.5)))
        for x in range(width):
            for channel in range(3):
                out[y, x, channel] = levels[4 * x + channel]


@kernel
def flow_of_sheets(cutouts, shapes, matrices, waves, boxes, later, later_waves, flow):
    """Write where each pixel goes, float32 (H,W,2) in pixels: with the topmost cut-out that covers half of it.

    later: float64 (1+L,3,3), from texels to the pixels of the later frame. later_waves: float64 (1+L,3), the waves
    then. The others are those of `render_sheets`.
    """
    height, width, _ = flow.shape
    xs, ys, owner = np.empty(width), np.empty(width), np.empty(width, np.int64)
    texels, weights = np.empty((2, width), np.int32), np.empty((6, width), np.float32)
    for y in range(height):
        owner[:] = 0
        for layer in range(shapes.shape[0]):
            if boxes[layer, 1] <= y < boxes[layer, 3]:
                left, right = _reach(matrices, waves, shapes, layer, y, boxes[layer, 0], boxes[layer, 2])
                _follow(matrices, layer + 1, y, left, right, xs, ys)
                _bend(waves, layer + 1, -1.0, right - left, xs, ys)
                _look_up(right - left, xs, ys, texels, weights)
                _own(cutouts, shapes, layer, left, right - left, texels, weights, owner)
        for x in range(width):
            sheet = owner[x]
            _follow(matrices, sheet, y, x, x + 1, xs, ys)
            _bend(waves, sheet, -1.0, 1, xs, ys)
            _bend(later_waves, sheet, 1.0, 1, xs, ys)
            step, across, down = later[sheet], xs[0] + 0.5, ys[0] + 0.5
            depth = step[2, 0] * across + step[2, 1] * down + step[2, 2]
            flow[y, x, 0] = (step[0, 0] * across + step[0, 1] * down + step[0, 2]) / depth - (x + 0.5)
            flow[y, x, 1] = (step[1, 0] * across + step[1, 1] * down + step[1, 2]) / depth - (y + 0.5)


@kernel
def _own(
    cutouts: np.ndarray, shapes: np.ndarray, layer: int, first: int, count: int, texels: np.ndarray,
    weights: np.ndarray, owner: np.ndarray,
) -> None:  # fmt: skip
    """Note a cut-out's number, its layer and 1, where it covers half of a pixel, from the first of them on."""
    seen = np.empty(4, np.float32)
    start, height, width = shapes[layer, 0], shapes[layer, 1], shapes[layer, 2]
    for x in range(count):
        inside, rows, across, down = _around(texels, weights, x, start, height, width)
        if inside:
            mean_of_nine(cutouts, rows, (0, 4, 8), across, down, seen, 0)
            if seen[3] >= _F32(OPAQUE / 2):
                owner[first + x] = layer + 1
