"""Videos whose frames are not evenly apart, seen in even steps."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.errors import InvalidValueError
from spikesim_datasets.sources.clip import NamedClip, excerpt_mark, named_origin
from spikesim_datasets.sources.timing import frame_times
from spikesim_datasets.sources.video import VideoClip

NEAR = 0.05
"""Raw frames from a frame's time: what is wanted so near is that frame, and nothing is made for it."""


@dataclass(frozen=True)
class ResampledClip(NamedClip):
    """A video seen in steps of its usual interval; what is between its frames is interpolated by their true times.

    A raw frame is one of the video where that has one at its time, and is made otherwise.

    Attributes:
        split, name: As in `Clip`.
        video: The video, with frames at uneven times.
        start: Step of it that is the first here.
        length: Number of steps; None goes on to the end.
    """

    video: VideoClip
    start: int = 0
    length: int | None = None

    @property
    def times(self) -> tuple[float, ...]:
        """When the frames of the video are shown, in raw frames from the first here on."""
        return tuple(time - self.start for time in self._frame_times())

    @property
    def n_frames(self) -> int:
        return int(self.times[-1] + NEAR) + 1 if self.length is None else self.length

    @property
    def height(self) -> int:
        return self.video.height

    @property
    def width(self) -> int:
        return self.video.width

    @property
    def source(self) -> Path:
        return self.video.source

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        raise InvalidValueError(
            f"{self.video.path} is resampled, so its frames are made by an interpolator, and cannot be taken as they "
            "are for readouts (--interp none) or for a comparison (--check); have readouts interpolated, or take its "
            "frames as even with --timing ignore"
        )

    def fingerprint(self) -> dict[str, object]:
        part = {} if self.length is None else excerpt_mark(self.start, self.length)
        return self.video.fingerprint() | {"timing": "resample"} | self._stated_mark() | part

    def origin(self) -> dict[str, Any]:
        """See `ReopenableClip.origin`."""
        return named_origin(self, "resampled", video=self.video.origin(), start=self.start, length=self.length)

    def _frame_times(self) -> tuple[float, ...]:
        return frame_times(self.video.index.times, self.video.index.stated_step)

    def _stated_mark(self) -> dict[str, object]:
        """What a fingerprint says of times that follow from a stated rate, which earlier versions did not look at."""
        index = self.video.index
        if index.stated_step is None or np.allclose(self._frame_times(), frame_times(index.times), rtol=0, atol=1e-9):
            return {}
        return {"rate": str(1 / (index.stated_step * index.time_base))}
