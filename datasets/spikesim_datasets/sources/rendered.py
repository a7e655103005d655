"""What clips that are rendered at random have in common: size and length, seed and number."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from spikesim.checks import require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.sources.clip import NamedClip, named_origin, require_span

MOST_CLIPS = 1_000_000
"""Most random clips of one source."""

_GRID, _LEAST = 4, 64


@dataclass(frozen=True)
class RenderedClip(NamedClip, ABC):
    """A random clip, the same for the same seed and number, however many others there are.

    Attributes:
        split, name: As in `Clip`.
        seed: Of all random clips of a dataset.
        number: Of this clip among those of its source.
        n_frames: Frames to give; by default as many as one default window needs.
        height, width: Size of every frame, multiples of 4, at least 64.

    Raises:
        InvalidValueError: A size is none of these, or a value is of another type.
    """

    _: KW_ONLY
    seed: int
    number: int
    n_frames: int = ExposurePlan().frames_for_one_window
    height: int = 720
    width: int = 1280

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("seed", 0), ("number", 0), ("n_frames", 1)):
            object.__setattr__(self, name, require_whole(getattr(self, name), name, least))
        for name in ("height", "width"):
            object.__setattr__(self, name, require_size(getattr(self, name), name))

    @abstractmethod
    def at(self, time: float) -> np.ndarray:
        """See `ExactClip.at`."""

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """See `Clip.frames`."""
        start, stop = require_span(start, stop)
        for time in range(start, min(stop, self.n_frames)):
            yield self.at(time)

    def _form(self) -> dict[str, object]:
        """The part of the fingerprint that all of them have."""
        return {
            "seed": self.seed,
            "number": self.number,
            "frames": self.n_frames,
            "size": [self.height, self.width],
        }

    def _origin(self, kind: str, **of_kind: Any) -> dict[str, Any]:
        """The origin of a clip of a kind, with the part that all of them have."""
        drawn = {"seed": self.seed, "number": self.number}
        size = {"n_frames": self.n_frames, "height": self.height, "width": self.width}
        return named_origin(self, kind, **of_kind, **drawn, **size)


def require_size(size: int, name: str) -> int:
    """A side of frames that can be rendered, in pixels.

    Raises:
        InvalidValueError: It is no multiple of 4 of at least 64.
    """
    size = require_whole(size, name, _LEAST)
    if size % _GRID:
        raise InvalidValueError(f"{name} must be a multiple of {_GRID}, got {size}")
    return size


def random_name(source: str, number: int) -> str:
    """The name of a random clip of a source: `street_0007`."""
    return f"{source}_{number:04d}"
