"""Containers of video: how they are opened, which of their streams is the video, and whether they are whole."""

from pathlib import Path
from typing import BinaryIO

import av
from av.stream import Disposition

from spikesim.checks import require_path
from spikesim.errors import InputFileError

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def opened(path: Path) -> av.container.InputContainer:
    """An open video file.

    Raises:
        av.FFmpegError, OSError: It is none.
    """
    # The protocol is named because FFmpeg takes what comes before a colon for one.
    # Names and titles of no use to us may be damaged, or in any encoding.
    return av.open(f"file:{path}", metadata_errors="replace")


def is_video(path: Path) -> bool:
    """Whether a file, whatever its name, is a video by its beginning."""
    path = require_path(path)
    try:
        with opened(path) as container:
            video_stream(container)
    except Exception:  # on other bytes PyAV raises what it never announces
        return False
    return True


def video_stream(container: av.container.InputContainer) -> av.VideoStream:
    """The video: the first stream of images that is no cover or thumbnail.

    Raises:
        InputFileError: There is none, or none that can be decoded.
    """
    path = container.name.removeprefix("file:")
    still = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
    for stream in container.streams.video:
        if not stream.disposition & still:
            if stream.codec_context is None:
                raise InputFileError(f"{path} holds video that FFmpeg has no decoder for; convert it")
            return stream
    covers = len(container.streams.video)
    what = f"no video stream, only {covers} cover image{'s'[: covers > 1]}" if covers else "no video stream"
    raise InputFileError(f"{path} holds {what}")


def missing_bytes(path: Path) -> int:
    """How many bytes a Matroska or WebM file lacks of what its beginning promises; 0 of other files.

    Unlike the boxes of MP4, the end of its parts is not looked for when it is read: a file that was cut off reads as a
    shorter video.

    Source:
        RFC 8794, "Extensible Binary Meta Language", 4 and 5; RFC 9559, "Matroska", 4.5.
    """
    with path.open("rb") as file:
        if file.read(4) != _EBML or (header := _size(file)) is None:
            return 0
        file.seek(header, 1)
        if file.read(4) != _SEGMENT or (segment := _size(file)) is None:
            return 0
        return max(0, file.tell() + segment - path.stat().st_size)


def _size(file: BinaryIO) -> int | None:
    """The size of the element that begins here; None if it is not known, as of a live recording."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()  # bytes, as many as there are zeros before the first one
    size = int.from_bytes(first + file.read(more), "big") - (1 << 7 * (more + 1))
    return None if size == (1 << 7 * (more + 1)) - 1 else size
