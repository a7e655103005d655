"""Image files: sizes and colours of those there are, and new ones.

PNG and GIF are written through imageio. Reading goes to Pillow itself, here and nowhere else: only its decoder tells
that colour has 16 bits, whose lower half would be lost; some kinds of transparency make imageio warn; and of damaged
files the reason is wanted.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, cast

import imageio.v3 as iio
import numpy as np
from PIL import Image, ImageOps

from spikesim.checks import require_path, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import atomic_path
from spikesim_datasets.image_checks import require_frames, require_image

if TYPE_CHECKING:
    from imageio.plugins.pillow import PillowPlugin

MOST_GIF_FPS = 50

_PNG_LEVEL = 1  # of zlib's nine: images are written in thousands


def image_size(path: Path | str) -> tuple[int, int]:
    """Width and height of an image file, without decoding it.

    Raises:
        InputFileError: It is missing, empty or no image.
    """
    path = require_path(path)
    try:
        with Image.open(path) as image:
            return image.size
    except Exception as error:  # what Pillow raises on damaged files is no closed set
        empty = path.is_file() and path.stat().st_size == 0
        what = "is empty (0 bytes)" if empty else f"is no readable image ({error})"
        raise InputFileError(f"{path} {what}; replace it, or take its clip away") from error


def read_image(path: Path | str) -> np.ndarray:
    """The pixels of an image file, RGB uint8 (H, W, 3); grey becomes RGB, transparency is dropped.

    Raises:
        InputFileError: It is missing, damaged, no image, or has more than 8 bits a channel.
    """
    return _pixels(require_path(path), upright=False)


def read_upright(path: Path | str) -> np.ndarray:
    """As `read_image`, turned the way up that the camera noted in the file (EXIF), as cameras held upright do.

    Raises:
        InputFileError: As for `read_image`.
    """
    return _pixels(require_path(path), upright=True)


def _pixels(path: Path, *, upright: bool) -> np.ndarray:
    try:
        with Image.open(path) as image:
            # Colour of 16 bits opens as mode RGB, its lower bytes lost; only the decoder's arguments tell.
            if image.mode.startswith(("I", "F")) or re.search(";16[BLN]", str(image.tile)):
                raise InputFileError(f"{path} has more than 8 bits a channel; 8-bit images are expected, convert it")
            image.info.pop("transparency", None)  # not wanted, and Pillow warns of some kinds
            return np.asarray((ImageOps.exif_transpose(image) if upright else image).convert("RGB"))
    except InputFileError:
        raise
    except Exception as error:  # what Pillow raises on damaged files is no closed set
        why = getattr(error, "strerror", None) or error
        raise InputFileError(f"{path} cannot be decoded ({why}); replace it") from error


def through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """What a JPEG file keeps of an RGB image, uint8 (H, W, 3).

    Args:
        image: RGB uint8 (H, W, 3).
        quality: 1 to 95.

    Raises:
        InvalidValueError: It is no such image, or the quality is none.
    """
    require_image(image, "image")
    quality = require_whole(quality, "quality", 1, 95)
    return iio.imread(iio.imwrite("<bytes>", image, extension=".jpg", quality=quality), extension=".jpg")


def write_png(path: Path | str, image: np.ndarray) -> None:
    """Write an RGB image, uint8 (H, W, 3), as PNG.

    Raises:
        InvalidValueError: It is no such image.
        OutputError: It cannot be written.
    """
    path = require_path(path)
    encoded = iio.imwrite(
        "<bytes>", require_image(image, "image"), plugin="pillow", extension=".png", compress_level=_PNG_LEVEL
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded)


def write_gif(path: Path | str, frames: Iterable[np.ndarray], fps: int) -> None:
    """Write frames as a GIF that is shown over and over, each in 256 colours of its own.

    Args:
        path: The file.
        frames: At least one; RGB uint8 (H, W, 3) of one size.
        fps: Frames per second, 1 to 50; a GIF counts in hundredths of a second.

    Raises:
        InvalidValueError: `fps` is not one of these: players show faster ones slower. Or there is no frame.
        OutputError: It cannot be written.
    """
    path, fps = require_path(path), require_whole(fps, "fps")
    if not 1 <= fps <= MOST_GIF_FPS:
        raise InvalidValueError(f"a GIF shows 1 to {MOST_GIF_FPS} frames a second, got fps={fps}; write a .mp4")
    _, frames = require_frames(frames, str(path))
    with (
        atomic_path(path) as temporary,
        temporary.open("wb") as file,
        iio.imopen(file, "w", plugin="pillow", extension=".gif") as gif,
    ):
        for frame in frames:
            cast("PillowPlugin", gif).write(frame, is_batch=False, duration=1000 // fps, loop=0)
