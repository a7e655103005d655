"""The commands that look at files, check them and write them otherwise: info, convert, verify and view."""

import shutil
from itertools import pairwise
from pathlib import Path
from typing import get_args

import av
import commands
import numpy as np
import pytest
from commands import Run, assert_refused
from PIL import Image

from spikesim import SpikeStream, read_spikes, write_spikes
from spikesim_datasets.build import build_dataset
from spikesim_datasets.layouts import layout_to_shards, shards_to_layout
from spikesim_datasets.shards import ShardReader, open_dataset
from spikesim_datasets.shards.index import INDEX, shard_files
from spikesim_datasets.sources import Split
from spikesim_datasets.visualisation import Look

run = commands.run
dataset = commands.dataset
shard = commands.shard
recording = commands.recording
frames = commands.frames

# info


def test_info_of_a_dataset(run: Run, dataset: Path, tmp_path: Path) -> None:
    record = run("info", dataset, "--json").json
    size = sum(file.stat().st_size for file in shard_files(dataset))
    expected = {
        "kind": "dataset", "path": str(dataset), "shards": 2, "clips": 2, "train_samples": 2, "test_samples": 2,
        "bytes": size, "blur": [72, 120], "readouts": 137, "exposure": [20, 117], "thresholds": [1.0, 2.0],
    }  # fmt: skip
    assert expected.items() <= record.items()
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    (copy / INDEX).unlink()
    assert run("info", copy, "--json").json == {**record, "path": str(copy)}
    table = run("info", dataset)
    assert (table.code, table.err) == (0, "")
    assert "137" in table.out


def test_info_of_a_shard_a_layout_and_a_recording(
    run: Run, dataset: Path, shard: Path, recording: Path, tmp_path: Path
) -> None:
    record = run("info", shard, "--json").json
    assert {
        "kind": "shard",
        "clip": "train/clip",
        "samples": 2,
        "windows": [1, 2],
        "ground_truth_at": [68],
        "further_fields": [],
    }.items() <= (record.items())
    shards_to_layout(dataset, tmp_path / "layout")
    assert run("info", tmp_path / "layout", "--json").json == {
        "kind": "layout", "path": str(tmp_path / "layout"), "test_samples": 2, "train_samples": 2,
    }  # fmt: skip
    record = run("info", recording, "--height", 18, "--width", 30, "--json").json
    assert record == {
        "kind": "spikes", "path": str(recording), "readouts": 12, "height": 18, "width": 30, "camera": None,
        "spikes_per_pixel_and_readout": pytest.approx(read_spikes(recording, 18, 30).dense().mean()),
    }  # fmt: skip
    assert "not known" in run("info", recording, "--height", 18, "--width", 30).out


def test_info_names_further_fields(run: Run, frames: Path, tmp_path: Path) -> None:
    build_dataset(frames, tmp_path / "data", (1,), light=True, interpolation="linear", workers=1)
    assert run("info", tmp_path / "data", "--json").json["further_fields"] == ["light"]


def test_info_refuses_bad_input(run: Run, dataset: Path, shard: Path, recording: Path, tmp_path: Path) -> None:
    assert_refused(run("info", tmp_path / "none"), "none does not exist")
    (tmp_path / "empty").mkdir()
    assert_refused(run("info", tmp_path / "empty"), "empty is a folder without shards")
    (tmp_path / "empty" / INDEX).write_text('{"schema": "spikesim.dataset/1", "shards": []}')
    assert_refused(run("info", tmp_path / "empty"), "empty holds no shards")
    assert_refused(run("info", recording), "the size of", "is not known: give height and width")
    assert_refused(run("info", recording, "--height", 18, "--width", 31), "recording.dat has 816 bytes")
    assert_refused(run("info", recording, "--height", 18), "height and width go together")
    assert_refused(run("info", recording, "--height", 0, "--width", 30), "--height")
    (tmp_path / "a.txt").touch()
    assert_refused(run("info", tmp_path / "a.txt"), "a.txt", ".dat, .npz, .npy, .h5")
    half = tmp_path / "half.h5"
    half.write_bytes(shard.read_bytes()[:5000])
    assert_refused(run("info", half), "cannot read", "half.h5")
    assert_refused(run("info", shard.with_name("none.h5")), "does not exist")
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    (copy / INDEX).write_text("{")
    assert_refused(run("info", copy), "dataset.json is no index of a dataset")


def test_size_options_reach_the_reader(run: Run, tmp_path: Path) -> None:
    dense = np.random.default_rng(2).integers(0, 2, (5, 6, 10), np.uint8)
    write_spikes(tmp_path / "a.dat", SpikeStream.from_dense(dense), flip=False, header_columns=6, describe=False)
    words = ["--height", "6", "--width", "10", "--header-columns", "6", "--no-flip"]
    assert run("convert", tmp_path / "a.dat", tmp_path / "a.npy", *words).code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), dense)
    np.save(tmp_path / "hwt.npy", dense.transpose(1, 2, 0))
    assert run("convert", tmp_path / "hwt.npy", tmp_path / "thw.npy", "--axes", "HWT").code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "thw.npy"), dense)


def test_rates_of_streams_longer_than_a_count_can_hold(run: Run, tmp_path: Path) -> None:
    dense = np.zeros((70_000, 1, 8), np.uint8)
    dense[::2, :, 3] = 1
    stream = SpikeStream.from_dense(dense)
    write_spikes(tmp_path / "long.npz", stream)
    assert run("info", tmp_path / "long.npz", "--json").json["spikes_per_pixel_and_readout"] == 1 / 16


# convert


def test_convert_between_spike_formats(run: Run, recording: Path, tmp_path: Path) -> None:
    places = [recording, *(tmp_path / f"out/a{extension}" for extension in (".npy", ".npz", ".h5", ".dat"))]
    for number, (before, after) in enumerate(pairwise(places)):
        result = run("convert", before, after, *(["--height", 18, "--width", 30] if number == 0 else []))
        assert (result.code, result.out, result.err) == (0, "", f"readouts: 12 of 12\n{after}: 12 readouts\n")
    assert places[-1].read_bytes() == recording.read_bytes()


def test_convert_a_dataset_to_the_released_layout_and_back(run: Run, dataset: Path, tmp_path: Path) -> None:
    layout, back = tmp_path / "layout", tmp_path / "back"
    result = run("convert", dataset, layout)
    assert result.code == 0
    progress, converted, *notes = result.err.splitlines()
    assert progress == "samples: 4 of 4"
    assert converted == f"{layout}: 4 samples in the released layout"
    assert [note.partition(": it ")[0] for note in notes] == ["the release's own loader"] * 2
    assert (layout / "train/spike_data/clip/000019.dat").is_file()
    result = run("convert", layout, back)
    assert (result.code, result.err) == (0, f"samples: 4 of 4\n{back}: 4 samples in shards\n")
    for split in get_args(Split):
        for before, after in zip(open_dataset(dataset, split), open_dataset(back, split), strict=True):
            assert (before.blur.tobytes(), before.sharp.tobytes()) == (after.blur.tobytes(), after.sharp.tobytes())
            assert [s.packed.tobytes() for s in before.spikes.values()] == [
                s.packed.tobytes() for s in after.spikes.values()
            ]
    (layout / "spikesim.json").unlink()
    assert_refused(run("convert", layout, tmp_path / "foreign"), "does not say its threshold; give it with --vth")
    assert_refused(run("convert", layout, tmp_path / "foreign", "--vth", 0), "v_th must be a positive finite number")
    assert run("convert", layout, tmp_path / "foreign", "--vth", 1).code == 0
    assert open_dataset(tmp_path / "foreign", "train").thresholds == (1.0,)


def test_convert_a_sample_to_a_spike_file(run: Run, shard: Path, tmp_path: Path) -> None:
    output = tmp_path / "one.npz"
    assert run("convert", shard, output, "--vth", 2, "--sample", 1).code == 0
    with ShardReader(shard) as reader:
        expected = reader.spikes(1, 2.0)
    stream = read_spikes(output)
    np.testing.assert_array_equal(stream.packed, expected.packed)
    assert stream.camera == expected.camera


def test_convert_refuses_bad_input(run: Run, dataset: Path, shard: Path, recording: Path, tmp_path: Path) -> None:
    output = tmp_path / "new.npz"
    size = ("--height", 18, "--width", 30)
    assert_refused(run("convert", tmp_path / "none.dat", output), "none.dat does not exist")
    assert_refused(run("convert", recording, tmp_path / "a.txt", *size), "a.txt")
    assert_refused(run("convert", recording, output, "--height", 17, "--width", 30), "recording.dat has 816 bytes")
    assert_refused(run("convert", shard, output), "has spikes of the thresholds 1, 2; say which")
    assert_refused(run("convert", shard, output, "--vth", 4), "no spikes of threshold 4; it has 1, 2")
    for number in (2, -1):
        assert_refused(run("convert", shard, output, "--vth", 1, "--sample", number), "samples 0..1")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").touch()
    assert_refused(run("convert", dataset, tmp_path / "full"), "full exists already and is not an empty folder")
    assert not output.exists()


# verify


def test_verify(run: Run, dataset: Path, tmp_path: Path) -> None:
    result = run("verify", dataset)
    assert (result.code, result.out) == (0, "")
    assert "2 shards, 4 samples" in result.err
    assert "all whole" in result.err
    record = run("verify", dataset, "--json").json
    assert record["damaged"] == 0
    assert [check["samples"] for check in record["shards"]] == [2, 2]
    copy = Path(shutil.copytree(dataset, tmp_path / "copy"))
    path = copy / "train/clip.000.h5"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (copy / "test/clip.000.h5").unlink()
    result = run("verify", copy)
    assert_refused(result, "2 of 2 shards of", f"{path} has other bytes", "lists test/clip.000.h5, which is missing")
    result = run("verify", copy, "--json")
    assert result.code == 2
    assert result.json["damaged"] == 2
    assert [bool(check["problem"]) for check in result.json["shards"]] == [True, True]
    assert_refused(run("verify", tmp_path / "none"), "there is no dataset at")


# view


@pytest.mark.parametrize("look", get_args(Look))
def test_view_a_recording(run: Run, recording: Path, tmp_path: Path, look: str) -> None:
    size = ("--height", 18, "--width", 30, "--as", look, *(("--window", 5) if look == "tfp" else ()))
    for name in ("strip.png", "video.gif", "video.mp4"):
        result = run("view", recording, tmp_path / name, *size)
        done = "" if name == "strip.png" else "readouts: 12 of 12\n"
        assert (result.code, result.out, result.err) == (0, "", f"{done}wrote {tmp_path / name}\n")
    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.width >= 5 * 400
    with Image.open(tmp_path / "video.gif") as video:
        assert video.n_frames == 12
    with av.open(str(tmp_path / "video.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 12


def test_view_a_sample(run: Run, dataset: Path, shard: Path, tmp_path: Path) -> None:
    def pixels(*words: object) -> np.ndarray:
        assert run("view", words[0], tmp_path / "a.png", "--overwrite", *words[1:]).code == 0
        with Image.open(tmp_path / "a.png") as image:
            return np.asarray(image)

    first = pixels(shard)
    np.testing.assert_array_equal(pixels(dataset), first)
    second = pixels(shard, "--sample", 1)
    assert not np.array_equal(second, first)
    np.testing.assert_array_equal(pixels(dataset, "--sample", -1), second)
    assert pixels(dataset, "--split", "test").shape == first.shape


def test_a_released_layout_opens_in_view_and_verify(run: Run, dataset: Path, tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    shards_to_layout(dataset, layout, 1)

    def view(name: str, path: Path, *words: object) -> np.ndarray:
        result = run("view", path, tmp_path / name, "--overwrite", "--sample", 1, "--split", "test", *words)
        assert result.code == 0, result.err
        with Image.open(tmp_path / name) as image:
            return np.asarray(image)

    def assert_same_as_shards(*words: object, v_th: float | None = None) -> None:
        shards = tmp_path / f"shards {v_th}"
        layout_to_shards(layout, shards, v_th)
        np.testing.assert_array_equal(view("layout.png", layout, *words), view("shards.png", shards))

    assert_same_as_shards()
    assert "2 clips, 4 samples" in run("verify", layout).err
    (layout / "spikesim.json").unlink()
    assert_same_as_shards("--vth", 1, v_th=1)
    assert_refused(run("view", layout, tmp_path / "a.png"), "does not say its threshold; give it with --vth")
    assert run("verify", layout, "--json").json == {
        "damaged": 0,
        "clips": [
            {
                "path": f"{split}/clip.000.h5",
                "samples": 2,
                "bytes": sum(file.stat().st_size for file in (layout / split).rglob("*.*")),
                "problem": "",
            }
            for split in ("test", "train")
        ],
    }
    (layout / "train/spike_data/clip/000019.dat").write_bytes(b"1")
    (layout / "test/blur_data/clip/000032.png").unlink()
    result = run("verify", layout)
    assert_refused(result, "2 of 2 clips of", "000019.dat", "000032.png")
    shutil.rmtree(layout / "train")
    assert_refused(run("view", layout, tmp_path / "a.png", "--vth", 1), "no samples of the split 'train'; it has test")


def test_view_takes_the_splits_that_there_are(run: Run, dataset: Path, tmp_path: Path) -> None:
    shards_to_layout(dataset, tmp_path / "layout", 1)
    shutil.rmtree(tmp_path / "layout" / "test")
    (tmp_path / "layout" / "spikesim.json").unlink()
    (tmp_path / "layout" / "train").rename(tmp_path / "layout" / "valid")
    words = ("view", tmp_path / "layout", tmp_path / "a.png", "--vth", 1)
    assert_refused(run(*words), "no samples of the split 'train'; it has valid")
    assert run(*words, "--split", "valid").code == 0


def test_view_refuses_bad_input(run: Run, dataset: Path, shard: Path, recording: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.png"
    assert_refused(run("view", tmp_path / "none", output), "none does not exist")
    assert_refused(run("view", shard, tmp_path / "a.jpg"), "a.jpg: images are .png, videos .gif or .mp4")
    assert_refused(run("view", recording, output), "give height and width")
    assert_refused(run("view", recording, output, "--height", 18, "--width", 30, "--window", 13), "a window of 13")
    assert_refused(run("view", shard, output, "--window", 138), "a window of 138")
    assert_refused(run("view", shard, output, "--window", 0), "--window")
    for number in (2, -1):
        assert_refused(run("view", shard, output, "--sample", number), "samples 0..1")
    for number in (2, -3):
        assert_refused(run("view", dataset, output, "--sample", number), f"2 samples, there is no sample {number}")
    assert_refused(run("view", shard, output, "--as", "rainbow"), "'rainbow' is not one of")
    assert_refused(run("view", shard, output, "--vth", 1), "--vth goes with a folder in the released layout")
    train = tmp_path / "train"
    shutil.copytree(dataset / "train", train / "train")
    assert_refused(run("view", train, output, "--split", "test"), "no samples of the split 'test'; it has train")
    assert_refused(
        run("view", recording, output, "--height", 18, "--width", 30, "--readouts", 10), "21 readouts", "(--window)"
    )
    assert not output.exists()
