"""Video files: which frames they hold, those frames by their numbers, and new ones.

Here, and nowhere else, PyAV is used itself and not through imageio. Reading, because imageio's plug-in finds frames by
the mean rate, where presentation times are wanted, and passes damaged ones on. Writing, because it says neither the
quality nor the matrix of the colours.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from spikesim.checks import require_instance, require_path, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import atomic_path
from spikesim_datasets.image_checks import require_frames

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""FFmpeg's name of the container by the extension of a video that is written."""

FINE_CRF = 12
"""Quality of x264 that looks lossless, frame by frame as well."""

# By itself FFmpeg drops fractions, which makes images a level of 255 darker, gives two neighbours one colour, and
# leaves the last bits to the processor.
_CONVERSION = (
    Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
)


@dataclass(frozen=True)
class VideoIndex:
    """Which frames a video holds.

    Attributes:
        height, width: Size of every frame.
        n_frames: Their number.
        timestamps: Presentation time of every frame, ascending, in the stream's unit. Empty where the file has none to
            rely on; frames are then counted from the beginning.
        key_frames: Numbers of the frames that decoding can start from, ascending.
    """

    height: int
    width: int
    n_frames: int
    timestamps: tuple[int, ...]
    key_frames: tuple[int, ...]


def index_video(path: Path | str) -> VideoIndex:
    """List the packets of a video; frames are decoded only where those do not tell.

    Raises:
        InputFileError: The file is missing, empty, cut off or no video.
    """
    path = require_path(path)
    if path.is_file() and path.stat().st_size == 0:
        raise InputFileError(f"{path} is empty (0 bytes); replace it")
    try:
        with _opened(path) as container:
            if not container.streams.video:
                raise InputFileError(f"{path} holds no video stream")
            stream = container.streams.video[0]
            height, width = stream.codec_context.height, stream.codec_context.width
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
    except InputFileError:
        raise
    except (av.FFmpegError, OSError) as error:
        raise InputFileError(f"{path} cannot be read as a video ({error})") from error
    if not n_frames:
        raise InputFileError(f"{path} holds no frames; is it a whole video?")
    timestamps = tuple(sorted(time for time in times if time is not None)) if reliable else ()
    key_frames = tuple(number for number, time in enumerate(timestamps) if times[time])
    return VideoIndex(height, width, n_frames, timestamps, key_frames)


def read_frames(path: Path | str, index: VideoIndex, start: int, stop: int) -> Iterator[np.ndarray]:
    """Frames start..stop−1 of a video, RGB uint8 (H, W, 3). Frame i is the i-th that decoding from the beginning gives.

    Raises:
        InputFileError: A frame is damaged, missing, or of another size than the index says.
    """
    path, start, stop = require_path(path), require_whole(start, "start", 0), require_whole(stop, "stop", 0)
    require_instance(index, "index", VideoIndex, "index_video makes one")
    number, stop = start, min(stop, index.n_frames)
    try:
        for image in islice(_decoded(path, index, start), max(0, stop - start)):
            if (image.height, image.width) != (index.height, index.width):
                raise InputFileError(
                    f"{path} changes its size at frame {number}, from {index.width}×{index.height} to "
                    f"{image.width}×{image.height}; the frames of a clip must all have one size"
                )
            yield to_rgb(image)
            number += 1
    except av.FFmpegError as error:
        raise InputFileError(f"{path} cannot be decoded at frame {number} ({error}); replace it") from error
    if number < stop:
        raise _damaged(path, number)


def _decoded(path: Path, index: VideoIndex, start: int) -> Iterator[av.VideoFrame]:
    """Decoded images from frame `start` on: from the last key frame before, or the one before that, or ...

    Seeking may not land on a key frame, as in formats without an index. Or images are incomplete behind it, and FFmpeg
    says so: not every key frame of H.264 is one that no later image looks back beyond.
    """
    timestamps = index.timestamps
    usable: dict[int | None, int] = {timestamps[number]: number for number in index.key_frames}
    for begin in sorted({0, *(number for number in index.key_frames if number <= start)}, reverse=True):
        with _opened(path) as container:
            stream = container.streams.video[0]
            # PyAV's thread type is kept: with threads for whole frames FFmpeg now and then fails to report damage.
            if begin:
                container.seek(timestamps[begin], stream=stream)
            images = container.decode(stream)
            first = next(images, None)
            landed = 0 if not begin else usable.get(first.pts) if first is not None else None
            if first is None or landed is None or landed > start:
                continue
            for number, image in enumerate(chain([first], images), landed):
                # Those before the one wanted count too: it may be coded from them.
                if image.is_corrupt or (timestamps and image.pts != timestamps[number]):
                    if begin:
                        break
                    raise _damaged(path, number)
                if number >= start:
                    yield image
                    start += 1
            else:
                return


def to_rgb(image: av.VideoFrame) -> np.ndarray:
    """The colours of a decoded image, uint8 (H,W,3), rounded, on every processor alike."""
    require_instance(image, "image", av.VideoFrame)
    return image.to_ndarray(format="rgb24", interpolation=_CONVERSION)


def write_video(path: Path | str, frames: Iterable[np.ndarray], fps: int, crf: int) -> None:
    """Write frames as H.264 video with the colours of ITU-R BT.709.

    Colour has half of the resolution, which all players show; frames of odd sides, which cannot be halved, keep it.

    Args:
        path: The file; its extension is one of `CONTAINERS`.
        frames: At least one; RGB uint8 (H, W, 3) of one size.
        fps: Frames per second.
        crf: Quality of x264: 0 is lossless, about 18 looks so, 51 is worst.

    Raises:
        InvalidValueError: There is no frame, or a value is of another type or outside its range.
        OutputError: It cannot be written.
    """
    path = require_path(path)
    if path.suffix.lower() not in CONTAINERS:
        raise InvalidValueError(f"{path}: videos are {', '.join(CONTAINERS)}")
    fps = require_whole(fps, "fps", 1, unit="frames a second")
    crf = require_whole(crf, "crf", 0, 51)
    first, frames = require_frames(frames, str(path))
    height, width, _ = first.shape
    with atomic_path(path) as temporary:
        try:
            with av.open(str(temporary), "w", format=CONTAINERS[path.suffix.lower()]) as video:
                stream = video.add_stream("libx264", rate=fps, options={"crf": str(crf), "preset": "veryfast"})
                stream.height, stream.width = height, width
                stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
                stream.codec_context.colorspace = Colorspace.ITU709
                stream.codec_context.color_range = ColorRange.MPEG
                for frame in frames:
                    image = av.VideoFrame.from_ndarray(frame, format="rgb24")
                    video.mux(
                        stream.encode(
                            image.reformat(
                                format=stream.pix_fmt, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
                            )
                        )
                    )
                video.mux(stream.encode())
        except av.FFmpegError as error:
            raise OSError(error.strerror) from error


def find_encoder() -> str:
    """The version of PyAV, once it is certain that it can write H.264.

    Raises:
        ValueError: It cannot.
    """
    av.CodecContext.create("libx264", "w")
    return f"PyAV {av.__version__}"


def _damaged(path: Path, number: int) -> InputFileError:
    return InputFileError(f"{path} is damaged at frame {number}; replace it")


def _opened(path: Path) -> av.container.InputContainer:
    # The protocol is named because FFmpeg takes what comes before a colon for one.
    return av.open(f"file:{path}")


def _count(path: Path) -> int:
    """Frames of a video, by decoding it."""
    with _opened(path) as container:
        return sum(1 for _ in container.decode(video=0))
