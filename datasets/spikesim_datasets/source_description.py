"""What a source says of itself, and what a build would make of it; also of one that it would refuse."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from spikesim.brief import Brief
from spikesim.checks import require_path
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.image_files import image_header, page_times
from spikesim_datasets.optics import SCALE, check_ratio
from spikesim_datasets.orientation import TURNS, UPRIGHT
from spikesim_datasets.sources import Clip, FrameClip, Reading, StackClip, VideoClip, clip_places, open_place
from spikesim_datasets.sources.reading import STRICT
from spikesim_datasets.sources.timing import describe_timing, evenly_apart
from spikesim_datasets.videos import VideoIndex

_AS_IT_IS = Reading(timing="ignore", numbering="ignore", interlacing="ignore", pixels="ignore")
_READINGS = (STRICT, _AS_IT_IS, replace(_AS_IT_IS, transfer="sdr"), replace(_AS_IT_IS, transfer="sdr", matrix="bt709"))
"""From the one a build begins with to one that takes everything."""

_FILES = {"matrix": "none", "transfer": "sdr", "range": "full", "assumed": []}
"""Colours of image files, which are taken as screens show them."""

_UNTOLD = "not told; frames are taken as evenly apart"


@dataclass(frozen=True, repr=False)
class SourceDescription(Brief):
    """What a video, a folder of frames or an image file says of itself.

    Attributes:
        clip: To look at it, however it is read.
        kind: What it is.
        frames, height, width: Its size, as it is shown.
        rate: Frames in a second, by the times of frames, else as the file promises; None where nothing tells.
        even: Whether frames are evenly apart in time; None where their times are not told.
        timing: The same in words, with figures.
        orientation: How pixels are turned to be upright.
        colours: `matrix`, `transfer` and `range` as they are taken, and which of these are `assumed`.
        interlaced: Whether its frames are two half images.
        pixel_shape: How many times as wide as high pixels are to be shown.
        other_streams: How many other videos the file holds, which are not taken.
        windows: Exposures of `ExposurePlan()` in it.
        refused: Why a build refuses it; None if it does not.
    """

    clip: Clip
    kind: Literal["video", "frames", "stack", "image"]
    frames: int
    height: int
    width: int
    rate: float | None
    even: bool | None
    timing: str
    orientation: str
    colours: dict[str, Any]
    interlaced: bool
    pixel_shape: float
    other_streams: int
    windows: int
    refused: str | None

    def record(self) -> dict[str, Any]:
        """The same as JSON values, the clip by its name."""
        values = dict(vars(self))
        kind, clip = values.pop("kind"), values.pop("clip").name
        frame = [values.pop("height"), values.pop("width")]
        if not self.other_streams:
            del values["other_streams"]
        return {"kind": kind, "clip": clip, "frames": values.pop("frames"), "frame": frame, **values}


def describe_sources(path: Path | str) -> list[SourceDescription]:
    """Describe all clips of a source that is a path.

    Raises:
        InputFileError: It does not exist, holds no clip, or one is damaged.
        InvalidValueError: A clip cannot be called as its file or folder is.
    """
    return [_describe(place) for place in clip_places(require_path(path))]


def _describe(place: Path) -> SourceDescription:
    clip, refused = _opened(place)
    windows = len(ExposurePlan().windows(clip.n_frames))
    return SourceDescription(
        clip=clip,
        frames=clip.n_frames,
        height=clip.height,
        width=clip.width,
        windows=windows,
        refused=refused or _unfit(clip, windows),
        **_particulars(clip),
    )


def _opened(place: Path) -> tuple[Clip, str | None]:
    """The clip of a place by the first way to read it that takes it, and why a build does not."""
    refused: Exception | None = None
    for reading in _READINGS:
        try:
            return open_place(place, "train", place, reading), None if refused is None else str(refused)
        except (InputFileError, InvalidValueError) as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _unfit(clip: Clip, windows: int) -> str | None:
    """Why a build cannot make samples of a clip that can be read."""
    if clip.n_frames == 1:
        photo = "photo:FILE, once it is saved as an image" if isinstance(clip, VideoClip) else f"photo:{clip.source}"
        return f"{clip.key} is a single frame; a build shows an image to a shaking camera as {photo}"
    try:
        check_ratio(clip.height, clip.width, SCALE, clip.key)
    except InvalidValueError as error:
        return str(error)
    needed = ExposurePlan().frames_for_one_window
    return None if windows else f"{clip.key} is too short: one window takes {needed} frames, it has {clip.n_frames}"


def _particulars(clip: Clip) -> dict[str, Any]:
    """What depends on the kind of source."""
    match clip:
        case VideoClip():
            return {"kind": "video", **_of_video(clip.index)}
        case StackClip(path=path):
            times = page_times(path) if clip.n_frames > 1 else ()
            kind, turn = "image" if clip.n_frames == 1 else "stack", TURNS[image_header(path).orientation - UPRIGHT]
            return {"kind": kind, **_timing(times, Fraction(1, 1000), None), **_of_files(turn)}
        case FrameClip(turned=turned):
            turn = "turned as each file says" if turned else TURNS[0]
            return {"kind": "frames", **_timing((), Fraction(1), None), **_of_files(turn)}
    raise AssertionError(clip)


def _of_files(turn: str) -> dict[str, Any]:
    return {"orientation": turn, "colours": _FILES, "interlaced": False, "pixel_shape": 1.0, "other_streams": 0}


def _of_video(index: VideoIndex) -> dict[str, Any]:
    timing = _timing(index.times, index.time_base, index.rate, index.stated_step)
    if index.lost_times:
        timing |= {"even": False, "timing": f"uneven: it {index.lost_times}"}
    tags = index.tags
    return {
        **timing,
        "orientation": TURNS[index.orientation - UPRIGHT],
        "colours": {} if tags is None else {**vars(tags), "assumed": list(tags.assumed)},
        "interlaced": index.interlaced,
        "pixel_shape": float(index.pixel_shape),
        "other_streams": index.other_streams,
    }


def _timing(
    times: tuple[int, ...], time_base: Fraction, promised: Fraction | None, stated: Fraction | None = None
) -> dict[str, Any]:
    if len(times) < 2:
        return {"rate": None if promised is None else float(promised), "even": None, "timing": _UNTOLD}
    rate = (len(times) - 1) / float((times[-1] - times[0]) * time_base)
    return {"rate": rate, "even": evenly_apart(times, stated), "timing": describe_timing(times, time_base, stated)}
