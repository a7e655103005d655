"""Which clips each choice of a reading is about: one that is about none of those at hand is a mistake."""

from collections.abc import Iterable

from spikesim_datasets.sources.clip import Clip
from spikesim_datasets.sources.frames import FrameClip
from spikesim_datasets.sources.reading import STRICT, Reading
from spikesim_datasets.sources.resampled import ResampledClip
from spikesim_datasets.sources.stack import StackClip
from spikesim_datasets.sources.video import VideoClip

_VIDEOS = ("videos", (VideoClip, ResampledClip))

_ABOUT: dict[str, tuple[str, tuple[type, ...]]] = {
    "timing": ("videos and files of several images", (VideoClip, ResampledClip, StackClip)),
    "numbering": ("folders of frames", (FrameClip,)),
    "interlacing": _VIDEOS,
    "pixels": _VIDEOS,
    "matrix": _VIDEOS,
    "transfer": _VIDEOS,
}


def without_effect(reading: Reading, clips: Iterable[Clip]) -> dict[str, str]:
    """The choices of a reading, beside those of `STRICT`, that are about none of the clips, and what each is about.

    Args:
        reading: By which the clips were opened.
        clips: Whole, as `open_clips` gives them.
    """
    kinds = {type(clip) for clip in clips}
    return {
        name: what
        for name, (what, about) in _ABOUT.items()
        if getattr(reading, name) != getattr(STRICT, name) and kinds.isdisjoint(about)
    }
