"""Videos that are written: H.264, quality and colours said."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from spikesim.checks import require_path, require_whole
from spikesim.errors import InvalidValueError
from spikesim.files import atomic_path
from spikesim_datasets.image_checks import require_frames

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""FFmpeg's name of the container by the extension of a video that is written."""

# Equal frames make equal files. Threads of x264, as many as there are cores, change what it writes; and where a side is
# no multiple of 16, its macroblock tree varies from run to run on processors with AVX-512 (seen in PyAV 18.1).
_OPTIONS = {"preset": "veryfast", "x264-params": "mbtree=0"}

FINE_CRF = 12
"""Quality of x264 that looks lossless, frame by frame as well."""


def write_video(path: Path | str, frames: Iterable[np.ndarray], fps: int, crf: int) -> None:
    """Write frames as H.264 video with the colours of ITU-R BT.709.

    Colour has half of the resolution, which all players show; frames of odd sides, which cannot be halved, keep it.
    Equal frames make equal files, whatever the number of cores, with one version of PyAV on one kind of processor.

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
                stream = video.add_stream("libx264", rate=fps, options={**_OPTIONS, "crf": str(crf)})
                stream.codec_context.thread_count = 1
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
