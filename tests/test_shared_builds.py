"""Several builds into one folder: by one recipe they share it, by another they are refused, and nothing is lost."""

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import build_data
import pytest
from build_data import (
    LONGER,
    assert_whole,
    build_command,
    clip,
    content,
    recipe,
    snapshot,
    wait_until,
    write_frames,
)

from spikesim.errors import OutputError
from spikesim.locks import locked
from spikesim_datasets import shard_work
from spikesim_datasets.build import build_clips
from spikesim_datasets.planning import plan_build
from spikesim_datasets.progress import Progress
from spikesim_datasets.shard_work import Setting, make_shard
from spikesim_datasets.shards import ShardReader
from spikesim_datasets.shards.index import read_index, shard_files, write_index
from spikesim_datasets.sources import open_clips

Started = Callable[..., "subprocess.Popen[str]"]

source, longer = build_data.source, build_data.longer


@pytest.fixture
def started() -> Iterator[Started]:
    """Starts commands, none of which is left at the end."""
    with ExitStack() as stack:

        def start(*line: str) -> "subprocess.Popen[str]":
            process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        yield start


@pytest.fixture(scope="module")
def expected(longer: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    out = tmp_path_factory.mktemp("expected")
    build_clips(open_clips([longer]), out, LONGER, workers=1)
    return content(out)


@pytest.mark.long
def test_builds_by_one_recipe_at_once(longer: Path, tmp_path: Path, expected: dict[Any, Any], started: Started) -> None:
    """Both make what is missing, so many shards twice."""
    out = tmp_path / "out"
    builds = [started(*build_command(longer, out), "--workers", "1") for _ in range(2)]
    for run in builds:
        _, messages = run.communicate(timeout=60)
        assert run.returncode == 0, messages
    assert content(out) == expected
    assert {entry.path for entry in read_index(out) or []} == {str(path.relative_to(out)) for path in shard_files(out)}
    assert_whole(out)


@pytest.mark.long
def test_a_build_by_another_recipe_is_refused_while_one_is_at_work(
    longer: Path, tmp_path: Path, expected: dict[Any, Any], started: Started
) -> None:
    out = tmp_path / "out"
    first = started(*build_command(longer, out))
    wait_until(lambda: shard_files(out))
    first.send_signal(signal.SIGSTOP)
    done = subprocess.run([*build_command(longer, out), "--seed", "1"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"Error: {out} is being written by `-c build" in done.stderr
    assert f"(process {first.pid} on " in done.stderr
    with pytest.raises(OutputError, match=rf"process {first.pid} on .*; wait for it, or choose another folder"):
        build_clips(open_clips([longer]), out, replace(LONGER, seed=1), workers=1, overwrite=True)
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert content(out) == expected
    assert_whole(out)


def test_a_killed_build_holds_nothing(longer: Path, tmp_path: Path, started: Started) -> None:
    out = tmp_path / "out"
    first = started(*build_command(longer, out))
    wait_until(lambda: shard_files(out))
    first.kill()
    first.communicate()
    with pytest.raises(OutputError, match="was built with another recipe"):
        build_clips(open_clips([longer]), out, recipe(), workers=1)


def test_a_shard_that_another_builder_has_finished_meanwhile_is_kept(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other builder, whose shards have other bytes, begins and ends while this one writes its first shard."""
    clips, whole = open_clips([source]), shard_work.synthesise
    first: dict[str, tuple[int, int]] = {}

    def late(*arguments: Any) -> Iterator[Any]:
        nonlocal first
        samples = list(whole(*arguments))
        if not first:
            first = {"": (0, 0)}
            build_clips(clips, tmp_path, recipe(), workers=1, command="spikesim build, and elsewhere")
            first = snapshot(tmp_path / "train")
        yield from samples

    monkeypatch.setattr(shard_work, "synthesise", late)
    report = build_clips(clips, tmp_path, recipe(), workers=1, command="spikesim build")
    assert (report.built, report.samples) == (6, 10)
    assert snapshot(tmp_path / "train") == first
    assert_whole(tmp_path)


def test_a_shard_of_another_clip_of_the_name_is_not_taken_for_ours(source: Path, tmp_path: Path) -> None:
    (job, *_) = plan_build([clip(source / "a")], tmp_path / "out", recipe()).jobs
    build_clips([clip(write_frames(tmp_path / "a", 20, phase=2))], tmp_path / "out", recipe(), workers=1)
    before = snapshot(tmp_path)
    with pytest.raises(
        OutputError, match=r"a\.000\.h5 has been built meanwhile, from another clip of this name: its files"
    ):
        make_shard(job, Setting(tmp_path / "out", recipe(), {}))
    assert snapshot(tmp_path) == before


def test_a_worker_that_outlives_its_build_writes_nothing_into_anothers(source: Path, tmp_path: Path) -> None:
    (job, *_) = plan_build([clip(source / "a")], tmp_path, recipe()).jobs
    with locked(tmp_path, recipe(seed=1).choices()), pytest.raises(OutputError, match="is being written by"):
        make_shard(job, Setting(tmp_path, recipe(), {}))
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path, recipe().choices()):
        make_shard(job, Setting(tmp_path, recipe(), {}))
    with ShardReader(job.path) as shard:
        assert job.is_in(shard)


def test_an_index_is_not_written_by_others_while_a_build_is_at_work(source: Path, tmp_path: Path) -> None:
    refused = []

    def index(progress: Progress) -> None:
        if not refused:
            with pytest.raises(OutputError, match="is being written by"):
                write_index(tmp_path, {})
            refused.append(progress)

    build_clips([clip(source / "a")], tmp_path, recipe(), workers=1, on_progress=index)
    assert refused
    assert len(write_index(tmp_path, {})) == 3
    assert_whole(tmp_path)
