"""Blocks of files that lie elsewhere, on the local disk: shared by processes, and of bounded size."""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from math import inf
from pathlib import Path

from spikesim.checks import require_number, require_path
from spikesim.errors import InvalidValueError, OutputError, SpikesimError
from spikesim.files import atomic_path

FOLDER_VARIABLE = "SPIKESIM_REMOTE_CACHE"
"""Environment variable with the folder of the cache."""

SIZE_VARIABLE = "SPIKESIM_REMOTE_CACHE_GIB"
"""Environment variable with the most GiB that the cache takes; 0 is no cache."""

_DEFAULT_GIB = 10.0
_KEPT = 0.9  # of the size, when room is made: to look at all blocks for each new one would take longer than to fetch it
_DIGEST = 32
_DISK_BLOCK = 4096  # bytes that disks give at least, and in steps of
_PATIENCE = 5.0  # seconds: nobody takes longer to write some blocks or to make room
_PAUSE = 0.005
_TALLY = ".size"


class BlockCache:
    """Blocks by the file that they are of, and their number in it; what was used longest ago goes first.

    A block has a name when it is whole, and a digest that shows whether it still is, so neither a killed process nor a
    power failure leaves a false one. The size is kept in a file, which is locked while blocks are added: no number of
    processes together exceeds it. What cannot be kept, as on a full disk, is not.

    Args:
        folder: Where it lies. Everything in it is the cache's.
        most_bytes: That it takes on the disk.
    """

    def __init__(self, folder: Path, most_bytes: float) -> None:
        self._folder, self._most = folder, int(most_bytes)

    def get(self, file: str, number: int) -> bytes | None:
        """A block; None where it is missing, or no longer whole."""
        path = self._path(file, number)
        try:
            held = path.read_bytes()
            if held[:_DIGEST] != _digest(file, number, held[_DIGEST:]):
                path.unlink()
                return None
            os.utime(path)  # it was used now
        except OSError:
            return None
        return held[_DIGEST:]

    def put(self, file: str, blocks: Mapping[int, bytes]) -> None:
        """Keep blocks of a file, by number, as far as there is room on the disk."""
        with suppress(OSError, SpikesimError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for number, block in blocks.items():
                path = self._path(file, number)
                with self._tallied(_DIGEST + len(block)) as fits:
                    if fits and not path.exists():
                        with atomic_path(path, flush=False) as temporary:
                            temporary.write_bytes(_digest(file, number, block) + block)

    def _path(self, file: str, number: int) -> Path:
        key = hashlib.sha256(file.encode()).hexdigest()
        return self._folder / key[:2] / key[2:34] / str(number)

    @contextmanager
    def _tallied(self, length: int) -> Iterator[bool]:
        """Locks the cache, and makes room for a new block; yields whether there is."""
        taken = _on_disk(length)
        tally = os.open(self._folder / _TALLY, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            _lock(tally)
            total = _read(tally)
            if total is None or total + taken > self._most:
                total = self._make_room(taken)
            # Counted before it is there: who is killed in between leaves a cache that is smaller than it thinks.
            if fits := total + taken <= self._most:
                told = b"%020d\n" % (total + taken)
                os.pwrite(tally, told, 0)
                os.ftruncate(tally, len(told))
            yield fits
        finally:
            os.close(tally)

    def _make_room(self, taken: int) -> int:
        """Remove what was used longest ago, if it is needed; the bytes that are left."""
        found = sorted(self._blocks())
        total = sum(size for _, size, _ in found)
        if total + taken <= self._most:
            return total
        for _, size, name in found:
            if total + taken <= self._most * _KEPT or total == 0:
                break
            path = Path(name)
            path.unlink(missing_ok=True)
            total -= size
            with suppress(OSError):
                path.parent.rmdir()  # if it was the last
        return total

    def _blocks(self) -> Iterator[tuple[int, int, str]]:
        """When each was used, its size, and where it is."""
        folders = [self._folder]
        while folders:
            with suppress(OSError), os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(Path(entry.path))
                    elif entry.name != _TALLY:
                        state = entry.stat(follow_symlinks=False)
                        yield state.st_mtime_ns, _on_disk(state.st_size), entry.path


def cache_of_environment() -> BlockCache | None:
    """The cache that environment variables name, by default of 10 GiB in the user's folder of caches; None for none.

    Raises:
        InvalidValueError: A variable has no meaning.
        OutputError: The folder that one names cannot be written.
    """
    given = os.environ.get(SIZE_VARIABLE) or _DEFAULT_GIB
    try:
        size = require_number(float(given), SIZE_VARIABLE, 0, inf, unit="GiB")
    except ValueError as error:
        raise InvalidValueError(f"{SIZE_VARIABLE} must be a number of GiB, 0 for no cache; got {given!r}") from error
    if size == 0:
        return None
    if chosen := os.environ.get(FOLDER_VARIABLE):
        folder = require_path(chosen, FOLDER_VARIABLE)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{FOLDER_VARIABLE} names {folder}: {error.strerror or error}") from error
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"{FOLDER_VARIABLE} names {folder}, which cannot be written; choose another folder")
    else:
        try:
            folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spikesim" / "remote"
        except RuntimeError:  # nobody's home
            return None
    return BlockCache(folder, size * 2**30)


def _digest(file: str, number: int, block: bytes) -> bytes:
    return hashlib.sha256(f"{file} {number}\n".encode() + block).digest()


def _on_disk(length: int) -> int:
    return -(-length // _DISK_BLOCK) * _DISK_BLOCK


def _lock(file: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def _read(file: int) -> int | None:
    """The bytes that the cache takes; None where that is not known."""
    told = os.pread(file, 32, 0)
    return int(told) if told.strip().isdigit() else None
