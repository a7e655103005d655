"""Image files: sizes and colours of those there are, and new ones.

PNG and GIF are written through imageio. Reading goes to Pillow itself, here and nowhere else: only its decoder tells
that colour has 16 bits, whose lower half would be lost; some kinds of transparency make imageio warn; and of damaged
files the reason is wanted.
"""

import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import imageio.v3 as iio
import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL.PngImagePlugin import Blend, Disposal, PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from spikesim.checks import require_callable, require_path, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import atomic_path
from spikesim.input_files import require_file
from spikesim_datasets.image_checks import require_frames, require_image
from spikesim_datasets.mistaken_files import mistaken
from spikesim_datasets.orientation import UPRIGHT, swaps_sides, upright
from spikesim_datasets.tiff_pages import TiffPage, series, tiff_page, unread_values

if TYPE_CHECKING:
    from imageio.plugins.pillow import PillowPlugin

MOST_GIF_FPS = 50

_FORMATS = "PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM"
"""What is read. Pillow knows others by their content, whatever they are called: for PostScript it runs Ghostscript, and
icons it decodes to tell their size."""

_LARGE = 1 << 26  # pixels that any file may declare
_MOST_RATIO = 100  # pixels for a byte of larger ones: photos have 4 to 20

_PNG_LEVEL = 1  # of zlib's nine: images are written in thousands


class ImageHeader(NamedTuple):
    """What an image file says of itself before its pixels.

    Attributes:
        width, height: As it is to be shown.
        orientation: Which way up its pixels lie, see `orientation.UPRIGHT`.
        pages: How many images it holds.
    """

    width: int
    height: int
    orientation: int
    pages: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def turned(self) -> bool:
        """Whether its pixels lie otherwise than they are to be shown."""
        return self.orientation != UPRIGHT


def image_header(path: Path | str) -> ImageHeader:
    """What an image file says of itself, without decoding it.

    Raises:
        InputFileError: It is missing, empty or no image, or its images are no series.
    """
    path = require_path(path)
    require_file(path)
    try:
        with _opened(path) as image:
            pages = _pages(path, image)
            image.seek(pages[0])
            orientation = _orientation(image)
            size = image.size[::-1] if swaps_sides(orientation) else image.size
            return ImageHeader(*size, orientation, len(pages))
    except InputFileError:
        raise
    except Exception as error:  # what Pillow raises on damaged files is no closed set
        what = "is empty (0 bytes)" if not path.stat().st_size else f"is no readable image ({error}){mistaken(path)}"
        raise InputFileError(f"{path} {what}; replace it, or take its clip away") from error


def read_image(path: Path | str) -> np.ndarray:
    """The pixels of an image file, RGB uint8 (H, W, 3); grey becomes RGB, transparency is dropped.

    They lie the way up that the camera noted in the file (EXIF), as viewers show them.

    Raises:
        InputFileError: It is missing, damaged, no image, holds several, or other values than of 8 bits.
    """
    path = require_path(path)
    with _decoding(path), _opened(path) as image:
        page, *others = _pages(path, image)
        if others:
            raise InputFileError(
                f"{path} holds {1 + len(others)} images, where one is expected; give one of them as a file"
            )
        image.seek(page)
        _require_drawn(path, image)
        return _pixels(path, image)


def read_pages(path: Path | str, start: int, stop: int) -> Iterator[np.ndarray]:
    """Images start..stop−1 of a file that holds several, as `read_image` gives one.

    Raises:
        InputFileError: It is missing, damaged, no image, no series, or holds other values than of 8 bits.
    """
    path, start, stop = require_path(path), require_whole(start, "start", 0), require_whole(stop, "stop", 0)
    with _decoding(path), _opened(path) as image:
        for number, page in enumerate(_pages(path, image)[:stop]):
            image.seek(page)
            _require_drawn(path, image)
            if number >= start:
                yield _pixels(path, image)


def page_times(path: Path | str) -> tuple[int, ...]:
    """When the images of an animation are shown, in milliseconds; empty where the file does not say, as of TIFF.

    Raises:
        InputFileError: It is missing, damaged or no image.
    """
    path = require_path(path)
    times = [0.0]
    with _decoding(path), _opened(path) as image:
        if isinstance(image, TiffImageFile):
            return ()
        for page in _pages(path, image):
            image.seek(page)
            image.load()  # which is when some kinds of file tell
            times.append(times[-1] + (image.info.get("duration") or 0))
    return tuple(round(time) for time in times[:-1]) if times[-1] else ()


def _opened(path: Path) -> ImageFile.ImageFile:
    """An image file, not yet decoded."""
    try:
        return Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"not {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}, which are read; save it as PNG") from None


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    """Turns what Pillow raises on damaged files, which is no closed set, into our error."""
    require_file(path)
    try:
        yield
    except InputFileError:
        raise
    except Exception as error:
        why = getattr(error, "strerror", None) or error
        raise InputFileError(f"{path} cannot be decoded ({why}){mistaken(path)}; replace it") from error


def _require_drawn(path: Path, image: ImageFile.ImageFile) -> None:
    """Refuse an animated PNG at the image sought, if Pillow draws it, or what follows, otherwise than players do.

    It begins on the image that programs show that know no animation, where the canvas is to be empty; and it does not
    take away again what it has blended.

    Source:
        Portable Network Graphics Specification, third edition (W3C, 2025), 11.3.2.2.
    """
    if not isinstance(image, PngImageFile) or "bbox" not in image.info:
        return
    over = image.info["blend"] == Blend.OP_OVER
    restores = image.info["disposal"] == Disposal.OP_PREVIOUS
    clear = "transparency" in image.info or image.mode in ("LA", "RGBA")
    begins_on_another = image.default_image and image.tell() == 1
    if begins_on_another and (restores or image.info["bbox"] != (0, 0, *image.size) or (over and clear)):
        why = "begins on an image that it does not show"
    elif image.tell() and over and restores:
        why = "takes images away that are blended with others"
    else:
        return
    raise InputFileError(f"{path} is an animation that {why}, which is not read; save its images whole, one a file")


def _pixels(path: Path, image: ImageFile.ImageFile) -> np.ndarray:
    """The pixels of an open image, or of the one of several that was sought."""
    why = unread_values(image.tag_v2) if isinstance(image, TiffImageFile) else ""
    # Colour of 16 bits opens as mode RGB, its lower bytes lost; only the decoder's arguments tell.
    if image.mode.startswith(("I", "F")) or re.search(";16[BLN]", str(image.tile)):
        why = "has more than 8 bits a channel"
    if why:
        raise InputFileError(f"{path} {why}; 8-bit images are expected, convert it")
    image.info.pop("transparency", None)  # not wanted, and Pillow warns of some kinds
    orientation = _orientation(image)
    pixels = np.asarray(image.convert("RGB"))
    if _orientation(image) != orientation:
        raise InputFileError(f"{path} says only behind its pixels which way up they lie; save it again")
    return upright(pixels, orientation)


def _pages(path: Path, image: Image.Image) -> Sequence[int]:
    """Numbers of the images that an open file holds.

    Raises:
        InputFileError: They are no series, see `tiff_pages.series`, or fill the memory.
    """
    stored, (width, height) = path.stat().st_size, image.size
    if width * height > max(_LARGE, _MOST_RATIO * stored):
        raise InputFileError(f"{path} declares {width}×{height} pixels in {stored} bytes, made to fill the memory")
    if isinstance(image, TiffImageFile):
        return series(path, [_tiff_page(image, page) for page in range(image.n_frames)])
    if image.format == "MPO":  # of a phone: depth, or how bright highlights are, behind the photo itself
        return [0]
    # What programs show that know no animated PNG may be no image of the animation.
    pages = range(int(getattr(image, "default_image", False)), getattr(image, "n_frames", 1))
    if len(pages) > stored:
        raise InputFileError(f"{path} declares {len(pages)} images in {stored} bytes; it is damaged")
    return pages


def _tiff_page(image: TiffImageFile, page: int) -> TiffPage:
    image.seek(page)
    return tiff_page(image.tag_v2, image.size)


def _orientation(image: Image.Image) -> int:
    """Which way up an open image lies, in EXIF or XMP, by what was read of its file: until it is decoded, its head."""
    if image.format == "TIFF":  # which Pillow turns itself
        return UPRIGHT
    # Of a PNG file its own method would decode it, to see what stands behind the pixels, and every image remembers what
    # it said first.
    bare = Image.Image()
    bare.info = image.info
    noted = bare.getexif().get(ExifTags.Base.Orientation, UPRIGHT)
    return noted if noted in range(1, 9) else UPRIGHT


def through_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """What a JPEG file keeps of an RGB image, uint8 (H, W, 3).

    Args:
        image, quality: As for `as_jpeg`.

    Raises:
        InvalidValueError: It is no such image, or the quality is none.
    """
    return iio.imread(as_jpeg(require_image(image, "image"), quality), extension=".jpg")


def as_jpeg(image: np.ndarray, quality: int) -> bytes:
    """A JPEG file of an image.

    Args:
        image: RGB uint8 (H, W, 3), or grey (H, W).
        quality: 1 to 95.

    Raises:
        InvalidValueError: It is no such image, or the quality is none.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 2 or not image.size:
        require_image(image, "image")
    quality = require_whole(quality, "quality", 1, 95)
    return iio.imwrite("<bytes>", image, extension=".jpg", quality=quality)


def write_png(path: Path | str, image: np.ndarray, before: Callable[[], object] | None = None) -> None:
    """Write an RGB image, uint8 (H, W, 3), as PNG.

    Args:
        path: The file.
        image: The image.
        before: As for `spikesim.files.atomic_path`.

    Raises:
        InvalidValueError: It is no such image.
        OutputError: It cannot be written.
    """
    path = require_path(path)
    encoded = iio.imwrite(
        "<bytes>", require_image(image, "image"), plugin="pillow", extension=".png", compress_level=_PNG_LEVEL
    )
    if before is not None:
        require_callable(before, "before")
    with atomic_path(path, before=before) as temporary:
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
    # Not to the disk at once: the plug-in writes when it is closed, and again after a full disk, with a traceback.
    with atomic_path(path) as temporary:
        written = io.BytesIO()
        with iio.imopen(written, "w", plugin="pillow", extension=".gif") as gif:
            for frame in frames:
                cast("PillowPlugin", gif).write(frame, is_batch=False, duration=1000 // fps, loop=0)
        temporary.write_bytes(written.getvalue())
