"""A field that is declared is written, read, verified and estimated, and may be missing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import build_data
import field_data
import h5py
import numpy as np
import pytest
import shard_data
from field_data import MIDDLE, SEVEN, TOYS, assert_same_extra, make_sample
from shard_data import HEIGHT, WIDTH, write_shard

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.build import BuildReport, build_clips
from spikesim_datasets.planning import plan_build, uncompressed_bytes
from spikesim_datasets.samples import SpikeBlurDataset
from spikesim_datasets.shards import ShardReader, open_dataset, verify_dataset
from spikesim_datasets.shards.axes import axis_lengths
from spikesim_datasets.shards.field import Field
from spikesim_datasets.shards.fields import FIELDS, declare, sample_bytes
from spikesim_datasets.shards.index import shard_files
from spikesim_datasets.shards.writer import Compression
from spikesim_datasets.sources import open_clips

toys, dataset, copy = field_data.toys, field_data.dataset, field_data.copy
source, built = build_data.source, build_data.built

pytestmark = pytest.mark.usefixtures("toys")


# Declarations


@pytest.mark.parametrize("name", ["blur", "depth", "spike", "exposure", "key"])
def test_two_fields_have_two_names_and_folders(name: str) -> None:
    before = dict(FIELDS)
    with pytest.raises(InvalidValueError, match=f"field '{name}' cannot be declared: that name or its folder is taken"):
        declare(Field(name, ("H", "W"), "float32"))
    assert before == FIELDS


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"name": "optical flow"}, "named as a variable of Python is, got 'optical flow'"),
    "a name that is none": ({"name": 5}, "name of a field must be a str, got int"),
    "an unknown axis": ({"axes": ("H", "X")}, r"axes of flow must be S, S-1, T, .* got \('H', 'X'\)"),
    "no values": ({"axes": ("H", "W", 0)}, r"axes of flow must be .* got \('H', 'W', 0\)"),
    "an unknown type": ({"dtype": "float23"}, "dtype of flow must be a number type of numpy by name, got 'float23'"),
    "no number": ({"dtype": "object"}, "must be a number type of numpy by name, got 'object'"),
    "signs without an axis": ({"axes": ()}, r"flow has the axes \(\), but 2 mirror_signs of the last"),
    "too few signs": ({"mirror_signs": {"W": (-1,)}}, "but 1 mirror_signs of the last"),
    "signs of no mirror": ({"mirror_signs": {"T": (-1, 1)}}, "mirror_signs of flow must be one of 'H', 'W', got 'T'"),
    "images of another type": ({"file": "png"}, r"images are uint8 .* flow is float16"),
    "no file": ({"file": None}, "flow, which is optional, must lie in layouts as png or npy, not None"),
}


@pytest.mark.parametrize(("change", "said"), FAULTS.values(), ids=FAULTS)
def test_a_field_checks_itself(change: dict[str, Any], said: str) -> None:
    flow: dict[str, Any] = {"name": "flow", "axes": ("S-1", "H", "W", 2), "dtype": "float16"}
    flow["mirror_signs"] = {"W": (-1, 1), "H": (1, -1)}
    Field(**flow)
    with pytest.raises(InvalidValueError, match=said):
        Field(**{**flow, **change})


def test_rows_and_columns_of_what_are_exchanged() -> None:
    assert all(field.turnable for name, field in FIELDS.items() if name not in TOYS)
    for axes, signs, turnable in (
        (("H",), {}, False),
        (("h", "W"), {}, False),
        (("T", 3), {}, True),
        (("W", "H", 2), {"W": (-1, 1)}, False),
        (("H", "W", 3), {"W": (-1, 1, -1), "H": (1, -1, -1)}, True),
    ):
        assert Field("some", axes, "float32", mirror_signs=signs).turnable is turnable  # type: ignore[arg-type]


def test_turns_and_mirrors_of_vectors_go_together() -> None:
    """Turned and then mirrored left to right is mirrored top to bottom and then turned; turned twice is as it was."""
    field = Field("some", ("H", "W", 4), "float32", mirror_signs={"W": (-1, 1, 1, -1), "H": (1, -1, 1, -1)})
    value = np.random.default_rng(0).normal(size=(3, 5, 4))
    turned = field.turned(value)
    assert turned.shape == (5, 3, 4)
    np.testing.assert_array_equal(turned, value.swapaxes(0, 1)[..., [1, 0, 2, 3]])
    np.testing.assert_array_equal(field.turned(turned), value)
    np.testing.assert_array_equal(field.mirrored(turned, False, True), field.turned(field.mirrored(value, True, False)))


# Shards


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
def test_a_shard_holds_a_field_as_declared(tmp_path: Path, compression: Compression) -> None:
    def write(extra: tuple[str, ...]) -> Path:
        samples = [make_sample(window, extra=extra) for window in (1, 2)]
        return write_shard(tmp_path / f"{len(extra)}.h5", *samples, compression=compression)

    forms: dict[str, tuple[Any, ...]] = {
        "depth": (np.float32, (2, 72, 120), (1, 72, 120)),
        "cell": (np.uint16, (2, 18, 30), (1, 18, 30)),
        "motion": (np.float16, (2, 6, 72, 120, 2), (1, 1, 72, 120, 2)),
        "shift": (np.float32, (2, 3), (341, 3)),
        "tint": (np.uint8, (2, 7, 72, 120, 3), (1, 1, 72, 120, 3)),
    }
    with h5py.File(write(TOYS)) as file, h5py.File(write(())) as without:
        assert file.keys() - without.keys() == forms.keys()
        for name, (dtype, shape, chunk) in forms.items():
            assert (file[name].dtype, file[name].shape, file[name].chunks) == (dtype, shape, chunk)
            assert file[name].fletcher32
            assert (len(file[name]._filters) > 1) == (compression != "none" and name != "shift")
        assert file["tint"].attrs["readouts"].tolist() == list(SEVEN)


@pytest.mark.parametrize("sharp", [(), MIDDLE, SEVEN])
def test_what_was_written_is_read(tmp_path: Path, sharp: tuple[int, ...]) -> None:
    samples = [make_sample(window, sharp=sharp) for window in (1, 2)]
    with ShardReader(write_shard(tmp_path / "a.h5", *samples)) as reader:
        assert reader.extra == TOYS
        for number, sample in enumerate(samples):
            assert_same_extra(reader.sample(number), sample)
            found = reader.array("motion", number, {"H": slice(5, 9), "W": slice(8, 11), "S-1": slice(1, 2)})
            np.testing.assert_array_equal(found, sample.extra["motion"][1:2, 5:9, 8:11])
        for name in ("flow", "spikes", "window"):
            with pytest.raises(
                InvalidValueError, match=f"no array '{name}'; beside blur, sharp and spikes it has depth, "
            ):
                reader.array(name, 0)  # fmt: skip


def test_a_shard_may_be_without_a_field(dataset: Path) -> None:
    with ShardReader(dataset / "test/old.000.h5") as reader:
        assert reader.extra == ()
        assert reader.sample(0).extra == {}
        with pytest.raises(InvalidValueError, match="no array 'depth'; beside blur, sharp and spikes it has nothing"):
            reader.array("depth", 0)
    train = open_dataset(dataset, "train")
    assert train.extra == ("depth", "shift")
    assert [len(sample.extra) for sample in train] == [5, 5, 2, 5]
    assert open_dataset(dataset, "test").extra == ()
    assert [check.problem for check in verify_dataset(dataset)] == [""] * 4


def test_what_is_not_declared_is_not_read(dataset: Path) -> None:
    known = dict(FIELDS)
    del FIELDS["motion"]
    try:
        with ShardReader(dataset / "train/a.000.h5") as reader:
            assert list(reader.sample(0).extra) == ["depth", "cell", "shift", "tint"]
    finally:  # in their order
        FIELDS.clear()
        FIELDS.update(known)


ONE = make_sample(extra=())
MISFITS: dict[str, tuple[dict[str, np.ndarray], str]] = {
    "another size": ({"depth": np.zeros((72, 116), np.float32)}, r"depth of train/clip is float32 \(72, 116\), beside"),
    "another type": ({"depth": np.zeros((72, 120))}, r"depth of train/clip is float64 .* float32 \(72, 120\) fits"),
    "an axis too few": ({"depth": np.zeros(72 * 120, np.float32)}, "depth of train/clip"),
    "a frame for a step": ({"motion": np.zeros((7, 72, 120, 2), np.float16)}, r"motion .* \(6, 72, 120, 2\) fits"),
    "full size for a quarter": ({"cell": np.zeros((72, 120), np.uint16)}, "cell of train/clip"),
    "what is not declared": ({"colour": np.zeros(3)}, "has colour, which no optional field .* depth, cell, motion, "),
    "what is not optional": ({"blur": ONE.blur}, "has blur, which no optional field"),
}  # fmt: skip


@pytest.mark.parametrize(("extra", "said"), MISFITS.values(), ids=MISFITS)
def test_a_sample_is_refused_whose_field_is_not_as_declared(
    tmp_path: Path, extra: dict[str, np.ndarray], said: str
) -> None:
    with pytest.raises(InvalidValueError, match=said):
        write_shard(tmp_path / "a.h5", replace(ONE, extra=extra))
    assert not list(tmp_path.iterdir())


def test_samples_of_a_shard_have_the_same_fields(tmp_path: Path) -> None:
    for first, second in ((TOYS, ()), ((), TOYS), (("depth",), ("shift",))):
        with pytest.raises(InvalidValueError, match="alike"):
            write_shard(tmp_path / "a.h5", make_sample(1, extra=first), make_sample(2, extra=second))


def reshaped(shape: tuple[int, ...], dtype: str) -> Callable[[h5py.File], None]:
    def put(file: h5py.File) -> None:
        del file["depth"]
        file.create_dataset("depth", shape, dtype)

    return put


DAMAGES: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "fewer": (lambda file: file["depth"].resize(1, 0), r"has the shape \(1, 72, 120\), but \(2, 72, 120\) belongs"),
    "more": (reshaped((3, 72, 120), "float32"), r"has the shape \(3, 72, 120\)"),
    "another size": (reshaped((2, 72, 116), "float32"), r"has the shape \(2, 72, 116\)"),
    "another type": (reshaped((2, 72, 120), "float64"), "is float64, expected float32"),
}


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES)
def test_a_shard_is_refused_whose_field_is_not_as_declared(
    copy: Path, damage: Callable[[h5py.File], None], said: str
) -> None:
    with h5py.File(copy / "train/a.000.h5", "r+") as file:
        damage(file)
    with pytest.raises(InputFileError, match=rf"a\.000\.h5: its /depth {said}"):
        ShardReader(copy / "train/a.000.h5")
    assert [check.path for check in verify_dataset(copy) if check.problem] == ["train/a.000.h5"]


def test_damaged_values_are_found(copy: Path) -> None:
    path = copy / "train/a.000.h5"
    shard_data.flip_bits(path, shard_data.chunks(path, "motion")[-1][0] + 5)
    (problem,) = [check.problem for check in verify_dataset(copy) if check.problem]
    assert "a.000.h5: motion of sample 1 is damaged" in problem


def array_bytes(path: Path) -> int:
    """Bytes of all arrays of a shard but the single numbers."""
    sizes: list[int] = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: sizes.append(item.nbytes if getattr(item, "ndim", 0) > 1 else 0))
    return sum(sizes)


@pytest.mark.parametrize("extra", [(), ("depth",), ("motion", "shift")])
def test_the_size_of_a_sample_is_that_of_what_is_written(tmp_path: Path, extra: tuple[str, ...]) -> None:
    path = write_shard(tmp_path / "a.h5", make_sample(extra=extra))
    assert sample_bytes(axis_lengths(7, 137, HEIGHT, WIDTH, 4), (1.0,), extra) == array_bytes(path)


def test_the_estimate_of_a_build_is_the_size_of_what_it_writes(source: Path, built: tuple[Path, BuildReport]) -> None:
    out, _ = built
    plan = plan_build(open_clips([source]), out, build_data.recipe())
    assert uncompressed_bytes(plan.jobs, build_data.recipe()) == sum(map(array_bytes, shard_files(out)))


def test_the_estimate_counts_light(source: Path, tmp_path: Path) -> None:
    recipe = build_data.recipe(light=True)
    build_clips(open_clips([source]), tmp_path / "lit", recipe, workers=1)
    plan = plan_build(open_clips([source]), tmp_path / "lit", recipe)
    assert uncompressed_bytes(plan.jobs, recipe) == sum(map(array_bytes, shard_files(tmp_path / "lit")))
    item = SpikeBlurDataset(tmp_path / "lit", "train", 1.0)[0]
    assert item["light"].shape == item["spikes"].shape
