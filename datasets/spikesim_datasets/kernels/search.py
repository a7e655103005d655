"""Compiled dense inverse search (DIS), an optical flow: arrays in, arrays out, no checks.

At each size of two frames, from the smallest up, the motion of patches of 8×8 pixels is found: each begins with what
the size before gave, takes that of the patch beside or above it if it fits better, and descends to where it fits best
in the other frame; then all do so again from the last patch to the first. The flow of a pixel is the mean of the
patches that cover it, those that fit it there counting for more. A patch is four vectors of two rows each. As each may
take the motion of the one before it, a flow takes one thread.

Differences to OpenCV's DIS, which takes four times as long for frames between that are as good: a step is half that of
Gauss and Newton, there it is an eighth, so that few of them suffice; a motion is kept only if it was found to fit
better; the last row and column of patches end at the borders; no stripes of rows are apart.

Source:
    Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016.
"""

import numpy as np

from spikesim.kernels.compile import inline, kernel
from spikesim.kernels.groups import GROUP, absolute, add_patch, patch, patch_between, sum_of_lanes
from spikesim.kernels.lanes import choose

_F32, _INTP = np.float32, np.intp

_BORDER = 16
"""Pixels that a frame goes on for beyond its sides: more than a patch that touches it."""

_SHARE = np.float32(1 / GROUP**2)  # of a pixel in the mean of a patch
_FLAT = np.float32(1e-3)  # under which the determinant of a patch's structure is taken for this


@kernel
def slopes(image: np.ndarray) -> np.ndarray:
    """Return a grey frame, uint8 (h,w), and how steep it is to the right and down, as float32 (3,h+32,w+32).

    Slopes are Sobel's, in levels a pixel. Beyond its sides the frame goes on as it ends.
    """
    height, width = image.shape
    planes = np.zeros((3, height + 2 * _BORDER, width + 2 * _BORDER), np.float32)
    levels, eighth, two = planes[0], _F32(1 / 8), _F32(2)
    for y in range(height + 2 * _BORDER):
        pixels, row = image[min(max(y - _BORDER, 0), height - 1)], levels[y]
        for x in range(width):
            row[x + _BORDER] = _F32(pixels[x])
        row[:_BORDER] = row[_BORDER]
        row[width + _BORDER :] = row[width + _BORDER - 1]
    for y in range(_BORDER, height + _BORDER):
        a, b, c, right, down = levels[y - 1], levels[y], levels[y + 1], planes[1, y], planes[2, y]
        for x in range(_BORDER, width + _BORDER):
            right[x] = eighth * ((a[x + 1] - a[x - 1]) + two * (b[x + 1] - b[x - 1]) + (c[x + 1] - c[x - 1]))
            down[x] = eighth * ((c[x - 1] - a[x - 1]) + two * (c[x] - a[x]) + (c[x + 1] - a[x + 1]))
    return planes


@kernel
def refine(
    first: np.ndarray, second: np.ndarray, before: np.ndarray, stride: int, steps: int, gain: np.float32
) -> np.ndarray:
    """Return the flow, float32 (2,h,w): how far to the right and down each pixel of one frame is in another.

    Args:
        first, second: Frames, as `slopes` gives them, both sides at least 8 pixels.
        before: Flow between the same frames at half the size, or zeros of any.
        stride: Distance of the patches, 1 to 8 pixels.
        steps: Of descent, for each patch and direction of passing through them.
        gain: Part of a Gauss-Newton step that is taken.
    """
    height, width = first.shape[1] - 2 * _BORDER, first.shape[2] - 2 * _BORDER
    rows, columns = (height - GROUP + stride - 1) // stride + 1, (width - GROUP + stride - 1) // stride + 1
    found = np.empty((2, rows, columns), np.float32)
    _begin(before, stride, height, width, found)
    _search(first, second, stride, steps, gain, 1, found)
    _search(first, second, stride, steps, gain, -1, found)
    return _spread(first, second, stride, found)


@kernel
def _begin(before: np.ndarray, stride: int, height: int, width: int, found: np.ndarray) -> None:
    """Write the motions that flow at half the size has at the centres of patches."""
    _, rows, columns = before.shape
    half = GROUP / 2
    for j in range(found.shape[1]):
        y = min(max((min(j * stride, height - GROUP) + half) * rows / height - 0.5, 0.0), rows - 1.0)
        top = _INTP(y)
        bottom, down = min(top + 1, rows - 1), _F32(y - top)
        for i in range(found.shape[2]):
            x = min(max((min(i * stride, width - GROUP) + half) * columns / width - 0.5, 0.0), columns - 1.0)
            left = _INTP(x)
            right, across = min(left + 1, columns - 1), _F32(x - left)
            for axis in range(2):
                flow = before[axis]
                above = flow[top, left] + across * (flow[top, right] - flow[top, left])
                below = flow[bottom, left] + across * (flow[bottom, right] - flow[bottom, left])
                found[axis, j, i] = _F32(2) * (above + down * (below - above))


@inline
def _lead(x, y, u, v, height, width):
    """Where a patch at (x, y) that moves by (u, v) begins in a frame with its border, and the parts of a pixel left."""
    across = min(max(_F32(1 - GROUP), _F32(x) + u), _F32(width - 1)) + _F32(_BORDER)
    down = min(max(_F32(1 - GROUP), _F32(y) + v), _F32(height - 1)) + _F32(_BORDER)
    column, row = _INTP(across), _INTP(down)
    return row * (width + 2 * _BORDER) + column, across - _F32(column), down - _F32(row)


@inline
def _less(q, p):
    return q[0] - p[0], q[1] - p[1], q[2] - p[2], q[3] - p[3]


@inline
def _sum(p):
    return sum_of_lanes((p[0] + p[1]) + (p[2] + p[3]))


@inline
def _product(p, q):
    return sum_of_lanes((p[0] * q[0] + p[1] * q[1]) + (p[2] * q[2] + p[3] * q[3]))


@inline
def _misfit(difference):
    """The sum of squares of differences less their mean: a patch that is brighter everywhere fits as well."""
    total = _sum(difference)
    return _product(difference, difference) - total * total * _SHARE


@kernel
def _search(
    first: np.ndarray,
    second: np.ndarray,
    stride: int,
    steps: int,
    gain: np.float32,
    ahead: int,
    found: np.ndarray,
) -> None:
    """Improve the motions of patches, from the first to the last, or with `ahead` -1 from the last to the first."""
    _, rows, columns = found.shape
    height, width, line = first.shape[1] - 2 * _BORDER, first.shape[2] - 2 * _BORDER, first.shape[2]
    levels, right, down, other = first[0].reshape(-1), first[1].reshape(-1), first[2].reshape(-1), second[0].reshape(-1)
    us, vs = found[0], found[1]
    for row in range(rows):
        j = row if ahead > 0 else rows - 1 - row
        y = min(j * stride, height - GROUP)
        for column in range(columns):
            i = column if ahead > 0 else columns - 1 - column
            x = min(i * stride, width - GROUP)
            here = (y + _BORDER) * line + x + _BORDER
            p = patch(levels, here, line)
            u, v = us[j, i], vs[j, i]
            at, across, below = _lead(x, y, u, v, height, width)
            least = _misfit(_less(patch_between(other, at, line, across, below), p))
            for beside in range(2):
                if (row, column)[beside]:
                    j1, i1 = j - ahead * (1 - beside), i - ahead * beside
                    u1, v1 = us[j1, i1], vs[j1, i1]
                    at, across, below = _lead(x, y, u1, v1, height, width)
                    misfit = _misfit(_less(patch_between(other, at, line, across, below), p))
                    if misfit < least:
                        least, u, v = misfit, u1, v1
            gx, gy = patch(right, here, line), patch(down, here, line)
            sx, sy = _sum(gx), _sum(gy)
            xx, yy = _product(gx, gx) - sx * sx * _SHARE, _product(gy, gy) - sy * sy * _SHARE
            xy = _product(gx, gy) - sx * sy * _SHARE
            scale = gain / max(_FLAT, xx * yy - xy * xy)
            best_u, best_v, least, u1, v1 = u, v, _F32(np.inf), u, v
            for _ in range(steps):
                at, across, below = _lead(x, y, u1, v1, height, width)
                difference = _less(patch_between(other, at, line, across, below), p)
                misfit = _misfit(difference)
                if not misfit < least:
                    break
                least, best_u, best_v = misfit, u1, v1
                mean = _sum(difference) * _SHARE
                ex, ey = _product(difference, gx) - mean * sx, _product(difference, gy) - mean * sy
                u1, v1 = u1 - scale * (yy * ex - xy * ey), v1 - scale * (xx * ey - xy * ex)
            if max(abs(best_u - u), abs(best_v - v)) <= _F32(GROUP):
                us[j, i], vs[j, i] = best_u, best_v
            else:
                us[j, i], vs[j, i] = u, v


@kernel
def _spread(first: np.ndarray, second: np.ndarray, stride: int, found: np.ndarray) -> np.ndarray:
    """The flow of each pixel: the mean of the patches that cover it, weighted by 1/max(1, |difference|) there."""
    _, rows, columns = found.shape
    height, width, line = first.shape[1] - 2 * _BORDER, first.shape[2] - 2 * _BORDER, first.shape[2]
    flow, weights = np.zeros((2, height, width), np.float32), np.zeros((height, width), np.float32)
    levels, other = first[0].reshape(-1), second[0].reshape(-1)
    us, vs, sums = flow[0].reshape(-1), flow[1].reshape(-1), weights.reshape(-1)
    for j in range(rows):
        y = min(j * stride, height - GROUP)
        for i in range(columns):
            x = min(i * stride, width - GROUP)
            u, v = found[0, j, i], found[1, j, i]
            p = patch(levels, (y + _BORDER) * line + x + _BORDER, line)
            at, across, below = _lead(x, y, u, v, height, width)
            a, b, c, d = _less(patch_between(other, at, line, across, below), p)
            a, b, c, d = _weight(a), _weight(b), _weight(c), _weight(d)
            add_patch(sums, y * width + x, width, (a, b, c, d))
            add_patch(us, y * width + x, width, (u * a, u * b, u * c, u * d))
            add_patch(vs, y * width + x, width, (v * a, v * b, v * c, v * d))
    for i in range(sums.size):
        us[i], vs[i] = us[i] / sums[i], vs[i] / sums[i]
    return flow


@inline
def _weight(difference):
    size, one = absolute(difference), _F32(1)
    return one / choose(size > one, size, one)
