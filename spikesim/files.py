"""Files that are whole or absent: everything this project writes passes through here.

A file is written beside its final name, flushed to disk, then renamed. A reader never sees half a file, and a writer
that fails, or is killed, leaves what was there before.
"""

import hashlib
import io
import os
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from spikesim.errors import InputFileError, OutputError, SpikesimError
from spikesim.input_files import require_file, version_of

if TYPE_CHECKING:
    import h5py
    from _typeshed import ReadableBuffer

# Another machine on the same network folder has processes of its own under the same numbers, so its name is needed too.
MACHINE = re.sub(r"\W", "_", os.uname().nodename)
"""This machine, as it is named in files that others see too."""

_SHA256 = re.compile("[0-9a-f]{64}")


def _numbering() -> str:
    """What tells apart the containers of a machine, in each of which processes have numbers of their own."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:  # no Linux
        return "0"


_PREFIX = f".spikesim-{MACHINE}-{_numbering()}"
_TEMPORARY = re.compile(rf"{re.escape(_PREFIX)}-(?P<pid>[0-9]{{1,9}})-[0-9a-f]{{16}}\.tmp")


@contextmanager
def atomic_path(
    final: str | os.PathLike[str],
    *,
    replace: bool = True,
    before: Callable[[], object] | None = None,
    flush: bool = True,
) -> Iterator[Path]:
    """A temporary path in the folder of `final`, renamed to it once the `with` block has written the file and left.

        with atomic_path("out/clip.mp4") as temporary:
            temporary.write_bytes(...)

    Missing parent folders are made. A symbolic link is followed: its target is replaced, not the link. The temporary
    name ends in `.tmp`, so a library that chooses the file type by extension must be told the type.

    What killed processes left half-written in that folder is removed when a process first writes there.

    Args:
        final: Where the file is to be.
        replace: Whether a regular file that has the name is replaced. Else it is kept, also where it appears while the
            block runs, and what the block has written is gone: of several who write the same, the first is right.
        before: Called when the file is whole, before it has its name: to remove what it replaces, and no sooner.
        flush: Whether it is on the disk before it has its name. Else a power failure may leave less than all of it.

    Yields:
        A path that does not exist yet, for the block to create. It is gone when the block fails, by any exception.

    Raises:
        OutputError: The place is taken by something that is no regular file, or the block or the rename ran into an
            `OSError` (full disk, no permission, ...). An older file of the name is untouched.
    """
    target = Path(os.path.realpath(final))
    temporary = temporary_beside(target)
    try:
        if target.exists() and not target.is_file():
            raise OutputError(f"cannot write {final}: a folder or device has that name; choose another")
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        yield temporary
        if flush:
            flush_to_disk(temporary)
        if before is not None:
            before()
        if replace:
            temporary.replace(target)
        else:
            _put_where_none_is(temporary, target)
    except SpikesimError:
        raise
    except OSError as error:
        raise write_error(final, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink()


def temporary_beside(path: Path) -> Path:
    """A new name for a file of this process in the folder of another; `remove_stale_temporaries` knows it by that."""
    return path.with_name(f"{_PREFIX}-{os.getpid()}-{secrets.token_hex(8)}.tmp")


def write_error(final: str | os.PathLike[str], error: OSError) -> OutputError:
    """What is said of a file that could not be written: of this one alone, and of an older one only where there is one.

    Args:
        final: Where it was to be.
        error: What the system said.
    """
    kept = "; the older file of this name is untouched" if os.path.lexists(final) else ""
    return OutputError(f"cannot write {os.fspath(final)}: {error}{kept}")


@cache
def _sweep(folder: Path) -> None:
    """Once in a process and folder: to look for what is left before each of many files takes longer than to write."""
    remove_stale_temporaries(folder)


def _put_where_none_is(temporary: Path, target: Path) -> None:
    """Give a file its final name, unless another has it."""
    try:
        os.link(temporary, target)  # in one step, which a rename cannot be
    except FileExistsError:
        return
    except OSError:  # there are file systems without links
        if not target.exists():
            temporary.replace(target)


def flush_to_disk(path: Path) -> None:
    """Returns when the content of a file is on the disk, and not only on its way there.

    Raises:
        OSError: The disk did not take it.
    """
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def atomic_hdf5(
    final: str | os.PathLike[str], *, replace: bool = True, before: Callable[[], object] | None = None
) -> Iterator["h5py.File"]:
    """A new HDF5 file, open for writing, that has its final name once the `with` block has left it.

    HDF5 itself does not survive a full disk: it raises from destructors, where nothing can catch it, and then crashes
    the process. So it writes through a Python file that never fails towards it; the failure is raised at the end.

    Args:
        final, replace, before: As for `atomic_path`.

    Yields:
        The open file.

    Raises:
        OutputError: As for `atomic_path`.
    """
    import h5py

    with (
        atomic_path(final, replace=replace, before=before) as temporary,
        _DeferringFile(temporary, "x+") as raw,
    ):
        try:
            with h5py.File(raw, "w") as file:
                yield file
        except Exception:
            if raw.error is None:
                raise
        if raw.error is not None:
            raise raw.error


class _DeferringFile(io.FileIO):
    """A file that keeps its first write error instead of raising it, and from then on only pretends to write.

    An interrupt is kept and raised: on its way through HDF5 it may be lost, or come out as another exception.
    """

    error: BaseException | None = None

    def write(self, data: "ReadableBuffer", /) -> int:
        view = memoryview(data).cast("B")
        written = 0
        try:
            while self.error is None and written < len(view):
                written += super().write(view[written:])
        except OSError as error:
            self.error = error
        except BaseException as error:
            self.error = error
            raise
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        try:
            return super().truncate(size)
        except OSError as error:
            self.error = self.error or error
            return self.tell() if size is None else size
        except BaseException as error:
            self.error = self.error or error
            raise


def checksum(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, 64 hexadecimal digits.

    Raises:
        InputFileError: It cannot be read.
    """
    require_file(path)
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputFileError(f"cannot read {os.fspath(path)}: {error.strerror or error}") from error


def is_checksum(value: object) -> bool:
    """Whether a value is one that `checksum` may give."""
    return isinstance(value, str) and _SHA256.fullmatch(value) is not None


def known_checksum(path: str | os.PathLike[str]) -> str:
    """As `checksum`, but a file is not read again by this process while the system says that it is the same."""
    return _checksum_of_version(*version_of(path))


@lru_cache(maxsize=1 << 16)
def _checksum_of_version(path: str, *_state: str) -> str:
    return checksum(path)


def remove_stale_temporaries(folder: str | os.PathLike[str]) -> list[Path]:
    """Removes what killed processes of this machine, or this container, left half-written in a folder; nothing else.

    Args:
        folder: The folder; its subfolders are left alone.

    Returns:
        The temporaries that are gone now, sorted.
    """
    removed = []
    for path in sorted(Path(folder).glob(".spikesim-*.tmp")):
        match = _TEMPORARY.fullmatch(path.name)
        if match and not is_alive(int(match["pid"])):
            with suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed


def is_alive(pid: int) -> bool:
    """Whether there is a process of this number on this machine."""
    try:
        os.kill(pid, 0)  # signal 0 only asks
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # somebody else's
    return True
