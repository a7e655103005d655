"""Estimated flow: laws on motion that is known, what datasets hold of it beside exact flow, and what is refused."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from build_data import PLAN, write_frames
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_data import write_photos
from source_data import write_video
from test_interpolation import pan, texture
from wave_clips import WaveClip, two_scenes

from spikesim.errors import InvalidValueError
from spikesim_cli.main import cli
from spikesim_datasets.build import build_clips, build_dataset
from spikesim_datasets.interpolation import make_interpolator
from spikesim_datasets.interpolation.base import MotionInterpolator
from spikesim_datasets.interpolation.flow import FlowInterpolator
from spikesim_datasets.recipe import Recipe, make_recipe
from spikesim_datasets.shards import Sample, ShardReader, verify_dataset
from spikesim_datasets.shards.index import shard_files
from spikesim_datasets.sources import Clip, DemoVariant, Reading, ResampledClip, open_clips


def flow(*frames: np.ndarray) -> np.ndarray:
    return FlowInterpolator().flow(frames)


def inner(field: np.ndarray, rim: int = 30) -> np.ndarray:
    return field[:, rim:-rim, rim:-rim].astype(float)


# Laws


@pytest.mark.parametrize(("dy", "dx"), [(0, 8), (-4, 0), (7, -12), (0, -20)])
def test_a_pan_has_one_motion_away_from_the_rim(dy: int, dx: int) -> None:
    (found,) = inner(flow(*pan(241, 323, dy, dx, [0, 1])))
    error = np.hypot(*(found - (dx, dy)).T)
    assert error.mean() < 0.1
    assert np.percentile(error, 99) < 0.5


def test_flow_back_is_the_opposite_of_flow_ahead() -> None:
    frames = pan(181, 247, 5, -9, [0, 1])
    (ahead,), (back,) = inner(flow(*frames)), inner(flow(*frames[::-1]))
    assert np.abs(ahead).mean() > 5
    assert np.abs(ahead + back).mean() < 0.1


def test_flow_is_that_of_the_pixels_of_the_earlier_frame() -> None:
    """At its rear a square uncovers background: only the earlier frame has the square there."""
    background, square = texture(181, 263, 1), texture(80, 80, 2)
    frames = [background.copy() for _ in range(2)]
    for frame, left in zip(frames, (60, 76), strict=True):
        frame[50:130, left : left + 80] = square
    (found,) = flow(*frames)
    assert np.abs(np.median(found[58:122, 64:76], axis=(0, 1)) - (16, 0)).max() < 0.5


def test_what_stands_still_does_not_move() -> None:
    frame = texture(37, 61, 3, grain=2)
    assert not flow(frame, frame.copy(), frame.copy()).any()


@settings(max_examples=20, deadline=None)
@given(height=st.integers(16, 75), width=st.integers(16, 75), seed=st.integers(0, 9))
def test_flow_is_of_every_pixel_in_parts_of_a_pixel_of_32(height: int, width: int, seed: int) -> None:
    found = flow(texture(height, width, seed), texture(height, width, seed + 1), texture(height, width, seed + 2))
    assert (found.shape, found.dtype) == ((2, height, width, 2), np.float16)
    assert np.isfinite(found).all()
    assert np.array_equal(32 * found.astype(float), np.rint(32 * found.astype(float)))


def test_a_block_of_four_pixels_moves_as_one() -> None:
    (found,) = flow(texture(36, 52, 1), texture(36, 52, 2))
    blocks = found.reshape(9, 4, 13, 4, 2)
    assert np.array_equal(blocks, np.broadcast_to(blocks[:, :1, :, :1], blocks.shape))
    assert len(np.unique(found[..., 0])) > 20


def test_a_flow_does_not_depend_on_the_frames_beside_it_nor_on_what_was_made_before() -> None:
    frames = [texture(45, 67, seed) for seed in range(4)]
    interpolator = FlowInterpolator()
    together = interpolator.flow(frames)
    for pair, alone in zip(pairwise(frames), together, strict=True):
        list(interpolator.between(*pair, [0.5]))
        assert np.array_equal(interpolator.flow(pair)[0], alone)


def test_a_view_of_frames_has_the_flow_of_its_pixels() -> None:
    frames = [texture(64, 96, seed) for seed in range(2)]
    turned = [frame[::-1, ::-1] for frame in frames]
    assert np.array_equal(flow(*turned), flow(*map(np.ascontiguousarray, turned)))


@pytest.mark.parametrize("scene", ["desk", "street"])
def test_an_estimate_is_much_nearer_to_exact_flow_than_none(scene: str) -> None:
    clip = DemoVariant("train", "a", scene, seed=2, number=3, height=360, width=640)
    exact = clip.flow(4, 10)
    error = np.hypot(*(flow(clip.at(4), clip.at(10))[0] - exact).T)
    assert error.mean() < 0.2 * np.hypot(*exact.T).mean()
    assert (error < 1).mean() > 0.85


# Datasets


def training(**choices: object) -> Recipe:
    """Exposures of three raw frames, of which the first and the last are kept."""
    given: dict[str, object] = {"plan": PLAN, "sharp": "sequence", "shard_samples": 2, "flow": True}
    return make_recipe(**{**given, **choices})  # type: ignore[arg-type]


def samples(out: Path) -> dict[tuple[str, int], Sample]:
    found = {}
    for file in shard_files(out):
        with ShardReader(file) as shard:
            for sample in map(shard.sample, range(len(shard))):
                found[sample.name, sample.window] = sample
    return found


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Clips of frames, and one of a photo, which knows its motion."""
    root = tmp_path_factory.mktemp("source")
    write_photos(root / "photos")
    write_frames(root / "waves", 20)
    write_frames(root / "others", 12, phase=1)
    (exact,) = open_clips([f"photo:{root / 'photos'}#1"])
    return [*open_clips([root / "waves", root / "others"]), replace(exact, height=72, width=120)]  # type: ignore[type-var]


@pytest.fixture(scope="module")
def mixed(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset of these; not to be changed."""
    out = tmp_path_factory.mktemp("mixed")
    build_clips(clips, out, training(), workers=1)
    return out


def assert_estimated(found: Sequence[Sample]) -> None:
    """Each of the samples holds what the interpolator says of the sharp frames beside it, and says so."""
    assert found
    for sample in found:
        np.testing.assert_array_equal(sample.extra["flow"], flow(*sample.sharp), strict=True)
        np.testing.assert_array_equal(sample.extra["flow_exact"], np.zeros(1, np.uint8), strict=True)


def test_a_dataset_holds_estimates_beside_exact_flow_and_tells_them_apart(clips: list[Clip], mixed: Path) -> None:
    found = samples(mixed)
    assert {name for name, _ in found} == {clip.name for clip in clips}
    assert_estimated([sample for (name, _), sample in found.items() if name in ("waves", "others")])
    exact = [sample for (name, _), sample in found.items() if name == clips[2].name]
    assert exact
    for sample in exact:
        start = sample.first_frame
        assert np.array_equal(sample.extra["flow"], np.float16([clips[2].flow(start, start + 2)]))  # type: ignore[attr-defined]
        assert sample.extra["flow_exact"].tolist() == [1]
    assert [check.problem for check in verify_dataset(mixed) if check.problem] == []


def test_workers_estimate_what_one_process_does(clips: list[Clip], mixed: Path, tmp_path: Path) -> None:
    build_clips(clips, tmp_path, training(), workers=2)
    for key, sample in samples(tmp_path).items():
        for name in ("flow", "flow_exact"):
            np.testing.assert_array_equal(sample.extra[name], samples(mixed)[key].extra[name], strict=True)
    assert samples(tmp_path).keys() == samples(mixed).keys()


def test_of_frames_at_uneven_times_the_flow_is_that_of_the_frames_that_are_kept(tmp_path: Path) -> None:
    times = [20 * number for number in range(45) if number % 9 != 4]
    path = write_video(tmp_path / "a.mkv", times_ms=times)
    (clip,) = open_clips([path], reading=Reading(timing="resample"))
    assert isinstance(clip, ResampledClip)
    build_clips([clip], tmp_path / "out", training(), workers=1)
    assert_estimated([*samples(tmp_path / "out").values()])


def test_windows_across_a_cut_are_left_out_or_hold_an_estimate_that_means_nothing(tmp_path: Path) -> None:
    clip = WaveClip(n_frames=9, height=64, width=96, images=two_scenes)
    for cuts in ("keep", "skip"):
        build_clips([clip], tmp_path / cuts, training(cuts=cuts), workers=1)
    kept, left = samples(tmp_path / "keep"), samples(tmp_path / "skip")
    assert kept.keys() > left.keys()
    assert_estimated([*kept.values()])


def test_items_hold_estimates_cropped_and_mirrored_with_the_images_and_their_mark(
    clips: list[Clip], mixed: Path
) -> None:
    from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset

    dataset = SpikeBlurDataset(mixed, "train", 1.0, crop=64, flip=True)
    whole, seen = samples(mixed), set()
    for seed in range(40):
        item = dataset[SeededIndex(seed % len(dataset), seed)]
        name = item["key"].partition("/")[2]
        assert item["flow_exact"].tolist() == [float(name == clips[2].name)]
        sample = whole[name, item["window"]]
        image, field = (255 * item["sharp"][0].numpy()).round(), item["flow"][0].numpy()
        for down, across in np.ndindex(2, 2):
            turn = slice(None, None, -1 if down else 1), slice(None, None, -1 if across else 1)
            for top in range(0, 72 - 64 + 1, 4):
                for left in range(0, 120 - 64 + 1, 32):
                    part = sample.sharp[0][top : top + 64, left : left + 64][turn].transpose(2, 0, 1)
                    if np.array_equal(part, image):
                        expected = sample.extra["flow"][0, top : top + 64, left : left + 64][turn].transpose(2, 0, 1)
                        signs = np.array([-1 if across else 1, -1 if down else 1])[:, None, None]
                        assert np.array_equal(field, signs * expected.astype(np.float32))
                        seen.add((down, across))
    assert len(seen) == 4


def test_layouts_hold_the_mark_and_shards_without_it_are_read(mixed: Path, tmp_path: Path) -> None:
    for step in (("convert", mixed, tmp_path / "layout"), ("convert", tmp_path / "layout", tmp_path / "again")):
        result = CliRunner().invoke(cli, [str(argument) for argument in step])
        assert result.exit_code == 0, result.output
    for key, sample in samples(tmp_path / "again").items():
        assert sample.extra["flow_exact"].tolist() == samples(mixed)[key].extra["flow_exact"].tolist()
    old = next((tmp_path / "again").rglob("*.h5"))
    with h5py.File(old, "r+") as file:
        del file["flow_exact"]
    with ShardReader(old) as shard:
        assert shard.extra == ("flow",)
        assert shard.sample(0).extra.keys() == {"flow"}


# What is refused


@pytest.mark.parametrize("name", ["linear", "none"])
def test_interpolators_that_know_no_motion_are_refused_before_anything_is_built(name: str, tmp_path: Path) -> None:
    assert not isinstance(make_interpolator(name), MotionInterpolator)
    folder = write_frames(tmp_path / "waves", 90)
    message = rf"the motion of train/waves is not known, and .* '{name}' estimates none, .*\(--interp flow\), or leave"
    with pytest.raises(InvalidValueError, match=message):
        build_dataset(folder, tmp_path / "out", interpolation=name, plan=PLAN, sharp="sequence", flow=True, workers=1)
    assert not (tmp_path / "out").exists()


def test_clips_that_know_their_motion_need_no_interpolator_that_does(clips: list[Clip], tmp_path: Path) -> None:
    build_clips([clips[2]], tmp_path, training(interpolation="linear"), workers=1)
    assert [sample.extra["flow_exact"].tolist() for sample in samples(tmp_path).values()] == [[1]] * len(
        samples(tmp_path)
    )


@pytest.mark.parametrize(
    ("frames", "problem"),
    [
        ([texture(20, 30)], "from one frame to the next and needs two or more, got 1"),
        ([], "needs two or more, got 0"),
        (5, "frames must be a list of two RGB frames or more, got 5"),
        ([texture(20, 30), texture(30, 20)], "must have one size, got 20×30 and 30×20"),
        ([texture(20, 30)] * 2 + [texture(20, 31)], "must have one size, got 20×30 and 20×31"),
        ([texture(20, 30), texture(20, 30).astype(float)], r"each of frames must be an RGB frame, .* got float64"),
        ([texture(15, 30), texture(15, 30, 1)], "optical flow needs frames of at least 16×16 pixels, got 15×30"),
    ],
)
def test_what_are_no_frames_to_follow_is_refused(frames: object, problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        FlowInterpolator().flow(frames)  # type: ignore[arg-type]
