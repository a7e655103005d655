"""Which frames a video holds, and how they lie."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, get_args

import av
from av.video.frame import PictureType

from spikesim.brief import Brief
from spikesim.checks import require_choice, require_path
from spikesim.errors import InputFileError
from spikesim.input_files import require_file
from spikesim_datasets.mistaken_files import mistaken
from spikesim_datasets.orientation import UPRIGHT, swaps_sides
from spikesim_datasets.videos.colours import AS_CODED, Colours, ColourTags, Matrix, Transfer, colours_of, tags_of
from spikesim_datasets.videos.containers import missing_bytes, opened, video_stream
from spikesim_datasets.videos.display import orientation_of, pixel_shape

_PARTS = 100

DEINTERLACE = "make it progressive with a video editor, or take its rows as one image with --interlacing ignore"


@dataclass(frozen=True, repr=False)
class VideoIndex(Brief):
    """Which frames a video holds.

    Attributes:
        height, width: Size of every frame as it is shown.
        n_frames: Their number.
        timestamps: Presentation time that every frame bears, ascending, in units of `time_base`. Empty where the file
            has none to rely on; frames are then counted from the beginning.
        key_frames: Numbers of the frames that decoding can start from, ascending.
        orientation: Which way up the frames lie in the file, see `orientation.UPRIGHT`.
        time_base: The unit of times in seconds.
        colours: What its values mean.
        interlaced: Whether frames are two half images, of even and of odd rows, taken one after the other.
        pixel_shape: How many times as wide as high pixels are to be shown.
        may_be_interlaced: Whether frames may be that although the first is not.
        lost_times: What hides when frames were seen, if they are unevenly apart and nobody knows where; else empty.
        rate: Frames in a second, as the file promises; None where it does not.
        tags: What it says of its colours; None where the first frame cannot be decoded.
        steps: Where frames bear no times, but the file has a place for each step of time, as AVI does: the times of
            those that hold one, ascending. Places of dropped frames are empty. () where nothing tells.
    """

    height: int
    width: int
    n_frames: int
    timestamps: tuple[int, ...]
    key_frames: tuple[int, ...]
    orientation: int = UPRIGHT
    time_base: Fraction = Fraction(1, 1000)
    colours: Colours = AS_CODED
    interlaced: bool = False
    pixel_shape: Fraction = Fraction(1)
    may_be_interlaced: bool = False
    lost_times: str = ""
    rate: Fraction | None = None
    tags: ColourTags | None = None
    steps: tuple[int, ...] = ()

    @property
    def times(self) -> tuple[int, ...]:
        """When frames are shown, ascending, in units of `time_base`; empty where nothing tells."""
        return self.timestamps or self.steps


def index_video(path: Path | str, matrix: Matrix = "auto", transfer: Transfer = "auto") -> VideoIndex:
    """List the packets of a video, and decode its first frame; all only where packets do not tell.

    Args:
        path: The file.
        matrix: By which its colours are coded, where it does not say so or says it wrongly.
        transfer: What its values mean, likewise.

    Raises:
        InputFileError: The file is missing, empty, cut off or no video, or its colours cannot be converted.
        InvalidValueError: There is no such matrix or transfer.
    """
    path = require_path(path)
    require_choice(matrix, "matrix", get_args(Matrix))
    require_choice(transfer, "transfer", get_args(Transfer))
    if not require_file(path).st_size:
        raise InputFileError(f"{path} is empty (0 bytes); replace it")
    try:
        if missing := missing_bytes(path):
            raise InputFileError(f"{path} is cut off: it lacks {missing} bytes of what it promises; replace it")
        with opened(path) as container:
            stream = video_stream(container)
            height, width = stream.codec_context.height, stream.codec_context.width
            shape = pixel_shape(stream)
            time_base, rate = stream.time_base or VideoIndex.time_base, stream.average_rate
            frames = _presented_packets(path, container, stream)
            # AVI stores no times of presentation; those FFmpeg makes up are in the order of decoding.
            timed = container.format.name != "avi"
        if not timed:
            frames = _stepped_frames(path)
            time_base /= _PARTS
        elif frames is None:
            frames = _decoded_frames(path)
        first = _first_image(path)
    except InputFileError:
        raise
    except Exception as error:  # on damaged bytes PyAV raises what it never announces
        raise InputFileError(f"{path} cannot be read as a video ({error}){mistaken(path)}") from error
    if not frames.number:
        raise InputFileError(f"{path} holds no frames; is it a whole video?")
    orientation, colours, tags = UPRIGHT, AS_CODED, None
    if first is not None:
        orientation, tags = orientation_of(first, str(path)), tags_of(first)
        colours = colours_of(first, matrix, transfer, str(path))
    if swaps_sides(orientation):
        height, width, shape = width, height, 1 / shape
    return VideoIndex(
        height,
        width,
        frames.number,
        frames.times,
        frames.key_frames,
        orientation,
        time_base,
        colours,
        first is not None and first.interlaced_frame,
        shape,
        lost_times=frames.lost,
        rate=rate,
        tags=tags,
        steps=frames.steps,
    )


class _Frames(NamedTuple):
    """How many there are, and when they are shown: see `VideoIndex`."""

    number: int
    times: tuple[int, ...] = ()
    key_frames: tuple[int, ...] = ()
    lost: str = ""
    steps: tuple[int, ...] = ()


def _presented_packets(path: Path, container: av.container.InputContainer, stream: av.VideoStream) -> _Frames | None:
    """The frames of a video by its packets; None where these do not say when each is shown."""
    times: dict[int | None, bool] = {}  # of presentation, and whether decoding can start there
    packets = 0
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise InputFileError(f"{path} is cut off or damaged at packet {packets}; replace it")
        # An edit list can hide packets; they are decoded but never presented.
        if packet.size and not packet.is_discard:
            times[packet.pts] = packet.is_keyframe
            packets += 1
    if len(times) < packets or None in times:
        return None
    ascending = tuple(sorted(time for time in times if time is not None))
    return _Frames(packets, ascending, tuple(number for number, time in enumerate(ascending) if times[time]))


def _decoded_frames(path: Path) -> _Frames:
    """The frames of a video by decoding it, with their times if all are told."""
    with opened(path) as container:
        times = [image.pts for image in container.decode(video_stream(container))]
    told = [time for time in times if time is not None]
    if any(after <= before for before, after in pairwise(told)):
        return _Frames(len(times), lost="shows several frames at one time")
    return _Frames(len(times), tuple(told) if len(told) == len(times) else ())


def _stepped_frames(path: Path) -> _Frames:
    """The frames of a video that has a place for each step of time, and which of these places hold something."""
    with opened(path) as container:
        kinds = [image.pict_type for image in container.decode(video_stream(container))]
    with opened(path) as container:
        stream = video_stream(container)
        places = [packet.dts for packet in container.demux(stream) if packet.size and packet.dts is not None]
    if len(places) != len(kinds) or any(after <= before for before, after in pairwise(places)):
        return _Frames(len(kinds))
    if PictureType.B in kinds and len({after - before for before, after in pairwise(places)}) > 1:
        return _Frames(len(kinds), lost="leaves frames out and stores others out of order")
    # No clock has rounded a number of steps, as times are taken to be; in parts of a step one more stands out.
    return _Frames(len(kinds), steps=tuple(_PARTS * place for place in places))


def _first_image(path: Path) -> av.VideoFrame | None:
    """The first image; none if it cannot be decoded, which is told when it is read."""
    with opened(path) as container:
        try:
            return next(container.decode(video_stream(container)), None)
        except av.FFmpegError:
            return None
