"""Compiled sampling of frames between their pixels: arrays in, arrays out, no checks.

By shifted linear interpolation: as fast as the linear one, it keeps the contrast of fine detail nearly as a cubic one
does. The coefficients of a pixel's three channels lie in one uint64, 21 bits each, so that one multiplication weighs
all three: positions are kept to 1/32 px, the four weights of a sample then sum to 32² = 1024, and coefficients to half
a grey level; with the overshoot of the filter, -142..397, they stay under 2048 half levels.

Each frame comes twice, as it is and smoothed. What moves fast is sampled from the smoothed one, for its place at a time
between is known only to some pixels: a sharp sample at a wrong place errs more than a smooth one.

Source:
    Blu, Thévenaz and Unser, "Linear Interpolation Revitalized", IEEE Trans. Image Processing 13(5), 2004.
"""

import numpy as np

from spikesim.kernels.compile import kernel

_F32, _I32, _U8, _U64 = np.float32, np.int32, np.uint8, np.uint64

_SUBPIXEL_BITS = 5
SUBPIXELS = 1 << _SUBPIXEL_BITS
_SHIFT = 5  # of the linear interpolation, 1/32 px; the best for smooth signals is 0.21 px, real video wants less
_STEPS, _BIAS = 2, 290  # coefficients in half grey levels, made positive
UNIT = _STEPS * SUBPIXELS**2  # what one grey level is in a sample
_LANE1, _LANE2, _LANE_MASK = _U64(21), _U64(42), _U64((1 << 21) - 1)


@kernel
def coefficients(frame: np.ndarray, smooth: np.ndarray) -> np.ndarray:
    """Return the packed coefficients of shifted linear interpolation of a frame and of the same frame smoothed.

    Both are uint8 (H,W,3), the coefficients uint64 (2·(H+1)·(W+1),).
    """
    height, width, _ = frame.shape
    packed = np.empty((2, height + 1, width + 1), np.uint64)
    _filter(frame, packed[0])
    _filter(smooth, packed[1])
    return packed.reshape(-1)


@kernel
def _filter(frame: np.ndarray, packed: np.ndarray) -> None:
    """Write the coefficients of one frame.

    c[k] = (s[k] - f c[k-1]) / (1 - f) with the shift f, along rows and then columns, so that (1-f) c[k] + f c[k-1] is
    the pixel s[k]. What is left of c[0] and above it, as if the frame went on there, is kept as well. Rounding goes
    into the recursion: at whole positions the error stays under a quarter of a level.
    """
    height, width, _ = frame.shape
    pixels = frame.reshape(height, 3 * width)
    gain, echo = _F32(SUBPIXELS / (SUBPIXELS - _SHIFT)), _F32(_SHIFT / (SUBPIXELS - _SHIFT))
    along, down = np.empty(3 * width + 3, np.float32), np.empty(3 * width + 3, np.float32)
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


@kernel
def _pack(row: np.ndarray, packed: np.ndarray) -> None:
    for x in range(packed.size):
        packed[x] = _U64(_I32(row[3 * x])) | _U64(_I32(row[3 * x + 1])) << _LANE1 | _U64(_I32(row[3 * x + 2])) << _LANE2


@kernel
def follow(
    motion: np.ndarray,
    places: np.ndarray,
    y: int,
    height: int,
    t: np.float32,
    swift: np.float32,
    positions: np.ndarray,
    share1: np.ndarray,
) -> None:
    """Follow motions from places of row y: x0, y0, x1, y1 among the coefficients in 1/32 px, and frame 1's share.

    Where 4t(1-t) times the motion is longer than `swift` pixels, y leads to the smoothed frame, which lies below.
    """
    u = _F32(1) - t
    limit, smooth = swift * _F32(SUBPIXELS) / (_F32(4) * t * u), _I32((height + 1) * SUBPIXELS)
    limit *= limit
    right, bottom, row = _F32((share1.size - 1) * SUBPIXELS), _F32((height - 1) * SUBPIXELS), _F32(y * SUBPIXELS)
    zero, entry = _F32(0), _F32(SUBPIXELS - _SHIFT + 0.5)  # one row and column precede the first pixel's
    margin = _F32(SUBPIXELS // 2)  # a pixel reaches half its width beyond its centre
    for j in range(places.size):
        column, dx, dy = _F32(places[j] * _I32(SUBPIXELS)), motion[0, j], motion[1, j]
        x0, y0, x1, y1 = column - t * dx, row - t * dy, column + u * dx, row + u * dy
        cx0, cy0 = min(max(zero, x0), right), min(max(zero, y0), bottom)
        cx1, cy1 = min(max(zero, x1), right), min(max(zero, y1), bottom)
        within0 = max(abs(cx0 - x0), abs(cy0 - y0)) <= margin
        within1 = max(abs(cx1 - x1), abs(cy1 - y1)) <= margin
        share1[j] = t if within0 == within1 else (_F32(1) if within1 else zero)
        below = smooth if dx * dx + dy * dy > limit else _I32(0)
        positions[0, j], positions[1, j] = _I32(cx0 + entry), _I32(cy0 + entry) + below
        positions[2, j], positions[3, j] = _I32(cx1 + entry), _I32(cy1 + entry) + below


@kernel
def sample(packed: np.ndarray, xs: np.ndarray, ys: np.ndarray, n: int, out: np.ndarray) -> None:
    """The first n samples of packed coefficients, each lane times 1024; borrows between lanes cancel in the sums."""
    stride, bits = _U64(out.size + 1), _U64(_SUBPIXEL_BITS)
    for j in range(n):
        fx, fy = _U64(xs[j] & (SUBPIXELS - 1)), _U64(ys[j] & (SUBPIXELS - 1))
        i = _U64(ys[j] >> _SUBPIXEL_BITS) * stride + _U64(xs[j] >> _SUBPIXEL_BITS)
        a, b = packed[i], packed[i + stride]
        upper = (a << bits) + (packed[i + _U64(1)] - a) * fx
        lower = (b << bits) + (packed[i + stride + _U64(1)] - b) * fx
        out[j] = (upper << bits) + (lower - upper) * fy


@kernel
def _lanes(sample: np.uint64) -> tuple[np.float32, np.float32, np.float32]:
    """The three channels of a packed sample."""
    return (
        _F32(_I32(sample & _LANE_MASK)),
        _F32(_I32((sample >> _LANE1) & _LANE_MASK)),
        _F32(_I32(sample >> _LANE2)),
    )


@kernel
def join(samples: np.ndarray, share1: np.ndarray, n: int, differences: np.ndarray, colours: np.ndarray) -> None:
    """Blend n samples of frame 0 and 1; their differences are summed over the channels, in 1/8 grey level."""
    first, second, red, green, blue = samples[0], samples[1], colours[0], colours[1], colours[2]
    for j in range(n):
        a0, a1, a2 = _lanes(first[j])
        b0, b1, b2 = _lanes(second[j])
        d0, d1, d2, s = b0 - a0, b1 - a1, b2 - a2, share1[j]
        differences[j] = _I32(abs(d0) + abs(d1) + abs(d2)) >> 8
        red[j], green[j], blue[j] = a0 + s * d0, a1 + s * d1, a2 + s * d2


@kernel
def write(colours: np.ndarray, row: np.ndarray) -> None:
    """Round blended samples of a row to bytes."""
    unit, bias, zero, top = _F32(1 / UNIT), _F32(_BIAS / _STEPS), _F32(0), _F32(255)
    for x in range(colours.shape[1]):
        row[3 * x] = _U8(_I32(min(max(colours[0, x] * unit - bias, zero), top) + _F32(0.5)))
        row[3 * x + 1] = _U8(_I32(min(max(colours[1, x] * unit - bias, zero), top) + _F32(0.5)))
        row[3 * x + 2] = _U8(_I32(min(max(colours[2, x] * unit - bias, zero), top) + _F32(0.5)))
