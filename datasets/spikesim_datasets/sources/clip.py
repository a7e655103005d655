"""What every source gives: clips, which yield RGB frames by index."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np

from spikesim.checks import require_choice, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.keys import Keyed, check_clip

Split = Literal["train", "test"]

_SAMPLE = 1 << 12


@runtime_checkable
class Clip(Protocol):
    """A stretch of video. Small and picklable: workers open the files themselves.

    Attributes:
        split: The split it belongs to.
        name: Its name in the split, `GOPR0372_07_00`.
        key: Unique name in the dataset, `train/GOPR0372_07_00`.
        n_frames: Number of frames.
        height, width: Size of every frame in pixels.
        source: The file or folder that was named as the source, which is never written to; None for built-in scenes.
    """

    @property
    def split(self) -> Split: ...
    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def n_frames(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def source(self) -> Path | None: ...

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """Frames start..stop−1 in order, RGB uint8 (H, W, 3).

        Args:
            start: First raw frame, ≥ 0.
            stop: The one after the last, ≤ `n_frames`.

        Raises:
            InputFileError: A frame cannot be read, or has another size than the clip.
        """
        ...

    def fingerprint(self) -> dict[str, object]:
        """What tells this clip from another, as JSON values; independent of where it lies."""
        ...


@runtime_checkable
class ReopenableClip(Clip, Protocol):
    """A clip that says how it is opened again."""

    def origin(self) -> dict[str, Any] | None:
        """Where it comes from, as JSON values that `origins.reopen` takes; None where part of it does not say.

        It is no part of the fingerprint: datasets do not depend on where things lie.
        """
        ...


@runtime_checkable
class ExactClip(Clip, Protocol):
    """A clip that is rendered, so that it and its motion are known at any time, also between frames."""

    def at(self, time: float) -> np.ndarray:
        """The frame at a time, RGB uint8 (H, W, 3); at a whole number r it is frame r.

        Args:
            time: In raw frames, any finite number.

        Raises:
            InputFileError: A file that it is rendered from cannot be read.
            InvalidValueError: The time is no finite number.
        """
        ...

    def flow(self, start: float, stop: float) -> np.ndarray:
        """Where each pixel of the frame at one time is at another, float32 (H, W, 2): pixels to the right and down.

        Where things overlap, a pixel goes with the topmost that covers half of it or more.

        Args:
            start: The time of the pixels, in raw frames.
            stop: The other time, in raw frames.

        Raises:
            InputFileError, InvalidValueError: As for `at`.
        """
        ...


@dataclass(frozen=True)
class NamedClip(Keyed):
    """What every clip of ours has: its place in a dataset.

    Raises:
        InvalidValueError: The split is unknown, or the name is none.
    """

    split: Split
    name: str

    def __post_init__(self) -> None:
        require_choice(self.split, "split", get_args(Split))
        check_clip(self.split, self.name)


def require_clip(clip: Any) -> Clip:
    """A clip.

    Raises:
        InvalidValueError: It is none.
    """
    if isinstance(clip, type) or not isinstance(clip, Clip):
        raise InvalidValueError(
            f"clip must be a clip, as open_clips gives them for files and folders, got {type(clip).__name__}"
        )
    return clip


def origin_of(clip: Clip) -> dict[str, Any] | None:
    """Where a clip comes from, as JSON values that `origins.reopen` takes; None for clips of others, who need not say.

    Args:
        clip: Any clip.

    Raises:
        InvalidValueError: It is no clip.
    """
    clip = require_clip(clip)
    return clip.origin() if isinstance(clip, ReopenableClip) else None


def named_origin(clip: NamedClip, kind: str, **of_kind: Any) -> dict[str, Any]:
    """The origin of a clip of ours: its kind, its place in a dataset, and what else is needed to open it."""
    return {"kind": kind, "split": clip.split, "name": clip.name, **of_kind}


def absolute(path: Path) -> str:
    """A path as an origin has it: found from every folder, and by the names that links have."""
    return str(path.absolute())


def name_of(path: Path) -> str:
    """What a clip is called that lies in a folder: as the folder is, or the link to it, whatever that leads to."""
    return path.name if path.name not in ("", "..") else path.resolve().name


def turned_mark(turned: bool) -> dict[str, object]:
    """What a fingerprint says of frames that are turned upright; earlier versions took them as they lie in the file."""
    return {"upright": 1} if turned else {}


def excerpt_mark(start: int, frames: int) -> dict[str, object]:
    """What a fingerprint says of part of a clip."""
    return {"excerpt": {"start": start, "frames": frames}}


def require_span(start: int, stop: int) -> tuple[int, int]:
    """Numbers of the first frame that is wanted, and of the one behind the last.

    Raises:
        InvalidValueError: They are none.
    """
    return require_whole(start, "start", 0), require_whole(stop, "stop", 0)


def files_fingerprint(files: Iterable[Path]) -> dict[str, object]:
    """Count, bytes and a hash of the names, the sizes and samples of files.

    Files are not read whole: for GOPRO that alone would take as long as a good part of the build. Every file is
    sampled at its beginning, middle and end; a PNG ends with a checksum of its whole image.
    """
    files = list(files)
    digest = hashlib.sha256()
    sizes = [file.stat().st_size for file in files]
    for file, size in zip(files, sizes, strict=True):
        digest.update(f"{file.name}:{size}\n".encode())
        with file.open("rb", buffering=0) as stream:
            for offset in (0, size // 2, max(0, size - _SAMPLE)):
                stream.seek(offset)
                digest.update(stream.read(_SAMPLE))
    return {"files": len(files), "bytes": sum(sizes), "sha256": digest.hexdigest()}


def refuse_output_in_source(outputs: Iterable[Path], clips: Iterable[Clip]) -> None:
    """Raise `InvalidValueError` if an output is a clip's source, or lies in one."""
    sources = {clip.source for clip in clips if clip.source is not None}
    for source in sources:
        for output in sorted(outputs):
            if output.resolve().is_relative_to(source.resolve()):
                raise InvalidValueError(
                    f"the output {output} lies in the source {source}, which is never written to; choose another"
                )
