"""Arrangements: which part of a photo is seen, what passes before it and how all of it moves, by a random generator."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from spikesim_datasets.photos.composition import Composition, Sheet, Tone
from spikesim_datasets.photos.cutouts import lettering, patterned_cutout, photo_cutout
from spikesim_datasets.photos.texture import TEXELS, texture
from spikesim_datasets.photos.trajectories import bending, camera_motion, own_motion
from spikesim_datasets.scenes.paint import Array
from spikesim_datasets.scenes.render import HEIGHT, WIDTH, Matrix, place

MOST_CUTOUTS = 12

CUT_PHOTOS = 3
"""Of how many other photos the cut-outs of a clip are."""

_ZOOM = 1.35  # most that a photo is larger than fills the frame, if it has the pixels for it
_SHARP = 0.75  # frame pixels for a photo's that are enough: with more of the photo's, detail is as fine as video has
_MOST_FRAMES = 2  # how many frames wide or high a part of a panorama is, for its texels to fit in memory
_RIM = 0.02  # part of a photo's shorter side that is cut off all around: scans have a rim, which would be mirrored
_BENT = 0.35  # of the cut-outs
_KINDS = (0.6, 0.25, 0.15)  # how often a cut-out is of a photo, patterned, or lettering


def arrange(
    rng: np.random.Generator,
    photo: Array,
    others: Sequence[Callable[[], Array]],
    height: int,
    width: int,
    whole: int | None = None,
) -> Composition:
    """Everything that is random about a clip, drawn in one order.

    Args:
        rng: Where its randomness comes from.
        photo: The background, RGB uint8 `(h, w, 3)`.
        others: Give the photos to cut out of, in turn; called only for those that are. Without any, nothing passes.
        height: Of the frames, pixels.
        width: Of the frames, pixels.
        whole: Height of the larger frames that these are a part of, which says how large all is and how far it moves.
            None if they are whole.
    """
    scale = (whole or height) / HEIGHT
    camera = camera_motion(rng, height, width, scale)
    tone = Tone(
        rng.uniform(0.5, 1.1),
        rng.uniform(0.8, 1.2),
        rng.uniform(0, 0.15),
        rng.uniform(60, 400),
        rng.uniform(0, 2 * np.pi),
    )
    background = Sheet(*_framed(rng, photo, height, width, scale, camera))
    # Fewer in a part, but not as few as its area: it is there to be trained on.
    most = math.ceil(MOST_CUTOUTS * min(1, math.sqrt(height * width / (scale**2 * HEIGHT * WIDTH))))
    cutouts = []
    for number in range(int(rng.integers(0, most + 1)) if others else 0):
        kind = rng.choice(("photo", "pattern", "letters"), p=_KINDS)
        texels = (
            photo_cutout(rng, others[number % len(others)](), scale)
            if kind == "photo"
            else patterned_cutout(rng, scale)
            if kind == "pattern"
            else lettering(rng, scale)
        )
        at = rng.uniform(0.1, 0.9, 2) * (width, height)
        to_frame = _placed(texels, at, rng.uniform(0, 2 * np.pi), camera, own_motion(rng, scale))
        bent = rng.uniform() < _BENT
        cutouts.append(Sheet(texels, to_frame, bending(rng, texels.shape[0], scale * TEXELS) if bent else None))
    return Composition(background, tuple(cutouts), tone, height, width)


def _framed(
    rng: np.random.Generator,
    photo: Array,
    height: int,
    width: int,
    frame_scale: float,
    camera: Callable[[float], Matrix],
) -> tuple[Array, Callable[[float], Matrix]]:
    """A photo's texels, and their way to the frame: a random part of it, as large as fills the whole frame or larger.

    One with few pixels may be smaller, so that it is sharp; it then goes on mirrored.
    """
    rim = int(min(photo.shape[:2]) * _RIM)
    photo = photo[rim : photo.shape[0] - rim, rim : photo.shape[1] - rim]
    fill = max(height / photo.shape[0], width / photo.shape[1])  # the frame, which may be part of a larger one
    whole = max(fill, frame_scale * HEIGHT / photo.shape[0], frame_scale * WIDTH / photo.shape[1])
    least, most = min(whole, _SHARP), min(whole * _ZOOM, max(fill, 1.0))
    scale = least * (most / least) ** rng.uniform(0, 1)
    rows, columns = (
        min(whole, math.ceil(_MOST_FRAMES * shown / scale))
        for whole, shown in zip(photo.shape[:2], (height, width), strict=True)
    )
    down, across = rng.integers(0, photo.shape[0] - rows + 1), rng.integers(0, photo.shape[1] - columns + 1)
    photo = photo[down : down + rows, across : across + columns]
    size = [max(1, round(pixels * scale * TEXELS)) for pixels in (rows, columns)]
    free = np.array(size[::-1]) / TEXELS - (width, height)
    left, top = rng.uniform(0, 1, 2) * free
    arranged = place(-left, -top, scale=1 / TEXELS)
    return texture(photo, *size), lambda time: camera(time) @ arranged


def _placed(
    texels: Array, at: Array, angle: float, camera: Callable[[float], Matrix], own: Callable[[float], Matrix]
) -> Callable[[float], Matrix]:
    """The way of a cut-out's texels to the frame."""
    height, width = texels.shape[:2]
    around_middle = place(0, 0, angle, 1 / TEXELS) @ place(-width / 2, -height / 2)
    arranged = place(*at)
    return lambda time: camera(time) @ arranged @ own(time) @ around_middle
