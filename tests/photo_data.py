"""What tests of clips from photos share: photos, and compositions whose motion is known."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from spikesim_datasets.photos.composition import Composition, Sheet, Tone
from spikesim_datasets.photos.texture import TEXELS, texture
from spikesim_datasets.scenes.render import Matrix, place

HEIGHT, WIDTH = 67, 93

Motion = Callable[[float], Matrix]


def still(time: float) -> Matrix:
    return np.eye(3)


def noise_photo(seed: int = 0, height: int = 150, width: int = 190) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def smooth_photo(phase: float = 0, height: int = 150, width: int = 190) -> np.ndarray:
    """Waves no shorter than 25 pixels, of all but the darkest and the lightest tones."""
    y, x, colour = np.ogrid[:height, :width, :3]
    waves = np.sin(x / 5 + y / 9 + 2 * colour + phase) + np.cos(x / 11 - y / 6 - colour)
    return np.rint(127 + 45 * waves).astype(np.uint8)


def write_photos(folder: Path, names: Sequence[str] = ("a.png", "b.jpg", "c.png")) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(smooth_photo(number)).save(folder / name)
    return folder


def sheet(image: np.ndarray, left: float, top: float, motion: Motion = still, pixels: float = 1.0) -> Sheet:
    """An image with its corner at a place of the frame, `pixels` frame pixels to each of its own."""
    height, width = (round(length * pixels * TEXELS) for length in image.shape[:2])
    return covering(texture(image, height, width), left, top, motion)


def covering(texels: np.ndarray, left: float, top: float, motion: Motion = still) -> Sheet:
    return Sheet(texels, lambda time: motion(time) @ place(left, top, scale=1 / TEXELS))


def cutout(colour: Sequence[float], opacity: float = 1.0, height: int = 40, width: int = 30) -> np.ndarray:
    """Texels of one colour with a transparent rim."""
    texels = np.zeros((height * TEXELS, width * TEXELS, 4), np.uint16)
    texels[4:-4, 4:-4] = np.rint(np.array([*colour, 255]) * 256 * opacity)
    return texels


def composed(background: Sheet, *cutouts: Sheet, tone: Tone = Tone()) -> Composition:  # noqa: B008
    return Composition(background, cutouts, tone, HEIGHT, WIDTH)


def sampled(frame: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A frame at places (pixel centres at whole numbers) by Catmull-Rom, which smooth images allow."""
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    total = np.zeros((*x.shape, frame.shape[-1]))
    for i in range(-1, 3):
        for j in range(-1, 3):
            weight = cubic(y - row - i) * cubic(x - column - j)
            rows, columns = np.clip(row + i, 0, len(frame) - 1), np.clip(column + j, 0, frame.shape[1] - 1)
            total += weight[..., None] * frame[rows, columns]
    return total


def cubic(x: np.ndarray) -> np.ndarray:
    a = np.abs(x)
    return np.where(a < 1, 1.5 * a**3 - 2.5 * a**2 + 1, np.where(a < 2, -0.5 * a**3 + 2.5 * a**2 - 4 * a + 2, 0))


def explained(
    before: np.ndarray, after: np.ndarray, flow: np.ndarray, back: np.ndarray | None = None, rim: int = 4
) -> np.ndarray:
    """How far each pixel is from where its flow leads, in grey levels.

    NaN where that is outside or hidden, which the flow back from there tells, and near edges of what moves otherwise.
    """
    height, width, _ = flow.shape
    y, x = np.mgrid[:height, :width].astype(float)
    x, y = x + flow[..., 0], y + flow[..., 1]
    error = np.abs(sampled(after, x, y) - before).mean(-1)
    left_out = (x < rim) | (y < rim) | (x > width - 1 - rim) | (y > height - 1 - rim)
    apart = np.zeros((height, width), bool)
    apart[:, 1:] |= np.abs(np.diff(flow, axis=1)).max(-1) > 0.3
    apart[1:] |= np.abs(np.diff(flow, axis=0)).max(-1) > 0.3
    if back is not None:
        rows, columns = (
            np.clip(np.rint(places), 0, most - 1).astype(int) for places, most in ((y, height), (x, width))
        )
        apart |= np.abs(flow + back[rows, columns]).max(-1) > 0.3
    for axis in (0, 1):
        apart = np.any([np.roll(apart, shift, axis) for shift in range(-rim, rim + 1)], axis=0)
    return np.where(left_out | apart, np.nan, error)
