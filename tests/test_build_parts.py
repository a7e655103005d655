"""Parts of a build for job arrays, and what a long build tells of itself."""

import itertools
import os
import shutil
import subprocess
import time
import warnings
from collections import namedtuple
from pathlib import Path
from typing import Any

import build_data
import commands
import pytest
from build_data import LONGER, assert_whole, build_command, content, recipe, wait_until
from commands import Run, assert_refused

from spikesim.errors import InvalidValueError, LowSpaceWarning, OutputError
from spikesim_cli.steps import Steps
from spikesim_datasets import build_state
from spikesim_datasets.build import build_clips
from spikesim_datasets.processes import worker_processes
from spikesim_datasets.progress import BuildState, Progress
from spikesim_datasets.shards import verify_dataset
from spikesim_datasets.shards.index import INDEX, read_index, shard_files
from spikesim_datasets.sources import open_clips

longer, run, source = build_data.longer, commands.run, build_data.source


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    build_clips(open_clips([source]), out, recipe(), workers=1)
    return out


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3)))[::2])
def test_parts_in_any_order_make_the_whole(source: Path, whole: Path, tmp_path: Path, order: tuple[int, ...]) -> None:
    made = {}
    for number in order:
        report = build_clips(open_clips([source]), tmp_path, recipe(), part=(number, 3), workers=1)
        made[number] = (report.built, report.samples, report.readouts)
        assert not (tmp_path / INDEX).exists()
        assert len(shard_files(tmp_path)) == 2 * len(made)
    # Shards of 2, 2, 1, 2, 2, 1 windows, dealt out like cards.
    assert made == {1: (2, 4, 50), 2: (2, 4, 50), 3: (2, 2, 26)}
    report = build_clips(open_clips([source]), tmp_path, recipe(), workers=1)
    assert (report.built, report.kept, report.samples) == (0, 6, 10)
    assert content(tmp_path) == content(whole)
    assert {entry.path for entry in read_index(tmp_path) or []} == {entry.path for entry in read_index(whole) or []}
    assert_whole(tmp_path)


def test_parts_at_the_same_time(longer: Path, tmp_path: Path) -> None:
    """Each in a process of its own, and none waits for another."""
    out = tmp_path / "out"
    parts = [
        subprocess.Popen([*build_command(longer, out)[:-2], "--workers", "1", "--part", f"{n}/3"]) for n in (2, 3, 1)
    ]
    assert [part.wait(120) for part in parts] == [0, 0, 0]
    assert not (out / INDEX).exists()
    report = build_clips(open_clips([longer]), out, LONGER, workers=1)
    assert (report.built, report.kept) == (0, 20)
    assert_whole(out)


def test_a_part_goes_on_where_it_stopped(source: Path, whole: Path, tmp_path: Path) -> None:
    by: dict[str, Any] = {"part": (1, 2), "workers": 1}
    build_clips(open_clips([source]), tmp_path, recipe(), **by)
    mine = shard_files(tmp_path)
    mine[1].unlink()
    told: list[Progress] = []
    report = build_clips(open_clips([source]), tmp_path, recipe(), on_progress=told.append, **by)
    assert (report.built, report.kept) == (1, 2)
    assert shard_files(tmp_path) == mine
    assert report.bytes == sum(file.stat().st_size for file in mine)
    assert told[-1].done == told[-1].total


def test_a_part_takes_away_an_index_that_it_makes_wrong(source: Path, whole: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    build_clips(open_clips([source]), out, recipe(), part=(1, 2), workers=1)
    assert (out / INDEX).read_bytes() == (whole / INDEX).read_bytes()  # nothing was to be made
    shard_files(out)[0].unlink()
    build_clips(open_clips([source]), out, recipe(), part=(1, 2), workers=1)
    assert not (out / INDEX).exists()


@pytest.mark.parametrize(
    ("choices", "problem"),
    [
        ({"part": (4, 3)}, "there is no part 4 of 3; parts are 1 to 3"),
        ({"part": (0, 3)}, "part must be a whole number of at least 1, got 0"),
        ({"part": (1, 0)}, "number of parts must be a whole number of at least 1, got 0"),
        ({"part": "1/3"}, r"part must be two numbers, such as \(1, 3\) .*'1/3'"),
        ({"part": 2}, "part must be two numbers"),
        ({"part": (1, 2), "overwrite": True}, "parts that overwrite would remove each other's shards"),
    ],
)
def test_parts_that_are_none(source: Path, tmp_path: Path, choices: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        build_clips(open_clips([source]), tmp_path / "out", recipe(), **choices)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", ["--part 4/3", "--part 0/3", "--part 1", "--part /3", "--part 1/3/5", "--part -1/3"])
def test_parts_of_the_command_that_are_none(run: Run, source: Path, tmp_path: Path, words: str) -> None:
    assert_refused(
        run("build", source, "--out", tmp_path / "out", *words.split()), "is no part; write the second of three"
    )


def test_the_command_makes_a_part(run: Run, source: Path, tmp_path: Path) -> None:
    words = ("build", source, "--out", tmp_path / "out", "--interp", "linear", "--factor", 4, "--exposure-frames", 3)
    result = run(*words, "--shard-samples", 2, "--part", "2/3", "--workers", 1, "--json")
    assert result.code == 0
    assert result.json["built"] == len(shard_files(tmp_path / "out")) < 6
    assert not (tmp_path / "out" / INDEX).exists()
    assert_refused(run(*words, "--part", "2/3", "--dry-run"), "--part", "--dry-run makes none")


# GPUs


def seen_gpu(_: int) -> str:
    time.sleep(0.3)  # so that each worker has some
    return os.environ.get("CUDA_VISIBLE_DEVICES", "")


def test_each_worker_sees_a_gpu_of_its_own() -> None:
    with worker_processes(3, gpus=(4, 2, 2)) as pool:
        assert sorted({*pool.map(seen_gpu, range(12))}) == ["2", "4"]
    with worker_processes(1) as pool:
        assert pool.submit(seen_gpu, 0).result() == os.environ.get("CUDA_VISIBLE_DEVICES", "")


def test_a_build_on_gpus(source: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an interpolator that needs none; where all is finished no process is started."""
    monkeypatch.setattr("spikesim_datasets.build._FIRST_GPU", ("auto",))
    for built in (6, 0):
        assert build_clips(open_clips([source]), tmp_path, recipe(), workers=(0, 1)).built == built
        assert content(tmp_path) == content(whole)


@pytest.mark.parametrize(
    ("gpus", "problem"),
    [
        ((0, 1), "GPUs are for interpolation by a network on the device 'cuda', got 'linear' on 'auto'"),
        ([-1], "each of the GPUs must be a whole number of at least 0, got -1"),
        ([0.5], "each of the GPUs must be a whole number of at least 0, got 0.5"),
        ((), "give at least one GPU, or leave them out"),
    ],
)
def test_gpus_that_are_none(source: Path, tmp_path: Path, gpus: Any, problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        build_clips(open_clips([source]), tmp_path / "out", recipe(), workers=gpus)
    assert not (tmp_path / "out").exists()


def test_gpus_of_the_command(run: Run, source: Path, tmp_path: Path) -> None:
    words = ("build", source, "--out", tmp_path / "out", "--interp", "linear")
    assert_refused(run(*words, "--gpus", "0,1"), "GPUs are for interpolation by a network")
    assert_refused(run(*words, "--gpus", "a"), "'a' is no whole number; give GPUs as --gpus 0,1")
    assert_refused(run(*words, "--gpus", "0", "--workers", 2), "--workers", "is the number of --gpus")
    assert_refused(run(*words, "--gpus", "0", "--scheduler", "local:1"), "--gpus", "are started elsewhere")


# What a build tells of itself


def test_a_build_tells_samples_workers_and_room(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_state, "_BETWEEN_LOOKS", 0.0)
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(build_state.shutil, "disk_usage", lambda path: usage(7_000_000_000))
    told: list[Progress] = []
    build_clips(open_clips([source]), tmp_path, recipe(), workers=1, on_progress=told.append)
    states = [progress.state for progress in told]
    assert all(state is not None for state in states)
    samples = [state.samples for state in states if state]
    assert samples == sorted(samples)
    assert (states[0], states[-1]) == (BuildState(0, 10, 1, 7_000_000_000), BuildState(9, 10, 1, 7_000_000_000))
    (tmp_path / "train/b.001.h5").unlink()
    build_clips(open_clips([source]), tmp_path, recipe(), workers=1, on_progress=told.append)
    assert told[-1].state == BuildState(8, 10, 1, 7_000_000_000)


def test_a_line_in_a_log_says_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    steps = Steps("readouts", live=False, clock=lambda: now[0])
    steps.tell(Progress(0, 400, "", BuildState(0, 4, 2, 35_000_000_000)))
    now[0] = 11.0
    steps.tell(Progress(100, 400, "train/a", BuildState(1, 4, 2, 34_900_000_000)))
    said = "readouts: 100 of 400, train/a, 1 of 4 samples, 2 workers, 34.9 GB free, 9.09/s, 33 s left"
    assert capsys.readouterr().err.splitlines()[-1] == said


def test_space_that_may_not_do_is_said_before(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    for free, warned in ((1_000, True), (10**12, False)):
        monkeypatch.setattr(build_state.shutil, "disk_usage", lambda path, free=free: usage(free))
        told: list[Progress] = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            build_clips(open_clips([source]), tmp_path / str(free), recipe(), workers=1, on_progress=told.append)
        found = [str(each.message) for each in caught if each.category is LowSpaceWarning]
        assert bool(found) == warned
        if warned:
            assert "has 1e-06 GB free, and the build takes up to " in found[0]


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of 700 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.filterwarnings("ignore::spikesim.errors.LowSpaceWarning")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fills_up(longer: Path, small_disk: Path, tmp_path: Path, workers: int) -> None:
    out = small_disk / "out"
    with pytest.raises(OutputError, match="No space left on device"):
        build_clips(open_clips([longer]), out, LONGER, workers=workers)
    done = shard_files(out)
    assert 0 < len(done) < 20
    assert [path.name for path in out.rglob("*") if path.is_file() and path not in done] == []
    elsewhere = Path(shutil.copytree(out, tmp_path / "roomy"))
    report = build_clips(open_clips([longer]), elsewhere, LONGER, workers=1)
    assert (report.built, report.kept) == (20 - len(done), len(done))
    assert [check.problem for check in verify_dataset(elsewhere) if check.problem] == []


def test_a_source_that_goes_in_the_middle(longer: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(longer, tmp_path / "mine"))
    out = tmp_path / "out"
    build = subprocess.Popen(build_command(mine, out), stderr=subprocess.PIPE, text=True)
    wait_until(lambda: shard_files(out), 60)
    shutil.rmtree(mine / "b")
    _, stderr = build.communicate(timeout=60)
    assert build.returncode == 2
    assert "Traceback" not in stderr
    assert f"{mine / 'b'}" in stderr
    kept = content(out)
    assert [path for path in out.rglob(".*") if path.is_file()] == []
    shutil.copytree(longer / "b", mine / "b")
    assert subprocess.run(build_command(mine, out), capture_output=True).returncode == 0
    build_clips(open_clips([longer]), tmp_path / "undisturbed", LONGER, workers=1)
    assert content(out) == content(tmp_path / "undisturbed")
    assert kept.items() <= content(out).items()
