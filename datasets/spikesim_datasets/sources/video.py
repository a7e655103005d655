"""Clips stored as a video file."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spikesim.checks import require_path
from spikesim_datasets.orientation import UPRIGHT
from spikesim_datasets.sources.clip import NamedClip, Split, files_fingerprint
from spikesim_datasets.videos import VideoIndex, index_video, read_frames

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


@dataclass(frozen=True)
class VideoClip(NamedClip):
    """A video file. Frame i is the i-th that decoding from the beginning gives, wherever reading starts.

    Attributes:
        split, name, source: As in `Clip`.
        path: The file.
        index: Which frames it holds.
    """

    path: Path
    index: VideoIndex
    source: Path

    @classmethod
    def open(cls, path: Path | str, split: Split, name: str, source: Path | str) -> "VideoClip":
        """The clip of a video file.

        Raises:
            InputFileError: The file is missing, empty, cut off or no video.
            InvalidValueError: The split is unknown, or a value is of another type.
        """
        path = require_path(path)
        return cls(split, name, path, index_video(path), require_path(source, "source"))

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
        # Earlier versions did not turn frames; of those that lie upright nothing has changed.
        turned = {"upright": 1} if self.index.orientation != UPRIGHT else {}
        return files_fingerprint([self.path]) | turned
