"""Opening HDF5 files that somebody else may have made or damaged."""

import atexit
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikesim.errors import InputFileError
from spikesim.hdf5.child import Inspector
from spikesim.input_files import version_of

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
    if problem := _problem(*version_of(path)):
        raise InputFileError(f"cannot read {path}: {problem}")
    # What is never written in place is read without a lock.
    return h5py.File(path, "r", locking=False, **options)


def look_through(path: Path) -> None:
    """Go through a file ahead, in the other process and from any thread, so that opening it does not wait for that.

    Raises:
        InputFileError: It is missing, or no regular file. What is wrong with its content, opening it tells.
    """
    _problem(*version_of(path))


@lru_cache(maxsize=1 << 16)
def _problem(path: str, *_state: str) -> str:
    return _inspector().problem(path)


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
