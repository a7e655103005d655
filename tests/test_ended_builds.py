"""Builds ended from outside: the command line in a process of its own, with two workers."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import build_data
import pytest
from build_data import LONGER, assert_whole, build_command, content, leftovers, wait_until, write_frames

from spikesim_datasets.build import build_clips, build_dataset
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.shards.index import shard_files
from spikesim_datasets.sources import open_clips

pytestmark = pytest.mark.long

ENDED_BY = {signal.SIGINT: 130, signal.SIGTERM: 143}
"""Exit codes, as shells have them: 128 and the number of the signal."""

by_signal = pytest.mark.parametrize("number", ENDED_BY, ids=lambda number: number.name)
longer = build_data.longer

linux = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")


@pytest.fixture(scope="module")
def uninterrupted(longer: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    out = tmp_path_factory.mktemp("uninterrupted")
    build_clips(open_clips([longer]), out, LONGER, workers=1)
    return content(out)


@pytest.fixture
def started(longer: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A build at work, in a process group of its own, as a terminal starts it."""
    process = subprocess.Popen(
        build_command(longer, tmp_path / "out"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # shells make jobs in the background deaf to it
    )
    yield process
    with suppress(ProcessLookupError):  # workers that outlive their parent would keep its pipes open
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def of_the_living(path: Path) -> str:
    """What is said of a thread or a process; nothing of one that has just ended."""
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def workers_of(parent: int) -> list[int]:
    """The processes that a build started to do its work."""
    children = " ".join(map(of_the_living, Path(f"/proc/{parent}/task").glob("*/children")))
    return [pid for pid in map(int, children.split()) if "spawn_main" in of_the_living(Path(f"/proc/{pid}/cmdline"))]


def is_deaf_to(number: signal.Signals, pid: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigBlk", "SigIgn"))]
    return any(mask & 1 << (number - 1) for mask in masks)


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def assert_goes_on(longer: Path, out: Path, uninterrupted: dict[Any, Any]) -> None:
    """What is there is whole, and running again finishes it."""
    done = len(shard_files(out))
    assert done < 20
    assert content(out).items() <= uninterrupted.items()
    report = build_clips(open_clips([longer]), out, LONGER, workers=1)
    assert (report.built, report.kept) == (20 - done, done)
    assert content(out) == uninterrupted
    assert_whole(out)


@linux
def test_kill(started: subprocess.Popen[str], longer: Path, tmp_path: Path, uninterrupted: dict[Any, Any]) -> None:
    out = tmp_path / "out"
    wait_until(lambda: shard_files(out))
    workers = workers_of(started.pid)
    assert len(workers) == 2
    started.kill()  # the parent alone
    started.wait()
    wait_until(lambda: all(map(has_ended, workers)))
    # Where nobody is there to take note of a process's end, what it left may be taken for that of one alive.
    time.sleep(1)
    for pid in workers:
        if Path(f"/proc/{pid}").exists():
            for path in (out / "train").glob(f".*-{pid}-*.tmp"):
                path.unlink()
    assert shard_files(out)
    assert_goes_on(longer, out, uninterrupted)


def assert_interrupted_politely(process: subprocess.Popen[str], out: Path, number: signal.Signals) -> None:
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == ENDED_BY[number]
    assert stdout == ""
    assert stderr.strip().splitlines()[-1].startswith("Interrupted.")
    assert "Error" not in stderr
    assert "Traceback" not in stderr
    assert leftovers(out) == []


@linux
@by_signal
def test_a_signal_while_the_workers_start(
    started: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    workers = wait_until(lambda: len(pids := workers_of(started.pid)) == 2 and pids)
    assert all(is_deaf_to(number, pid) for pid in workers)
    os.killpg(started.pid, number)  # a terminal sends it to the whole group, and so do schedulers
    assert_interrupted_politely(started, tmp_path / "out", number)


@linux
@by_signal
def test_a_signal(
    started: subprocess.Popen[str],
    longer: Path,
    tmp_path: Path,
    uninterrupted: dict[Any, Any],
    number: signal.Signals,
) -> None:
    out = tmp_path / "out"
    wait_until(lambda: shard_files(out))
    workers = workers_of(started.pid)
    started.send_signal(number)  # the parent alone
    assert_interrupted_politely(started, out, number)
    assert all(map(has_ended, workers))
    assert shard_files(out)
    assert_goes_on(longer, out, uninterrupted)


@linux
def test_a_killed_worker(
    started: subprocess.Popen[str], longer: Path, tmp_path: Path, uninterrupted: dict[Any, Any]
) -> None:
    out = tmp_path / "out"
    wait_until(lambda: shard_files(out))
    os.kill(workers_of(started.pid)[0], signal.SIGKILL)
    stdout, stderr = started.communicate(timeout=30)
    assert (started.returncode, stdout) == (2, "")
    assert "Error: a worker process was killed" in stderr.strip().splitlines()[-1]
    assert "Traceback" not in stderr
    assert leftovers(out) == []
    assert_goes_on(longer, out, uninterrupted)


def test_no_space_left(tmp_path: Path) -> None:
    """A limit on the size of files is as good as a full disk: the system call fails. Numba's caches stay below it."""
    root = tmp_path / "source"
    write_frames(root / "a", 31, 72, 120)
    write_frames(root / "b", 31, 360, 480)
    script = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20,) * 2); sys.argv[0] = 'spikesim'"
    line = build_command(root, tmp_path / "out")
    line[2] = f"{script}; {line[2]}"
    done = subprocess.run(
        [*line, "--compression", "none", "--workers", "1"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    (error,) = [text for text in done.stderr.splitlines() if text.startswith("Error: ")]
    assert "b.000.h5: [Errno 27] File too large" in error
    assert [path.name for path in (tmp_path / "out").rglob("*.*")] == ["a.000.h5"]
    report = build_dataset(
        root, tmp_path / "out", workers=1, interpolation="linear", plan=ExposurePlan(factor=4, gap=3),
        shard_samples=1, compression="none",
    )  # fmt: skip
    assert (report.built, report.kept) == (1, 1)
    assert_whole(tmp_path / "out")
