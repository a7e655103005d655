"""One writer of a folder at a time, or several that do the same work: whoever fills a folder with files locks it.

The lock is `flock` on a hidden file in the folder. It ends with the process that holds it, however that ends, and holds
between machines wherever their network file system has locks, as NFS does. The file says who holds it, one JSON line
for each process; the first says for which work as well. It is gone when the last of them is.
"""

import errno
import fcntl
import hashlib
import json
import os
import stat
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from spikesim.addresses import command_line
from spikesim.errors import OutputError, UnlockedWarning
from spikesim.files import MACHINE, is_alive
from spikesim.input_files import parse_json

LOCK = ".spikesim.lock"

_PATIENCE = 0.5  # seconds: far more than anybody takes from locking a folder to saying so
_PAUSE = 0.02
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}

_held: dict[int, bool] = {}  # open files, and whether they were signed in


@contextmanager
def locked(
    folder: str | os.PathLike[str], work: Any = None, *, name: str = LOCK, patience: float = _PATIENCE
) -> Iterator[None]:
    """Keep a folder for this process, and for others that do the same work, while the `with` block runs.

    A missing folder is made, and is gone again where the block leaves nothing in it.

    Args:
        folder: The folder.
        work: What decides what is written, as JSON values: those who say the same share the folder. None shares it with
            nobody.
        name: Of the file in the folder that is locked; locks of different names have nothing to do with each other.
        patience: Seconds to wait for another to leave the folder.

    Raises:
        OutputError: Another process has it, on this machine or another; or it cannot be written.
    """
    path = Path(folder) / name
    share = None if work is None else hashlib.sha256(json.dumps(work, sort_keys=True).encode()).hexdigest()
    new = [place for place in path.parents if not place.exists()]
    file = None
    try:
        try:
            file = _acquire(path, share, time.monotonic() + patience)
        except OutputError:
            raise
        except OSError as error:
            if error.errno == errno.ELOOP and path.is_symlink():
                raise OutputError(f"{path} is a link, and no file that locks the folder; remove it") from error
            if error.errno not in _NO_LOCKS:
                told = f"cannot write to {folder}: {error.strerror or error}; choose another folder"
                raise OutputError(told) from error
            told = f"{folder} is on a file system without locks: see to it yourself that nothing else writes there"
            warnings.warn(told, UnlockedWarning, stacklevel=3)
            path.unlink(missing_ok=True)
        yield
    finally:
        if file is not None:
            _release(file, path)
        with suppress(OSError):  # not empty, or another's meanwhile
            for place in new:
                place.rmdir()


def _acquire(path: Path, share: str | None, deadline: float) -> int:
    """The lock's file, open: whoever has it open in this way has the lock."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        # In a folder from elsewhere a link of this name could lead to any file, which would be emptied.
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
        _held[file] = False
        if not stat.S_ISREG(os.fstat(file).st_mode):
            _close(file)
            raise OutputError(f"{path} is no file that locks the folder; remove it")
        try:
            if _take(file, share) and _is_at(file, path):
                return file
            holders = _records(file)
        except BaseException:  # on a full disk the file can be made, and not signed
            _release(file, path)
            raise
        _close(file)
        if time.monotonic() > deadline:
            raise OutputError(
                f"{path.parent} is being written by {_named(holders)}; wait for it, or choose another folder"
            )
        time.sleep(_PAUSE)


def _take(file: int, share: str | None) -> bool:
    """Try to lock an open file."""
    if _flock(file, fcntl.LOCK_EX):
        os.ftruncate(file, 0)
        _sign(file, share=share)
        if share is None:
            return True
    elif share is None:
        return False
    # From alone to shared is not one step: another may be quicker, so the file is looked at again.
    if not _flock(file, fcntl.LOCK_SH):
        return False
    records = _records(file)
    if not records or records[0].get("share") != share:
        return False
    if (MACHINE, os.getpid()) not in map(_who, records):
        _sign(file, share=share)
    return True


def _release(file: int, path: Path) -> None:
    if file not in _held:  # a forked child, whom the lock is none of
        return
    if _held[file]:
        with suppress(OSError):  # on a full disk there is no room to sign out
            _sign(file, left=True)
    with suppress(OSError):
        # Whoever has it alone may remove it: nobody else relies on it, and those who wait will see that it is gone.
        if _is_alone(file) and _is_at(file, path):
            path.unlink()
    _close(file)


def _is_alone(file: int) -> bool:
    """Whether nobody else has the lock. What a killed process was starting has it until it runs its own program."""
    deadline = time.monotonic() + _PATIENCE
    while not (alone := _flock(file, fcntl.LOCK_EX)) and not _there(_records(file)) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return alone


def _flock(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the second on some network file systems
        return False
    return True


def _is_at(file: int, path: Path) -> bool:
    """Whether an open file still is what lies at a path."""
    try:
        return os.path.samestat(os.fstat(file), path.lstat())
    except FileNotFoundError:
        return False


def _sign(file: int, **said: Any) -> None:
    """Add a line about this process. One that has a folder several times, as a builder has, signs in once."""
    command = command_line(Path(sys.argv[0]).name)
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    record = {**said, "machine": MACHINE, "process": os.getpid(), "since": since, "command": command}
    os.write(file, (json.dumps(record) + "\n").encode())
    _held[file] = True


def _who(record: dict[str, Any]) -> tuple[Any, Any]:
    return record.get("machine"), record.get("process")


def _records(file: int) -> list[dict[str, Any]]:
    """What holders say of themselves; a line that is cut off says nothing."""
    records = []
    for line in os.pread(file, 1 << 20, 0).splitlines():
        with suppress(ValueError):
            record = parse_json(line.decode())
            if isinstance(record, dict):
                records.append(record)
    return records


def _named(holders: list[dict[str, Any]]) -> str:
    """Who holds a lock: the first that is not known to have left, and how many more there are."""
    there = _there(holders)
    if not there:
        return "another process"
    first, *more = there
    command, process, machine, since = (
        "".join(letter if letter.isprintable() else "?" for letter in str(first.get(key)))
        for key in ("command", "process", "machine", "since")
    )
    command = command if len(command) <= 80 else f"{command[:80]} ..."
    return f"`{command}` (process {process} on {machine}, since {since})" + (f" and {len(more)} more" * bool(more))


def _there(holders: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of holders that are not known to have left."""
    left = [_who(holder) for holder in holders if holder.get("left")]
    return [holder for holder in holders if _who(holder) not in left and _may_live(*_who(holder))]


def _may_live(machine: Any, process: Any) -> bool:
    return machine != MACHINE or (isinstance(process, int) and is_alive(process))


def _close(file: int) -> None:
    _held.pop(file)
    os.close(file)


def _let_go() -> None:
    """A forked child, such as a reader of data, must not hold the lock longer than the process that took it."""
    for file in _held:
        with suppress(OSError):
            os.close(file)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)
