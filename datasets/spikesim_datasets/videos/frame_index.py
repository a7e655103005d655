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
from spikesim_datasets.videos.containers import choose_stream, is_bare, opened, states_rate
from spikesim_datasets.videos.cut_off import missing_bytes
from spikesim_datasets.videos.display import orientation_of, pixel_shape, shown_by_lines
from spikesim_datasets.videos.frame_times import filled

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
        lost_times: What hides when frames were seen, if they may be unevenly apart and nobody knows where; else empty.
        rate: Frames in a second, as the file promises; None where it does not.
        tags: What it says of its colours; None where the first frame cannot be decoded.
        steps: Where not all frames bear times: when they are shown all the same, ascending. By those that do; or by the
            places that AVI has for each step of time, of which those of dropped frames are empty. () where nothing
            tells.
        stream: Which of the streams of video in the file holds them, from 0 on.
        other_streams: How many other videos the file holds, which are not taken.
        stated_step: From frame to frame by the rate that its container states, in units of `time_base`; None where it
            states none.
        bare: Whether it has no container: `timestamps` are then FFmpeg's own, by which frames are found, no more.
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
    stream: int = 0
    other_streams: int = 0
    stated_step: Fraction | None = None
    bare: bool = False

    @property
    def times(self) -> tuple[int, ...]:
        """When frames are shown, ascending, in units of `time_base`; empty where nothing tells."""
        return () if self.bare else self.timestamps or self.steps


def index_video(path: Path | str, matrix: Matrix = "auto", transfer: Transfer = "auto") -> VideoIndex:
    """List the packets of a video, and decode its first frame; all only where packets do not tell.

    Args:
        path: The file.
        matrix: By which its colours are coded, where it does not say so or says it wrongly; RGB and grey have none.
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
        return _indexed(path, matrix, transfer)
    except InputFileError:
        raise
    except Exception as error:  # on damaged bytes PyAV raises what it never announces
        raise InputFileError(f"{path} cannot be read as a video ({error}){mistaken(path)}") from error


def _indexed(path: Path, matrix: Matrix, transfer: Transfer) -> VideoIndex:
    if missing := missing_bytes(path):
        raise InputFileError(f"{path} is cut off: it lacks {missing} bytes of what it promises; replace it")
    number, others = choose_stream(path)
    with opened(path) as container:
        stream = container.streams.video[number]
        height, width = stream.codec_context.height, stream.codec_context.width
        shape, interlaced = pixel_shape(stream), shown_by_lines(stream)
        time_base, rate = stream.time_base or VideoIndex.time_base, stream.average_rate
        frames = _presented_packets(path, container, stream)
        # AVI stores no times of presentation; those FFmpeg makes up are in the order of decoding.
        timed, bare = container.format.name != "avi", is_bare(container)
        stated_step = 1 / (rate * time_base) if rate and states_rate(container) else None
    if not timed:
        frames = _stepped_frames(path, number)
        time_base /= _PARTS
    elif frames is None:
        frames = _decoded_frames(path, number)
    if not frames.number:
        raise InputFileError(f"{path} holds no frames; is it a whole video?")
    orientation, colours, tags = UPRIGHT, AS_CODED, None
    first = _first_image(path, number)
    if first is not None:
        orientation, tags = orientation_of(first, str(path)) or UPRIGHT, tags_of(first)
        colours = colours_of(first, matrix, transfer, str(path))
        interlaced = interlaced or first.interlaced_frame
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
        interlaced,
        shape,
        lost_times=frames.lost,
        rate=None if bare else rate,
        tags=tags,
        steps=frames.steps,
        stream=number,
        other_streams=others,
        stated_step=stated_step,
        bare=bare,
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


def _decoded_frames(path: Path, stream: int) -> _Frames:
    """The frames of a video by decoding it, with their times as far as these are told."""
    with opened(path) as container:
        times = [image.pts for image in container.decode(container.streams.video[stream])]
    told = [time for time in times if time is not None]
    if any(after <= before for before, after in pairwise(told)):
        return _Frames(len(times), lost="shows several frames at one time")
    if len(told) == len(times):
        return _Frames(len(times), tuple(told))
    if len(told) < 2:
        return _Frames(len(times))
    steps = filled(times)
    if steps is None:
        return _Frames(len(times), lost="does not tell when some of its frames are shown and has gaps between others")
    return _Frames(len(times), steps=steps)


def _stepped_frames(path: Path, stream: int) -> _Frames:
    """The frames of a video that has a place for each step of time, and which of these places hold something."""
    with opened(path) as container:
        kinds = [image.pict_type for image in container.decode(container.streams.video[stream])]
    with opened(path) as container:
        packets = container.demux(container.streams.video[stream])
        places = [packet.dts for packet in packets if packet.size and packet.dts is not None]
    if len(places) != len(kinds) or any(after <= before for before, after in pairwise(places)):
        return _Frames(len(kinds))
    if PictureType.B in kinds and len({after - before for before, after in pairwise(places)}) > 1:
        return _Frames(len(kinds), lost="leaves frames out and stores others out of order")
    # No clock has rounded a number of steps, as times are taken to be; in parts of a step one more stands out.
    return _Frames(len(kinds), steps=tuple(_PARTS * place for place in places))


def _first_image(path: Path, stream: int) -> av.VideoFrame | None:
    """The first image; none if it cannot be decoded, which is told when it is read."""
    with opened(path) as container:
        try:
            return next(container.decode(container.streams.video[stream]), None)
        except av.FFmpegError:
            return None
