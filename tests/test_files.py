"""Files are whole or absent, whatever happens while they are written."""

import errno
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import h5py
import numpy as np
import pytest

from spikesim.errors import InputFileError, OutputError
from spikesim.files import atomic_hdf5, atomic_path, remove_stale_temporaries

OLD = b"what was there before"


@pytest.fixture
def final(tmp_path: Path) -> Path:
    path = tmp_path / "clip.bin"
    path.write_bytes(OLD)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_half(path: Path, raised: BaseException) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise raised


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_file_appears_under_its_final_name_only_when_whole(final: Path) -> None:
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"half")
        assert final.read_bytes() == OLD
        assert temporary.parent == final.parent
        assert temporary.name.startswith(".")
        assert temporary.suffix == ".tmp"
    assert final.read_bytes() == b"half"
    assert names(final.parent) == ["clip.bin"]


def test_missing_folders_are_made_and_the_mode_is_that_of_any_new_file(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "a" / "b" / "c.bin") as temporary:
        temporary.write_bytes(b"x")
    (tmp_path / "plain").touch()
    assert (tmp_path / "a/b/c.bin").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("raised", [ValueError("bad"), KeyboardInterrupt(), SystemExit(3), InputFileError("no source")])
def test_a_failing_block_leaves_the_old_file_and_raises_what_it_raised(final: Path, raised: BaseException) -> None:
    with pytest.raises(type(raised)) as caught:
        write_half(final, raised)
    assert caught.value is raised
    assert final.read_bytes() == OLD
    assert names(final.parent) == ["clip.bin"]


def test_a_system_error_becomes_an_output_error_that_names_the_file(final: Path) -> None:
    with pytest.raises(OutputError, match=rf"{re.escape(str(final))}.*No space left.*untouched"):
        write_half(final, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert final.read_bytes() == OLD
    assert names(final.parent) == ["clip.bin"]


@pytest.mark.parametrize("place", ["new.bin", "new/clip.bin", "clip.bin/below"])
def test_an_older_file_is_spoken_of_only_where_there_is_one(final: Path, place: str) -> None:
    with pytest.raises(OutputError) as refused:
        write_half(final.parent / place, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert str(refused.value).startswith(f"cannot write {final.parent / place}: ")
    assert "untouched" not in str(refused.value)


def test_nothing_is_renamed_before_it_is_on_disk(final: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing_disk(descriptor: int) -> None:
        assert os.fstat(descriptor).st_size == len(b"new")
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", failing_disk)
    with pytest.raises(OutputError, match="Input/output error"), atomic_path(final) as temporary:
        temporary.write_bytes(b"new")
    assert final.read_bytes() == OLD
    assert names(final.parent) == ["clip.bin"]


def test_a_block_that_writes_nothing_is_an_error(final: Path) -> None:
    with pytest.raises(OutputError, match="No such file"), atomic_path(final):
        pass
    assert final.read_bytes() == OLD


def test_a_symbolic_link_keeps_pointing(final: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.bin"
    link.symlink_to(final)
    with atomic_path(link) as temporary:
        temporary.write_bytes(b"new")
    assert link.is_symlink()
    assert final.read_bytes() == b"new"


def test_only_regular_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(OutputError, match=f"{name}.*choose another"), atomic_path(tmp_path / name):
            pytest.fail("the block must not run")
    assert (tmp_path / "pipe").is_fifo()


def test_a_file_in_the_place_of_a_folder_is_an_output_error(final: Path) -> None:
    with pytest.raises(OutputError, match=r"clip\.bin"), atomic_path(final / "below.bin"):
        pytest.fail("the block must not run")


KILLED = """
import os, signal, sys
from spikesim.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_leaves_the_old_file_and_a_temporary_that_can_be_removed(final: Path) -> None:
    assert run(KILLED, final).returncode == -signal.SIGKILL
    assert final.read_bytes() == OLD
    (left,) = [path for path in final.parent.iterdir() if path != final]
    assert remove_stale_temporaries(final.parent) == [left]
    assert names(final.parent) == ["clip.bin"]


def test_only_stale_temporaries_of_this_machine_are_removed(final: Path) -> None:
    with atomic_path(final) as mine:
        mine.touch()
        assert run(KILLED, final).returncode == -signal.SIGKILL
        (stale,) = [path for path in final.parent.iterdir() if path not in (final, mine)]
        host, container, pid, token = stale.name.removeprefix(".spikesim-").split("-")
        others = [
            f".spikesim-not_{host}-{container}-{pid}-{token}",
            f".spikesim-{host}-{container}1-{pid}-{token}",  # where processes have other numbers
            f".spikesim-{host}-{container}-{pid}-{token[1:]}.tmp",
            ".other.tmp",
        ]
        for name in others:
            (final.parent / name).touch()
        assert remove_stale_temporaries(final.parent) == [stale]
        assert mine.exists()
    assert names(final.parent) == sorted([*others, "clip.bin"])


def test_the_next_writer_removes_what_a_killed_one_left_and_nothing_of_a_living_one(final: Path) -> None:
    assert run(KILLED, final).returncode == -signal.SIGKILL
    with atomic_path(final) as mine:
        living = final.with_name(mine.name.replace(f"-{os.getpid()}-", f"-{os.getppid()}-"))
        mine.touch()
        living.touch()
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"new")
    assert final.read_bytes() == b"new"
    assert names(final.parent) == [living.name, "clip.bin"]


def link_or(error: int | None) -> Callable[[Path, Path], None]:
    """A system call to link, or one of a file system that has no links."""
    link = os.link

    def called(source: Path, target: Path) -> None:
        if error is not None:
            raise OSError(error, os.strerror(error))
        link(source, target)

    return called


@pytest.mark.parametrize("error", [None, errno.EPERM, errno.ENOTSUP])
def test_what_may_not_be_replaced_stays(final: Path, monkeypatch: pytest.MonkeyPatch, error: int | None) -> None:
    monkeypatch.setattr(os, "link", link_or(error))
    with atomic_path(final, replace=False) as temporary:
        temporary.write_bytes(b"new")
    assert final.read_bytes() == OLD
    final.unlink()
    with atomic_path(final, replace=False) as temporary:
        temporary.write_bytes(b"new")
    assert final.read_bytes() == b"new"
    final.unlink()
    with atomic_path(final, replace=False) as temporary:
        temporary.write_bytes(b"late")
        final.write_bytes(b"first")
    assert final.read_bytes() == b"first"
    assert names(final.parent) == ["clip.bin"]


def test_the_temporary_of_another_user_is_alive(final: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_yours(pid: int, number: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "kill", not_yours)
    with atomic_path(final) as temporary:
        temporary.touch()
        assert remove_stale_temporaries(final.parent) == []


def test_there_is_nothing_stale_in_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert remove_stale_temporaries(tmp_path / "none") == []


def test_hdf5_round_trip(tmp_path: Path) -> None:
    numbers = np.arange(7 * 31).reshape(7, 31)
    with atomic_hdf5(tmp_path / "a.h5") as file:
        file.create_dataset("numbers", data=numbers, chunks=(2, 31), compression="gzip")
        file["numbers"].attrs["unit"] = "spikes"
        assert not (tmp_path / "a.h5").exists()
    assert names(tmp_path) == ["a.h5"]
    with h5py.File(tmp_path / "a.h5", "r") as file:
        assert np.array_equal(file["numbers"], numbers)
        assert file["numbers"].attrs["unit"] == "spikes"


def test_a_failing_hdf5_block_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_hdf5(tmp_path / "a.h5") as file:
        file["x"] = [1 / 0]
    assert names(tmp_path) == []


def test_an_interrupt_while_hdf5_writes_is_never_lost(tmp_path: Path) -> None:
    def write(interrupted: int) -> int:
        """Writes a file, interrupted at that one of its system calls, and returns how many there were."""
        calls = 0

        def profile(frame: FrameType, event: str, function: object) -> None:
            nonlocal calls
            if event == "c_call" and frame.f_code.co_name == "write" and getattr(function, "__name__", "") == "write":
                calls += 1
                if calls == interrupted:
                    raise KeyboardInterrupt

        previous = sys.getprofile()
        sys.setprofile(profile)
        try:
            with atomic_hdf5(tmp_path / "a.h5") as file:
                for number in range(10):
                    file[f"{number}/x"] = np.zeros(1000)
        finally:
            sys.setprofile(previous)
        return calls

    calls = write(0)
    assert calls > 10
    (tmp_path / "a.h5").unlink()
    unreached = 0
    for interrupted in range(1, calls + 1):
        try:
            made = write(interrupted)
        except KeyboardInterrupt:
            assert names(tmp_path) == []
        else:  # HDF5 took a call or two fewer this time
            assert made < interrupted
            (tmp_path / "a.h5").unlink()
            unreached += 1
    assert unreached < 4


# A limit on the size of files is as good as a full disk: the system call fails, be it a write or the last truncation
# of space never written, and what was lost cannot be read back. HDF5 by itself crashes the process in the first one.
FULL_DISK = """
import resource, sys
import numpy as np
from spikesim.errors import OutputError
from spikesim.files import atomic_hdf5, atomic_path

def many(file):
    file.create_dataset("big", data=np.ones(90_000, np.uint8))
    for number in range(100):
        file.create_dataset(str(number), data=np.ones(200, np.uint8))

def never_written(file):
    file.create_dataset("big", (10**6,), np.uint8)[0] = 1

def read_back(file):
    chunks = file.create_dataset("big", (10**7,), np.uint8, chunks=(2 * 10**5,), compression="gzip")
    noise = np.random.default_rng(0).integers(0, 255, 10**5, np.uint8)
    for first in (0, 1000):
        for start in range(first, 10**7, 2 * 10**5):
            chunks[start : start + 10**5] = noise

def plain(path):
    with atomic_path(path) as temporary:
        temporary.write_bytes(bytes(10**6))

def hdf5(fill):
    def write(path):
        with atomic_hdf5(path) as file:
            fill(file)
    return write

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for write in (hdf5(many), hdf5(never_written), hdf5(read_back), plain):
    try:
        write(sys.argv[1])
    except OutputError as error:
        print(error)
"""


def test_a_full_disk_is_an_output_error_for_hdf5_too(final: Path) -> None:
    done = run(FULL_DISK, final)
    message = f"cannot write {final}: [Errno {errno.EFBIG}] File too large; the older file of this name is untouched"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [message] * 4
    assert final.read_bytes() == OLD
    assert names(final.parent) == ["clip.bin"]
