"""What the scenes are made of: gradients, grain, bricks and wood as functions of the place in the world."""

from collections.abc import Sequence

import cv2
import numpy as np

from spikesim_datasets.scenes.paint import MARGIN, PIXELS_PER_UNIT, Array, Canvas, Field, Texture


def ramp(top: float, bottom: float, first: Sequence[float], last: Sequence[float]) -> Texture:
    """A vertical gradient from the colour `first` at y = top to `last` at y = bottom."""

    def texture(x: Array, y: Array) -> Array:
        weight = np.clip((y - top) / (bottom - top), 0, 1)[..., None]
        return np.broadcast_to(np.asarray(first) + (np.asarray(last) - first) * weight, (y.size, x.size, 3))

    return texture


def grain(rng: np.random.Generator, cell_x: float, cell_y: float, octaves: int = 4) -> Field:
    """Fractal noise of mean 0 and standard deviation about 1, as a function of the place in the world.

    Args:
        rng: Where its randomness comes from.
        cell_x: Width of its largest blobs in world units; each octave halves it and the amplitude.
        cell_y: Their height.
        octaves: Number of octaves.
    """
    height, width = Canvas.backdrop().image.shape[:2]
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cells = [max(c * PIXELS_PER_UNIT / 2**octave, 1.0) for c in (cell_y, cell_x)]
        lattice = [int(size / cell) + 4 for size, cell in zip((height, width), cells, strict=True)]
        field = rng.standard_normal(lattice, np.float32)
        total += cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(0.5**octave)
    total /= total.std()

    def noise(x: Array, y: Array) -> Array:
        row = ((y + MARGIN) * PIXELS_PER_UNIT).astype(int) % height
        return total[row, ((x + MARGIN) * PIXELS_PER_UNIT).astype(int) % width]

    return noise


def bricks(
    rng: np.random.Generator, width: float, height: float, brick: Sequence[float], joint: Sequence[float]
) -> Texture:
    """A wall of bricks of `width` × `height` in running bond, every one of its own shade."""
    shades = rng.normal(0, 1, (64, 64))
    rough = grain(rng, 3, 3, 2)

    def texture(x: Array, y: Array) -> Array:
        row = np.floor(y / height).astype(int)
        along = x + (row % 2) * width / 2
        column = np.floor(along / width).astype(int)
        inner_x, inner_y = along % width, y % height
        edge = np.minimum(np.minimum(inner_x, width - inner_x), np.minimum(inner_y, height - inner_y))
        solid = np.clip((edge - 0.5) / 0.8, 0, 1)[..., None]
        gain = 1 + 0.13 * shades[row % 64, column % 64] + 0.05 * rough(x, y)
        gain = gain + 0.12 * (inner_y < 1.8) - 0.1 * (inner_y > height - 2)
        return np.asarray(joint) * (1 - solid) + gain[..., None] * brick * solid

    return texture


def wood(rng: np.random.Generator, light: Sequence[float], dark: Sequence[float]) -> Texture:
    """Planed wood with its grain along x."""
    rings, fibres = grain(rng, 620, 36, 3), grain(rng, 90, 1.6, 2)

    def texture(x: Array, y: Array) -> Array:
        weight = 0.5 + 0.3 * np.sin(5 * rings(x, y) + y / 9) + 0.13 * fibres(x, y)
        return np.asarray(dark) + np.subtract(light, dark) * weight[..., None]

    return texture
