"""What a long build tells beside its readouts: samples, workers, and room on the disk; and whether that will do."""

import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from spikesim.errors import LowSpaceWarning
from spikesim_datasets.progress import BuildState

_BETWEEN_LOOKS = 2.0  # seconds


class BuildLook:
    """Looks now and then at how a build stands.

    Args:
        out: Folder of the dataset, or one that is to be made.
        samples: Of the whole build.
        done: Of these, how many are there already.
        workers: How many workers there are now.
    """

    def __init__(self, out: Path, samples: int, done: int, workers: Callable[[], int]) -> None:
        self._out, self._samples, self._done, self._workers = out, samples, done, workers
        self._due = 0.0

    def add(self, samples: int) -> None:
        """Note samples that are made."""
        self._done += samples

    def __call__(self) -> BuildState:
        if (now := time.monotonic()) >= self._due:
            self._due = now + _BETWEEN_LOOKS
            self._seen = self._workers(), free_bytes(self._out)
        return BuildState(self._done, self._samples, *self._seen)


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder, or of the one that it will lie in, bytes."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(there).free


def warn_of_space(out: Path, most: int) -> None:
    """Warn if the disk of a folder has less room than a build may take.

    Args:
        out: Folder of the dataset.
        most: What the build takes at most, bytes: uncompressed.
    """
    if (free := free_bytes(out)) < most:
        warnings.warn(
            f"{out} has {free / 1e9:.3g} GB free, and the build takes up to {most / 1e9:.3g} GB (images shrink when "
            "compressed, spikes do not); make room, or stop it and choose another disk",
            LowSpaceWarning,
            stacklevel=3,
        )
