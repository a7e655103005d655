"""Clips stored as a video file."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.checks import require_instance, require_path
from spikesim.errors import InputFileError
from spikesim_datasets.orientation import UPRIGHT
from spikesim_datasets.sources.clip import NamedClip, Split, absolute, files_fingerprint, named_origin, turned_mark
from spikesim_datasets.sources.reading import STRICT, Reading
from spikesim_datasets.videos import VideoIndex, index_video, read_frames
from spikesim_datasets.videos.frame_index import DEINTERLACE

VIDEO_SUFFIXES = (
    *(".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".3gp", ".3g2", ".mts", ".m2ts", ".ts", ".mpg", ".mpeg", ".m2v"),
    *(".vob", ".wmv", ".asf", ".flv", ".ogv", ".mxf", ".y4m", ".mjpeg", ".h264", ".h265", ".hevc", ".av1", ".ivf"),
)


@dataclass(frozen=True)
class VideoClip(NamedClip):
    """A video file. Frame i is the i-th that decoding from the beginning gives, wherever reading starts.

    Attributes:
        split, name, source: As in `Clip`.
        path: The file.
        index: Which frames it holds.
        reading: By which it was opened.
    """

    path: Path
    index: VideoIndex
    source: Path
    reading: Reading = field(default=STRICT, compare=False)

    @classmethod
    def open(
        cls, path: Path | str, split: Split, name: str, source: Path | str, reading: Reading = STRICT
    ) -> "VideoClip":
        """The clip of a video file.

        Raises:
            InputFileError: The file is missing, empty, cut off or no video, or is not plain in a way that `reading`
                does not accept. When its frames are shown is not looked at.
            InvalidValueError: The split is unknown, or a value is of another type.
        """
        path = require_path(path)
        require_instance(reading, "reading", Reading)
        index = index_video(path, reading.matrix, reading.transfer)
        if reading.interlacing == "ignore":
            index = replace(index, may_be_interlaced=True)
        elif index.interlaced:
            raise InputFileError(f"{path} is interlaced; {DEINTERLACE}")
        if index.pixel_shape != 1 and reading.pixels == "refuse":
            raise InputFileError(
                f"{path} has pixels to be shown {float(index.pixel_shape):.4g} times as wide as high; scale it to "
                "square ones with a video editor, or take them as square with --pixels ignore"
            )
        return cls(split, name, path, index, require_path(source, "source"), reading)

    @property
    def n_frames(self) -> int:
        return self.index.n_frames

    @property
    def height(self) -> int:
        return self.index.height

    @property
    def width(self) -> int:
        return self.index.width

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        return read_frames(self.path, self.index, start, stop)

    def fingerprint(self) -> dict[str, object]:
        turned = turned_mark(self.index.orientation != UPRIGHT)
        # Earlier versions took the first of several.
        chosen = {"stream": self.index.stream} if self.index.other_streams and self.index.stream else {}
        return files_fingerprint([self.path]) | turned | self.index.colours.record() | chosen

    def origin(self) -> dict[str, Any]:
        """See `ReopenableClip.origin`."""
        paths = {"path": absolute(self.path), "source": absolute(self.source)}
        return named_origin(self, "video", **paths, reading=self.reading.record())
