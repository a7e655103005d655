"""Clips stored as one image file with many images: TIFF stacks, animated PNG and WebP."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.checks import require_instance, require_path
from spikesim.errors import InputFileError
from spikesim_datasets.image_files import image_header, page_times, read_pages
from spikesim_datasets.sources.clip import NamedClip, Split, absolute, files_fingerprint, named_origin, require_span
from spikesim_datasets.sources.reading import STRICT, Reading
from spikesim_datasets.sources.timing import evenly_apart


@dataclass(frozen=True)
class StackClip(NamedClip):
    """An image file whose images are frames.

    Attributes:
        split, name, source: As in `Clip`.
        path: The file.
        n_frames: Number of its images.
        height, width: Size of every frame as it is shown.
        reading: By which it was opened.
    """

    path: Path
    n_frames: int
    height: int
    width: int
    source: Path
    reading: Reading = field(default=STRICT, compare=False)

    @classmethod
    def open(
        cls, path: Path | str, split: Split, name: str, source: Path | str, reading: Reading = STRICT
    ) -> "StackClip":
        """The clip of a file.

        Raises:
            InputFileError: It is missing, empty or no image, or its images are not shown in even steps of time, which
                `reading` may ignore.
            InvalidValueError: The split is unknown, or a value is of another type.
        """
        path, source = require_path(path), require_path(source, "source")
        ignored = require_instance(reading, "reading", Reading).timing == "ignore"
        width, height, _, pages = image_header(path)
        if not ignored and pages > 1 and not evenly_apart(page_times(path)):
            raise InputFileError(
                f"{path} does not show its images in even steps of time; take them as even with --timing ignore"
            )
        return cls(split, name, path, pages, height, width, source, reading)

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        start, stop = require_span(start, stop)
        for frame in read_pages(self.path, start, stop):
            if frame.shape != (self.height, self.width, 3):
                raise InputFileError(f"{self.path} has images of several sizes; the frames of a clip must have one")
            yield frame

    def fingerprint(self) -> dict[str, object]:
        # Earlier versions took the first image for all.
        return files_fingerprint([self.path]) | {"images": self.n_frames}

    def origin(self) -> dict[str, Any]:
        """See `ReopenableClip.origin`."""
        paths = {"path": absolute(self.path), "source": absolute(self.source)}
        return named_origin(self, "stack", **paths, reading=self.reading.record())
