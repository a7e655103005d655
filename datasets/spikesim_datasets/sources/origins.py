"""Clips opened again from their origins, which shards and indices hold: files that somebody else may have made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from spikesim.brief import short
from spikesim.checks import require_instance, require_list, require_path, require_whole
from spikesim.errors import InvalidValueError
from spikesim.input_files import require_file
from spikesim_datasets.sources.clip import Clip, ExactClip
from spikesim_datasets.sources.demo import DemoClip
from spikesim_datasets.sources.excerpt import ExactExcerptClip, ExcerptClip, frames_within
from spikesim_datasets.sources.frames import FrameClip
from spikesim_datasets.sources.photo import PhotoClip
from spikesim_datasets.sources.reading import Reading
from spikesim_datasets.sources.resampled import ResampledClip
from spikesim_datasets.sources.stack import StackClip
from spikesim_datasets.sources.variants import DemoVariant
from spikesim_datasets.sources.video import VideoClip

_MOST_FRAMES = 1 << 24
_MOST_PIXELS = 1 << 28
_MOST_PARTS = 4  # of clips in one another: an excerpt of an excerpt of a video seen in even steps has three


def reopen(origin: dict[str, Any]) -> Clip:
    """The clip of an origin, as `origin_of` gives it; what it gives may have changed, which its fingerprint tells.

    Args:
        origin: JSON values, of which none is trusted: nothing but files is opened, as sources are.

    Raises:
        InvalidValueError: It is no origin, or one of a clip of absurd size.
        InputFileError: What it names is missing, damaged or no such clip any more.
    """
    clip = _reopen(origin, _MOST_PARTS)
    if clip.n_frames > _MOST_FRAMES or clip.height * clip.width > _MOST_PIXELS:
        raise InvalidValueError(
            f"the origin of {clip.key} says {clip.n_frames} frames of {clip.width}×{clip.height}, which nobody has"
        )
    return clip


def _reopen(origin: Any, parts: int) -> Clip:
    given = dict(require_instance(origin, "the origin of a clip", dict))
    kind = given.pop("kind", None)
    opener = _OPENERS.get(kind) if isinstance(kind, str) else None
    if opener is None or not parts:
        raise InvalidValueError(f"the kind of an origin is one of {', '.join(_OPENERS)}, got {short(kind)}")
    for name in ("whole", "video"):
        if isinstance(given.get(name), dict):
            given[name] = _reopen(given[name], parts - 1)
    try:
        return opener(**{name: _VALUES[name](value) if name in _VALUES else value for name, value in given.items()})
    except TypeError as error:  # too much in it, or too little: values are checked by those who open
        raise InvalidValueError(f"this is no origin of a clip: {error}") from error


def _path(value: Any) -> Path:
    path = require_path(value, "each path of an origin")
    if not path.is_absolute():
        raise InvalidValueError(f"the paths of an origin are absolute, got {str(path)!r}")
    return path


def _paths(values: Any) -> list[Path]:
    return list(map(_path, require_list(values, "the paths of an origin", "paths")))


_VALUES: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("folder", "path", "source", "photo"), _path),
    "others": _paths,
    "reading": lambda record: Reading(**require_instance(record, "the reading of an origin", dict)),
}
"""What the values of origins become that are no plain numbers or words."""


def _photo(**given: Any) -> Clip:
    clip = PhotoClip(**given)
    for path in (clip.photo, *clip.others):  # which are opened later, and whoever opens a pipe waits for its writer
        require_file(path)
    return clip


def _excerpt(split: Any, name: str, whole: Any, start: int, frames: int) -> Clip:
    part = frames_within(whole, start, frames)
    kind = ExactExcerptClip if isinstance(whole, ExactClip) else ExcerptClip
    return kind(split, name, whole, part.start, len(part))


def _resampled(split: Any, name: str, video: Any, start: int, length: int | None) -> Clip:
    require_instance(video, "what is resampled", VideoClip)
    clip = ResampledClip(split, name, video)
    if (require_whole(start, "start", 0), length) == (0, None):
        return clip
    return ResampledClip(split, name, video, start, len(frames_within(clip, start, length)))


_OPENERS: dict[str, Callable[..., Clip]] = {
    "frames": FrameClip.open,
    "video": VideoClip.open,
    "stack": StackClip.open,
    "photo": _photo,
    "demo": DemoClip,
    "variant": DemoVariant,
    "excerpt": _excerpt,
    "resampled": _resampled,
}
"""What opens a clip of each kind."""
