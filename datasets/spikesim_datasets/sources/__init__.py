"""Where sharp video comes from: a GOPRO tree, folders of frames, videos, still photos, or the built-in demo scenes."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from spikesim.checks import require_choice, require_instance, require_list, require_path, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.input_files import require_file
from spikesim_datasets.folders import entries_of
from spikesim_datasets.image_files import image_header
from spikesim_datasets.scenes import SCENES
from spikesim_datasets.sources.clip import Clip, ExactClip, ReopenableClip, Split, name_of, origin_of
from spikesim_datasets.sources.demo import DemoClip
from spikesim_datasets.sources.excerpt import ExcerptClip, excerpt
from spikesim_datasets.sources.frames import FRAME_SUFFIXES, ONE_KIND, FrameClip, frame_names
from spikesim_datasets.sources.gopro import open_gopro
from spikesim_datasets.sources.left_out import tell_left_out
from spikesim_datasets.sources.origins import reopen
from spikesim_datasets.sources.photo import PhotoClip, open_photos
from spikesim_datasets.sources.reading import STRICT, Reading
from spikesim_datasets.sources.rendered import MOST_CLIPS, random_name
from spikesim_datasets.sources.resampled import ResampledClip
from spikesim_datasets.sources.stack import StackClip
from spikesim_datasets.sources.timing import describe_uneven, evenly_apart
from spikesim_datasets.sources.trees import advice_for, nested_places, refuse_other_tree
from spikesim_datasets.sources.variants import DemoVariant
from spikesim_datasets.sources.video import VIDEO_SUFFIXES, VideoClip

__all__ = [
    "Clip",
    "DemoClip",
    "DemoVariant",
    "ExactClip",
    "ExcerptClip",
    "FrameClip",
    "PhotoClip",
    "Reading",
    "ReopenableClip",
    "ResampledClip",
    "Split",
    "StackClip",
    "VideoClip",
    "clip_places",
    "excerpt",
    "holds_clips",
    "open_clips",
    "open_gopro",
    "open_photos",
    "open_place",
    "origin_of",
    "reopen",
]

DEMO_PREFIX = "demo:"
PHOTO_PREFIX = "photo:"

_SOURCES = f"a source is a video file, a folder of frames, {PHOTO_PREFIX}PATH, or {DEMO_PREFIX}SCENE"


def open_clips(
    sources: Iterable[str | Path],
    split: Split = "train",
    seed: int = 0,
    side: int | None = None,
    reading: Reading = STRICT,
    pattern: str | None = None,
) -> list[Clip]:
    """The clips of any sources, in order.

    A source is a video file, a file of several images, a folder of frames, a folder of those, or a name: `demo:SCENE`
    is a built-in scene and `demo:SCENE#N` N random variants of it; `photo:PATH` is a clip for each photo of a folder,
    or of one file, and `photo:PATH#N` N random clips of them. What else lies in a folder, and is no note by its name,
    is left out with a `LeftOutWarning`.

    Args:
        sources: Paths and names.
        split: The split all of them go to.
        seed: Of everything random about clips of photos and about variants; other clips do not depend on it.
        side: Of the frames of clips of photos, see `open_photos`; other sources cannot be shown in part.
        reading: What is done with videos and frames that are not plain.
        pattern: Where in sources that are folders clips lie, at any depth, see `trees.nested_places`; they are called
            by their paths. None looks into folders and the folders in them.

    Raises:
        InputFileError: A source is missing, damaged or holds no video.
        InvalidValueError: The split is unknown, N is no positive whole number, two clips would have one name,
            or a source is to be shown in part that cannot be.
    """
    require_choice(split, "split", get_args(Split))
    seed = require_whole(seed, "seed", 0)
    require_instance(reading, "reading", Reading)
    clips = []
    for source in require_list(sources, "sources", "paths"):
        if rendered := _open_rendered(source, split, seed, side):
            if pattern is not None:
                raise InvalidValueError(f"{source} is no folder to look for clips in by --glob; leave it out")
            clips += rendered
        else:
            path = require_path(source, "source")
            named = {} if pattern is None else nested_places(path, pattern)
            clips += [open_place(place, split, path, reading, name) for name, place in named.items()]
            if pattern is None:
                clips += [open_place(place, split, path, reading) for place in clip_places(path)]
    for key, times in Counter(clip.key for clip in clips).items():
        if times > 1:
            raise InvalidValueError(f"{times} sources would be called {key!r} in the dataset; rename all but one")
    return clips


def _open_rendered(source: str | Path, split: Split, seed: int, side: int | None) -> list[Clip]:
    """The clips of a source that is a name and not a path; none of others."""
    name = str(source)
    if side is not None and not name.startswith(PHOTO_PREFIX):
        raise InvalidValueError(
            f"{name} cannot be shown in part, only {PHOTO_PREFIX}PATH can; build it without side, in whole frames"
        )
    if name.startswith(DEMO_PREFIX):
        return _open_scene(*_counted(name, DEMO_PREFIX), split, seed)
    if name.startswith(PHOTO_PREFIX):
        photos, count = _counted(name, PHOTO_PREFIX)
        return open_photos(require_path(photos, f"the path after {PHOTO_PREFIX}"), split, count, seed, side)
    return []


def _counted(source: str, prefix: str) -> tuple[str, int | None]:
    """What follows the prefix of a source, and the number of random clips after the last #, if that is wanted."""
    whole = source.removeprefix(prefix)
    name, mark, number = whole.rpartition("#")
    if not mark or Path(whole).exists():  # a file may be called so
        return whole, None
    if not (number.isascii() and number.isdigit() and 1 <= int(number[:9]) <= MOST_CLIPS and len(number) < 9):
        raise InvalidValueError(
            f"{source}: after # stands the number of random clips, a whole number from 1 to {MOST_CLIPS}, got "
            f"{number!r}"
        )
    return name, int(number)


def clip_places(path: Path | str) -> list[Path]:
    """The files and folders of a source that is a path, each of which is a clip by its own.

    Raises:
        InputFileError: It does not exist, or is a folder that holds no clip, or of different kinds.
    """
    path = require_path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        if path.exists():
            require_file(path)  # which it is not
        raise InputFileError(f"{path} does not exist; {_SOURCES}")
    videos = [entry for entry in entries_of(path) if entry.is_file() and entry.suffix.lower() in VIDEO_SUFFIXES]
    if names := frame_names(path):
        if videos:
            raise InputFileError(
                f"{path} holds images, as {names[0]}, and videos, as {videos[0].name}; put them into folders of their "
                "own"
            )
        tell_left_out(path, (path / name for name in names), "no frame by its name")
        return _stacks(path, names) or [path]
    refuse_other_tree(path)
    inner = sorted([*videos, *(entry for entry in entries_of(path) if _is_frame_folder(entry))])
    if not inner:
        raise InputFileError(
            f"{path} holds neither frames ({', '.join(FRAME_SUFFIXES)}) nor videos ({', '.join(VIDEO_SUFFIXES)}), nor "
            f"folders of frames{advice_for(path)}"
        )
    tell_left_out(path, inner, "no video by its name and no folder of frames")
    return [place for entry in inner for place in clip_places(entry)]


def open_place(
    place: Path | str, split: Split, source: Path | str, reading: Reading = STRICT, name: str | None = None
) -> Clip:
    """The clip of one of `clip_places`.

    Args:
        place: The file or folder.
        split: The split it goes to.
        source: The source that it is a place of.
        reading: What is done if it is not plain.
        name: Of the clip; None calls it as the file or folder is.

    Raises:
        InputFileError: It is damaged, or not plain in a way that `reading` does not accept.
        InvalidValueError: No clip can be called as it is.
    """
    place, reading = require_path(place, "place"), require_instance(reading, "reading", Reading)
    if place.is_dir():
        return FrameClip.open(place, split, name_of(place) if name is None else name, source, reading)
    name = place.stem if name is None else name
    if place.suffix.lower() in FRAME_SUFFIXES:
        return StackClip.open(place, split, name, source, reading)
    return _open_video(VideoClip.open(place, split, name, source, reading), reading)


def holds_clips(path: Path | str) -> bool:
    """Whether a file or folder is a source by its name, or by the names in it."""
    path = require_path(path)
    if path.is_dir():
        return any(_is_frame_folder(place) for place in (path, *entries_of(path))) or any(
            entry.suffix.lower() in VIDEO_SUFFIXES for entry in entries_of(path)
        )
    return path.suffix.lower() in (*VIDEO_SUFFIXES, *FRAME_SUFFIXES)


def _is_frame_folder(path: Path) -> bool:
    return path.is_dir() and bool(frame_names(path))


def _stacks(folder: Path, names: list[str]) -> list[Path]:
    """The files of a folder if these are stacks, each a clip; none if they are frames."""
    if image_header(folder / names[0]).pages == 1:
        return []
    for name in names:
        if image_header(folder / name).pages == 1:
            raise InputFileError(f"{folder / name} holds one image and others beside it several; {ONE_KIND}")
    return [folder / name for name in names]


def _open_video(clip: VideoClip, reading: Reading) -> Clip:
    """A video whose frames are evenly apart, or are to be read otherwise."""
    timestamps, stated = clip.index.times, clip.index.stated_step
    if reading.timing != "ignore" and clip.index.lost_times:
        raise InputFileError(
            f"{clip.path} {clip.index.lost_times}, so that nobody knows when each was seen; take its frames as evenly "
            "apart with --timing ignore"
        )
    if reading.timing == "ignore" or evenly_apart(timestamps, stated):
        return clip
    if reading.timing == "resample":
        return ResampledClip(clip.split, clip.name, clip)
    raise InputFileError(
        f"{clip.path} does not show its frames in even steps of time: "
        f"{describe_uneven(timestamps, clip.index.time_base, stated)}. Make readouts at true times with "
        "--timing resample, or take its frames as even with --timing ignore"
    )


def _open_scene(name: str, count: int | None, split: Split, seed: int) -> list[Clip]:
    if name not in SCENES:
        raise InvalidValueError(f"no demo scene is called {name!r}; there are {', '.join(SCENES)}")
    if count is None:
        return [DemoClip(split, name, name)]
    return [DemoVariant(split, random_name(name, i), name, seed=seed, number=i) for i in range(count)]
