"""Opening HDF5 files that somebody else may have made or damaged."""

import atexit
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikesim.errors import InputFileError
from spikesim.hdf5.child import AT_ONCE, Inspector
from spikesim.input_files import version_of

__all__ = ["AT_ONCE", "look_through", "open_hdf5"]

if TYPE_CHECKING:
    import h5py


def open_hdf5(path: Path, **options: Any) -> "h5py.File":
    """An HDF5 file, open for reading, that was looked through before this process let HDF5 see a byte of it.

    On damaged or hostile metadata HDF5 crashes or never returns, and it follows what a file says to other files. So
    another process goes through all of it first (`spikesim.hdf5.inspection`), under limits of time and memory.

    Args:
        path: The file.
        **options: Of `h5py.File`.

    Raises:
        InputFileError: It is missing, no regular file, damaged, leads to other files, or declares more than it can
            hold.
    """
    import h5py

    # A file is gone through once, however often it is opened, as long as it stays the same.
    state = version_of(path)
    if (problem := _problems.get(state)) is None:
        problem = _keep(state, _inspector().problem(state[0]))
    if problem:
        raise InputFileError(f"cannot read {path}: {problem}")
    # What is never written in place is read without a lock.
    return h5py.File(path, "r", locking=False, **options)


def look_through(paths: Sequence[Path]) -> None:
    """Go through a few files ahead, at most `AT_ONCE`, from any thread: opening them afterwards does not wait for that.

    Raises:
        InputFileError: One is missing, or no regular file. What is wrong with its content, opening it tells.
    """
    states = [state for path in paths if (state := version_of(path)) not in _problems]
    if not states:
        return
    for state, problem in zip(states, _inspector().problems([path for path, *_ in states]), strict=True):
        _keep(state, problem)


_MOST_KEPT = 1 << 16

_problems: dict[tuple[str, ...], str] = {}
"""What is wrong with the states of files that were gone through."""


def _keep(state: tuple[str, ...], problem: str) -> str:
    if len(_problems) >= _MOST_KEPT:
        _problems.clear()
    _problems[state] = problem
    return problem


_inspectors: dict[int, Inspector] = {}


def _inspector() -> Inspector:
    """That of this process: a forked one must not share the pipes of its parent."""
    if (process := os.getpid()) not in _inspectors:
        inspector = _inspectors[process] = Inspector()
        atexit.register(_close, process, inspector)
    return _inspectors[process]


def _close(process: int, inspector: Inspector) -> None:
    if process == os.getpid():  # what was registered before a fork is the parent's to close
        inspector.close()
