"""Part of a clip as a clip: its frames from one on, counted anew."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.checks import require_number, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.sources.clip import (
    Clip,
    ExactClip,
    NamedClip,
    excerpt_mark,
    named_origin,
    origin_of,
    require_clip,
    require_span,
)
from spikesim_datasets.sources.resampled import ResampledClip


@dataclass(frozen=True)
class ExcerptClip(NamedClip):
    """Some frames of a clip, under its name.

    Attributes:
        split, name: As in `Clip`.
        whole: The clip.
        start: Its first frame here.
        n_frames: How many.
    """

    whole: Clip
    start: int
    n_frames: int

    @property
    def height(self) -> int:
        return self.whole.height

    @property
    def width(self) -> int:
        return self.whole.width

    @property
    def source(self) -> Path | None:
        return self.whole.source

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        start, stop = require_span(start, stop)
        return self.whole.frames(self.start + start, self.start + min(stop, self.n_frames))

    def fingerprint(self) -> dict[str, object]:
        return self.whole.fingerprint() | excerpt_mark(self.start, self.n_frames)

    def origin(self) -> dict[str, Any] | None:
        """See `ReopenableClip.origin`."""
        whole = origin_of(self.whole)
        return whole and named_origin(self, "excerpt", whole=whole, start=self.start, frames=self.n_frames)


@dataclass(frozen=True)
class ExactExcerptClip(ExcerptClip):
    """Some frames of a clip that is known at any time."""

    def at(self, time: float) -> np.ndarray:
        """See `ExactClip.at`."""
        assert isinstance(self.whole, ExactClip)
        return self.whole.at(self.start + require_number(time, "time", unit="raw frames"))

    def flow(self, start: float, stop: float) -> np.ndarray:
        """See `ExactClip.flow`."""
        assert isinstance(self.whole, ExactClip)
        times = (require_number(time, name, unit="raw frames") for name, time in (("start", start), ("stop", stop)))
        return self.whole.flow(*(self.start + time for time in times))


def excerpt(clip: Clip, start: int = 0, frames: int | None = None) -> Clip:
    """Some frames of a clip as a clip; all of them are the clip itself.

    Args:
        clip: The clip.
        start: First frame, ≥ 0.
        frames: Number of frames, ≥ 1; None goes on to the end.

    Raises:
        InvalidValueError: The frames are not in the clip.
    """
    part = frames_within(clip, start, frames)
    if len(part) == clip.n_frames:
        return clip
    if isinstance(clip, ResampledClip):
        return replace(clip, start=clip.start + part.start, length=len(part))
    kind = ExactExcerptClip if isinstance(clip, ExactClip) else ExcerptClip
    return kind(clip.split, clip.name, clip, part.start, len(part))


def frames_within(clip: Clip, start: int, frames: int | None) -> range:
    """The numbers of some frames of a clip.

    Args:
        clip: The clip.
        start, frames: As for `excerpt`.

    Raises:
        InvalidValueError: They are not in the clip.
    """
    require_clip(clip)
    start = require_whole(start, "start, the first frame,", 0)
    stop = clip.n_frames if frames is None else start + require_whole(frames, "frames", 1)
    if not start < stop <= clip.n_frames:
        raise InvalidValueError(f"frames {start}..{stop - 1} are not in {clip.key}, which has {clip.n_frames}")
    return range(start, stop)
