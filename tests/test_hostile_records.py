"""Descriptions in which a value was exchanged, taken out, doubled or nested too deeply: read, or refused in our words.

What is read of them is never anything outside their folder.
"""

import copy
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from shard_data import make_sample, write_shard

from spikesim import SpikeCamera, SpikeStream, read_spikes, write_spikes
from spikesim.errors import InputFileError, InvalidValueError, SpikesimError
from spikesim.input_files import parse_json
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.layouts import open_layout, shards_to_layout
from spikesim_datasets.shards import ShardReader, open_dataset, verify_dataset
from spikesim_datasets.shards.index import read_index, write_index

STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 1 << 70, 0.5, 1e308, "", "x", "../../x", "/etc/passwd", "a/../../b", "\x1b[2J", "\ud800", [],
    [None], {}, {"a": {}}, "DEEP", "NaN",
)  # fmt: skip


def altered(record: Any, values: Iterable[Any]) -> Iterator[Any]:
    """A record with each of its values exchanged for each of some, and with each taken out."""
    places: list[tuple[Any, ...]] = []

    def visit(value: Any, place: tuple[Any, ...]) -> None:
        keys = range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()
        for key in keys:
            places.append((*place, key))
            visit(value[key], places[-1])

    visit(record, ())
    for *place, key in places:
        changed = copy.deepcopy(record)
        holder = changed
        for step in place:
            holder = holder[step]
        for value in values:
            holder[key] = value
            yield copy.deepcopy(changed)
        del holder[key]
        yield changed


def variants(record: Any) -> Iterator[str]:
    """The text of a record with each of its values exchanged for each strange one, and with each taken out."""
    deep = "[" * 50_000 + "]" * 50_000
    for changed in altered(record, STRANGE):
        yield json.dumps(changed).replace('"DEEP"', deep).replace('"NaN"', "NaN")


def refusals(path: Path, read: Callable[[], object]) -> set[str]:
    """The errors that reading variants of a description ends with."""
    ends = set()
    whole = path.read_text("utf-8")
    for text in variants(json.loads(whole)):
        path.write_text(text, "utf-8")
        try:
            read()
            ends.add("read")
        except SpikesimError as error:
            ends.add(type(error).__name__)
    path.write_text(whole, "utf-8")
    read()
    return ends


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    recipe = {"choices": {"plan": asdict(ExposurePlan())}}
    for name in ("a", "b"):
        sample = make_sample(0, 24, 40, 137, (68,), key=f"train/{name}")
        sample = sample.__class__(**{**vars(sample), "exposure": (20, 117)})
        write_shard(root / "train" / f"{name}.000.h5", sample, recipe=recipe)
    write_index(root, recipe)
    return root


def test_of_an_index(dataset: Path) -> None:
    def read() -> None:
        with ShardReader(dataset / "train" / "a.000.h5") as shard:
            expected = shard.sample(0).blur
        for found in open_dataset(dataset, "train"):
            np.testing.assert_array_equal(found.blur, expected)  # all are alike, and none is from elsewhere

    assert refusals(dataset / "dataset.json", read) == {"read", "InputFileError"}


def test_of_an_index_in_verification(dataset: Path) -> None:
    assert refusals(dataset / "dataset.json", lambda: list(verify_dataset(dataset))) == {"read", "InputFileError"}


@pytest.mark.parametrize("path", ["../outside.h5", "/outside.h5", "train/../../outside.h5", "train//a.000.h5", ".",
                                  "a.000.h5", "train/a.000.dat", "dataset.json"])  # fmt: skip
def test_an_index_that_leads_out_of_its_folder_is_refused(dataset: Path, path: str) -> None:
    shutil.copy(dataset / "train" / "a.000.h5", dataset.parent / "outside.h5")
    record = json.loads((dataset / "dataset.json").read_text())
    record["shards"][0]["path"] = path
    (dataset / "dataset.json").write_text(json.dumps(record))
    with pytest.raises(InputFileError, match=r"dataset\.json is no index .*is no path in a dataset"):
        open_dataset(dataset, "train")


def test_an_index_that_lists_a_shard_twice_is_refused(dataset: Path) -> None:
    record = json.loads((dataset / "dataset.json").read_text())
    record["shards"].append(record["shards"][0])
    (dataset / "dataset.json").write_text(json.dumps(record))
    with pytest.raises(InputFileError, match=r"lists train/a\.000\.h5 more than once"):
        open_dataset(dataset, "train")


def test_a_listed_shard_of_other_bytes_is_not_opened(dataset: Path) -> None:
    """Not even where they make a whole shard."""
    path = dataset / "train" / "b.000.h5"
    with h5py.File(path, "r+") as file:
        file["window"].attrs["x"] = 1  # where there was room
        file["blur"][0, 0, 0, 0] += 1
    record = json.loads((dataset / "dataset.json").read_text())
    record["shards"][1]["bytes"] = path.stat().st_size
    (dataset / "dataset.json").write_text(json.dumps(record))
    samples = open_dataset(dataset, "train")
    assert samples[0].key == "train/a"
    with pytest.raises(InputFileError, match=r"b\.000\.h5 has other bytes than when it was built"):
        samples[1]


def test_of_a_layout(dataset: Path, tmp_path: Path) -> None:
    shards_to_layout(dataset, tmp_path / "layout")

    def read() -> None:
        for sample in open_layout(tmp_path / "layout", "train"):
            assert sample.blur.shape == (24, 40, 3)

    assert refusals(tmp_path / "layout" / "spikesim.json", read) == {"read", "InputFileError"}


@pytest.mark.parametrize("folder", ["../../elsewhere", "/elsewhere", "spike_data/../../x", "sharp_data"])
def test_a_layout_whose_folders_lead_elsewhere_is_refused(dataset: Path, tmp_path: Path, folder: str) -> None:
    shards_to_layout(dataset, tmp_path / "layout")
    path = tmp_path / "layout" / "spikesim.json"
    record = json.loads(path.read_text())
    record["shards"][0]["spikes"][folder] = {"v_th": 9.0, "camera": None}
    path.write_text(json.dumps(record))
    with pytest.raises(InputFileError, match=r"no folder of spikes .* can be called"):
        open_layout(tmp_path / "layout", "train")


def test_of_spikes(tmp_path: Path) -> None:
    write_spikes(tmp_path / "clip.dat", SpikeStream(np.ones((3, 5, 2), np.uint8), 11, SpikeCamera.preset("realistic")))
    ends = refusals(tmp_path / "clip.json", lambda: read_spikes(tmp_path / "clip.dat"))
    assert ends == {"read", "InputFileError", "InvalidValueError"}


def test_of_a_camera() -> None:
    for text in variants(json.loads(SpikeCamera.preset("realistic", v_th=2).to_json())):
        try:
            assert isinstance(SpikeCamera.from_json(text), SpikeCamera)
        except SpikesimError:
            continue


ATTRIBUTES = {"": ("schema", "key", "split", "exposure", "recipe"), "sharp": ("readouts",)} | {
    "spikes/vth_1": ("width", "v_th", "camera")
}


@pytest.mark.parametrize(("place", "name"), [(place, name) for place, names in ATTRIBUTES.items() for name in names])
def test_of_a_shard(tmp_path: Path, place: str, name: str) -> None:
    whole = write_shard(tmp_path / "a.h5", make_sample()).read_bytes()
    values = (-1, 1 << 62, 1e308, np.nan, "", "x", "../../x", "\x1b[2J", "[" * 10_000, "{}", '{"choices": 3}', "[]")
    for number, value in enumerate((*values, [], [1, 2, 3], [5, 5], [8, 3], [-4, 9], np.arange(9), h5py.Empty("f4"))):
        path = tmp_path / f"{number}.h5"
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            file[f"/{place}"].attrs[name] = value
        try:
            with ShardReader(path) as shard:
                shard.sample(0)
                assert isinstance(shard.recipe.get("choices", {}), dict)
                assert 0 <= shard.exposure[0] < shard.exposure[1] <= shard.shape[0]
        except InputFileError:
            continue


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "b": {"c": 1, "c": 1}}', "gives 'c' more than once"),
        ('{"a": NaN}', "holds NaN, which is no number"),
        ("[-Infinity]", "holds -Infinity, which is no number"),
        ("[-1e400]", "holds '-1e400', which is more than a number can be"),
        ("[" + "{}," * 1_500_000 + "{}]", "more values than any description"),
        ('["' + "x" * (1 << 25) + '"]', "more values than any description"),
        ("[" * 100_000, "is no JSON"),
        ("9" * 10_000, "is no JSON"),
        ("", "is no JSON"),
    ],
)
def test_json_within_bounds(text: str, said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        parse_json(text)


def test_an_entry_given_twice_is_found_among_many() -> None:
    """Soon: whoever counts each of them does not come to an end."""
    names = [*map(str, range(100_000)), "x" * 10_000, "99999"]
    with pytest.raises(InvalidValueError, match="gives '99999' more than once"):
        parse_json("{" + ",".join(f'"{name}": 0' for name in names) + "}")


def test_an_index_of_a_hundred_thousand_shards_is_read(tmp_path: Path) -> None:
    entry = {"key": "train/GOPR0372_07_00", "split": "train", "samples": 8, "bytes": 123456789, "sha256": "0" * 64}
    shards = [{"path": f"train/GOPR0372_07_00.{number:06}.h5", **entry} for number in range(100_000)]
    (tmp_path / "dataset.json").write_text(json.dumps({"schema": "spikesim.dataset/1", "shards": shards}))
    entries = read_index(tmp_path)
    assert entries is not None
    assert len(entries) == 100_000
