"""Containers of video: how they are opened, and which of their streams is the video."""

from collections import Counter
from pathlib import Path

import av
from av.stream import Disposition

from spikesim.checks import require_path
from spikesim.errors import InputFileError
from spikesim_datasets.mistaken_files import mistaken

_CONTAINERS = (
    *("mov", "matroska", "avi", "asf", "flv", "mpegts", "mpeg", "mxf", "ogg", "nut", "gxf", "dv", "rm", "wtv", "swf"),
    *("ivf", "yuv4mpegpipe", "cine", "ser", "gif", "apng"),
    *("h264", "hevc", "vvc", "av1", "obu", "m4v", "mpegvideo", "mjpeg", "h261", "h263", "vc1", "dirac"),
)
"""FFmpeg's names of what is opened. It also reads what is no video: it draws text, and runs scripts of other files."""

_STATING = ("matroska,webm", "flv")

_NO_TIMES = 0x80  # AVFMT_NOTIMESTAMPS


def opened(path: Path) -> av.container.InputContainer:
    """An open video file. No other file is opened, whatever it says.

    Raises:
        InputFileError: It is in no container of video.
        av.FFmpegError, OSError: It is damaged, or there is none.
    """
    try:
        # The protocol is named because FFmpeg takes what comes before a colon for one.
        # Names and titles of no use to us may be damaged, or in any encoding.
        return av.open(
            f"file:{path}",
            metadata_errors="replace",
            container_options={"format_whitelist": ",".join(_CONTAINERS)},
        )
    except av.ArgumentError as error:
        raise InputFileError(f"{path} cannot be read as a video (it does not begin as one){mistaken(path)}") from error


def is_video(path: Path) -> bool:
    """Whether a file, whatever its name, is a video by its beginning."""
    path = require_path(path)
    try:
        with opened(path) as container:
            video_streams(container)
    except Exception:  # on other bytes PyAV raises what it never announces
        return False
    return True


def is_bare(container: av.container.InputContainer) -> bool:
    """Whether a file is what a codec writes and nothing around it; FFmpeg then makes up a rate, and times by it.

    MPEG-1 and 2 say their rate themselves.
    """
    return bool(container.format.flags & _NO_TIMES) and container.format.name != "mpegvideo"


def states_rate(container: av.container.InputContainer) -> bool:
    """Whether the rate that FFmpeg gives is what the file states; of others it is worked out from times of frames."""
    return container.format.name in _STATING


def video_streams(container: av.container.InputContainer) -> list[av.VideoStream]:
    """The streams of images that are no covers or thumbnails.

    Raises:
        InputFileError: There is none, or none that can be decoded.
    """
    path = container.name.removeprefix("file:")
    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    streams = [stream for stream in container.streams.video if not stream.disposition & still]
    if not streams:
        covers = len(container.streams.video)
        what = f"no video stream, only {covers} cover image{'s'[: covers > 1]}" if covers else "no video stream"
        raise InputFileError(f"{path} holds {what}")
    decodable = [stream for stream in streams if stream.codec_context is not None]
    if not decodable:
        raise InputFileError(f"{path} holds video that FFmpeg has no decoder for; convert it")
    return decodable


def choose_stream(path: Path) -> tuple[int, int]:
    """Which of the streams of video in a file is the video, from 0 on, and how many others there are.

    It is the one that players take, which is marked as such, else the first; but one that holds a single frame, as
    covers do that are not marked, only where no other holds more.

    Raises:
        InputFileError: As for `video_streams`.
    """
    with opened(path) as container:
        streams = video_streams(container)
        if len(streams) == 1:
            return container.streams.video.index(streams[0]), 0
        packets = Counter(packet.stream_index for packet in container.demux(streams) if packet.size)

        def rank(stream: av.VideoStream) -> tuple[bool, bool]:
            return packets[stream.index] > 1, bool(stream.disposition & Disposition.default)

        return container.streams.video.index(max(streams, key=rank)), len(streams) - 1
