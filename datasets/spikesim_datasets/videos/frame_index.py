"""Which frames a video holds, and how they lie."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from spikesim.checks import require_path
from spikesim.errors import InputFileError
from spikesim_datasets.mistaken_files import mistaken
from spikesim_datasets.orientation import UPRIGHT, swaps_sides
from spikesim_datasets.videos.containers import missing_bytes, opened, video_stream
from spikesim_datasets.videos.images import orientation_of


@dataclass(frozen=True)
class VideoIndex:
    """Which frames a video holds.

    Attributes:
        height, width: Size of every frame as it is shown.
        n_frames: Their number.
        timestamps: Presentation time of every frame, ascending, in the stream's unit. Empty where the file has none to
            rely on; frames are then counted from the beginning.
        key_frames: Numbers of the frames that decoding can start from, ascending.
        orientation: Which way up the frames lie in the file, see `orientation.UPRIGHT`.
        time_base: The stream's unit in seconds.
    """

    height: int
    width: int
    n_frames: int
    timestamps: tuple[int, ...]
    key_frames: tuple[int, ...]
    orientation: int = UPRIGHT
    time_base: Fraction = Fraction(1, 1000)


def index_video(path: Path | str) -> VideoIndex:
    """List the packets of a video; frames are decoded only where those do not tell.

    Raises:
        InputFileError: The file is missing, empty, cut off or no video.
    """
    path = require_path(path)
    if path.is_file() and path.stat().st_size == 0:
        raise InputFileError(f"{path} is empty (0 bytes); replace it")
    try:
        if missing := missing_bytes(path):
            raise InputFileError(f"{path} is cut off: it lacks {missing} bytes of what it promises; replace it")
        with opened(path) as container:
            stream = video_stream(container)
            height, width = stream.codec_context.height, stream.codec_context.width
            time_base = stream.time_base or VideoIndex.time_base
            times: dict[int | None, bool] = {}  # of presentation, and whether decoding can start there
            packets = 0
            for packet in container.demux(stream):
                if packet.is_corrupt:
                    raise InputFileError(f"{path} is cut off or damaged at packet {packets}; replace it")
                # An edit list can hide packets; they are decoded but never presented.
                if packet.size and not packet.is_discard:
                    times[packet.pts] = packet.is_keyframe
                    packets += 1
            # AVI stores no times of presentation; those FFmpeg makes up are in the order of decoding.
            reliable = container.format.name != "avi" and len(times) == packets and None not in times
        n_frames = packets if reliable else _count(path)
        orientation = _orientation(path)
    except InputFileError:
        raise
    except (av.FFmpegError, OSError) as error:
        raise InputFileError(f"{path} cannot be read as a video ({error}){mistaken(path)}") from error
    if not n_frames:
        raise InputFileError(f"{path} holds no frames; is it a whole video?")
    timestamps = tuple(sorted(time for time in times if time is not None)) if reliable else ()
    key_frames = tuple(number for number, time in enumerate(timestamps) if times[time])
    if swaps_sides(orientation):
        height, width = width, height
    return VideoIndex(height, width, n_frames, timestamps, key_frames, orientation, time_base)


def _orientation(path: Path) -> int:
    """Which way up the first frame lies; upright, if it cannot be decoded, which is told when it is read."""
    with opened(path) as container:
        try:
            first = next(container.decode(video_stream(container)), None)
        except av.FFmpegError:
            first = None
        return UPRIGHT if first is None else orientation_of(first, str(path))


def _count(path: Path) -> int:
    """Frames of a video, by decoding it."""
    with opened(path) as container:
        return sum(1 for _ in container.decode(video_stream(container)))
