"""Folder layouts hold optional fields as they are declared, both ways."""

import json
from collections.abc import Callable
from pathlib import Path

import field_data
import numpy as np
import pytest
from field_data import TOYS, assert_same_extra, make_sample
from PIL import Image
from shard_data import content

from spikesim.errors import InputFileError
from spikesim_datasets.layouts import layout_to_shards, open_layout, shards_to_layout
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.shards.index import shard_files

toys, dataset = field_data.toys, field_data.dataset


@pytest.fixture
def layout(dataset: Path, tmp_path: Path) -> Path:
    """The dataset as a layout, to be changed."""
    assert shards_to_layout(dataset, tmp_path / "layout") == 5
    return tmp_path / "layout"


def test_names_and_arrays(layout: Path) -> None:
    found = {path.relative_to(layout).as_posix() for path in layout.rglob("*") if path.is_file()}
    expected = {
        f"train/{field}_data/{clip}/{frame:06d}.npy"
        for field in ("depth", "cell", "motion", "shift")
        for clip, frames in {"a": (19, 32, 45), "b": (19,)}.items()
        for frame in frames
        if frame < 45 or field in ("depth", "shift")
    }
    assert {name for name in found if name.endswith(".npy")} == expected
    images = {f"train/tint_data/{clip}/{frame:06d}.png" for clip, first in (("a", 13), ("a", 26), ("b", 13))
              for frame in range(first, first + 13, 2)}  # fmt: skip
    assert {name for name in found if "tint" in name} == images
    sample = make_sample(2)
    motion = np.load(layout / "train/motion_data/a/000032.npy")
    np.testing.assert_array_equal(motion, sample.extra["motion"], strict=True)
    np.testing.assert_array_equal(
        np.asarray(Image.open(layout / "train/tint_data/a/000028.png")), sample.extra["tint"][1]
    )
    described = json.loads((layout / "spikesim.json").read_text())["shards"]
    assert [shard.get("extra") for shard in described] == [None, [*TOYS], ["depth", "shift"], [*TOYS]]


def test_nothing_is_lost(dataset: Path, layout: Path, tmp_path: Path) -> None:
    layout_to_shards(layout, tmp_path / "back")
    assert len(shard_files(tmp_path / "back")) == 4
    for file in shard_files(dataset):
        assert content(tmp_path / "back" / file.relative_to(dataset)) == content(file)


def test_a_layout_is_read_as_the_shards_are(dataset: Path, layout: Path) -> None:
    shards, folders = open_dataset(dataset, "train"), open_layout(layout, "train")
    assert folders.extra == ("depth", "shift")
    for found, expected in zip(folders, shards, strict=True):
        assert_same_extra(found, expected)
    cuts = {"S-1": slice(2, 4), "S": slice(1, 2), "H": slice(4, 9), "W": slice(8, 20), "h": slice(3, 5)}
    readers = [source.open_shard(source.locate(0)[0]) for source in (folders, shards)]
    for name in TOYS:
        found, expected = (reader.array(name, 1, cuts) for reader in readers)
        np.testing.assert_array_equal(found, expected, strict=True)


def test_a_foreign_layout_has_the_fields_whose_files_it_has(layout: Path, tmp_path: Path) -> None:
    (layout / "spikesim.json").unlink()
    (layout / "train/depth_data/b/000019.npy").unlink()
    for part in ("depth", "shift"):
        (layout / f"train/{part}_data/a/000045.npy").unlink()
    for folder in ("blur_data", "spike_data"):
        for path in (layout / "train" / folder / "a").glob("000045.*"):
            path.unlink()
    layout_to_shards(layout, tmp_path / "back", v_th=1)
    train = open_dataset(tmp_path / "back", "train")
    assert [list(sample.extra) for sample in train] == [[*TOYS], [*TOYS], ["cell", "motion", "shift", "tint"]]
    for sample in train:
        expected = make_sample(sample.window)
        for name, array in sample.extra.items():
            np.testing.assert_array_equal(array, expected.extra[name], strict=True)
    assert open_dataset(tmp_path / "back", "test")[0].extra == {}


def put(array: np.ndarray) -> Callable[[Path], None]:
    return lambda path: np.save(path, array)


def archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, np.zeros((72, 120), np.float32))


DAMAGES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "no array": ("depth_data/a/000032.npy", Path.unlink, "No such file"),
    "an empty array": ("depth_data/a/000032.npy", lambda path: path.write_bytes(b""), "cannot read"),
    "half an array": ("depth_data/a/000032.npy", lambda path: path.write_bytes(path.read_bytes()[:999]), "cannot read"),
    "objects": ("depth_data/a/000032.npy", put(np.array([{}])), "cannot read"),
    "an archive": ("depth_data/a/000032.npy", archive, "cannot read"),
    "another size": ("depth_data/a/000032.npy", put(np.zeros((72, 116), np.float32)), r"float32 \(72, 116\), beside"),
    "another type": ("depth_data/a/000032.npy", put(np.zeros((72, 120))), r"is float64 .*float32 \(72, 120\) fits"),
    "another number": ("shift_data/a/000032.npy", put(np.zeros(4, np.float32)), r"\(4,\), beside .* \(3,\) fits"),
    "no image": ("tint_data/a/000028.png", Path.unlink, "No such file"),
    "an image of another size": (
        "tint_data/a/000028.png", lambda path: Image.new("RGB", (116, 72)).save(path), "is 116×72, its blur is 120×72",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "damage", "said"), DAMAGES.values(), ids=DAMAGES)
@pytest.mark.parametrize("described", [True, False])
def test_missing_and_damaged_files_are_named(
    layout: Path, tmp_path: Path, name: str, damage: Callable[[Path], object], said: str, described: bool
) -> None:
    if not described:
        (layout / "spikesim.json").unlink()
    damage(layout / "train" / name)
    with pytest.raises(InputFileError, match=rf"{name}.*{said}|{said}.*{name}"):
        layout_to_shards(layout, tmp_path / "back", v_th=1)


def test_a_described_field_that_is_not_known_is_refused(layout: Path) -> None:
    path = layout / "spikesim.json"
    path.write_text(path.read_text().replace('"depth"', '"colour"'))
    with pytest.raises(
        InputFileError, match=r"spikesim\.json is no description .*has the fields colour, which are not"
    ):
        open_layout(layout, "train")
