"""Compiled rendering of textures: arrays in, arrays out, no checks.

A texel is RGBA, uint16, premultiplied, 256 steps to a grey level. Colours at any place between texels are their
quadratic B-spline: a weighted mean of 3×3 texels that changes smoothly, so that a moving edge keeps its sharpness where
bilinear sampling would blur it half-way between texels. Floats are rounded alike by every IEEE 754 machine: fastmath
stays off.
"""

import numpy as np

from spikesim.kernels.compile import inline, kernel
from spikesim.kernels.quads import mean_of_nine

_F32, _U8, _U16, _I32 = np.float32, np.uint8, np.uint16, np.int32

STEPS = 256
"""Steps of a texel's value in a grey level."""

OPAQUE = 255 * STEPS


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
def _weights(away):  # type: ignore[no-untyped-def]
    """Weights of the three texels around a place, `away` from the middle one."""
    before, after = _F32(0.5) - away, _F32(0.5) + away
    first, last = _F32(0.5) * before * before, _F32(0.5) * after * after
    return first, _F32(1) - first - last, last


@inline
def _mean(texels, i, j, k, a0, a1, a2, b0, b1, b2):  # type: ignore[no-untyped-def]
    """A channel's mean over three rows that begin at i, j and k, four values from texel to texel."""
    return (
        b0 * (a0 * _F32(texels[i]) + a1 * _F32(texels[i + 4]) + a2 * _F32(texels[i + 8]))
        + b1 * (a0 * _F32(texels[j]) + a1 * _F32(texels[j + 4]) + a2 * _F32(texels[j + 8]))
        + b2 * (a0 * _F32(texels[k]) + a1 * _F32(texels[k + 4]) + a2 * _F32(texels[k + 8]))
    )


@inline
def _mirrored(place, length):  # type: ignore[no-untyped-def]
    """The texel that stands at any place when an image is mirrored at its borders again and again."""
    place = place % (2 * length)
    return place if place < length else 2 * length - 1 - place


@kernel
def _follow(matrix: np.ndarray, y: int, left: int, xs: np.ndarray, ys: np.ndarray) -> None:
    """Places among the texels of the centres of a row's pixels from `left` on; NaN of what lies behind the camera."""
    down = y + 0.5
    for x in range(xs.size):
        across = left + x + 0.5
        depth = matrix[2, 0] * across + matrix[2, 1] * down + matrix[2, 2]
        near = 1.0 / depth if depth > 0 else np.nan
        xs[x] = (matrix[0, 0] * across + matrix[0, 1] * down + matrix[0, 2]) * near - 0.5
        ys[x] = (matrix[1, 0] * across + matrix[1, 1] * down + matrix[1, 2]) * near - 0.5


@kernel
def _bend(wave: np.ndarray, sign: float, xs: np.ndarray, ys: np.ndarray) -> None:
    """Bend a sheet with places among its texels by a wave (sizes of sine and cosine, frequency), or straighten it."""
    sine, cosine, frequency = wave[0], wave[1], wave[2]
    if sine != 0 or cosine != 0:
        for x in range(xs.size):
            angle = frequency * (ys[x] + 0.5)
            xs[x] += sign * (sine * np.sin(angle) + cosine * np.cos(angle))


@kernel
def _fill(texels: np.ndarray, height: int, width: int, xs: np.ndarray, ys: np.ndarray, colours: np.ndarray) -> None:
    """Write the colours of a row of the mirrored, endless background, four values to a pixel."""
    for x in range(xs.size):
        if not (abs(xs[x]) < 1e9 and abs(ys[x]) < 1e9):  # the horizon, where everything is seen at once
            colours[4 * x : 4 * x + 4] = 0
            continue
        column, row = np.int64(np.floor(xs[x] + 0.5)), np.int64(np.floor(ys[x] + 0.5))
        a0, a1, a2 = _weights(_F32(xs[x] - column))
        b0, b1, b2 = _weights(_F32(ys[x] - row))
        if 1 <= column < width - 1 and 1 <= row < height - 1:
            i = 4 * ((row - 1) * width + column - 1)
            mean_of_nine(texels, (i, i + 4 * width, i + 8 * width), (a0, a1, a2), (b0, b1, b2), colours, 4 * x)  # type: ignore[call-arg]
        else:
            c0, c1, c2 = _mirrored(column - 1, width), _mirrored(column, width), _mirrored(column + 1, width)
            for channel in range(3):
                total = _F32(0)
                for step in range(3):
                    i = 4 * width * _mirrored(row + step - 1, height) + channel
                    line = a0 * _F32(texels[i + 4 * c0]) + a1 * _F32(texels[i + 4 * c1]) + a2 * _F32(texels[i + 4 * c2])
                    total += (b0 if step == 0 else b1 if step == 1 else b2) * line
                colours[4 * x + channel] = total


@kernel
def _cover(
    texels: np.ndarray, shape: np.ndarray, xs: np.ndarray, ys: np.ndarray, colours: np.ndarray, seen: np.ndarray
) -> None:
    """Lay a cut-out over the colours of a row, from the first of them on; its outermost texels are transparent.

    seen has room for four values.
    """
    first, height, width = shape[0], shape[1], shape[2]
    for x in range(xs.size):
        if not (0.5 <= xs[x] < width - 1.5 and 0.5 <= ys[x] < height - 1.5):
            continue
        column, row = np.int64(np.floor(xs[x] + 0.5)), np.int64(np.floor(ys[x] + 0.5))
        a0, a1, a2 = _weights(_F32(xs[x] - column))
        b0, b1, b2 = _weights(_F32(ys[x] - row))
        i = first + 4 * ((row - 1) * width + column - 1)
        mean_of_nine(texels, (i, i + 4 * width, i + 8 * width), (a0, a1, a2), (b0, b1, b2), seen, 0)  # type: ignore[call-arg]
        if seen[3] > 0:
            clear = _F32(1) - seen[3] * _F32(1 / OPAQUE)
            for channel in range(3):
                colours[4 * x + channel] = colours[4 * x + channel] * clear + seen[channel]


@kernel
def render_sheets(background, cutouts, shapes, matrices, waves, boxes, gain, offset, out):  # type: ignore[no-untyped-def]
    """Write a frame, uint8 (H,W,3): gain times the colour, in grey levels, plus offset, clipped and rounded.

    background: uint16 (h,w,4), mirrored without end. cutouts: all texels of the cut-outs, uint16 (N,), the rearmost
    first. shapes: int64 (L,3), where each begins there, its height and width. matrices: float64 (1+L,3,3), from pixels
    to texels, of the background first. waves: float64 (1+L,3), how each is bent, see `_bend`; 0 if it is not.
    boxes: int64 (L,4), left, top, right and bottom of the pixels that each reaches.
    """
    height, width, _ = out.shape
    xs, ys = np.empty(width), np.empty(width)
    colours, seen = np.empty(4 * width, np.float32), np.empty(4, np.float32)
    texels = background.reshape(-1)
    scale, zero, top = _F32(gain / STEPS), _F32(0), _F32(255)
    for y in range(height):
        _follow(matrices[0], y, 0, xs, ys)
        _fill(texels, background.shape[0], background.shape[1], xs, ys, colours)
        for layer in range(shapes.shape[0]):
            left, right = boxes[layer, 0], boxes[layer, 2]
            if boxes[layer, 1] <= y < boxes[layer, 3] and left < right:
                some_x, some_y = xs[: right - left], ys[: right - left]
                _follow(matrices[layer + 1], y, left, some_x, some_y)
                _bend(waves[layer + 1], -1.0, some_x, some_y)
                _cover(cutouts, shapes[layer], some_x, some_y, colours[4 * left : 4 * right], seen)
        row = out[y].reshape(-1)
        for x in range(width):
            for channel in range(3):
                value = scale * colours[4 * x + channel] + offset
                row[3 * x + channel] = _U8(_I32(min(max(value, zero), top) + _F32(0.5)))


@kernel
def flow_of_sheets(cutouts, shapes, matrices, waves, boxes, later, later_waves, flow):  # type: ignore[no-untyped-def]
    """Write where each pixel goes, float32 (H,W,2) in pixels: with the topmost cut-out that covers half of it.

    later: float64 (1+L,3,3), from texels to the pixels of the later frame. later_waves: float64 (1+L,3), the waves
    then. The others are those of `render_sheets`.
    """
    height, width, _ = flow.shape
    xs, ys, owner = np.empty(width), np.empty(width), np.empty(width, np.int64)
    for y in range(height):
        owner[:] = 0
        for layer in range(shapes.shape[0]):
            left, right = boxes[layer, 0], boxes[layer, 2]
            if boxes[layer, 1] <= y < boxes[layer, 3] and left < right:
                some_x, some_y = xs[: right - left], ys[: right - left]
                _follow(matrices[layer + 1], y, left, some_x, some_y)
                _bend(waves[layer + 1], -1.0, some_x, some_y)
                _own(cutouts, shapes[layer], some_x, some_y, layer + 1, owner[left:right])
        for x in range(width):
            sheet = owner[x]
            some_x, some_y = xs[:1], ys[:1]
            _follow(matrices[sheet], y, x, some_x, some_y)
            _bend(waves[sheet], -1.0, some_x, some_y)
            _bend(later_waves[sheet], 1.0, some_x, some_y)
            step, across, down = later[sheet], some_x[0] + 0.5, some_y[0] + 0.5
            depth = step[2, 0] * across + step[2, 1] * down + step[2, 2]
            flow[y, x, 0] = (step[0, 0] * across + step[0, 1] * down + step[0, 2]) / depth - (x + 0.5)
            flow[y, x, 1] = (step[1, 0] * across + step[1, 1] * down + step[1, 2]) / depth - (y + 0.5)


@kernel
def _own(texels: np.ndarray, shape: np.ndarray, xs: np.ndarray, ys: np.ndarray, number: int, owner: np.ndarray) -> None:
    """Write a number where a cut-out covers half of a pixel of a row."""
    first, height, width = shape[0], shape[1], shape[2]
    for x in range(xs.size):
        if 0.5 <= xs[x] < width - 1.5 and 0.5 <= ys[x] < height - 1.5:
            column, row = np.int64(np.floor(xs[x] + 0.5)), np.int64(np.floor(ys[x] + 0.5))
            a0, a1, a2 = _weights(_F32(xs[x] - column))
            b0, b1, b2 = _weights(_F32(ys[x] - row))
            i = first + 4 * ((row - 1) * width + column - 1) + 3
            if _mean(texels, i, i + 4 * width, i + 8 * width, a0, a1, a2, b0, b1, b2) >= _F32(OPAQUE / 2):
                owner[x] = number
