"""Shards hold what the schema says, give back what was put in, and refuse whatever is damaged or not theirs."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import shard_data
from hypothesis import given
from hypothesis import strategies as st
from shard_data import HEIGHT, RECIPE, WIDTH, assert_equal, chunks, flip_bits, make_sample, write_shard

from spikesim import SpikeCamera
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.keys import parse_key
from spikesim_datasets.shards import Sample, ShardReader, ShardWriter
from spikesim_datasets.shards.writer import Compression

shard, copy = shard_data.shard, shard_data.copy


# What the schema says, read by nothing of ours


def test_schema(shard: Path) -> None:
    with h5py.File(shard, "r") as file:
        attributes = dict(file.attrs)
        assert attributes.pop("schema") == "spikesim.shard/1"
        assert attributes.pop("key") == "train/clip"
        assert attributes.pop("split") == "train"
        assert attributes.pop("exposure").tolist() == [2, 11]
        assert json.loads(attributes.pop("recipe")) == RECIPE
        assert not attributes
        parts: dict[str, tuple[Any, ...]] = {}
        file.visititems(
            lambda name, item: parts.update({name: (item.dtype, item.shape)}) if hasattr(item, "dtype") else None
        )
        assert parts == {
            "blur": (np.uint8, (3, 72, 120, 3)),
            "sharp": (np.uint8, (3, 2, 72, 120, 3)),
            "spikes/vth_1": (np.uint8, (3, 13, 18, 4)),
            "spikes/vth_2.5": (np.uint8, (3, 13, 18, 4)),
            "window": (np.int32, (3,)),
            "first_frame": (np.int32, (3,)),
        }
        assert file["sharp"].attrs["readouts"].dtype == np.int32
        assert file["sharp"].attrs["readouts"].tolist() == [2, 6]
        assert file["window"][:].tolist() == [1, 2, 4]
        assert file["first_frame"][:].tolist() == [3, 6, 12]
        expected = make_sample(4)
        np.testing.assert_array_equal(file["blur"][2], expected.blur)
        np.testing.assert_array_equal(file["sharp"][2], expected.sharp)
        for name, v_th in (("vth_1", 1.0), ("vth_2.5", 2.5)):
            spikes = file["spikes"][name]
            assert (spikes.attrs["width"], spikes.attrs["v_th"]) == (30, v_th)
            assert SpikeCamera.from_json(spikes.attrs["camera"]) == SpikeCamera.preset("ssdm", v_th=v_th)
            bits = np.unpackbits(spikes[2], axis=-1, bitorder="little")
            np.testing.assert_array_equal(bits[..., :30], expected.spikes[v_th].dense())
            assert not bits[..., 30:].any()


def test_every_array_carries_checksums(shard: Path) -> None:
    with h5py.File(shard, "r") as file:
        names = ["blur", "sharp", "window", "first_frame", *(f"spikes/{name}" for name in file["spikes"])]
        assert {name: file[name].fletcher32 for name in names} == dict.fromkeys(names, True)


@pytest.mark.parametrize("compression", ["gzip", "none"])
def test_other_programs_need_no_plugin(tmp_path: Path, compression: Compression) -> None:
    path = write_shard(tmp_path / "a.h5", make_sample(), compression=compression)
    script = (
        "import sys, h5py\n"
        "with h5py.File(sys.argv[1]) as file:\n"
        "    print(*(int(file[name][0].sum()) for name in ('blur', 'sharp', 'spikes/vth_1')))\n"
        "assert 'hdf5plugin' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, timeout=60, check=True)
    sample = make_sample()
    assert done.stdout.split() == [str(a.sum()) for a in (sample.blur, sample.sharp, sample.spikes[1.0].packed)]


# Round trips


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
@pytest.mark.parametrize("sharp_readouts", [(), (6,), (2, 6, 10)])
def test_round_trip(tmp_path: Path, compression: Compression, sharp_readouts: tuple[int, ...]) -> None:
    samples = [make_sample(window, sharp_readouts=sharp_readouts) for window in (1, 2)]
    with ShardReader(write_shard(tmp_path / "a.h5", *samples, compression=compression)) as reader:
        assert len(reader) == 2
        assert reader.compression == compression
        assert reader.recipe == RECIPE
        for number, sample in enumerate(samples):
            assert_equal(reader.sample(number), sample)


def test_the_bytes_do_not_depend_on_when_arrays_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profiler that looks at frames of the stack keeps what they hold, as in workers of Dask."""
    samples = [make_sample(window) for window in range(3)]
    alone = write_shard(tmp_path / "alone.h5", *samples, compression="zstd").read_bytes()
    held, get = [], h5py.Group.__getitem__

    def get_and_hold(group: h5py.Group, path: str) -> Any:
        held.append(get(group, path))
        return held[-1]

    monkeypatch.setattr(h5py.Group, "__getitem__", get_and_hold)
    looked_at = write_shard(tmp_path / "looked_at.h5", *samples, compression="zstd").read_bytes()
    assert len(held) > len(samples)
    assert looked_at == alone


def test_images_are_compressed(tmp_path: Path) -> None:
    flat = replace(make_sample(), blur=np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    sizes = {}
    for compression in ("zstd", "gzip", "none"):
        with h5py.File(write_shard(tmp_path / f"{compression}.h5", flat, compression=compression), "r") as file:
            sizes[compression] = file["blur"].id.get_storage_size()
    assert sizes["none"] >= flat.blur.nbytes > 20 * max(sizes["zstd"], sizes["gzip"])


def test_streams_whose_camera_is_not_known(tmp_path: Path) -> None:
    known = make_sample(thresholds=(2.0,))
    unknown = replace(known, spikes={2.0: replace(known.spikes[2.0], camera=None)})
    with ShardReader(write_shard(tmp_path / "a.h5", unknown)) as reader:
        assert reader.cameras == {2.0: None}
        assert_equal(reader.sample(0), unknown)


@given(rows=st.tuples(st.integers(0, 17), st.integers(1, 18)), columns=st.tuples(st.integers(0, 3), st.integers(1, 30)))
def test_a_crop_is_a_slice_of_the_whole(shard: Path, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    there = slice(*rows) if rows[0] < rows[1] else slice(rows[0], None)
    across = slice(columns[0] * 8, max(columns[1], columns[0] * 8 + 1))
    image = (slice(there.start * 4, there.stop and there.stop * 4), slice(across.start * 4, across.stop * 4))
    whole = make_sample(2)
    with ShardReader(shard) as reader:
        np.testing.assert_array_equal(reader.blur(1, *image), whole.blur[image])
        np.testing.assert_array_equal(reader.sharp(1, *image, slice(1, 2)), whole.sharp[(slice(1, 2), *image)])
        stream = reader.spikes(1, 2.5, there, across)
    expected = whole.spikes[2.5].dense()[:, there, across]
    assert stream.shape == expected.shape
    np.testing.assert_array_equal(stream.dense(), expected)


def test_a_crop_reads_only_the_chunks_it_touches(tmp_path: Path) -> None:
    sample = make_sample(height=720, width=1280, readouts=137, sharp_readouts=(), thresholds=(1.0,))
    path = write_shard(tmp_path / "a.h5", sample)
    top, left = 32 * 5, 32 * 17
    crops = {
        "blur": (1, (slice(top, top + 512), slice(left, left + 512))),
        "spikes/vth_1": (2, (slice(top // 4, top // 4 + 128), slice(left // 32, left // 32 + 16))),
    }
    for name, (axis, crop) in crops.items():
        everywhere = chunks(path, name)
        apart = [
            offset
            for offset, place in everywhere
            if any(a.stop <= b.start or b.stop <= a.start for a, b in zip(place[axis : axis + 2], crop, strict=True))
        ]
        assert len(apart) > len(everywhere) / 3
        flip_bits(path, *apart)
    with ShardReader(path) as reader:
        rows, columns = crops["blur"][1]
        np.testing.assert_array_equal(reader.blur(0, rows, columns), sample.blur[rows, columns])
        rows, columns = slice(top // 4, top // 4 + 128), slice(left // 4, left // 4 + 128)
        np.testing.assert_array_equal(
            reader.spikes(0, 1.0, rows, columns).dense(), sample.spikes[1.0].dense()[:, rows, columns]
        )
        for read in (reader.blur, reader.spikes):
            with pytest.raises(InputFileError, match="damaged"):
                read(0)


# What cannot be asked for


@pytest.mark.parametrize("number", [-1, 3])
def test_there_is_no_such_sample(shard: Path, number: int) -> None:
    with ShardReader(shard) as reader:
        for read in (reader.sample, reader.blur, reader.sharp, lambda number: reader.spikes(number, 1.0)):
            with pytest.raises(InvalidValueError, match=rf"samples 0\.\.2, not {number}"):
                read(number)


@pytest.mark.parametrize("columns", [slice(4, 12), slice(8, 8), slice(16, 8), slice(0, 16, 2)])
def test_crops_of_spikes_are_whole_bytes(shard: Path, columns: slice) -> None:
    with ShardReader(shard) as reader, pytest.raises(InvalidValueError, match="multiple of 8"):
        reader.spikes(0, 1.0, columns=columns)


def test_the_threshold_must_be_said_and_there(shard: Path, tmp_path: Path) -> None:
    with ShardReader(shard) as reader:
        with pytest.raises(InvalidValueError, match=r"thresholds 1, 2\.5; say which"):
            reader.spikes(0)
        with pytest.raises(InvalidValueError, match=r"no spikes of threshold 4; it has 1, 2\.5"):
            reader.spikes(0, 4.0)
    only = make_sample(thresholds=(2.0,))
    with ShardReader(write_shard(tmp_path / "a.h5", only)) as reader:
        np.testing.assert_array_equal(reader.spikes(0).packed, only.spikes[2.0].packed)


@pytest.mark.parametrize("number", [2.5, "0", None, True])
def test_what_is_no_number_of_a_sample_is_refused(shard: Path, number: Any) -> None:
    with ShardReader(shard) as reader:
        for read in (reader.sample, reader.blur, reader.sharp, lambda number: reader.spikes(number, 1.0)):
            with pytest.raises(InvalidValueError, match="sample must be a whole number, got "):
                read(number)


def test_arguments_of_another_type_are_refused(shard: Path) -> None:
    with ShardReader(shard) as reader:
        for v_th in ("1", [1.0], True, float("nan")):
            with pytest.raises(InvalidValueError, match="v_th must be a finite number, got "):
                reader.spikes(0, v_th)  # type: ignore[arg-type]
        reads: list[Callable[..., object]] = [reader.blur, reader.sharp, partial(reader.spikes, v_th=1.0)]
        for read in reads:
            for axis in ("rows", "columns"):
                with pytest.raises(InvalidValueError, match="must be a slice, got int"):
                    read(0, **{axis: 8})
        with pytest.raises(InvalidValueError, match="the part along S must be a slice, got int"):
            reader.sharp(0, frames=1)  # type: ignore[arg-type]
        np.testing.assert_array_equal(
            reader.spikes(np.int64(1), np.float32(2.5)).packed, make_sample(2).spikes[2.5].packed
        )  # type: ignore[arg-type]
    for path in (5, None, b"a.h5"):
        with pytest.raises(InvalidValueError, match="path must be a path, as text or as a Path, got "):
            ShardReader(path)  # type: ignore[arg-type]


# What cannot be written


WRONG: dict[str, tuple[tuple[Any, ...], str]] = {
    "path": ((5, {}), "path must be a path"),
    "recipe": (("a.h5", [1]), "recipe must be a dict, got list"),
    "values of the recipe": (
        ("a.h5", {"camera": SpikeCamera()}),
        r"recipe must hold JSON values alone \(.*SpikeCamera",
    ),
    "compression": (("a.h5", {}, "lzf"), "compression must be one of 'zstd', 'gzip', 'none', got 'lzf'"),
}


@pytest.mark.parametrize(("arguments", "said"), WRONG.values(), ids=WRONG)
def test_a_writer_refuses_arguments_of_another_type(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        ShardWriter(*arguments)


def test_a_writer_takes_samples_and_diagnostics_alone(tmp_path: Path) -> None:
    with (
        pytest.raises(InvalidValueError, match="sample must be a Sample, got dict"),
        ShardWriter(tmp_path / "a.h5", {}) as w,
    ):
        w.append({})  # type: ignore[arg-type]
    with (
        pytest.raises(InvalidValueError, match="diagnostics must be a Diagnostics"),
        ShardWriter(tmp_path / "a.h5", {}) as w,
    ):
        w.note({})  # type: ignore[arg-type]


NONE: dict[str, tuple[dict[str, Any], str]] = {
    "no split": ({"split": ""}, "got the split '' and the name 'clip'"),
    "no name": ({"name": ""}, "got the split 'train' and the name ''"),
    "a split of two": ({"split": "train/a"}, "a clip has a split and a name, as in train/GOPR0372_07_00; got"),
    "a split that is none": ({"split": 5}, "split must be a str, got int"),
    "half a window": ({"window": 2.5}, r"window must be a whole number from 0 to \S+, got 2\.5"),
    "a frame before the first": ({"first_frame": -1}, "first_frame must be a whole number from 0 .* got -1"),
    "a list for an image": ({"blur": [1, 2]}, "blur must be a ndarray, got list"),
    "a list for an optional field": ({"extra": {"depth": [1.0]}}, "depth must be a ndarray, got list"),
    "an array for a stream": ({"spikes": {1.0: np.zeros(3)}}, r"spikes of threshold 1\.0 must be a SpikeStream"),
}


@pytest.mark.parametrize(("change", "said"), NONE.values(), ids=NONE)
def test_what_is_no_sample_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        replace(make_sample(), **change)


def test_a_clip_has_a_split_and_a_name(shard: Path) -> None:
    with ShardReader(shard) as reader:
        assert (reader.split, reader.name, reader.key) == ("train", "clip", "train/clip")
        sample = reader.sample(0)
    assert (sample.split, sample.name, sample.key) == ("train", "clip", "train/clip")
    assert parse_key("test/a/b") == ("test", "a/b")
    with pytest.raises(InvalidValueError, match="key must be a str, got int"):
        parse_key(5)  # type: ignore[arg-type]


ONE = make_sample()
MISFITS = {
    "another clip": replace(ONE, name="other"),
    "another size": make_sample(height=76),
    "another exposure": replace(ONE, exposure=(3, 12)),
    "other thresholds": make_sample(thresholds=(1.0,)),
    "other ground truth": make_sample(sharp_readouts=(2,)),
    "another camera": replace(
        ONE, spikes={v_th: replace(stream, camera=SpikeCamera(v_th=v_th)) for v_th, stream in ONE.spikes.items()}
    ),
}


@pytest.mark.parametrize("other", MISFITS.values(), ids=MISFITS)
def test_samples_of_a_shard_are_alike(tmp_path: Path, other: Sample) -> None:
    with pytest.raises(InvalidValueError, match="alike"):
        write_shard(tmp_path / "a.h5", ONE, other)
    assert not list(tmp_path.iterdir())


UNFIT = {
    "spikes of another size": replace(ONE, spikes=make_sample(height=76).spikes),
    "a size without a quarter": replace(ONE, blur=ONE.blur[:70], sharp=ONE.sharp[:, :70]),
    "a size with more than a quarter": replace(
        ONE, blur=np.pad(ONE.blur, ((0, 2), (0, 0), (0, 0))), sharp=np.pad(ONE.sharp, ((0, 0), (0, 2), (0, 0), (0, 0)))
    ),
    "ground truth of another size": replace(ONE, sharp=ONE.sharp[:, :, :116]),
    "ground truth without a place": replace(ONE, sharp_readouts=(2,)),
    "no spikes": replace(ONE, spikes={}),
    "a blur of another type": replace(ONE, blur=ONE.blur.astype(np.float32)),
    "a grey blur": replace(ONE, blur=ONE.blur[..., 0]),
    "a blur of four channels": replace(ONE, blur=np.concatenate([ONE.blur, ONE.blur[..., :1]], -1)),
    "spikes a pixel too wide": replace(ONE, spikes=make_sample(width=124).spikes),
    "streams of two lengths": replace(ONE, spikes={**ONE.spikes, 2.5: ONE.spikes[2.5][:12]}),
}


@pytest.mark.parametrize("sample", UNFIT.values(), ids=UNFIT)
def test_the_parts_of_a_sample_fit_together(tmp_path: Path, sample: Sample) -> None:
    with pytest.raises(InvalidValueError, match="train/clip"):
        write_shard(tmp_path / "a.h5", sample)
    assert not list(tmp_path.iterdir())


def test_an_empty_shard_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"a\.h5 would hold no sample"):
        write_shard(tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


def test_a_shard_that_fails_leaves_the_old_one(copy: Path) -> None:
    before = copy.read_bytes()
    with pytest.raises(InvalidValueError):
        write_shard(copy, ONE, make_sample(height=76))
    assert copy.read_bytes() == before
    assert list(copy.parent.iterdir()) == [copy]


# Damage


def delete(name: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(name)


def forget(name: str, of: str = "/") -> Callable[[h5py.File], None]:
    return lambda file: file[of].attrs.__delitem__(name)


def say(name: str, value: object, of: str = "/") -> Callable[[h5py.File], None]:
    return lambda file: file[of].attrs.__setitem__(name, value)


def reshape(name: str, *shape: int) -> Callable[[h5py.File], None]:
    def put(file: h5py.File) -> None:
        attributes = dict(file[name].attrs)
        del file[name]
        file.create_dataset(name, shape, np.uint8).attrs.update(attributes)

    return put


def retype(name: str, dtype: type) -> Callable[[h5py.File], None]:
    def put(file: h5py.File) -> None:
        array = file[name][:]
        del file[name]
        file[name] = array.astype(dtype)

    return put


DAMAGES: dict[str, tuple[Callable[[h5py.File], None], str]] = {
    "a newer schema": (say("schema", "spikesim.shard/2"), "schema 'spikesim.shard/2', expected 'spikesim.shard/1'"),
    "no schema": (forget("schema"), "schema None"),
    **{f"no {name}": (forget(name), name) for name in ("key", "split", "exposure", "recipe")},
    "a recipe that is no JSON": (say("recipe", "{"), "cannot read"),
    "a key of another split": (say("key", "test/clip"), "the clip 'test/clip' is not of the split 'train'"),
    "a key without a name": (say("key", "train"), "got the split 'train' and the name ''"),
    "an exposure of three numbers": (say("exposure", [1, 2, 3]), "cannot read"),
    **{f"no /{name}": (delete(name), name) for name in ("blur", "sharp", "spikes", "window", "first_frame")},
    "no spikes of any threshold": (lambda file: file["spikes"].clear(), "no spikes"),
    "no readouts": (forget("readouts", "sharp"), "readouts"),
    **{f"no {name}": (forget(name, "spikes/vth_1"), name) for name in ("width", "v_th", "camera")},
    "a camera that is none": (say("camera", "{}x", "spikes/vth_1"), "camera"),
    "fewer windows": (lambda file: file["window"].resize(2, 0), "/window"),
    "fewer first frames": (lambda file: file["first_frame"].resize(2, 0), "/first_frame"),
    "fewer blurs": (lambda file: file["blur"].resize(2, 0), "belongs to the rest"),
    "fewer spikes": (lambda file: file["spikes/vth_2.5"].resize(2, 0), "/spikes/vth_2.5"),
    "ground truth of another size": (reshape("sharp", 3, 2, 72, 124, 3), "/sharp"),
    "more ground truth than it says": (reshape("sharp", 3, 3, 72, 120, 3), "/sharp"),
    "spikes that are not a quarter of the blur": (reshape("spikes/vth_1", 3, 13, 17, 4), "72 rows and its spikes 17"),
    "spikes narrower than they say": (reshape("spikes/vth_1", 3, 13, 18, 3), "/spikes/vth_1"),
    "another width": (say("width", 29, "spikes/vth_1"), "29 wide, but 30 belongs to its blur"),
    "streams shorter than the exposure": (say("exposure", [2, 14]), "/spikes/vth_1"),
    "images of another type": (retype("blur", np.uint16), "/blur is uint16, expected uint8"),
    "numbers of another type": (retype("window", np.int64), "/window is int64, expected int32"),
    "grey images": (reshape("blur", 3, 72, 120), "cannot read"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "said"), DAMAGES.values(), ids=DAMAGES)
def test_what_is_no_whole_shard_is_refused(copy: Path, damage: Callable[[h5py.File], None], said: str) -> None:
    with h5py.File(copy, "r+") as file:
        damage(file)
    with pytest.raises(InputFileError, match=r"copy\.h5") as caught:
        ShardReader(copy)
    assert said in str(caught.value)


def test_files_that_are_no_hdf5(copy: Path) -> None:
    whole = copy.read_bytes()
    for content in (b"", b"PK\3\4 no HDF5", whole[: len(whole) // 2], whole[:-1]):
        copy.write_bytes(content)
        with pytest.raises(InputFileError, match=r"cannot read .*copy\.h5"):
            ShardReader(copy)
    with pytest.raises(InputFileError, match=r"cannot read .*none\.h5: No such file"):
        ShardReader(copy.with_name("none.h5"))


@pytest.mark.parametrize("compression", ["zstd", "gzip", "none"])
@pytest.mark.parametrize("name", ["blur", "sharp", "spikes/vth_2.5"])
def test_a_flipped_bit_is_noticed_on_reading(tmp_path: Path, compression: Compression, name: str) -> None:
    path = write_shard(tmp_path / "a.h5", *map(make_sample, (1, 2)), compression=compression)
    offset = next(offset for offset, place in chunks(path, name) if place[0].start == 1)
    flip_bits(path, offset + 100)
    with ShardReader(path) as reader:
        assert_equal(reader.sample(0), make_sample(1))
        with pytest.raises(InputFileError, match=rf"a\.h5: {name} of sample 1 is damaged"):
            reader.sample(1)


@pytest.mark.parametrize("name", ["window", "first_frame"])
def test_a_flipped_bit_in_the_numbers_of_windows_is_noticed_on_opening(copy: Path, name: str) -> None:
    flip_bits(copy, chunks(copy, name)[0][0])
    with pytest.raises(InputFileError, match=r"cannot read .*copy\.h5"):
        ShardReader(copy)
