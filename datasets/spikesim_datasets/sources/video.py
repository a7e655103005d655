"""Clips stored as a video file, decoded by PyAV."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from spikesim.errors import InputFileError
from spikesim_datasets.sources.clip import files_fingerprint

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


@dataclass(frozen=True)
class VideoClip:
    """A video file. Frame i is the i-th in order of presentation, found exactly, from whichever key frame it needs.

    Attributes:
        key: As in `Clip`.
        path: The file.
        timestamps: Presentation time of every frame, ascending, in the stream's unit.
        height, width: Size of every frame.
        source: As in `Clip`.
    """

    key: str
    path: Path
    timestamps: tuple[int, ...]
    height: int
    width: int
    source: Path

    @classmethod
    def open(cls, path: Path, key: str, source: Path) -> "VideoClip":
        """The clip of a video file; its packets are listed, no picture decoded.

        Raises:
            InputFileError: The file is missing, empty or no video.
        """
        if path.is_file() and path.stat().st_size == 0:
            raise InputFileError(f"{path} is empty (0 bytes); replace it")
        try:
            with av.open(str(path)) as container:
                if not container.streams.video:
                    raise InputFileError(f"{path} holds no video stream")
                stream = container.streams.video[0]
                times = {
                    packet.pts for packet in container.demux(stream) if packet.pts is not None and _is_shown(packet)
                }
                height, width = stream.codec_context.height, stream.codec_context.width
        except (av.FFmpegError, OSError) as error:
            if isinstance(error, InputFileError):
                raise
            raise InputFileError(f"{path} cannot be read as a video ({error})") from error
        if not times:
            raise InputFileError(f"{path} holds no timed frames; is it a whole video?")
        return cls(key, path, tuple(sorted(times)), height, width, source)

    @property
    def n_frames(self) -> int:
        return len(self.timestamps)

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        expected = iter(range(start, min(stop, self.n_frames)))
        wanted = next(expected, None)
        if wanted is None:
            return
        try:
            with av.open(str(self.path)) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                container.seek(self.timestamps[wanted], stream=stream)
                for picture in container.decode(stream):
                    if picture.pts is None or picture.pts < self.timestamps[wanted]:
                        continue
                    if picture.pts != self.timestamps[wanted]:
                        break
                    if (picture.height, picture.width) != (self.height, self.width):
                        raise InputFileError(
                            f"{self.path} changes its size at frame {wanted}, from {self.width}×{self.height} to "
                            f"{picture.width}×{picture.height}; the frames of a clip must all have one size"
                        )
                    yield picture.to_ndarray(format="rgb24")
                    wanted = next(expected, None)
                    if wanted is None:
                        return
        except av.FFmpegError as error:
            raise InputFileError(f"{self.path} cannot be decoded at frame {wanted} ({error})") from error
        raise InputFileError(f"{self.path} has no frame {wanted} where its index says one is; is the file damaged?")

    def fingerprint(self) -> dict[str, object]:
        return files_fingerprint([self.path])


def _is_shown(packet: av.Packet) -> bool:
    # An edit list can hide packets; they are decoded but never presented.
    return not packet.is_discard
