"""Spikes of other sizes than a quarter of the image's: full size, a half, an eighth."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import h5py
import numpy as np
import pytest
from build_data import write_frames
from commands import Run, assert_refused, run  # noqa: F401
from training_data import SHORT

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.build import build_dataset
from spikesim_datasets.layouts import layout_to_shards, shards_to_layout
from spikesim_datasets.optics import SCALE, Ratio
from spikesim_datasets.recipe import Recipe, make_recipe
from spikesim_datasets.samples import SpikeBlurDataset
from spikesim_datasets.shards import ShardReader, ShardWriter, open_dataset
from spikesim_datasets.shards.index import shard_files
from ssdm_models.evaluation import evaluate
from ssdm_models.training import train

RATIOS = get_args(Ratio)
CHOICES = {"interpolation": "linear", "preset": "ideal", "workers": 1}


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frames(tmp_path_factory.mktemp("ratio") / "clip", 42, 72, 120)


@pytest.fixture(scope="module")
def datasets(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A dataset of each ratio, test split."""
    root = tmp_path_factory.mktemp("datasets")
    for ratio in RATIOS:
        build_dataset(frames, root / str(ratio), (1, 2), ratio=ratio, downscale="area", split="test", **CHOICES)
    return {ratio: root / str(ratio) for ratio in RATIOS}


def test_a_recipe_says_another_ratio_than_the_usual() -> None:
    assert "ratio" not in make_recipe().choices()
    for ratio in RATIOS:
        recipe = make_recipe(ratio=ratio)
        assert Recipe.from_choices(recipe.choices()) == recipe


@pytest.mark.parametrize("ratio", RATIOS)
def test_shards_say_their_ratio_and_their_parts_lie_in_one_place(datasets: dict[int, Path], ratio: int) -> None:
    made = open_dataset(datasets[ratio], "test")
    height, width, _ = made[0].blur.shape
    assert made.ratio == made[0].ratio == ratio
    assert {stream.shape for stream in made[0].spikes.values()} == {(137, height // ratio, width // ratio)}
    items = SpikeBlurDataset(datasets[ratio], "test", crop=64)
    assert items.ratio == ratio
    item, whole = items[0], made[0]
    side = 64 // ratio
    assert item["spikes"].shape == (137, side, side)
    dense = whole.spikes[1.0].dense()
    crop = np.rint(255 * item["blur"].numpy().transpose(1, 2, 0))
    places = [
        (top, left)
        for top in range(height // ratio - side + 1)
        for left in range(width // ratio - side + 1)
        if np.array_equal(dense[:, top : top + side, left : left + side], item["spikes"])
    ]
    assert any(
        np.array_equal(whole.blur[ratio * top : ratio * top + 64, ratio * left : ratio * left + 64], crop)
        for top, left in places
    )


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_spikes_of_full_size_summed_are_those_of_the_ratio(datasets: dict[int, Path], ratio: int) -> None:
    """A pixel of the larger size sees the mean light of a block. Each counts its light but for less than a spike."""
    full, small = (open_dataset(datasets[number], "test")[0].spikes[1.0].dense().sum(0) for number in (1, ratio))
    rows, columns = small.shape
    means = full.reshape(rows, ratio, columns, ratio).mean((1, 3))
    assert np.abs(means - small).max() < 2
    assert np.abs((means - small).mean()) < 4 / np.sqrt(12 * small.size)  # each is uniform in a spike's width


@pytest.mark.parametrize("ratio", [1, 2])
def test_layouts_keep_the_ratio(datasets: dict[int, Path], tmp_path: Path, ratio: int) -> None:
    shards_to_layout(datasets[ratio], tmp_path / "layout")
    layout_to_shards(tmp_path / "layout", tmp_path / "back")
    before, after = (open_dataset(path, "test") for path in (datasets[ratio], tmp_path / "back"))
    assert after.ratio == ratio
    for one, other in zip(before, after, strict=True):
        for v_th in one.spikes:
            assert np.array_equal(one.spikes[v_th].packed, other.spikes[v_th].packed)


def test_spikes_that_are_no_such_part_of_the_image_are_refused(datasets: dict[int, Path], tmp_path: Path) -> None:
    sample = open_dataset(datasets[2], "test")[0]
    narrow = replace(sample, blur=sample.blur[:, :-8], sharp=sample.sharp[:, :, :-8])
    with pytest.raises(InvalidValueError), ShardWriter(tmp_path / "a.h5", {}) as writer:
        writer.append(narrow)
    assert not (tmp_path / "a.h5").exists()
    file = shutil.copy(shard_files(datasets[2])[0], tmp_path / "b.h5")
    with h5py.File(file, "a") as shard:
        del shard["spikes/vth_1"], shard["spikes/vth_2"].attrs["width"]
        shard["spikes/vth_2"].attrs["width"] = 7
    with pytest.raises(InputFileError, match="is 7 wide"):
        ShardReader(file)


def test_ratios_of_the_command_line(run: Run, frames: Path, tmp_path: Path) -> None:  # noqa: F811
    words = ("build", frames, "--interp", "linear", "--out")
    assert run(*words, tmp_path / "half", "--ratio", 2).code == 0
    assert "a pixel of the spikes is 2 of the images wide and high" in " ".join(
        run("info", tmp_path / "half").out.split()
    )
    assert run("verify", tmp_path / "half").code == 0
    assert_refused(run(*words, tmp_path / "none", "--ratio", 3), "--ratio", "'3' is not one of")
    odd = write_frames(tmp_path / "odd", 42, 62, 94)
    assert_refused(
        run("build", odd, "--interp", "linear", "--out", tmp_path / "none", "--ratio", 8), "94×62", "multiples of 8"
    )
    assert run("build", odd, "--interp", "linear", "--out", tmp_path / "odds", "--ratio", 2).code == 0
    assert not (tmp_path / "none").exists()


def test_what_needs_no_quarter_is_trained_and_compared_and_other_networks_are_refused(
    datasets: dict[int, Path], tmp_path: Path
) -> None:
    short = {**SHORT, "batch": 1}
    (result,) = train(datasets[2], tmp_path / "run", ["bsn"], epochs=1, split="test", **short)
    assert result.steps == len(open_dataset(datasets[2], "test"))
    for stages in (None, ["sr"]):
        with pytest.raises(InvalidValueError, match=f"{SCALE} of the image wide and high, and these are 2; build"):
            train(datasets[2], tmp_path / "other", stages, epochs=1, split="test", **short)
    assert not (tmp_path / "other").exists()
    compared = evaluate(datasets[2], runs=[tmp_path / "run"], limit=1, v_th=[1])
    assert {row.method for row in compared.rows} >= {"blur", "SDM", "SDM+BSN", "TFP", "TFI", "TFSTP", "BSN", "bilinear"}
    with pytest.raises(InvalidValueError, match="and these are 2; build"):
        evaluate(datasets[2], pretrained=True, limit=1)
