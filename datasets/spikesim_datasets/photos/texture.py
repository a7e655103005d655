"""Textures: images resampled to where the camera sees them, each texel the mean over a whole pixel of the frame.

A frame's pixel is then one look-up between texels, wherever it falls: the mean over its area is taken once, here. What
that mean leaves of detail too fine for texels is averaged over a texel as well, so that it does not come back as moiré.
"""

import numpy as np

from spikesim_datasets.kernels.texels import resample_columns, resample_rows
from spikesim_datasets.scenes.paint import Array

TEXELS = 2
"""Texels per frame pixel, across and down: overlapping means, close enough to be looked up between."""

_REACH = 2  # of the cubic, pixels


def texture(image: Array, height: int, width: int) -> Array:
    """An image as texels: means of its Catmull-Rom interpolation over frame pixels, themselves averaged over a texel.

    Args:
        image: RGB uint8 `(h, w, 3)`, mirrored at its borders.
        height: Of the texture, in texels.
        width: Of the texture, in texels.

    Returns:
        Opaque texels, uint16 `(height, width, 4)`, see `kernels.texels`.
    """
    rows = np.empty((image.shape[0], width, 3), np.float32)
    resample_rows(np.ascontiguousarray(image), *_taps(image.shape[1], width), rows)
    texels = np.empty((height, width, 4), np.uint16)
    resample_columns(rows, *_taps(image.shape[0], height), texels)
    return texels


def _taps(pixels: int, texels: int) -> tuple[Array, Array]:
    """Which pixels of an image, of `pixels` in a row, make each of `texels`, and their weights; both (texels, taps)."""
    step = pixels / texels  # pixels of the image from texel to texel
    half, rim = step * TEXELS / 2, step / 2
    centre = (np.arange(texels) + 0.5) * step
    first = np.floor(centre - half - rim - _REACH).astype(np.int64)
    taps = int(np.ceil(2 * (half + rim))) + 2 * _REACH + 1
    place = first[:, None] + np.arange(taps)
    away = centre[:, None] - (place + 0.5)
    weights = _integral(away + half + rim) - _integral(away + half - rim)
    weights -= _integral(away - half + rim) - _integral(away - half - rim)
    weights /= weights.sum(1, keepdims=True)
    period = place % (2 * pixels)
    return np.where(period < pixels, period, 2 * pixels - 1 - period), weights.astype(np.float32)


def _integral(x: Array) -> Array:
    """The integral from 0 to x of the integral of the Catmull-Rom kernel.

    Source:
        Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29(6), 1981, a = −1/2.
    """
    a = np.abs(x)
    inner = a**2 * (1 / 2 + a**2 * (-5 / 24 + 3 / 40 * a))
    outer = 1 / 60 + a * (-1 / 6 + a * (1 + a * (-2 / 3 + a * (5 / 24 - a / 40))))
    return np.where(a < 1, inner, np.where(a < _REACH, outer, 53 / 60 + (a - _REACH) / 2))
