"""Opening HDF5 files that somebody else may have made or damaged."""

import atexit
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from spikesim.errors import InputFileError
from spikesim.hdf5.child import AT_ONCE, Inspector
from spikesim.hdf5.source import Source, SourceFile
from spikesim.input_files import version_of

__all__ = ["looked_through", "open_hdf5", "open_hdf5_of"]

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


def open_hdf5_of(source: Source, **options: Any) -> "h5py.File":
    """As `open_hdf5`, of bytes that lie elsewhere: of values only where they lie is looked at, not what they hold.

    What the other process has read of them is held in memory, so that this one meets the same bytes, whatever lies
    there by then.

    Args:
        source: The bytes. What is read of the file is read within `source.telling()`.
        **options: Of `h5py.File`.

    Raises:
        InputFileError: As for `open_hdf5`, or the bytes cannot be fetched.
    """
    import h5py

    known = _inspected.pop(source.version, None)
    problem, parts = _inspected[source.version] = known or _inspector().look_through(source)
    while len(_inspected) > 1 and sum(map(_length, _inspected.values())) > _MOST_INSPECTED:
        _inspected.pop(next(iter(_inspected)))  # used longest ago
    if problem:
        raise InputFileError(f"cannot read {source.name}: {problem}")
    source.hold(parts)
    with source.telling():
        file = h5py.File(SourceFile(source), "r", **options)
    _open.add(file)
    return file


_open: "WeakSet[h5py.File]" = WeakSet()


@atexit.register
def _close_all() -> None:
    """What is still open when Python has ended, HDF5 closes through a Python file that is no more, which crashes."""
    for file in list(_open):
        file.close()


_Looked = tuple[str, list[tuple[int, bytes]]]

_MOST_INSPECTED = 1 << 26  # bytes of metadata, of shards some 100 kB each, that this process has in memory
_inspected: dict[tuple[str, ...], _Looked] = {}


def _length(looked: _Looked) -> int:
    return 1000 + sum(len(part) for _, part in looked[1])


def looked_through(paths: Sequence[Path]) -> Iterator[Path]:
    """Files in their order; while one is read, the other process goes through those that follow.

    What is wrong with a file, opening it tells.
    """
    with ThreadPoolExecutor(1) as other:
        looked = other.submit(_look_through, paths[:AT_ONCE])
        for start in range(0, len(paths), AT_ONCE):
            looked.result()
            stop = start + AT_ONCE
            looked = other.submit(_look_through, paths[stop : stop + AT_ONCE])
            yield from paths[start:stop]


def _look_through(paths: Sequence[Path]) -> None:
    with suppress(InputFileError):
        states = [state for path in paths if (state := version_of(path)) not in _problems]
        if states:
            found = _inspector().problems([path for path, *_ in states])
            for state, problem in zip(states, found, strict=True):
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
