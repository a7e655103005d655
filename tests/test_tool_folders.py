"""Datasets as folders of Spike-Zoo and SpikeCV, from the command line."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from build_data import write_frames
from commands import Run, assert_refused, run  # noqa: F401
from PIL import Image

from spikesim import read_spikes
from spikesim_datasets.build import build_dataset
from spikesim_datasets.layouts import shards_to_tool
from spikesim_datasets.optics import Optics
from spikesim_datasets.shards import open_dataset


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two samples of each split, at two thresholds; spikes of 36 by 64."""
    root = tmp_path_factory.mktemp("tools")
    for split in ("train", "test"):
        frames = write_frames(root / split / "clip", 42, 72, 128, phase=len(split))
        choices = {"interpolation": "linear", "ratio": 2, "workers": 1, "shard_samples": 1}
        build_dataset(frames, root / "data", (1, 2), split=split, **choices)  # type: ignore[arg-type]
    return root / "data"


@pytest.mark.parametrize("split", ["train", "test"])
def test_spike_zoo_finds_spikes_and_what_they_are_of(dataset: Path, tmp_path: Path, split: str) -> None:
    assert shards_to_tool(dataset, tmp_path / "zoo", "spikezoo", 2) == 4
    samples = list(open_dataset(dataset, split))
    spikes, images = (sorted((tmp_path / "zoo" / split / name).iterdir()) for name in ("spike", "gt"))
    assert [path.stem for path in spikes] == [path.stem for path in images] == ["clip_00001", "clip_00002"]
    for sample, stream, image in zip(samples, spikes, images, strict=True):
        assert np.array_equal(read_spikes(stream).packed, sample.spikes[2.0].packed)
        grey = np.asarray(Image.open(image))
        light = Optics(ratio=2).light(sample.sharp[sample.sharp_readouts.index(68)])
        assert grey.shape == (36, 64, 3)
        assert np.abs(grey - 255 * light[..., None]).max() <= 0.5 + 1e-3


def test_spikecv_finds_recordings_and_their_size(dataset: Path, tmp_path: Path) -> None:
    assert shards_to_tool(dataset, tmp_path / "cv", "spikecv", 1) == 4
    for split in ("train", "test"):
        for sample in open_dataset(dataset, split):
            stream = read_spikes(tmp_path / "cv" / split / "clip" / f"{sample.window:05d}.dat", 36, 64)
            assert np.array_equal(stream.packed, sample.spikes[1.0].packed)
    config = (tmp_path / "cv" / "config.yaml").read_text()
    assert "spike_w: 64\nspike_h: 36\n" in config


@pytest.mark.parametrize("tool", ["spikezoo", "spikecv"])
def test_running_again_makes_what_is_missing(run: Run, dataset: Path, tmp_path: Path, tool: str) -> None:  # noqa: F811
    words = ("convert", dataset, tmp_path / "out", "--to", tool, "--vth", 2)
    assert f"4 samples for {tool}" in run(*words).err
    whole = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    lost = sorted((tmp_path / "out").rglob("*.dat"))[1]
    lost.unlink()
    kept = {path: path.stat().st_mtime_ns for path in whole if path not in (lost, tmp_path / "out" / "spikesim.json")}
    assert run(*words).code == 0
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == whole
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    # What is there of another threshold is not taken for this one.
    before = {path: path.read_bytes() for path in whole}
    assert_refused(run(*words[:-1], 1), "exists already and is not an empty folder")
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_what_cannot_be_converted_is_refused(run: Run, dataset: Path, tmp_path: Path) -> None:  # noqa: F811
    out = tmp_path / "out"
    assert_refused(run("convert", dataset, out, "--to", "spikezoo"), "thresholds 1, 2; say which")
    assert_refused(run("convert", dataset, out, "--to", "spikezoo", "--vth", 3), "no spikes of threshold 3")
    shard = next(dataset.rglob("*.h5"))
    assert_refused(run("convert", shard, tmp_path / "a.dat", "--to", "spikecv", "--vth", 1), "--to goes with a dataset")
    other = Path(shutil.copytree(dataset, tmp_path / "other"))
    frames = write_frames(tmp_path / "small", 42, 32, 64)
    build_dataset(frames, tmp_path / "smaller", (1, 2), interpolation="linear", ratio=2, workers=1, shard_samples=1)
    (other / "dataset.json").unlink()
    for file in (tmp_path / "smaller" / "train").iterdir():
        shutil.copy(file, other / "train")
    assert_refused(run("convert", other, out, "--to", "spikecv", "--vth", 1), "folders of one size")
    odd = write_frames(tmp_path / "odd", 42, 20, 12)
    build_dataset(odd, tmp_path / "odder", (1,), interpolation="linear", workers=1)
    assert_refused(run("convert", tmp_path / "odder", tmp_path / "odds", "--to", "spikecv"), "a multiple of 8")
    assert not out.exists()
    assert not (tmp_path / "odds").exists()
