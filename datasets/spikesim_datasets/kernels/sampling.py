"""Compiled sampling of frames between their pixels: arrays in, arrays out, no checks.

By shifted linear interpolation: as fast as the linear one, it keeps the contrast of fine detail nearly as a cubic one
does. Positions are kept to 1/32 px and coefficients to half a grey level. With the overshoot of the filter, -142..397,
coefficients stay under 2048 half levels, so that the mean of two in 1/32 fits into 16 bits.

The eight pixels of a group are sampled together, at places one pixel apart: what they need lies in one piece, and only
the first place has to be found. Each channel is therefore an image of its own, and beyond its sides it goes on as it
ends, so that a group needs to be kept within the frame only as a whole.

Each frame comes twice, as it is and smoothed. What moves fast is sampled from the smoothed one, for its place at a time
between is known only to some pixels: a sharp sample at a wrong place errs more than a smooth one.

Source:
    Blu, Thévenaz and Unser, "Linear Interpolation Revitalized", IEEE Trans. Image Processing 13(5), 2004.
"""

import numpy as np

from spikesim.kernels.compile import inline, kernel
from spikesim.kernels.groups import BYTES, GROUP, absolute, bilinear, in_each, place_in_group, sums, write_colours
from spikesim.kernels.lanes import LANES, choose, float_lanes, load, store

_F32, _I32, _U16 = np.float32, np.int32, np.uint16

_SUBPIXEL_BITS = 5
SUBPIXELS = 1 << _SUBPIXEL_BITS
_SHIFT = 5  # of the linear interpolation, 1/32 px; the best for smooth signals is 0.21 px, real video wants less
_STEPS, _BIAS = 2, 290  # coefficients in half grey levels, made positive
UNIT = _STEPS * SUBPIXELS  # what one grey level is in a sample

_BEFORE, _AFTER = 16, 24
"""Columns that an image goes on for beyond its sides: those of a group that lies outside, and of the last two groups,
which may reach beyond."""

_GAIN, _ECHO = SUBPIXELS / (SUBPIXELS - _SHIFT), _SHIFT / (SUBPIXELS - _SHIFT)
_FAR = np.float32(1e9)
_TAPS = tuple(np.float32(_GAIN * (-_ECHO) ** i) for i in range(6))  # those left out are under 1/60 grey level together


@kernel
def coefficients(frame: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """Return the coefficients of shifted linear interpolation of a frame and of the same frame smoothed.

    Both are uint8 (H,W,3), the coefficients uint16 (2·(H+1), 3, W+40), with one row before that of the first pixels.
    """
    height, width, _ = frame.shape
    planes = np.empty((2 * (height + 1), 3, _BEFORE + width + _AFTER), np.uint16)
    _filter(frame, planes[: height + 1])
    _filter(smooth, planes[height + 1 :])
    return planes


@kernel
def _filter(frame: np.ndarray, planes: np.ndarray) -> None:
    """Write the coefficients of one frame.

    c[k] = (s[k] - f c[k-1]) / (1 - f) with the shift f, along rows and then columns, so that (1-f) c[k] + f c[k-1] is
    the pixel s[k]. Before the first pixel, and beyond the last one of a row, the frame goes on as it ends. Rounding
    goes into the recursion down the columns: at whole positions the error stays under a quarter of a level.
    """
    height, width, _ = frame.shape
    length = planes.shape[2]
    pixels = frame.reshape(height, 3 * width)
    levels = np.empty((3, len(_TAPS) - 1 + length), np.float32)
    along, down = np.empty(length, np.float32), np.empty((3, length), np.float32)
    for y in range(height):
        _separate(pixels[y], levels[0], levels[1], levels[2])
        for channel in range(3):
            _filter_row(levels[channel], along)
            if y == 0:
                _begin(along, down[channel], planes[0, channel])
            _go_down(along, down[channel], planes[y + 1, channel])


@kernel
def _separate(row: np.ndarray, red: np.ndarray, green: np.ndarray, blue: np.ndarray) -> None:
    """The channels of a row of pixels, beyond whose ends it goes on as it ends."""
    width = row.size // 3
    start = len(_TAPS) + _BEFORE
    for x in range(width):
        red[start + x], green[start + x], blue[start + x] = _F32(row[3 * x]), _F32(row[3 * x + 1]), _F32(row[3 * x + 2])
    for levels in (red, green, blue):
        levels[:start] = levels[start]
        levels[start + width :] = levels[start + width - 1]


@kernel
def _filter_row(levels: np.ndarray, along: np.ndarray) -> None:
    c0, c1, c2, c3, c4, c5 = _TAPS
    for x in range(along.size):
        along[x] = (
            c0 * levels[x + 5] + c1 * levels[x + 4] + c2 * levels[x + 3] + c3 * levels[x + 2] + c4 * levels[x + 1]
        ) + c5 * levels[x]


@kernel
def _begin(along: np.ndarray, down: np.ndarray, coefficients: np.ndarray) -> None:
    """The row before the first."""
    for x in range(along.size):
        down[x] = _F32(_I32(_F32(_STEPS) * along[x] + _F32(_BIAS + 0.5)))
        coefficients[x] = _U16(_I32(down[x]))


@kernel
def _go_down(along: np.ndarray, down: np.ndarray, coefficients: np.ndarray) -> None:
    """The next row, of which `down` is what the one before gave."""
    gain, echo = _F32(_GAIN), _F32(_ECHO)
    for x in range(along.size):
        value = _I32(gain * (_F32(_STEPS) * along[x] + _F32(_BIAS)) - echo * down[x] + _F32(0.5))
        down[x], coefficients[x] = _F32(value), _U16(value)


@kernel
def follow(
    motion: np.ndarray,
    groups: np.ndarray,
    y: int,
    height: int,
    width: int,
    t: np.float32,
    swift: np.float32,
    starts: np.ndarray,
    places: np.ndarray,
) -> None:
    """Follow motions from groups of row y, to where their first pixels lead in frame 0 and 1.

    starts: float32 (2,n), the columns, in 1/32 px; endlessly far off where they lead above or below the frame.
    places: int32 (4,n), columns and rows among the coefficients of frame 0, and of frame 1, in 1/32. Where 4t(1-t)
    times the motion is longer than `swift` pixels, the row leads to the smoothed frame, which lies below.
    """
    u = _F32(1) - t
    limit, smooth = swift * _F32(SUBPIXELS) / (_F32(4) * t * u), _I32((height + 1) * SUBPIXELS)
    limit *= limit
    left, right = _F32((1 - _BEFORE) * SUBPIXELS), _F32((width + _AFTER - 2 * GROUP) * SUBPIXELS)
    zero, bottom, row = _F32(0), _F32((height - 1) * SUBPIXELS), _F32(y * SUBPIXELS)
    down = _F32(SUBPIXELS - _SHIFT + 0.5)  # one row and column precede the first pixel's
    across = down + _F32(_BEFORE * SUBPIXELS)
    margin = _F32(SUBPIXELS // 2)  # a pixel reaches half its width beyond its centre
    for j in range(groups.size):
        column, dx, dy = _F32(groups[j] * _I32(GROUP * SUBPIXELS)), motion[0, j], motion[1, j]
        x0, y0, x1, y1 = column - t * dx, row - t * dy, column + u * dx, row + u * dy
        cy0, cy1 = min(max(zero, y0), bottom), min(max(zero, y1), bottom)
        starts[0, j] = x0 if abs(cy0 - y0) <= margin else _FAR
        starts[1, j] = x1 if abs(cy1 - y1) <= margin else _FAR
        below = smooth if dx * dx + dy * dy > limit else _I32(0)
        places[0, j], places[1, j] = _I32(min(max(left, x0), right) + across), _I32(cy0 + down) + below
        places[2, j], places[3, j] = _I32(min(max(left, x1), right) + across), _I32(cy1 + down) + below


@kernel
def join(
    coefficients0: np.ndarray,
    coefficients1: np.ndarray,
    starts: np.ndarray,
    places: np.ndarray,
    width: int,
    t: np.float32,
    n: int,
    differences: np.ndarray,
    colours: np.ndarray,
) -> None:
    """Blend the samples of frame 0 and 1 to which `follow` leads for n groups, an even number.

    The samples are weighted 1-t and t, or 0 and 1 where only one lies within its frame. Their absolute differences are
    summed over a group and the channels.
    """
    stride, rows = coefficients0.shape[2], 3 * coefficients0.shape[2]
    first, second = coefficients0.reshape(-1), coefficients1.reshape(-1)
    low, high = _F32(-SUBPIXELS // 2), _F32((width - 1) * SUBPIXELS + SUBPIXELS // 2)
    for j in range(0, n, 2):
        i = j + 1
        x0 = in_each(starts[0, j], starts[0, i]) + place_in_group() * _F32(SUBPIXELS)
        x1 = in_each(starts[1, j], starts[1, i]) + place_in_group() * _F32(SUBPIXELS)
        within0, within1 = (x0 >= low) & (high >= x0), (x1 >= low) & (high >= x1)
        share = choose(within0 ^ within1, choose(within1, _F32(1), _F32(0)), t)
        column0, row0, column1, row1 = places[0, j], places[1, j], places[2, j], places[3, j]
        at0 = np.intp(row0 >> _SUBPIXEL_BITS) * rows + np.intp(column0 >> _SUBPIXEL_BITS)
        at1 = np.intp(row1 >> _SUBPIXEL_BITS) * rows + np.intp(column1 >> _SUBPIXEL_BITS)
        next_column0, next_row0, next_column1, next_row1 = places[0, i], places[1, i], places[2, i], places[3, i]
        next0 = np.intp(next_row0 >> _SUBPIXEL_BITS) * rows + np.intp(next_column0 >> _SUBPIXEL_BITS)
        next1 = np.intp(next_row1 >> _SUBPIXEL_BITS) * rows + np.intp(next_column1 >> _SUBPIXEL_BITS)
        across0, down0 = in_each(_part(column0), _part(next_column0)), _down(row0, next_row0)
        across1, down1 = in_each(_part(column1), _part(next_column1)), _down(row1, next_row1)
        total = float_lanes(_F32(0))
        for channel in range(3):
            offset = channel * stride
            sample0 = bilinear(first, at0 + offset, next0 + offset, rows, across0, down0)
            sample1 = bilinear(second, at1 + offset, next1 + offset, rows, across1, down1)
            difference = sample1 - sample0
            total = total + absolute(difference)
            store(colours, (channel, GROUP * j), LANES, sample0 + share * difference)
        differences[j], differences[i] = sums(total)


@inline
def _part(place):
    return _U16(place & (SUBPIXELS - 1))


@inline
def _down(row, next_row):
    scale = _F32(1 / SUBPIXELS)
    return in_each(_F32(row & (SUBPIXELS - 1)) * scale, _F32(next_row & (SUBPIXELS - 1)) * scale)


@kernel
def write(colours: np.ndarray, groups: np.ndarray, n: int, row: np.ndarray) -> None:
    """Round blended samples of n groups, an even number, to bytes of a row, where the groups lie in it."""
    unit, bias, top = _F32(1 / UNIT), _F32(0.5 - _BIAS / _STEPS), _F32(255.5)
    for j in range(0, n, 2):
        red, green, blue = (
            _level(load(colours, (0, GROUP * j), LANES), unit, bias, top),
            _level(load(colours, (1, GROUP * j), LANES), unit, bias, top),
            _level(load(colours, (2, GROUP * j), LANES), unit, bias, top),
        )
        write_colours(row, BYTES * np.intp(groups[j]), BYTES * np.intp(groups[j + 1]), red, green, blue)


@inline
def _level(sample, unit, bias, top):
    """Grey levels plus a half, from 0 to 255.5."""
    level = sample * unit + bias
    level = choose(level > _F32(0), level, _F32(0))
    return choose(level < top, level, top)
