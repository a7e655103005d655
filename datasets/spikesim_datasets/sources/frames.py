"""Clips stored as one image file a frame."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.brief import Brief
from spikesim.checks import require_instance, require_path
from spikesim.errors import InputFileError
from spikesim_datasets.folders import names_in
from spikesim_datasets.image_files import image_header, read_image
from spikesim_datasets.sources.clip import (
    NamedClip,
    Split,
    absolute,
    files_fingerprint,
    named_origin,
    require_span,
    turned_mark,
)
from spikesim_datasets.sources.numbering import natural_order, order_of_names, whole_series
from spikesim_datasets.sources.reading import STRICT, Reading

FRAME_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")

ONE_KIND = "a folder holds frames, one a file, or stacks, each a clip"


@dataclass(frozen=True, repr=False)
class FrameClip(Brief, NamedClip):
    """A folder of numbered frames, in the order of their numbers.

    Attributes:
        split, name: As in `Clip`.
        folder: Where the frames lie.
        names: File names in order.
        height, width: Size of every frame as it is shown.
        source: As in `Clip`.
        turned: Whether pixels of some lie otherwise in their files.
        reading: By which it was opened.
    """

    folder: Path
    names: tuple[str, ...]
    height: int
    width: int
    source: Path
    turned: bool = False
    reading: Reading = field(default=STRICT, compare=False)

    @classmethod
    def open(
        cls, folder: Path | str, split: Split, name: str, source: Path | str, reading: Reading = STRICT
    ) -> "FrameClip":
        """The clip of a folder; every file's size is read, no image decoded.

        Raises:
            InputFileError: There are no frames, one is empty or no image, sizes differ, or the numbers in the names are
                no whole series, which `reading` may ignore.
            InvalidValueError: The split is unknown, or a value is of another type.
        """
        folder, source = require_path(folder, "folder"), require_path(source, "source")
        names = frame_names(folder)
        if not names:
            raise InputFileError(f"{folder} holds no frames ({', '.join(FRAME_SUFFIXES)})")
        refuse = require_instance(reading, "reading", Reading).numbering == "refuse"
        names = whole_series(folder, names) if refuse else order_of_names(names)
        # Not by several threads: headers are read in Python, and they would wait for each other twice as long.
        headers = [image_header(folder / name) for name in names]
        width, height = headers[0].size
        for file_name, header in zip(names, headers, strict=True):
            if header.pages != 1:
                raise InputFileError(
                    f"{folder / file_name} holds {header.pages} images and others beside it one; {ONE_KIND}"
                )
            if header.size != (width, height):
                raise InputFileError(
                    f"{folder / file_name} is {header.width}×{header.height}, but {names[0]} beside it is "
                    f"{width}×{height}; the frames of a clip must all have one size"
                )
        turned = any(header.turned for header in headers)
        return cls(split, name, folder, tuple(names), height, width, source, turned, reading)

    @property
    def n_frames(self) -> int:
        return len(self.names)

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        start, stop = require_span(start, stop)
        # One frame is decoded ahead in another thread: Pillow releases the interpreter lock while it decodes.
        with ThreadPoolExecutor(1) as pool:
            paths = [self.folder / name for name in self.names[start:stop]]
            ahead = None
            for path in paths:
                current = ahead
                ahead = pool.submit(_read_frame, path, self.height, self.width)
                if current is not None:
                    yield current.result()
            if ahead is not None:
                yield ahead.result()

    def fingerprint(self) -> dict[str, object]:
        return files_fingerprint(map(Path.joinpath, repeat(self.folder), self.names)) | turned_mark(self.turned)

    def origin(self) -> dict[str, Any]:
        """See `ReopenableClip.origin`."""
        paths = {"folder": absolute(self.folder), "source": absolute(self.source)}
        return named_origin(self, "frames", **paths, reading=self.reading.record())


def frame_names(folder: Path) -> list[str]:
    """File names of a folder's frames in natural order.

    Raises:
        InputFileError: There is no such folder.
    """
    if not folder.is_dir():
        raise InputFileError(f"{folder} is no folder of frames; give one that exists")
    return natural_order(name for name in names_in(folder) if name.lower().endswith(FRAME_SUFFIXES))


def _read_frame(path: Path, height: int, width: int) -> np.ndarray:
    try:
        frame = read_image(path)
    except InputFileError as error:
        raise InputFileError(f"{error}, or take its clip away") from error
    if frame.shape != (height, width, 3):
        raise InputFileError(
            f"{path} is {frame.shape[1]}×{frame.shape[0]}, its clip is {width}×{height}; it has changed"
        )
    return frame
