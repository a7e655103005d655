"""Which clips each choice of a reading is about: one that is about none of those at hand is a mistake."""

from collections.abc import Callable, Iterable

from spikesim_datasets.sources.clip import Clip
from spikesim_datasets.sources.frames import FrameClip
from spikesim_datasets.sources.reading import STRICT, Reading
from spikesim_datasets.sources.resampled import ResampledClip
from spikesim_datasets.sources.stack import StackClip
from spikesim_datasets.sources.video import VideoClip


def _is_a(*kinds: type[Clip]) -> Callable[[Clip], bool]:
    return lambda clip: isinstance(clip, kinds)


def _has_matrix(clip: Clip) -> bool:
    """Whether it is a video with one, as far as it can be decoded."""
    video = clip.video if isinstance(clip, ResampledClip) else clip
    return isinstance(video, VideoClip) and (video.index.tags is None or video.index.tags.matrix != "none")


_VIDEOS = ("videos", _is_a(VideoClip, ResampledClip))

_ABOUT: dict[str, tuple[str, Callable[[Clip], bool]]] = {
    "timing": ("videos and files of several images", _is_a(VideoClip, ResampledClip, StackClip)),
    "numbering": ("folders of frames", _is_a(FrameClip)),
    "interlacing": _VIDEOS,
    "pixels": _VIDEOS,
    "matrix": ("videos that are neither RGB nor grey", _has_matrix),
    "transfer": _VIDEOS,
}


def without_effect(reading: Reading, clips: Iterable[Clip]) -> dict[str, str]:
    """The choices of a reading, beside those of `STRICT`, that are about none of the clips, and what each is about.

    Args:
        reading: By which the clips were opened.
        clips: Whole, as `open_clips` gives them.
    """
    clips = list(clips)
    return {
        name: what
        for name, (what, about) in _ABOUT.items()
        if getattr(reading, name) != getattr(STRICT, name) and not any(map(about, clips))
    }
