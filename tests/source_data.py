"""What tests of sources share: frames of noise, videos, and all that a clip or a folder holds."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from spikesim_datasets.sources import Clip

HEIGHT, WIDTH = 20, 28


def noise(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def write_frames(folder: Path, count: int = 3, first: int = 0) -> Path:
    """A folder with frames 000000.png, ..., frame i from seed first + i."""
    folder.mkdir(parents=True)
    for i in range(count):
        Image.fromarray(noise(first + i)).save(folder / f"{i:06d}.png")
    return folder


def everything(clip: Clip) -> list[np.ndarray]:
    return list(clip.frames(0, clip.n_frames))


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a folder with its time of change and its content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in [folder, *folder.rglob("*")]
    }


def video_frame(number: int, height: int = 48, width: int = 64) -> np.ndarray:
    """A moving pattern, so that frames between others are coded from both."""
    y, x = np.mgrid[:height, :width]
    return np.stack([2 * x + 9 * number, 3 * y + 5 * number, x + y], axis=-1).astype(np.uint8)


def write_video(
    path: Path,
    codec: str = "libx264",
    *,
    times_ms: Sequence[int] | None = None,
    size: tuple[int, int] = (48, 64),
    options: dict[str, str] | None = None,
    pixels: str = "yuv420p",
    **container_options: str,
) -> Path:
    """40 frames, a key frame every 12, two frames between others coded from both where the codec can."""
    with av.open(str(path), "w", options=container_options) as container:
        stream = container.add_stream(codec, rate=30, options=options or {})
        stream.height, stream.width = size
        stream.pix_fmt = pixels
        stream.codec_context.gop_size = 12
        stream.codec_context.max_b_frames = 0 if codec == "ffv1" else 2
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(video_frame(number, *size), format="rgb24")
            if times_ms is not None:
                frame.pts, frame.time_base = times_ms[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
