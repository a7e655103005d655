"""Clips stored as a video file, decoded by PyAV."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation

from spikesim.errors import InputFileError
from spikesim_datasets.sources.clip import NamedClip, Split, files_fingerprint

# By itself FFmpeg drops fractions, which makes images a level of 255 darker, gives two neighbours one colour, and
# leaves the last bits to the processor.
_CONVERSION = (
    Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
)

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


@dataclass(frozen=True)
class VideoClip(NamedClip):
    """A video file. Frame i is the i-th that decoding from the beginning gives, wherever reading starts.

    Attributes:
        split, name: As in `Clip`.
        path: The file.
        n_frames: As in `Clip`.
        timestamps: Presentation time of every frame, ascending, in the stream's unit. Empty where the file has none to
            rely on; frames are then counted from the beginning.
        key_frames: Numbers of the frames that decoding can start from, ascending.
        height, width: Size of every frame.
        source: As in `Clip`.
    """

    path: Path
    n_frames: int
    timestamps: tuple[int, ...]
    key_frames: tuple[int, ...]
    height: int
    width: int
    source: Path

    @classmethod
    def open(cls, path: Path, split: Split, name: str, source: Path) -> "VideoClip":
        """The clip of a video file; its packets are listed, and images decoded only where that does not tell.

        Raises:
            InputFileError: The file is missing, empty, cut off or no video.
        """
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
        return cls(split, name, path, n_frames, timestamps, key_frames, height, width, source)

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        number, stop = start, min(stop, self.n_frames)
        try:
            for image in islice(self._decoded(start), max(0, stop - start)):
                if (image.height, image.width) != (self.height, self.width):
                    raise InputFileError(
                        f"{self.path} changes its size at frame {number}, from {self.width}×{self.height} to "
                        f"{image.width}×{image.height}; the frames of a clip must all have one size"
                    )
                yield to_rgb(image)
                number += 1
        except av.FFmpegError as error:
            raise InputFileError(f"{self.path} cannot be decoded at frame {number} ({error}); replace it") from error
        if number < stop:
            raise self._damaged(number)

    def fingerprint(self) -> dict[str, object]:
        return files_fingerprint([self.path])

    def _decoded(self, start: int) -> Iterator[av.VideoFrame]:
        """Decoded images from frame `start` on: from the last key frame before, or the one before that, or ...

        Seeking may not land on a key frame, as in formats without an index. Or images are incomplete behind it, and
        FFmpeg says so: not every key frame of H.264 is one that no later image looks back beyond.
        """
        usable: dict[int | None, int] = {self.timestamps[number]: number for number in self.key_frames}
        for begin in sorted({0, *(number for number in self.key_frames if number <= start)}, reverse=True):
            with _opened(self.path) as container:
                stream = container.streams.video[0]
                # PyAV's thread type is kept: with threads for whole frames FFmpeg now and then fails to report damage.
                if begin:
                    container.seek(self.timestamps[begin], stream=stream)
                images = container.decode(stream)
                first = next(images, None)
                landed = 0 if not begin else usable.get(first.pts) if first is not None else None
                if first is None or landed is None or landed > start:
                    continue
                for number, image in enumerate(chain([first], images), landed):
                    # Those before the one wanted count too: it may be coded from them.
                    if image.is_corrupt or (self.timestamps and image.pts != self.timestamps[number]):
                        if begin:
                            break
                        raise self._damaged(number)
                    if number >= start:
                        yield image
                        start += 1
                else:
                    return

    def _damaged(self, number: int) -> InputFileError:
        return InputFileError(f"{self.path} is damaged at frame {number}; replace it")


def to_rgb(image: av.VideoFrame) -> np.ndarray:
    """The colours of a decoded image, uint8 (H,W,3), rounded, on every processor alike."""
    return image.to_ndarray(format="rgb24", interpolation=_CONVERSION)


def _opened(path: Path) -> av.container.InputContainer:
    # The protocol is named because FFmpeg takes what comes before a colon for one.
    return av.open(f"file:{path}")


def _count(path: Path) -> int:
    """Frames of a video, by decoding it."""
    with _opened(path) as container:
        return sum(1 for _ in container.decode(video=0))
