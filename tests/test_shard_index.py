"""A dataset of shards: its order, its index, and what verification finds."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import shard_data
from shard_data import assert_equal, chunks, flip_bits, make_sample, write_shard

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.recognition import recognise
from spikesim_datasets.shards import open_dataset, verify_dataset
from spikesim_datasets.shards.index import INDEX, list_shards, read_index, write_index

dataset = shard_data.dataset


ENTRY = (
    '{"schema": "spikesim.dataset/1", "shards": [{"path": "train/a.000.h5", "key": "%s", "split": "%s", "samples": 3, '
    '"bytes": 1, "sha256": ""%s}]}'
)


def problems(root: Path) -> dict[str, str]:
    return {check.path: check.problem for check in verify_dataset(root) if check.problem}


def test_a_dataset_is_the_samples_of_its_shards_in_order(dataset: Path) -> None:
    train = open_dataset(dataset, "train")
    assert (len(train), train.split, train.thresholds) == (5, "train", (1.0, 2.5))
    assert [(sample.key, sample.window) for sample in train] == [
        ("train/a", 1), ("train/a", 2), ("train/a", 3), ("train/b", 1), ("train/b", 2),
    ]  # fmt: skip
    assert_equal(train[3], make_sample(1, key="train/b"))
    assert [train.locate(index) for index in (2, 3, -1, -5)] == [
        (dataset / "train/a.000.h5", 2),
        (dataset / "train/b.000.h5", 0),
        (dataset / "train/b.000.h5", 1),
        (dataset / "train/a.000.h5", 0),
    ]
    assert_equal(train[-2], train[3])
    for index in (5, -6):
        with pytest.raises(IndexError, match=rf"5 samples, there is no sample {index}"):
            train[index]
    assert [sample.key for sample in open_dataset(dataset, "test")] == ["test/c"]


def test_the_index_lists_every_shard_and_can_be_made_anew(dataset: Path) -> None:
    before = (dataset / INDEX).read_bytes()
    record = json.loads(before)
    assert record["schema"] == "spikesim.dataset/1"
    assert record["samples"] == {"test": 1, "train": 5}
    assert record["recipe"] == {"choices": {}}
    assert [entry["path"] for entry in record["shards"]] == ["test/c.000.h5", "train/a.000.h5", "train/b.000.h5"]
    assert record["shards"][1]["bytes"] == (dataset / "train/a.000.h5").stat().st_size
    (dataset / INDEX).unlink()
    write_index(dataset, {"choices": {}})
    assert (dataset / INDEX).read_bytes() == before


def test_the_index_names_clips_as_the_shards_do(dataset: Path) -> None:
    (entry, *_) = list_shards(dataset)
    assert (entry.split, entry.name, entry.key) == ("test", "c", "test/c")
    record = json.loads((dataset / INDEX).read_text())["shards"][0]
    assert list(record) == ["path", "key", "split", "samples", "bytes", "sha256"]
    assert (record["key"], record["split"]) == ("test/c", "test")
    (dataset / INDEX).unlink()
    assert replace(entry, sha256="") == list_shards(dataset)[0]


def test_arguments_of_another_type_are_refused(dataset: Path) -> None:
    for use in (open_dataset, lambda path, _: list(verify_dataset(path)), lambda path, _: recognise(path)):
        with pytest.raises(InvalidValueError, match="path must be a path, as text or as a Path, got 5"):
            use(5, "train")  # type: ignore[operator]
    for split in (5, None, ["train"]):
        with pytest.raises(InvalidValueError, match="split must be a str, got "):
            open_dataset(dataset, split)  # type: ignore[arg-type]
    for index in (2.5, "0", slice(1, 3)):
        with pytest.raises(InvalidValueError, match="index must be a whole number, got "):
            open_dataset(dataset, "train")[index]  # type: ignore[index]


def test_a_dataset_is_read_and_verified_without_its_index(dataset: Path) -> None:
    (dataset / INDEX).unlink()
    assert len(open_dataset(dataset, "train")) == 5
    assert problems(dataset) == {}
    flip_bits(dataset / "train/b.000.h5", chunks(dataset / "train/b.000.h5", "blur")[0][0])
    assert list(problems(dataset)) == ["train/b.000.h5"]


def test_a_whole_dataset_has_no_problems(dataset: Path) -> None:
    checks = list(verify_dataset(dataset))
    assert [(check.path, check.samples, check.problem) for check in checks] == [
        ("test/c.000.h5", 1, ""), ("train/a.000.h5", 3, ""), ("train/b.000.h5", 2, ""),
    ]  # fmt: skip
    assert sum(check.bytes for check in checks) == sum(path.stat().st_size for path in dataset.glob("*/*.h5"))


def test_a_missing_shard(dataset: Path) -> None:
    (dataset / "train/b.000.h5").unlink()
    assert list(problems(dataset)) == ["train/b.000.h5"]
    with pytest.raises(InputFileError, match=r"lists train/b\.000\.h5, which is missing; build the dataset again"):
        open_dataset(dataset, "train")
    assert len(open_dataset(dataset, "test")) == 1


def test_a_shard_of_another_size(dataset: Path) -> None:
    shutil.copy(dataset / "train/a.000.h5", dataset / "train/b.000.h5")
    assert list(problems(dataset)) == ["train/b.000.h5"]
    with pytest.raises(InputFileError, match=r"b\.000\.h5 has \d+ bytes, dataset\.json says \d+; remove it"):
        open_dataset(dataset, "train")


@pytest.mark.parametrize("where", [0, 1000, 0.3, 0.6, -1])
def test_any_flipped_bit_is_found_by_verification(dataset: Path, where: float) -> None:
    path = dataset / "train/a.000.h5"
    size = path.stat().st_size
    flip_bits(path, int(where * size) if 0 < where < 1 else int(where) % size)
    found = problems(dataset)
    assert list(found) == ["train/a.000.h5"]
    assert "a.000.h5 has other bytes than when it was built" in found["train/a.000.h5"]


def test_a_shard_that_is_not_listed(dataset: Path) -> None:
    write_shard(dataset / "train/z.000.h5", make_sample(key="train/z"))
    found = problems(dataset)
    assert list(found) == ["train/z.000.h5"]
    assert "z.000.h5 is not listed in dataset.json" in found["train/z.000.h5"]
    assert len(open_dataset(dataset, "train")) == 5


def test_an_index_that_contradicts_its_shard(dataset: Path) -> None:
    record = json.loads((dataset / INDEX).read_text())
    record["shards"][1]["samples"] = 2
    (dataset / INDEX).write_text(json.dumps(record))
    found = problems(dataset)
    assert list(found) == ["train/a.000.h5"]
    assert "not the shard that dataset.json describes" in found["train/a.000.h5"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"schema": "spikesim.dataset/2", "shards": []}', '{"schema": "spikesim.dataset/1"}',
     '{"schema": "spikesim.dataset/1", "shards": [{"path": "a.h5"}]}', "\udcff",
     ENTRY % ("test/a", "train", ""), ENTRY % ("train", "train", ""), ENTRY % ("train/a", "train", ', "colour": "red"'),
     ENTRY % ("train/a", "train", "}"), '{"schema": "spikesim.dataset/1", "shards": [[]]}'],
)  # fmt: skip
def test_a_damaged_index_is_refused(dataset: Path, content: str) -> None:
    (dataset / INDEX).write_bytes(content.encode("utf-8", "surrogateescape"))
    for use in (read_index, lambda root: open_dataset(root, "train"), problems):
        with pytest.raises(InputFileError, match=r"dataset\.json"):
            use(dataset)


def test_there_is_no_dataset(tmp_path: Path, dataset: Path) -> None:
    with pytest.raises(InputFileError, match=r"no dataset at .*nowhere; `spikesim build-gopro`"):
        open_dataset(tmp_path / "nowhere", "train")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputFileError, match="empty holds no shards"):
        open_dataset(tmp_path / "empty", "train")
    for root in (tmp_path / "nowhere", tmp_path / "empty"):
        with pytest.raises(InputFileError, match="there is no dataset at"):
            problems(root)
    with pytest.raises(InvalidValueError, match="no samples of the split 'val'; it has test, train"):
        open_dataset(dataset, "val")
