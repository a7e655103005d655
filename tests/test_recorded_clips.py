"""Clip folders of real recordings: pairs of an image and spikes, read as a dataset and deblurred at once."""

from pathlib import Path

import commands
import deblurring_data
import numpy as np
import pytest
import training_data
from commands import Run, assert_refused
from deblurring_data import HEIGHT, WIDTH, content, scene
from PIL import Image
from training_data import SHORT, assert_same

from spikesim import write_spikes
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.layouts import (
    is_layout,
    layout_to_shards,
    open_layout,
    recorded_pairs,
    shards_to_layout,
    verify_layout,
)
from spikesim_datasets.recognition import recognise
from spikesim_datasets.samples import SpikeBlurDataset
from spikesim_datasets.shards import open_dataset
from ssdm_models import load_deblurrer
from ssdm_models.recordings import BlurryRecording, deblur_recording
from ssdm_models.training import train_stage

checkpoint, data, ldn, run, taught = (
    deblurring_data.checkpoint,
    training_data.data,
    deblurring_data.ldn,
    commands.run,
    training_data.taught,
)

READOUTS = ExposurePlan().stream_length


def recording(number: int, readouts: int = READOUTS) -> BlurryRecording:
    """One of several that differ."""
    blur, spikes = scene(readouts=readouts)
    return BlurryRecording(np.roll(blur, number, 0), spikes)


def write_pair(image: Path, spikes: Path, number: int = 0, readouts: int = READOUTS) -> None:
    for path in (image, spikes):
        path.parent.mkdir(parents=True, exist_ok=True)
    blur, stream = recording(number, readouts)
    Image.fromarray(blur).save(image)
    write_spikes(spikes, stream, describe=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A clip of either kind, and what else lies in such folders."""
    root = tmp_path / "recordings"
    for number in (2, 10):
        write_pair(root / "street" / f"{number}.png", root / "street" / f"{number}.dat", number)
    write_pair(root / "walk" / "blur_data" / "000001.BMP", root / "walk" / "spike_data" / "000001.dat", 1)
    Image.new("RGB", (52, 36)).save(root / "street" / "preview.png")
    (root / "street" / "._2.dat").touch()
    (root / "walk" / "notes.txt").touch()
    return root


def test_pairs_have_equal_names(root: Path) -> None:
    street, walk = root / "street", root / "walk"
    assert recorded_pairs(root) == {
        "street/2": (street / "2.png", street / "2.dat"),
        "street/10": (street / "10.png", street / "10.dat"),
        "walk/000001": (walk / "blur_data" / "000001.BMP", walk / "spike_data" / "000001.dat"),
    }
    assert list(recorded_pairs(root)) == ["street/2", "street/10", "walk/000001"]
    assert list(recorded_pairs(street)) == ["2", "10"]
    for pairs in (recorded_pairs(walk), recorded_pairs(walk / "spike_data", walk / "blur_data")):
        assert pairs == {"000001": (walk / "blur_data" / "000001.BMP", walk / "spike_data" / "000001.dat")}


def test_spikes_that_are_in_no_pair(root: Path, tmp_path: Path) -> None:
    street = root / "street"
    (street / "2.jpg").write_bytes(b"")
    with pytest.raises(InputFileError, match=r"2\.dat needs one blurry image .* beside it.*; there is 2\.jpg, 2\.png"):
        recorded_pairs(root)
    (street / "2.jpg").unlink()
    (street / "2.png").unlink()
    with pytest.raises(InputFileError, match=r"2\.dat needs one blurry image of its name .*; there is none"):
        recorded_pairs(root)
    with pytest.raises(InputFileError, match=r"10\.dat needs one blurry image .* in .*blur_data; there is none"):
        recorded_pairs(street, root / "walk" / "blur_data")
    (street / "2.dat").unlink()
    write_pair(root / "walk" / "000001.png", root / "walk" / "000001.dat")
    with pytest.raises(InputFileError, match=r"have one name, walk/000001; rename one"):
        recorded_pairs(root)
    for folder in (tmp_path / "none", root / "walk" / "blur_data"):
        with pytest.raises(InputFileError, match="holds no recordings"):
            recorded_pairs(folder)


def test_they_are_a_dataset_of_one_split(root: Path) -> None:
    assert recognise(root) == "layout"
    dataset = SpikeBlurDataset(root, "train", 2.0)
    assert (len(dataset), dataset.thresholds, dataset.exposure, dataset.ratio) == (3, [2.0], (20, 117), 4)
    for item, (key, number) in zip(dataset, [("street", 2), ("street", 10), ("walk", 1)], strict=True):
        blur, spikes = recording(number)
        assert item["key"] == f"train/{key}"
        np.testing.assert_array_equal(np.rint(item["blur"].numpy() * 255).astype(np.uint8).transpose(1, 2, 0), blur)
        np.testing.assert_array_equal(item["spikes"].numpy(), spikes.dense())
        assert item["sharp"].shape == (0, 3, HEIGHT, WIDTH)
    assert SpikeBlurDataset(root, "train", 2.0, crop=32)[0]["blur"].shape == (3, 32, 32)
    with pytest.raises(InvalidValueError, match="no samples of the split 'test'; it has train"):
        open_layout(root, "test", 2.0)
    with pytest.raises(InvalidValueError, match="does not say its threshold; give it with --vth"):
        open_layout(root, "train")


def test_a_stream_of_another_length_was_exposed_in_all_of_it(tmp_path: Path) -> None:
    write_pair(tmp_path / "a" / "1.png", tmp_path / "a" / "1.dat", readouts=30)
    assert open_layout(tmp_path, "train", 1.0).exposure == (0, 30)
    write_pair(tmp_path / "a" / "2.png", tmp_path / "a" / "2.dat", readouts=31)
    with pytest.raises(InputFileError, match=r"2\.dat has 31 readouts, a stream of this layout has 30"):
        open_layout(tmp_path, "train", 1.0)[1]


def test_other_sizes_say_which_step_helps(root: Path) -> None:
    for size, what in (((52, 38), "is 52×38, no multiples of 4"), ((56, 36), "no multiple")):
        Image.new("RGB", size).save(root / "street" / "2.png")
        with pytest.raises(InputFileError, match=rf"{what}.*a quarter of their image.*`spikesim deblur --crop`.*Align"):
            open_layout(root, "train", 1.0)
    write_spikes(root / "street" / "2.dat", recording(2).spikes)
    with pytest.raises(InputFileError, match=r"2\.dat holds spikes of 13×9.*is 56×36: deblur pairs"):
        open_layout(root, "train", 1.0)
    Image.new("RGB", (52, 36)).save(root / "street" / "2.png")
    assert len(open_layout(root, "train", 1.0)) == 3


def test_they_become_shards_with_their_sensor(root: Path, tmp_path: Path) -> None:
    assert layout_to_shards(root, tmp_path / "data", 2.0, "realistic") == 3
    shards, folders = open_dataset(tmp_path / "data", "train"), open_layout(root, "train", 2.0)
    for number in range(3):
        one, other = shards[number], folders[number]
        np.testing.assert_array_equal(one.blur, other.blur)
        np.testing.assert_array_equal(one.spikes[2.0].packed, other.spikes[2.0].packed)
        assert one.spikes[2.0].camera is not None
    assert recognise(tmp_path / "data") == "dataset"
    assert not is_layout(tmp_path / "data")


def test_a_damaged_pair_is_found(root: Path) -> None:
    street, walk = verify_layout(root)
    assert (street.problem, street.samples, walk.problem, walk.samples) == ("", 2, "", 1)
    assert street.bytes == sum((root / "street" / f"{number}").stat().st_size for number in _STREET)
    (root / "walk" / "blur_data" / "000001.BMP").write_bytes((root / "street" / "2.png").read_bytes()[:-900])
    assert "cannot be decoded" in list(verify_layout(root))[1].problem


_STREET = ("2.png", "2.dat", "10.png", "10.dat")


def test_recordings_train_as_the_shards_they_lie_in(data: Path, taught: Path, tmp_path: Path) -> None:
    shards_to_layout(data, tmp_path / "layout")
    for path in (tmp_path / "layout" / "train").glob("*_data/*/*"):
        if path.parent.parent.name != "sharp_data":
            target = tmp_path / "recordings" / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    train_stage("sr", tmp_path / "recordings", tmp_path / "run", epochs=1, **SHORT)
    assert_same(tmp_path / "run" / "sr.safetensors", taught / "sr.safetensors")


# Commands


def test_info_and_view_tell_of_them(run: Run, root: Path, tmp_path: Path) -> None:
    assert run("info", root, "--json").json == {"kind": "layout", "path": str(root), "clips": 2, "recordings": 3}
    assert run("view", root, tmp_path / "a.png", "--vth", 2, "--sample", 1).code == 0
    assert (tmp_path / "a.png").is_file()


def test_a_folder_is_deblurred(run: Run, root: Path, checkpoint: Path, tmp_path: Path) -> None:
    words = ("--checkpoint", checkpoint, "--frames", 2)
    result = run("deblur", root, root, tmp_path / "out", *words)
    assert (result.code, result.out) == (0, "")
    lines = result.err.splitlines()
    assert "recordings: 3 of 3" in lines
    assert f"{root / 'street/2.png'} with {root / 'street/2.dat'}:" in lines
    assert lines[-1] == f"{tmp_path / 'out/walk/000001'}: 2 frames of 52×36, at readouts 20 to 116"
    for name, number in (("street/2", 2), ("street/10", 10), ("walk/000001", 1)):
        deblur_recording(load_deblurrer(checkpoint, "cpu"), recording(number), tmp_path / "same" / name, frames=2)
        assert content(tmp_path / "out" / name) == content(tmp_path / "same" / name)
    (tmp_path / "out" / "street" / "10" / "000020.png").unlink()
    again = run("deblur", root, root, tmp_path / "out", *words, "--json").json
    assert [record["kept"] for record in again["recordings"]] == [2, 1, 2]
    assert content(tmp_path / "out" / "street" / "10") == content(tmp_path / "same" / "street" / "10")
    walk = root / "walk"
    assert run("deblur", walk / "blur_data", walk / "spike_data", tmp_path / "two", *words).code == 0
    assert content(tmp_path / "two" / "000001") == content(tmp_path / "same" / "walk" / "000001")


def test_a_folder_is_aligned_as_one(run: Run, root: Path, checkpoint: Path, tmp_path: Path) -> None:
    for path in root.rglob("*.[pB][nM][gP]"):
        image = np.asarray(Image.open(path))
        Image.fromarray(np.pad(image, ((3, 5), (7, 1), (0, 0)))).save(path)
    assert_refused(
        run("deblur", root, root, tmp_path / "out", "--checkpoint", checkpoint), "11×15 is a quarter of", "--crop"
    )
    assert not (tmp_path / "out").exists()
    words = ("--checkpoint", checkpoint, "--frames", 1, "--crop", 7, 3, WIDTH, HEIGHT)
    assert run("deblur", root, root, tmp_path / "out", *words).code == 0
    deblur_recording(load_deblurrer(checkpoint, "cpu"), recording(10), tmp_path / "same", frames=1)
    assert content(tmp_path / "out" / "street" / "10") == content(tmp_path / "same")


def test_folders_that_cannot_be_deblurred(run: Run, root: Path, checkpoint: Path, tmp_path: Path) -> None:
    words = ("--checkpoint", checkpoint)
    for name in ("a.mp4", "a.png", "a.gif"):
        assert_refused(run("deblur", root, root, tmp_path / name, *words), "OUT is one as well, for all recordings")
    assert_refused(run("deblur", root / "walk", root / "street", tmp_path / "out", *words), "needs one blurry image")
    assert_refused(run("deblur", root, root, root, *words), "would replace")
    one = root / "street" / "2.dat"
    assert_refused(
        run("deblur", root, one, tmp_path / "out", *words), f"SPIKES is none; give two folders, or {root} twice"
    )
    one = root / "street" / "2.png"
    assert_refused(
        run("deblur", one, root, tmp_path / "out", *words), "not the spikes of one image", "FOLDER FOLDER OUT"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recordings"]
