"""Frames as PNG and as video, in files that are whole or absent."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from spikesim.errors import InvalidValueError
from spikesim.files import atomic_path

CONTAINERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""FFmpeg's name of the container by the extension of a video."""

FINE_CRF = 12
"""Quality of x264 that looks lossless, frame by frame as well."""

MOST_GIF_FPS = 50


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an RGB image, uint8 (H, W, 3), as PNG.

    Raises:
        OutputError: It cannot be written.
    """
    with atomic_path(path) as temporary:
        _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        temporary.write_bytes(encoded.tobytes())


def write_video(path: Path, frames: Iterator[np.ndarray], fps: int, crf: int) -> None:
    """Write frames as H.264 video with the colours of ITU-R BT.709.

    Colour has half of the resolution, which all players show; frames of odd sides, which cannot be halved, keep it.

    Args:
        path: The file; its extension is one of `CONTAINERS`.
        frames: At least one; RGB uint8 (H, W, 3) of one size.
        fps: Frames per second.
        crf: Quality of x264: 0 is lossless, about 18 looks so, 51 is worst.

    Raises:
        OutputError: It cannot be written.
    """
    first = next(frames)
    height, width, _ = first.shape
    with atomic_path(path) as temporary:
        try:
            with av.open(str(temporary), "w", format=CONTAINERS[path.suffix.lower()]) as video:
                stream = video.add_stream("libx264", rate=fps, options={"crf": str(crf), "preset": "veryfast"})
                stream.height, stream.width = height, width
                stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
                stream.codec_context.colorspace = Colorspace.ITU709
                stream.codec_context.color_range = ColorRange.MPEG
                for frame in chain([first], frames):
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


def write_gif(path: Path, frames: Iterator[np.ndarray], fps: int) -> None:
    """Write frames as a GIF that is shown over and over, each in 256 colours of its own.

    Args:
        path: The file.
        frames: At least one; RGB uint8 (H, W, 3) of one size.
        fps: Frames per second, 1 to 50; a GIF counts in hundredths of a second.

    Raises:
        InvalidValueError: `fps` is not one of these: players show faster ones slower.
        OutputError: It cannot be written.
    """
    if not 1 <= fps <= MOST_GIF_FPS:
        raise InvalidValueError(f"a GIF shows 1 to {MOST_GIF_FPS} frames a second, got fps={fps}; write a .mp4")
    first = Image.fromarray(next(frames))
    with atomic_path(path) as temporary, temporary.open("wb") as file:  # which Pillow would not close on Ctrl-C
        rest = map(Image.fromarray, frames)
        first.save(file, "GIF", save_all=True, append_images=rest, duration=1000 // fps, loop=0)
