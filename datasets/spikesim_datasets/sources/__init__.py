"""Where sharp video comes from: a GOPRO tree, folders of frames, video files, or the built-in demo scenes."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from spikesim.checks import require_choice, require_list, require_path
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.sources.clip import Clip, Split
from spikesim_datasets.sources.demo import DemoClip
from spikesim_datasets.sources.frames import FRAME_SUFFIXES, FrameClip, frame_names
from spikesim_datasets.sources.gopro import open_gopro
from spikesim_datasets.sources.video import VIDEO_SUFFIXES, VideoClip

__all__ = ["Clip", "DemoClip", "FrameClip", "Split", "VideoClip", "open_clips", "open_gopro"]

DEMO_PREFIX = "demo:"


def open_clips(sources: Iterable[str | Path], split: Split = "train") -> list[Clip]:
    """The clips of any sources, in order: each a video file, a folder of frames, a folder of those, or `demo:SCENE`.

    Args:
        sources: Paths, or names of demo scenes after `demo:`.
        split: The split all of them go to.

    Raises:
        InputFileError: A source is missing, damaged or holds no video.
        InvalidValueError: The split is unknown, or two clips would have one name.
    """
    require_choice(split, "split", get_args(Split))
    clips = [clip for source in require_list(sources, "sources", "paths") for clip in _open(source, split)]
    for key, times in Counter(clip.key for clip in clips).items():
        if times > 1:
            raise InvalidValueError(f"{times} sources would be called {key!r} in the dataset; rename all but one")
    return clips


def _open(source: str | Path, split: Split) -> list[Clip]:
    if str(source).startswith(DEMO_PREFIX):
        return [_open_scene(str(source).removeprefix(DEMO_PREFIX), split)]
    path = require_path(source, "source")
    return _open_path(path, split, path)


def _open_path(path: Path, split: Split, source: Path) -> list[Clip]:
    if path.is_file():
        return [VideoClip.open(path, split, path.stem, source)]
    if not path.is_dir():
        raise InputFileError(
            f"{path} does not exist; a source is a video file, a folder of frames, or {DEMO_PREFIX}SCENE"
        )
    if frame_names(path):
        return [FrameClip.open(path, split, path.resolve().name, source)]
    inner = sorted(
        entry
        for entry in path.iterdir()
        if not entry.name.startswith(".")
        and (entry.suffix.lower() in VIDEO_SUFFIXES or (entry.is_dir() and frame_names(entry)))
    )
    if not inner:
        raise InputFileError(
            f"{path} holds neither frames ({', '.join(FRAME_SUFFIXES)}) nor videos ({', '.join(VIDEO_SUFFIXES)}), nor "
            "folders of frames"
        )
    return [clip for entry in inner for clip in _open_path(entry, split, source)]


def _open_scene(name: str, split: Split) -> Clip:
    from spikesim_datasets.scenes import SCENES

    if name not in SCENES:
        raise InvalidValueError(f"no demo scene is called {name!r}; there are {', '.join(SCENES)}")
    return DemoClip(split, name, name)
