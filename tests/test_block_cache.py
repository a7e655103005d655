"""The cache of blocks of files that lie elsewhere: bounded, shared, and whole whatever ends its writers."""

import multiprocessing
import multiprocessing.synchronize
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from spikesim.errors import InvalidValueError, OutputError
from spikesim_datasets.remote.block_cache import FOLDER_VARIABLE, SIZE_VARIABLE, BlockCache, cache_of_environment

BLOCK = 10_000  # bytes: with a digest, three blocks of a disk
TAKEN = 3 * 4096


def block(number: int) -> bytes:
    return bytes([number % 251]) * BLOCK


def taken(folder: Path) -> int:
    """Bytes of all files on the disk, but for the tally of a few bytes."""
    return sum(-(-path.stat().st_size // 4096) * 4096 for path in files(folder))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.parent != folder]


def test_blocks_are_kept_by_file_and_number(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path / "cache", 1 << 30)
    assert cache.get("a", 0) is None
    cache.put("a", {0: block(1), 7: block(2)})
    cache.put("b", {0: b""})
    again = BlockCache(tmp_path / "cache", 1 << 30)
    assert [again.get(file, number) for file, number in (("a", 0), ("a", 7), ("a", 1), ("b", 0))] == [
        block(1),
        block(2),
        None,
        b"",
    ]
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0  # what is read may be confidential


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 10 * TAKEN)
    for number in range(10):
        cache.put("a", {number: block(number)})
        os.utime(files(tmp_path)[-1])
    for path in files(tmp_path):
        os.utime(path, ns=(int(path.name) + 1,) * 2)
    assert cache.get("a", 0) == block(0)  # used now
    cache.put("b", {0: block(3)})
    assert [cache.get("a", number) is not None for number in range(10)] == [True, False, False, *[True] * 7]
    assert cache.get("b", 0) == block(3)


def test_a_damaged_block_is_forgotten(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 1 << 30)
    cache.put("a", {0: block(1), 1: block(1), 2: block(1)})
    for path, change in zip(sorted(files(tmp_path)), (b"\1", b"", bytes(50_000)), strict=True):
        path.write_bytes(change)
    assert [cache.get("a", number) for number in range(3)] == [None] * 3
    assert files(tmp_path) == []
    cache.put("a", {0: block(4)})
    assert cache.get("a", 0) == block(4)


def test_a_block_of_another_file_or_number_is_none(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 1 << 30)
    cache.put("a", {0: block(1), 1: block(1)})
    first, second = sorted(files(tmp_path))
    second.write_bytes(first.read_bytes())
    assert cache.get("a", 1) is None


@pytest.mark.parametrize("tally", [b"", b"99999999999999999999\n", b"-5", b"\xff" * 40])
def test_a_wrong_tally_is_counted_again(tmp_path: Path, tally: bytes) -> None:
    cache = BlockCache(tmp_path, 10 * TAKEN)
    cache.put("a", {number: block(number) for number in range(4)})
    (tmp_path / ".size").write_bytes(tally)
    cache.put("a", {4: block(4)})
    assert [cache.get("a", number) for number in range(5)] == [block(number) for number in range(5)]
    assert int((tmp_path / ".size").read_bytes()) == taken(tmp_path)


def test_a_block_larger_than_the_cache_is_not_kept(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 2 * TAKEN)
    cache.put("a", {0: block(0), 1: bytes(10 * BLOCK), 2: block(2)})
    assert cache.get("a", 1) is None
    assert taken(tmp_path) <= 2 * TAKEN


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = BlockCache(tmp_path / "file" / "cache", 1 << 30)
    cache.put("a", {0: block(0)})
    assert cache.get("a", 0) is None


FILL = """
import sys
from pathlib import Path
from spikesim_datasets.remote.block_cache import BlockCache
folder, name, most = sys.argv[1:]
cache = BlockCache(Path(folder), int(most))
print("begun", flush=True)
for number in range(int(sys.stdin.readline())):
    cache.put(name, {number: bytes([number % 251]) * 10_000})
"""


def filling(folder: Path, name: str, most: int, blocks: int) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", FILL, str(folder), name, str(most)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"%d\n" % blocks)
    process.stdin.close()
    assert process.stdout.readline() == b"begun\n"
    return process


def assert_whole(folder: Path, names: str, most: int) -> int:
    """Every block that is there is whole, there is nothing else, and it is not too much; the number of blocks."""
    cache, found = BlockCache(folder, most), len(files(folder))
    assert taken(folder) <= most
    assert taken(folder) <= int((folder / ".size").read_bytes())
    kept = [(name, number) for name in names for number in range(3000) if cache.get(name, number) is not None]
    assert all(cache.get(name, number) == block(number) for name, number in kept)
    assert len(kept) == found
    return found


def test_several_processes_share_a_cache_and_its_bound(tmp_path: Path) -> None:
    most = 50 * TAKEN
    with ExitStack() as stack:
        processes = [stack.enter_context(filling(tmp_path, name, most, 400)) for name in "abab"]
        assert [process.wait() for process in processes] == [0] * 4
    assert assert_whole(tmp_path, "ab", most) >= 45


def test_killed_processes_leave_whole_blocks_or_none(tmp_path: Path) -> None:
    most = 40 * TAKEN
    for round_ in range(12):
        with filling(tmp_path, "a", most, 1000) as process:
            time.sleep(0.003 + 0.004 * round_)
            process.kill()
        assert process.returncode == -signal.SIGKILL
    with filling(tmp_path, "b", most, 100) as process:  # what the killed left is counted, and goes as the rest
        assert process.wait() == 0
    assert assert_whole(tmp_path, "ab", most) >= 30


def test_what_a_killed_process_left_half_written_goes(tmp_path: Path) -> None:
    cache = BlockCache(tmp_path, 10 * TAKEN)
    cache.put("a", {0: block(0)})
    left = files(tmp_path)[0].with_name(".spikesim-elsewhere-0-1-0123456789abcdef.tmp")
    left.write_bytes(block(0))
    os.utime(left, ns=(1, 1))
    (tmp_path / ".size").unlink()
    cache.put("b", {number: block(number) for number in range(10)})
    assert not left.exists()


def _hold(folder: Path, held: "multiprocessing.synchronize.Event") -> None:
    import fcntl

    with (folder / ".size").open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        held.set()
        time.sleep(60)


def test_nobody_waits_long_for_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = BlockCache(tmp_path, 1 << 30)
    cache.put("a", {0: block(0)})
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=_hold, args=(tmp_path, held))
    process.start()
    try:
        assert held.wait(60)
        monkeypatch.setattr("spikesim_datasets.remote.block_cache._PATIENCE", 0.1)
        cache.put("a", {1: block(1)})
        assert cache.get("a", 0) == block(0)  # reading waits for nobody
        assert cache.get("a", 1) is None
    finally:
        process.kill()
        process.join()
    cache.put("a", {1: block(1)})
    assert cache.get("a", 1) == block(1)


# What variables say


def test_by_default_the_cache_is_in_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.delenv(SIZE_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache = cache_of_environment()
    assert cache is not None
    cache.put("a", {0: block(0)})
    assert len(files(tmp_path / "spikesim" / "remote")) == 1
    assert cache._most == 10 * 2**30


def test_variables_choose_folder_and_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "new" / "cache"))
    monkeypatch.setenv(SIZE_VARIABLE, "0.5")
    cache = cache_of_environment()
    assert cache is not None
    assert (cache._folder, cache._most) == (tmp_path / "new" / "cache", 2**29)
    monkeypatch.setenv(SIZE_VARIABLE, "0")
    assert cache_of_environment() is None


@pytest.mark.parametrize("size", ["much", "-1", "nan", "inf", "1 GiB"])
def test_a_size_that_is_none_is_refused(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIZE_VARIABLE, size)
    with pytest.raises(InvalidValueError, match=f"{SIZE_VARIABLE} must be a .*number"):
        cache_of_environment()


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(OutputError, match=f"{FOLDER_VARIABLE} names .*cache: Not a directory"):
        cache_of_environment()
