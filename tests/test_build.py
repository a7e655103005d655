"""Building a dataset: the same arrays however it is run, nothing half-written, and it goes on where it stopped."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import build_data
import numpy as np
import pytest
from build_data import PLAN, assert_whole, clip, content, leftovers, recipe, snapshot, write_frames
from PIL import Image

from spikesim import SpikeCamera, files
from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim_datasets.build import BuildReport, build_clips, build_dataset
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.processes import count_up, shared_counts, worker_processes
from spikesim_datasets.progress import Progress
from spikesim_datasets.shards import ShardReader, open_dataset
from spikesim_datasets.shards.index import INDEX, shard_files
from spikesim_datasets.sources import open_clips

source, built, copy = build_data.source, build_data.built, build_data.copy


# What a build gives


def test_a_report_says_what_was_done(built: tuple[Path, BuildReport]) -> None:
    out, report = built
    # Three shards a clip, of 2, 2 and 1 windows: 25, 25 and 13 readouts.
    assert (report.out, report.built, report.kept, report.samples, report.readouts) == (out, 6, 0, 10, 126)
    assert report.skipped == {"train/short": 5}
    assert report.bytes == sum(file.stat().st_size for file in shard_files(out))
    assert report.seconds > 0
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()) == [
        "dataset.json", *(f"train/{name}.{part:03d}.h5" for name in "ab" for part in range(3)),
    ]  # fmt: skip
    assert [(sample.key, sample.window) for sample in open_dataset(out, "train")] == [
        (f"train/{name}", window) for name in "ab" for window in (1, 2, 3, 4, 5)
    ]
    assert_whole(out)


def test_a_shard_says_how_it_was_made(built: tuple[Path, BuildReport], source: Path) -> None:
    with ShardReader(built[0] / "train/a.000.h5") as shard:
        made_by = shard.recipe
    assert made_by["clip"] == {"key": "train/a", **clip(source / "a").fingerprint()}
    assert made_by["command"] == "spikesim build source"
    assert {"spikesim", "python", "numpy", "numba", "h5py", "opencv-python-headless"} == set(made_by["provenance"])
    choices = made_by["choices"]
    assert choices["plan"] == {"frames": 3, "factor": 4, "gap": 3, "padding": 2}
    assert choices["interpolation"]["name"] == "linear"
    assert [camera["v_th"] for camera in choices["cameras"]] == [1.0, 2.0]
    assert (choices["seed"], choices["downscale"], choices["linear_light"]) == (0, "bilinear", False)


def test_the_source_is_only_read(source: Path, tmp_path: Path) -> None:
    before = snapshot(source)
    build_clips(open_clips([source]), tmp_path / "out", recipe(), workers=1)
    assert snapshot(source) == before


@pytest.mark.parametrize(("split", "readouts"), [("train", (6,)), ("test", (2, 10))])
def test_test_clips_keep_the_sequence(source: Path, tmp_path: Path, split: str, readouts: tuple[int, ...]) -> None:
    build_clips(open_clips([source / "a"], split), tmp_path, recipe(), workers=1)
    sample = open_dataset(tmp_path, split)[0]
    assert sample.sharp_readouts == readouts
    for frame, readout in zip(sample.sharp, readouts, strict=True):
        raw = np.asarray(Image.open(source / "a" / f"{sample.first_frame + (readout - 2) // 4:06d}.png"))
        np.testing.assert_array_equal(frame, raw)


def test_a_dense_source_is_taken_frame_by_frame(source: Path, tmp_path: Path) -> None:
    # 45 readouts are what 12 raw frames would give: windows 1 and 2.
    folder = write_frames(tmp_path / "dense", 45)
    report = build_clips([clip(folder)], tmp_path / "out", recipe(interpolation="none"), workers=1)
    assert (report.samples, report.readouts) == (2, 25)
    frames = np.stack([np.asarray(Image.open(folder / f"{number:06d}.png")) for number in range(24, 33)])
    blur = open_dataset(tmp_path / "out", "train")[1].blur
    assert np.abs(blur - frames.mean(axis=0)).max() <= 0.5


# However it is cut and run


@pytest.fixture(scope="module")
def expected(built: tuple[Path, BuildReport]) -> dict[tuple[str, int], tuple[Any, ...]]:
    return content(built[0])


def test_two_workers_make_the_same(source: Path, tmp_path: Path, expected: dict[Any, Any]) -> None:
    choices: dict[str, Any] = {"plan": PLAN, "interpolation": "linear", "shard_samples": 2}
    report = build_dataset(source, tmp_path, (1, 2), workers=2, **choices)
    assert (report.built, report.samples, report.readouts) == (6, 10, 126)
    assert content(tmp_path) == expected
    assert_whole(tmp_path)


def test_any_executor_makes_the_same(source: Path, tmp_path: Path, expected: dict[Any, Any]) -> None:
    told: list[Progress] = []
    with ThreadPoolExecutor(3) as pool:
        build_clips(open_clips([source]), tmp_path, recipe(), workers=pool, on_progress=told.append)
    assert content(tmp_path) == expected
    assert told[0] == Progress(0, 126)
    assert sorted(after.done - before.done for before, after in pairwise(told)) == [13] * 2 + [25] * 4


def test_a_build_tells_of_every_readout_as_it_is_made(source: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    clips = open_clips([source])
    build_clips(clips, tmp_path, recipe(), workers=1, on_progress=told.append)
    at = ["", *["train/a"] * 63, *["train/b"] * 63]
    assert told == [Progress(done, 126, key) for done, key in enumerate(at)]
    # What is found finished counts from the first.
    for name in ("train/a.001.h5", "train/b.002.h5"):
        (tmp_path / name).unlink()
    (tmp_path / INDEX).unlink()
    told.clear()
    build_clips(clips, tmp_path, recipe(), workers=1, on_progress=told.append)
    at = ["", *["train/a"] * 25, *["train/b"] * 13]
    assert told == [Progress(126 - 38 + done, 126, key) for done, key in enumerate(at)]


def test_workers_count_the_readouts_that_their_parent_tells_of(source: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    build_clips(open_clips([source]), tmp_path, recipe(), workers=2, on_progress=told.append)
    assert (told[0], told[-1].done, told[-1].total) == (Progress(0, 126), 126, 126)
    assert all(before.done < after.done for before, after in pairwise(told))
    assert {progress.at for progress in told[1:]} == {"train/a", "train/b"}


def test_counts_of_workers_reach_their_parent() -> None:
    counts = shared_counts(3)
    with worker_processes(2, counts) as pool:
        list(pool.map(count_up, [0, 2, 2]))
    assert list(counts) == [1, 0, 2]


@pytest.mark.parametrize("shard_samples", [1, 3, 100])
def test_any_size_of_shards_holds_the_same(
    source: Path, tmp_path: Path, expected: dict[Any, Any], shard_samples: int
) -> None:
    report = build_clips(open_clips([source]), tmp_path, recipe(shard_samples=shard_samples), workers=1)
    assert report.built == len(shard_files(tmp_path)) == 2 * -(-5 // shard_samples)
    assert content(tmp_path) == expected


def test_another_seed_makes_other_spikes_and_the_same_images(
    source: Path, tmp_path: Path, expected: dict[Any, Any]
) -> None:
    build_clips([clip(source / "a")], tmp_path, recipe(seed=1), workers=1)
    for place, (*images, spikes) in content(tmp_path).items():
        assert images == list(expected[place][:-1])
        for v_th, (bits, _) in spikes.items():
            assert bits != expected[place][-1][v_th][0]


# Again, and more


def test_running_again_changes_nothing(copy: Path, source: Path) -> None:
    before = snapshot(copy)
    index = (copy / INDEX).read_bytes()
    report = build_clips(open_clips([source]), copy, recipe(), workers=1, command="spikesim build source")
    assert (report.built, report.kept, report.samples, report.readouts) == (0, 6, 10, 0)
    after = snapshot(copy)
    del before[INDEX], after[INDEX]
    assert after == before
    assert (copy / INDEX).read_bytes() == index


def test_missing_shards_and_a_missing_index_are_made_again(copy: Path, source: Path, expected: dict[Any, Any]) -> None:
    for name in ("train/a.001.h5", "train/b.000.h5"):
        (copy / name).unlink()
    before = snapshot(copy)
    report = build_clips(open_clips([source]), copy, recipe(), workers=1)
    assert (report.built, report.kept) == (2, 4)
    assert content(copy) == expected
    assert_whole(copy)
    (copy / INDEX).unlink()
    build_clips(open_clips([source]), copy, recipe(), workers=1)
    assert_whole(copy)
    del before[INDEX]
    assert before.items() <= snapshot(copy).items()


def test_further_clips_join_a_dataset(copy: Path, tmp_path: Path, expected: dict[Any, Any]) -> None:
    before = snapshot(copy / "train")
    more = write_frames(tmp_path / "c", 9, phase=5)
    report = build_clips([clip(more)], copy, recipe(), workers=1)
    assert (report.built, report.kept, report.samples) == (1, 0, 1)
    assert report.bytes == sum(file.stat().st_size for file in shard_files(copy))
    assert before.items() <= snapshot(copy / "train").items()
    assert {place: sample for place, sample in content(copy).items() if place[0] != "train/c"} == expected
    assert len(open_dataset(copy, "train")) == 11
    assert_whole(copy)


OTHER_RECIPES: dict[str, tuple[dict[str, Any], str]] = {
    "seed": ({"seed": 1}, "seed: 0 there, 1 now"),
    "thresholds": ({"v_th": (1, 4)}, "V_th: 1, 2 there, 1, 4 now"),
    "preset": ({"preset": "ideal"}, "cameras: another gain, start, tie_fires, noise"),
    "reset": ({"preset": "spikezoo"}, "cameras: another gain, reset"),
    "interpolation": ({"interpolation": "flow"}, "'linear'.* there, .*'flow'.* now"),
    "downscale": ({"downscale": "area"}, "downscale: bilinear there, area now"),
    "linear light": ({"linear_light": True}, "linear_light: False there, True now"),
    "ground truth": ({"sharp": "none"}, "sharp: middle .* there, none now"),
    "exposure": ({"plan": ExposurePlan(frames=4, factor=4, gap=3, padding=2)}, "plan: .*3.* there, .*4.* now"),
    "size of shards": ({"shard_samples": 3}, "shard_samples: 2 there, 3 now"),
    "compression": ({"compression": "gzip"}, "compression: zstd there, gzip now"),
}


@pytest.mark.parametrize(("choices", "said"), OTHER_RECIPES.values(), ids=OTHER_RECIPES)
def test_a_dataset_of_another_recipe_is_refused(copy: Path, source: Path, choices: dict[str, Any], said: str) -> None:
    before = snapshot(copy)
    with pytest.raises(
        OutputError, match=rf"another recipe \(.*{said}.*\); choose another folder, or give --overwrite"
    ):
        build_clips(open_clips([source]), copy, recipe(**choices), workers=1)
    assert snapshot(copy) == before


@pytest.mark.parametrize("workers", [1, 2])
def test_overwriting_replaces_the_other_recipe(copy: Path, source: Path, tmp_path: Path, workers: int) -> None:
    new = recipe((4,), seed=1, shard_samples=3)
    report = build_clips(open_clips([source]), copy, new, workers=workers, overwrite=True)
    assert (report.built, report.kept) == (4, 0)
    build_clips(open_clips([source]), tmp_path / "fresh", new, workers=1)
    assert content(copy) == content(tmp_path / "fresh")
    assert snapshot(copy).keys() == snapshot(tmp_path / "fresh").keys()
    assert_whole(copy)


@pytest.mark.parametrize("frames", [20, 12, 5])
def test_a_clip_that_has_changed_is_refused_and_overwriting_replaces_it_alone(
    copy: Path, source: Path, tmp_path: Path, frames: int
) -> None:
    before = snapshot(copy)
    clips = [clip(write_frames(tmp_path / "new" / "a", frames, phase=9)), clip(source / "b")]
    with pytest.raises(OutputError, match=r"a\.000\.h5 was built with another recipe"):
        build_clips(clips, copy, recipe(), workers=1)
    assert snapshot(copy) == before
    report = build_clips(clips, copy, recipe(), workers=1, overwrite=True)
    assert (report.built, report.kept) == ({20: 3, 12: 1, 5: 0}[frames], 3)
    after = snapshot(copy)
    for name, place in before.items():
        if name.startswith("train/b"):
            assert after[name] == place
        else:
            assert after.get(name) != place
    assert_whole(copy)


def test_a_build_that_is_told_to_overwrite_and_is_killed_leaves_no_old_checksums(source: Path, tmp_path: Path) -> None:
    # Without compression, the shards of both recipes have the same size.
    old, new = (recipe(seed=seed, compression="none") for seed in (0, 1))
    build_clips(open_clips([source]), tmp_path, old, workers=1)
    sizes = [file.stat().st_size for file in shard_files(tmp_path)]
    with pytest.raises(KeyboardInterrupt):
        build_clips(open_clips([source]), tmp_path, new, workers=1, overwrite=True, on_progress=stop_after(50))
    report = build_clips(open_clips([source]), tmp_path, new, workers=1)
    assert (report.built, report.kept) == (4, 2)
    assert [file.stat().st_size for file in shard_files(tmp_path)] == sizes
    assert_whole(tmp_path)


@pytest.mark.parametrize("trouble", ["a full disk", "a damaged frame", "an interruption"])
def test_overwriting_that_fails_before_the_first_shard_is_whole_loses_nothing(
    copy: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    def full(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    clips, before, stop = shutil.copytree(source, tmp_path / "clips"), snapshot(copy), None
    if trouble == "a full disk":
        monkeypatch.setattr(files, "flush_to_disk", full)
    elif trouble == "a damaged frame":
        frame = sorted((clips / "a").iterdir())[5]
        frame.write_bytes(frame.read_bytes()[:-30])
    else:
        stop = stop_after(20)
    with pytest.raises((OutputError, InputFileError, KeyboardInterrupt)):
        build_clips(open_clips([clips]), copy, recipe((4,)), workers=1, overwrite=True, on_progress=stop)
    assert snapshot(copy) == before


def test_overwriting_leaves_what_another_builder_has_replaced(copy: Path, source: Path) -> None:
    new = recipe((4,), seed=1)
    made: dict[str, Any] = {}

    def another(progress: Progress) -> None:
        if progress.done == 20 and not made:
            made["begun"] = None
            build_clips(open_clips([source]), copy, new, workers=1, overwrite=True)
            made.update({path.name: path.stat().st_ino for path in shard_files(copy)})

    build_clips(open_clips([source]), copy, new, workers=1, overwrite=True, on_progress=another)
    assert made == {"begun": None} | {path.name: path.stat().st_ino for path in shard_files(copy)}
    assert_whole(copy)


def stop_after(readouts: int) -> Callable[[Progress], None]:
    """An `on_progress` that interrupts the build once there are more readouts; the first two shards have 50."""

    def on_progress(progress: Progress) -> None:
        if progress.done > readouts:
            raise KeyboardInterrupt

    return on_progress


@pytest.mark.parametrize("pool", [None, ThreadPoolExecutor])
def test_an_interrupted_build_keeps_its_shards_and_goes_on(
    source: Path, tmp_path: Path, expected: dict[Any, Any], pool: Callable[[int], ThreadPoolExecutor] | None
) -> None:
    executor = pool and pool(1)
    stopped = stop_after(0 if executor else 50)
    with pytest.raises(KeyboardInterrupt):
        build_clips(open_clips([source]), tmp_path, recipe(), workers=executor or 1, on_progress=stopped)
    if executor:
        executor.shutdown()
    done = len(shard_files(tmp_path))
    assert done == 2 or (executor and 1 <= done < 6)
    assert content(tmp_path).items() <= expected.items()
    assert leftovers(tmp_path) == []
    report = build_clips(open_clips([source]), tmp_path, recipe(), workers=1)
    assert (report.built, report.kept) == (6 - done, done)
    assert content(tmp_path) == expected
    assert_whole(tmp_path)


def test_what_killed_builds_left_half_written_is_removed(copy: Path, source: Path) -> None:
    script = (
        "import os, sys\n"
        "from spikesim.files import atomic_path\n"
        "for final in sys.argv[1:]:\n"
        "    atomic_path(final).__enter__().touch()\n"
        "os._exit(1)\n"
    )
    places = (copy / "train" / "a.000.h5", copy / INDEX)
    subprocess.run([sys.executable, "-c", script, *places], timeout=60, check=False)
    assert {path.parent for path in leftovers(copy)} == {copy, copy / "train"}
    build_clips(open_clips([source]), copy, recipe(), workers=1)
    assert_whole(copy)


# Bad input


def test_output_in_a_source_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "videos"
    folder = write_frames(root / "train", 20)
    before = snapshot(tmp_path)
    for out in (folder, folder / "out", tmp_path / "videos" / "x" / ".." / "train"):
        with pytest.raises(InvalidValueError, match=r"lies in the source .*train, which is never written to"):
            build_clips([clip(folder)], out, recipe(), workers=1)
    # Shards of the split would lie in videos/train.
    with pytest.raises(InvalidValueError, match=r"output .*videos/train lies in the source .*videos/train"):
        build_clips([clip(folder)], root, recipe(), workers=1)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(InvalidValueError, match="lies in the source"):
        build_clips([clip(folder)], tmp_path / "link" / "out", recipe(), workers=1)
    (tmp_path / "link").unlink()
    assert snapshot(tmp_path) == before


def test_no_clip_is_long_enough(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"one window takes 7 frames, but train/short has 5"):
        build_clips([clip(source / "short")], tmp_path / "out", recipe(), workers=1)
    with pytest.raises(InvalidValueError, match="there is no clip at all"):
        build_clips([], tmp_path / "out", recipe(), workers=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("height", "width"), [(70, 120), (72, 122)])
def test_sizes_without_a_quarter_are_refused(tmp_path: Path, height: int, width: int) -> None:
    odd = clip(write_frames(tmp_path / "odd", 8, height, width))
    with pytest.raises(InvalidValueError, match=rf"train/odd is {width}×{height}; both must be multiples of 4"):
        build_clips([odd], tmp_path / "out", recipe(), workers=1)
    assert not (tmp_path / "out").exists()


def test_two_clips_of_one_name_are_refused(source: Path, tmp_path: Path) -> None:
    same = clip(source / "a")
    with pytest.raises(InvalidValueError, match="two clips would be called 'train/a'"):
        build_clips([same, clip(source / "b"), same], tmp_path / "out", recipe(), workers=1)


def test_a_damaged_frame_is_named_and_finished_shards_stay(
    source: Path, tmp_path: Path, expected: dict[Any, Any]
) -> None:
    root = Path(shutil.copytree(source, tmp_path / "source"))
    frame = root / "b" / "000014.png"
    whole = frame.read_bytes()
    frame.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputFileError, match=r"b/000014\.png cannot be decoded"):
        build_clips(open_clips([root]), tmp_path / "out", recipe(), workers=1)
    assert [file.name for file in shard_files(tmp_path / "out")] == [
        "a.000.h5", "a.001.h5", "a.002.h5", "b.000.h5",
    ]  # fmt: skip
    assert leftovers(tmp_path / "out") == []
    frame.write_bytes(whole)
    # The clip is another one now.
    with pytest.raises(OutputError, match=r"b\.000\.h5 .*another clip of this name: its files are others\)"):
        build_clips(open_clips([root]), tmp_path / "out", recipe(), workers=1)
    report = build_clips(open_clips([root]), tmp_path / "out", recipe(), workers=1, overwrite=True)
    assert (report.built, report.kept) == (3, 3)
    assert content(tmp_path / "out") == expected


def test_a_file_in_the_way_that_is_no_shard_is_named(copy: Path, source: Path) -> None:
    shard = copy / "train" / "a.001.h5"
    shard.write_bytes(shard.read_bytes()[:-100])
    before = snapshot(copy)
    for overwrite in (False, True):
        with pytest.raises(OutputError, match=r"a\.001\.h5.*; remove it, or choose another folder"):
            build_clips(open_clips([source]), copy, recipe(), workers=1, overwrite=overwrite)
    assert snapshot(copy) == before
    shard.unlink()
    build_clips(open_clips([source]), copy, recipe(), workers=1)
    assert_whole(copy)


def test_a_damaged_index_is_refused_before_the_work(copy: Path, source: Path) -> None:
    (copy / INDEX).write_text("{")
    (copy / "train" / "a.001.h5").unlink()
    with pytest.raises(InputFileError, match=r"dataset\.json is no index"):
        build_clips(open_clips([source]), copy, recipe(), workers=1)
    assert not (copy / "train" / "a.001.h5").exists()


def test_an_output_that_is_a_file_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="cannot write"):
        build_clips(open_clips([source]), tmp_path / "out", recipe(), workers=1)
    assert (tmp_path / "out").read_text() == "mine"


BAD_CHOICES: dict[str, tuple[dict[str, Any], str]] = {
    "no threshold": ({"v_th": ()}, "at least one threshold"),
    "a threshold twice": ({"v_th": (1, 2, 1)}, "threshold 1 is given more than once"),
    "thresholds of one name": ({"v_th": (1, 1 + 1e-15)}, "threshold 1 is given more than once"),
    **{f"a threshold of {v_th}": ({"v_th": (v_th,)}, "v_th must be a positive finite number")
       for v_th in (0, -1, float("nan"), float("inf"))},
    "an unknown choice": ({"speed": 3, "fps": 2}, r"no choice fps, speed; it has interpolation, .*compression"),
    "cameras": ({"cameras": (SpikeCamera(),)}, "no choice cameras"),
    "an unknown preset": ({"preset": "dvs"}, "no camera preset is called 'dvs'; there are ideal"),
    "an unknown interpolator": ({"interpolation": "magic"}, "interpolator must be one of"),
    "an unknown downscale": ({"downscale": "lanczos"}, "downscale must be"),
    "ratio": ({"ratio": 3}, "ratio must be one of"),
    "unknown ground truth": ({"sharp": "all"}, "sharp must be one of 'middle', 'sequence', 'none', got 'all'"),
    "an unknown compression": ({"compression": "lzf"}, "compression must be one of 'zstd', 'gzip', 'none'"),
    "empty shards": ({"shard_samples": 0}, "must be a whole number of at least 1 samples in a shard, got 0"),
    "no workers": ({"workers": 0}, "workers must be a whole number of at least 1 processes, got 0"),
    "an unknown split": ({"split": "val"}, "split must be one of 'train', 'test'"),
}  # fmt: skip


@pytest.mark.parametrize(("choices", "said"), BAD_CHOICES.values(), ids=BAD_CHOICES)
def test_meaningless_choices_are_refused(source: Path, tmp_path: Path, choices: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        build_dataset(source, tmp_path / "out", **choices)
    assert not (tmp_path / "out").exists()
