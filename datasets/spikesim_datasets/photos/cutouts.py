"""What passes before the camera: cut-outs of photos, striped, checked and dotted shapes, and lettering.

Each is texels whose opacity falls from full to none over one frame pixel, which is the part of that pixel it covers.
"""

from collections.abc import Callable

import cv2
import numpy as np

from spikesim_datasets.kernels.texels import OPAQUE
from spikesim_datasets.photos.texture import TEXELS, texture
from spikesim_datasets.scenes.paint import Array, polar

_MARGIN = 4  # texels around a shape, all transparent
_SIZES = 40, 360  # pixels across, of a frame 720 high
_LARGEST = 1.6  # radii: no outline reaches further from its middle
_LETTER_HEIGHTS = 24, 110
_CAPITAL = 22  # pixels: height of a capital letter of the font at its size 1
_LETTERS = np.array(list("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghkmnpqrstuvwxyz0123456789&?!+"))


def photo_cutout(rng: np.random.Generator, photo: Array, scale: float) -> Array:
    """A part of a photo in a random outline.

    Args:
        rng: Where its randomness comes from.
        photo: RGB uint8 `(h, w, 3)`.
        scale: Frame pixels for each pixel of a frame 720 high.

    Returns:
        Premultiplied texels, uint16 `(h, w, 4)`, see `kernels.texels`; its outermost texels are transparent.
    """
    opacity = _outline(rng, scale)
    height, width = opacity.shape
    # Pixels of the photo to a texel: as sharp as the photo allows, where it is large enough to be cut from.
    pixels = min(rng.uniform(1.0, 2.0) / TEXELS, photo.shape[0] / height, photo.shape[1] / width)
    rows, columns = max(1, int(height * pixels)), max(1, int(width * pixels))
    top, left = rng.integers(0, photo.shape[0] - rows + 1), rng.integers(0, photo.shape[1] - columns + 1)
    return _premultiplied(texture(photo[top : top + rows, left : left + columns], height, width), opacity)


def patterned_cutout(rng: np.random.Generator, scale: float) -> Array:
    """A shape with stripes, rings, checks or dots of two colours; see `photo_cutout`."""
    opacity = _outline(rng, scale)
    height, width = opacity.shape
    period, turn = rng.uniform(8, 40) * scale * TEXELS, rng.uniform(0, 2 * np.pi)
    x, y = np.arange(width) - width / 2, (np.arange(height) - height / 2)[:, None]
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    patterns: list[Callable[[], Array]] = [
        lambda: _wave(u, period),
        lambda: _wave(np.hypot(x, y), period),
        lambda: _wave(u, period) * _wave(v, period),
        lambda: np.clip(period / 3 - np.hypot(_wrapped(u, period), _wrapped(v, period)), -1, 1),
    ]
    second = (patterns[rng.integers(len(patterns))]()[..., None] + 1) / 2
    colours = rng.uniform(0, 255, (2, 3))
    texels = np.empty((height, width, 4), np.uint16)
    texels[..., :3] = np.rint((colours[0] + (colours[1] - colours[0]) * second) * (OPAQUE / 255))
    texels[..., 3] = OPAQUE
    return _premultiplied(texels, opacity)


def lettering(rng: np.random.Generator, scale: float) -> Array:
    """Letters and digits of one colour, drawn by the OpenCV at hand; see `photo_cutout`."""
    text = "".join(rng.choice(_LETTERS, rng.integers(2, 9)))
    fine = 2 * TEXELS  # drawn at twice the density, then averaged over a frame pixel as all else
    font, size = cv2.FONT_HERSHEY_DUPLEX, rng.uniform(*_LETTER_HEIGHTS) * scale * fine / _CAPITAL
    stroke = max(1, round(size * rng.uniform(1.5, 3.5)))
    (width, rise), drop = cv2.getTextSize(text, font, size, stroke)
    pad = 2 * (_MARGIN + stroke)
    mask: Array = np.zeros((rise + 2 * (drop + pad), width + 2 * pad), np.uint8)
    cv2.putText(mask, text, (pad, pad + drop + rise), font, size, (255,), stroke, cv2.LINE_AA)
    opacity = texture(np.dstack([mask] * 3), mask.shape[0] // 2, mask.shape[1] // 2)[..., 0] / np.float32(OPAQUE)
    texels = np.empty((*opacity.shape, 4), np.uint16)
    texels[..., :3] = np.rint(rng.uniform(0, OPAQUE, 3))
    texels[..., 3] = OPAQUE
    return _premultiplied(texels, opacity)


def _outline(rng: np.random.Generator, scale: float) -> Array:
    """The opacity of a random blob, ellipse or polygon, float32 (h,w) in [0, 1]."""
    low, high = np.log(_SIZES)
    radius = float(np.exp(rng.uniform(low, high))) / 2 * scale * TEXELS
    side = int(2 * _LARGEST * radius) + 2 * _MARGIN
    x, y = np.arange(side) + 0.5 - side / 2, (np.arange(side) + 0.5 - side / 2)[:, None]
    away, angle = np.hypot(x, y), np.arctan2(y, x)
    kind = rng.integers(3)
    if kind == 0:  # a smooth blob
        order = np.arange(1, 6)
        sizes, phases = rng.uniform(0, 0.28, 5) / order, rng.uniform(0, 2 * np.pi, 5)
        waves = (size * np.cos(n * angle + phase) for n, size, phase in zip(order, sizes, phases, strict=True))
        inside = radius * (0.9 + sum(waves)) - away
    elif kind == 1:
        turn, flat = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1)
        u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        reach = np.hypot(u, v / flat)
        inside = (radius - reach) * reach / np.maximum(np.hypot(u, v / flat**2), 1e-6)  # nearly the distance
    else:  # a convex polygon: what lies on the inner side of each edge
        corners = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 9)))
        normals = polar(1.0, corners)
        distances = radius * rng.uniform(0.55, 1, len(corners))
        inside = np.min([d - (x * n[0] + y * n[1]) for n, d in zip(normals, distances, strict=True)], axis=0)
        inside = np.minimum(inside, 1.4 * radius - away)
    return np.clip(0.5 + inside / TEXELS, 0, 1).astype(np.float32)


def _premultiplied(texels: Array, opacity: Array) -> Array:
    return np.rint(texels * opacity[..., None]).astype(np.uint16)


def _wrapped(values: Array, period: float) -> Array:
    """The distance from the middle of a period."""
    return (values + period / 2) % period - period / 2


def _wave(values: Array, period: float) -> Array:
    """−1 and 1 in turn, half a period each; from one to the other in a frame pixel."""
    return np.clip((period / 4 - np.abs(_wrapped(values, period))) * (2 / TEXELS), -1, 1)
