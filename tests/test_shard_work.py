"""The units of a build: shards, and pieces of the last ones, which give the same shards as in one go."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from build_data import PLAN, assert_whole, content, leftovers, recipe, write_frames
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spikesim_datasets import shard_work
from spikesim_datasets.build import build_clips
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.planning import ShardJob, plan_build
from spikesim_datasets.progress import Tally
from spikesim_datasets.shard_work import Setting, divided, join_pieces, make_piece
from spikesim_datasets.shards import ShardReader
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.index import shard_files
from spikesim_datasets.sources import DemoClip, open_clips
from spikesim_datasets.work_pools import ExecutorPool, PoolExecutor, WorkPool


class Threads(ThreadPoolExecutor, PoolExecutor):
    """Threads that work as so many workers."""

    def __init__(self, workers: int) -> None:
        super().__init__(3)
        self._workers = workers

    @property
    def workers(self) -> int:
        return self._workers

    def pool(self, tally: Tally) -> WorkPool:
        return ExecutorPool(self, tally)


def job_of(windows: int, number: int = 0, plan: ExposurePlan = PLAN) -> ShardJob:
    clip = DemoClip("train", "desk", "desk", 1000, 64, 96)
    return ShardJob(clip, tuple(plan.windows(1000)[:windows]), Path(f"out/train/desk.{number:03d}.h5"), {})


def ends(units: list[int], workers: int) -> int:
    """When the last of some units is finished, if each free worker takes the next."""
    free = [0] * workers
    for unit in units:
        free.sort()
        free[0] += unit
    return max(free)


@given(st.lists(st.integers(1, 9), max_size=12), st.integers(1, 20))
def test_shards_are_divided_where_that_ends_sooner(sizes: list[int], workers: int) -> None:
    jobs = [job_of(size, number) for number, size in enumerate(sizes)]
    shards = divided(jobs, workers, PLAN)
    assert [shard.job for shard in shards] == jobs
    was_whole = True
    for shard, size in zip(shards, sizes, strict=True):
        assert [window for unit in shard.units for window in unit.windows] == list(shard.job.windows)
        lengths = [len(unit.windows) for unit in shard.units]
        assert max(lengths) - min(lengths) <= 1
        assert len(shard.units) in (1, min(workers, size))
        assert was_whole or not shard.is_whole or size == 1  # those divided are the last
        was_whole = was_whole and shard.is_whole
    paths = [unit.path for shard in shards for unit in shard.units]
    assert len({*paths}) == len(paths)
    assert {path.parent for path in paths} <= {Path("out/train")}
    # A window takes 13 readouts, and each further one 12.
    found = [12 * len(unit.windows) + 1 for shard in shards for unit in shard.units]
    assert ends(found, workers) <= ends([12 * size + 1 for size in sizes], workers)


@pytest.mark.parametrize(
    ("sizes", "workers", "units"),
    [
        ([8], 2, [2]),
        ([8], 3, [3]),
        ([8], 100, [8]),
        ([8, 8], 2, [1, 1]),
        ([8, 8, 8], 2, [1, 1, 2]),
        ([8, 8, 8, 8], 4, [1, 1, 1, 1]),
        ([8, 8], 16, [8, 8]),
        ([8] * 3, 1, [1, 1, 1]),
    ],
)
def test_how_shards_are_divided(sizes: list[int], workers: int, units: list[int]) -> None:
    shards = divided([job_of(size, number) for number, size in enumerate(sizes)], workers, PLAN)
    assert [len(shard.units) for shard in shards] == units


def test_streams_with_gaps_between_them_are_not_cut_apart() -> None:
    """Only a whole shard looks at the frames in the gaps, for cuts."""
    for plan, units in ((PLAN, 4), (replace(PLAN, gap=7), 1)):
        (shard,) = divided([job_of(4, plan=plan)], 4, plan)
        assert len(shard.units) == units


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 44 frames, windows 1 to 13, with a scene cut at frame 20."""
    folder = write_frames(tmp_path_factory.mktemp("cut") / "a", 44)
    for number in range(20, 44):
        frame = np.random.default_rng(number // 30).integers(0, 256, (72, 120, 3), np.uint8)
        Image.fromarray(frame).save(folder / f"{number:06d}.png")
    return folder


def diagnostics(out: Path) -> dict[str, Diagnostics]:
    found = {}
    for file in shard_files(out):
        with ShardReader(file) as shard:
            found[file.name] = shard.diagnostics
    return found


@pytest.mark.parametrize("cuts", ["keep", "skip"])
@pytest.mark.parametrize("shard_samples", [13, 5])
def test_pieces_are_joined_to_the_same_shards(cut: Path, tmp_path: Path, cuts: str, shard_samples: int) -> None:
    by: dict[str, Any] = {"recipe": recipe(cuts=cuts, shard_samples=shard_samples), "command": "spikesim build a"}
    whole = build_clips(open_clips([cut]), tmp_path / "one", workers=1, **by)
    for workers in (2, 20):
        with Threads(workers) as executor:
            report = build_clips(open_clips([cut]), tmp_path / str(workers), workers=executor, **by)
        out = tmp_path / str(workers)
        assert content(out) == content(tmp_path / "one")
        assert diagnostics(out) == diagnostics(tmp_path / "one")
        assert any(found.cuts for found in diagnostics(out).values())
        for name in ("samples", "readouts", "built", "bytes", "diagnostics"):
            assert getattr(report, name) == getattr(whole, name), name
        for file in shard_files(out):
            assert file.read_bytes() == (tmp_path / "one" / file.relative_to(out)).read_bytes()
        assert_whole(out)


def test_processes_make_pieces(cut: Path, tmp_path: Path) -> None:
    by = recipe(shard_samples=13)
    build_clips(open_clips([cut]), tmp_path / "one", by, workers=1)
    told: list[int] = []
    report = build_clips(
        open_clips([cut]), tmp_path / "two", by, workers=2, on_progress=lambda progress: told.append(progress.done)
    )
    assert content(tmp_path / "two") == content(tmp_path / "one")
    assert report.readouts == 13 * 12 + 1
    assert told == sorted(told)
    assert told[-1] == report.readouts + 1  # the streams of the two pieces share a readout
    assert_whole(tmp_path / "two")


def test_a_piece_whose_windows_all_lie_across_a_cut_has_no_file(cut: Path, tmp_path: Path) -> None:
    skipping = recipe(cuts="skip", shard_samples=13).resolve()
    setting = Setting(tmp_path, skipping, {})
    (job,) = plan_build(open_clips([cut]), tmp_path, skipping).jobs
    (shard,) = divided([replace(job, windows=job.windows[4:6])], 2, PLAN)
    found = [make_piece(unit, setting) for unit in shard.units]
    assert [unit.path.exists() for unit in shard.units] == [True, False]
    entry, diagnostics = join_pieces(shard, found[0].merge(found[1]), setting)
    assert entry is not None
    assert (entry.samples, diagnostics.left_out) == (1, [6])
    assert not any(unit.path.exists() for unit in shard.units)


def test_pieces_that_are_not_joined_do_not_stay(cut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no space")

    monkeypatch.setattr(shard_work, "join_pieces", fail)
    with Threads(2) as executor, pytest.raises(RuntimeError, match="no space"):
        build_clips(open_clips([cut]), tmp_path, recipe(shard_samples=13), workers=executor)
    assert leftovers(tmp_path) == []
    assert not list(tmp_path.rglob("*.tmp"))
