"""TIFF files by what their tags say: which pages are images of one series, and whether pixels can be read.

Source:
    TIFF 6.0 (Adobe, 1992); ImageJ's FileInfo, tifffile's JSON and OME-XML in the tag ImageDescription.
"""

import re
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

from spikesim.errors import InputFileError

_KIND, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_FILL_ORDER, _DESCRIPTION, _SAMPLES, _PLANES, _FORMAT, _DEPTH = 266, 270, 277, 284, 339, 32997

_REDUCED = 1  # bit of _KIND: the page is a smaller copy of another
_SIGNED = 2  # of _FORMAT
_APART = 2  # of _PLANES: one channel after the other
_UNCOMPRESSED, _WHITE_IS_ZERO, _LOWEST_BIT_FIRST = 1, 0, 2


class TiffPage(NamedTuple):
    """What the tags of a page say.

    Attributes:
        size: Width and height as it is to be shown.
        reduced: Whether it is a smaller copy of another page.
        axes: How many images lie along each axis of the series that begins here, where that is more than one.
    """

    size: tuple[int, int]
    reduced: bool
    axes: tuple[int, ...]


def tiff_page(tags: Mapping[int, Any], size: tuple[int, int]) -> TiffPage:
    """A page by its tags, and by its width and height as it is to be shown."""
    axes = tuple(length for length in _axes(tags) if length > 1)
    return TiffPage(size, bool(tags.get(_KIND, 0) & _REDUCED), axes)


def series(path: Path, pages: Sequence[TiffPage]) -> list[int]:
    """Numbers of the pages that are images, in order; smaller copies of one, as previews are, do not count.

    Raises:
        InputFileError: They lie along several axes, are fewer than the file says, of several sizes, or none.
    """
    axes = max((page.axes for page in pages), key=prod)
    if len(axes) > 1:
        raise InputFileError(
            f"{path} holds {' × '.join(map(str, axes))} images along several axes (times, slices, channels), where a "
            "clip has one; save one slice and channel as a stack of its own"
        )
    if prod(axes) > len(pages):
        raise InputFileError(
            f"{path} says that it holds {prod(axes)} images, but has {len(pages)} page{'s'[: len(pages) > 1]}; save it "
            "with one page an image (tifffile: without truncate and volumetric), or as frames, one a file"
        )
    numbers = [number for number, page in enumerate(pages) if not page.reduced]
    if not numbers:
        raise InputFileError(f"{path} holds only pages marked as smaller copies of an image; save the image itself")
    sizes = [pages[number].size for number in numbers]
    if _with_previews(sizes):
        return numbers[:1]
    (width, height), *others = sizes
    for other_width, other_height in others:
        if (other_width, other_height) != (width, height):
            raise InputFileError(
                f"{path} has images of several sizes, {width}×{height} and {other_width}×{other_height}; the frames of "
                "a clip must have one"
            )
    return numbers


def unread_values(tags: Mapping[int, Any]) -> str:
    """Why values of a page would not be read as they are: "has values with a sign"; empty if they would."""
    bits = tags.get(_BITS, (1,))
    if max(bits) > 8:
        return "has more than 8 bits a channel"
    if _SIGNED in tags.get(_FORMAT, ()):
        return "has values with a sign"
    apart = tags.get(_PLANES) == _APART and tags.get(_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED
    inverted = tags.get(_PHOTOMETRIC, _WHITE_IS_ZERO) == _WHITE_IS_ZERO
    # Pillow takes whole bytes as they are where channels lie apart.
    if apart and (min(bits) < 8 or inverted or tags.get(_FILL_ORDER) == _LOWEST_BIT_FIRST):
        return "keeps channels apart whose values are packed, inverted or mirrored"
    return ""


def _axes(tags: Mapping[int, Any]) -> tuple[int, ...]:
    """How many images lie along each axis of the series that begins with a page, as far as it says so."""
    description = str(tags.get(_DESCRIPTION, ""))
    if description.startswith("ImageJ="):
        found = {name: int(count) for name, count in re.findall(r"(?m)^(\w+)=(\d+)\s*$", description)}
        axes = tuple(found.get(name, 1) for name in ("frames", "slices", "channels"))
        return axes if prod(axes) >= (images := found.get("images", 1)) else (images,)
    if shape := re.match(r'\{"shape": \[([\d, ]+)\]', description):
        return _before_page(tags, [int(length) for length in shape[1].split(",")])
    # Of a set of files the description is that of the whole set.
    if "<OME" in description and len(set(re.findall(r'FileName="([^"]*)"', description))) < 2:
        found = {name: int(count) for name, count in re.findall(r'\bSize([TZC])="(\d+)"', description)}
        axes = (found.get("T", 1), found.get("Z", 1), found.get("C", 1) // tags.get(_SAMPLES, 1))
        # Recording may have ended before the last of the times that were planned.
        return axes if sum(length > 1 for length in axes) > 1 else ()
    return (tags.get(_DEPTH, 1),)


def _before_page(tags: Mapping[int, Any], shape: list[int]) -> tuple[int, ...]:
    """The axes of an array before those of one page; none if it is not made of such pages."""
    page, values = 1, tags[_WIDTH] * tags[_HEIGHT] * tags.get(_SAMPLES, 1)
    while shape and page < values:
        page *= shape.pop()
    return tuple(shape) if page == values else ()


def _with_previews(sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether images are one and smaller copies of it, each of another size and none above half of it."""
    (width, height), *others = sizes
    # Sides are rounded: those of a half may be half a pixel too long.
    return len(set(sizes)) == len(sizes) and all(
        max(2 * w - width, 2 * h - height) <= 1 and abs(w * height - h * width) <= max(width, height) for w, h in others
    )
