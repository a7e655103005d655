"""Spike files: what is written is read back, the field's format holds the field's bytes, and bad options are told."""

from pathlib import Path
from typing import Any

import format_data
import h5py
import numpy as np
import pytest
from format_data import CAMERA, EXTENSIONS, SELF_DESCRIBING, random_spikes, spikes
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim import SpikeCamera, SpikeStream, read_spikes, write_spikes
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.formats import decoding

folder, clip, bare = format_data.folder, format_data.clip, format_data.bare


# Round trips


@pytest.mark.parametrize("extension", EXTENSIONS)
@settings(max_examples=25, deadline=None)
@given(dense=spikes(), camera=st.sampled_from([None, CAMERA, SpikeCamera.preset("ideal", readout_hz=40_000)]))
def test_what_is_written_is_read_back(
    folder: Path, extension: str, dense: np.ndarray, camera: SpikeCamera | None
) -> None:
    path = folder / f"clip{extension}"
    write_spikes(path, SpikeStream.from_dense(dense, camera))
    stream = read_spikes(path)
    assert stream.shape == dense.shape
    assert np.array_equal(stream.dense(), dense)
    assert stream.camera == (None if extension == ".npy" else camera)


@settings(max_examples=60, deadline=None)
@given(dense=spikes(least=1), flip=st.booleans(), header_columns=st.integers(0, 9), described=st.booleans())
def test_dat_holds_the_bits_the_format_says(
    folder: Path, dense: np.ndarray, flip: bool, header_columns: int, described: bool
) -> None:
    path = folder / "options.dat"
    options = {"flip": flip, "header_columns": header_columns}
    write_spikes(path, SpikeStream.from_dense(dense), **options)
    rows = np.pad(dense, ((0, 0), (0, 0), (0, header_columns)))
    readouts = (rows[:, ::-1] if flip else rows).reshape(len(rows), -1)
    assert path.read_bytes() == np.packbits(readouts, axis=1, bitorder="little").tobytes()
    if described:
        stream = read_spikes(path)
    else:
        path.with_suffix(".json").unlink()
        stream = read_spikes(path, *dense.shape[1:], **options)
    assert np.array_equal(stream.dense(), dense)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("width", [11, 16])
def test_blocks_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str, width: int) -> None:
    stream = SpikeStream.from_dense(random_spikes(7, 5, width))
    whole, pieces = tmp_path / f"whole{extension}", tmp_path / f"pieces{extension}"
    write_spikes(whole, stream)
    monkeypatch.setattr(decoding, "_BLOCK_BYTES", 3 * 5 * width)
    assert [block.stop for block in decoding.blocks(7, 5 * width)] == [3, 6, 7]
    write_spikes(pieces, stream)
    assert whole.read_bytes() == pieces.read_bytes()
    assert np.array_equal(read_spikes(pieces).packed, stream.packed)


@pytest.mark.parametrize(("width", "header_columns"), [(13, 3), (13, 4), (16, 16)])
def test_header_columns_are_dropped_whatever_they_hold(bare: Path, width: int, header_columns: int) -> None:
    rows = random_spikes(4, 5, width + header_columns)
    rows[..., width:] = 1
    bare.write_bytes(np.packbits(rows[:, ::-1].reshape(4, -1), axis=1, bitorder="little").tobytes())
    stream = read_spikes(bare, 5, width, header_columns=header_columns)
    assert np.array_equal(stream.dense(), rows[..., :width])


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_slice_of_a_stream_is_written_as_a_stream(tmp_path: Path, extension: str) -> None:
    dense = random_spikes(9, 5, 11)
    path = tmp_path / "new" / f"clip{extension.upper()}"
    write_spikes(path, SpikeStream.from_dense(dense)[2:7])
    assert np.array_equal(read_spikes(str(path)).dense(), dense[2:7])


# The field's own files


@pytest.mark.recordings
def test_golden_dat(shared: Path, tmp_path: Path) -> None:
    golden = shared / "golden" / "spikes_7x24x40.dat"
    with np.load(golden.with_suffix(".npz")) as arrays:
        dense = arrays["spikes"]
    write_spikes(tmp_path / "ours.dat", SpikeStream.from_dense(dense))
    assert (tmp_path / "ours.dat").read_bytes() == golden.read_bytes()
    assert np.array_equal(read_spikes(golden, 24, 40).dense(), dense)
    assert np.array_equal(read_spikes(golden.with_suffix(".npz")).dense(), dense)


@pytest.mark.recordings
def test_real_recordings(shared: Path) -> None:
    recording = shared / "data" / "real_spike.npz"
    stream = read_spikes(recording, axes="HWT")
    with np.load(recording) as arrays:
        assert stream.shape == (500, 250, 400)
        assert np.array_equal(stream[37:38].dense()[0], arrays["arr_0"][:, :, 37])
    assert read_spikes(shared / "data" / "reds_250x400.dat", 250, 400).shape == (301, 250, 400)


# Arrays of other programs


@pytest.mark.parametrize("dtype", [np.uint8, bool, np.int64, np.float32])
@pytest.mark.parametrize("extension", [".npz", ".npy"])
@pytest.mark.parametrize("axes", ["THW", "HWT"])
def test_dense_arrays_are_read(tmp_path: Path, extension: str, axes: str, dtype: type) -> None:
    dense = random_spikes(7, 5, 11)
    array = (dense if axes == "THW" else dense.transpose(1, 2, 0)).astype(dtype)
    path = tmp_path / f"other{extension}"
    if extension == ".npz":
        np.savez_compressed(path, array)
    else:
        np.save(path, array)
    stream = read_spikes(path, 5, 11, axes=axes)
    assert stream.camera is None
    assert np.array_equal(stream.dense(), dense)


def test_one_array_of_several_is_chosen_by_key(tmp_path: Path) -> None:
    path = tmp_path / "other.npz"
    dense = random_spikes(7, 5, 11)
    np.savez(path, spk=dense, label=np.arange(3))
    assert np.array_equal(read_spikes(path, key="spk").dense(), dense)
    for options in ({}, {"key": "spikes"}):
        with pytest.raises(InputFileError, match=r"spk, label.*--key"):
            read_spikes(path, **options)


@pytest.mark.parametrize("extension", [".npy", ".npz", ".h5"])
@pytest.mark.parametrize("columns_first", [False, True])
@pytest.mark.parametrize(("axes", "moved"), [("THW", "thw"), ("HWT", "hwt"), ("TWH", "twh"), ("WHT", "wht")])
def test_arrays_are_read_in_the_order_in_which_they_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str, columns_first: bool, axes: str, moved: str
) -> None:
    """Block by block along the first axis, be it time, rows or columns, in whole and in part."""
    dense = random_spikes(17, 21, 43)
    array = np.einsum(f"thw->{moved}", dense)
    array = np.asfortranarray(array) if columns_first else np.ascontiguousarray(array)
    path = tmp_path / f"clip{extension}"
    if extension == ".npy":
        np.save(path, array)
    elif extension == ".npz":
        np.savez(path, array)
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("raw_spike", data=array, chunks=(4, 5, 6), compression="gzip", shuffle=True)
    monkeypatch.setattr(decoding, "_BLOCK_BYTES", 3000)
    for start, stop in ((0, 17), (3, 12), (16, 17), (5, 5)):
        assert np.array_equal(read_spikes(path, axes=axes, start=start, stop=stop).dense(), dense[start:stop])


def test_the_axes_of_our_own_npz_are_known(tmp_path: Path) -> None:
    write_spikes(tmp_path / "clip.npz", SpikeStream.from_dense(random_spikes(7, 5, 11)))
    with pytest.raises(InputFileError, match="leave axes='HWT' out"):
        read_spikes(tmp_path / "clip.npz", axes="HWT")


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.full((2, 3, 5), 2), "only 0 and 1"),
        (np.full((2, 3, 5), np.nan), "only 0 and 1"),
        (np.zeros((3, 5)), "three axes"),
        (np.array([[[None]]]), "[Oo]bject"),  # pickled, never loaded: a pickle can run anything
    ],
)
def test_arrays_that_are_no_spikes_are_refused(tmp_path: Path, array: np.ndarray, problem: str) -> None:
    np.save(tmp_path / "other.npy", array)
    np.savez(tmp_path / "other.npz", array)
    for name in ("other.npy", "other.npz"):
        with pytest.raises(InputFileError, match=rf"{name}.*{problem}"):
            read_spikes(tmp_path / name)


def test_raw_spike_of_other_hdf5_files_is_read(tmp_path: Path) -> None:
    dense = random_spikes(7, 5, 11)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["raw_spike"] = dense.astype(bool)
        file["label"] = [1]
    assert np.array_equal(read_spikes(tmp_path / "other.h5", 5, 11).dense(), dense)


def test_hdf5_files_without_spikes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file.create_group("spikes")["vth_1"] = [0]
    with pytest.raises(InputFileError, match=r"neither a dataset 'spikes' nor 'raw_spike', but spikes"):
        read_spikes(path)
    write_spikes(path, SpikeStream.from_dense(random_spikes(7, 5, 11)))
    with h5py.File(path, "r+") as file:
        file["spikes"].attrs["schema"] = "spikesim.spikes/2"
    with pytest.raises(InputFileError, match=r"other\.h5.*spikesim\.spikes/2.*reads 'spikesim\.spikes/1'"):
        read_spikes(path)


# What the caller asks for


@pytest.mark.parametrize("extension", SELF_DESCRIBING)
def test_a_size_that_is_not_the_files_is_an_error(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"clip{extension}"
    write_spikes(path, SpikeStream.from_dense(random_spikes(3, 5, 11)))
    assert read_spikes(path, 5, 11).shape == (3, 5, 11)
    with pytest.raises(InputFileError, match=r"5×11, not 5×12"):
        read_spikes(path, 5, 12)


@pytest.mark.parametrize(
    ("size", "problem"),
    [
        ({"height": 5}, "go together"),
        ({"width": 5}, "go together"),
        ({"height": 0, "width": 11}, "height must be a whole number of at least 1, got 0"),
        ({"height": 5, "width": -11}, "width must be a whole number of at least 1, got -11"),
        ({"height": 5.5, "width": 11}, "whole number of at least 1, got 5.5"),
    ],
)
@pytest.mark.parametrize("extension", [".dat", ".npz"])
def test_sizes_that_are_none_are_refused(tmp_path: Path, extension: str, size: dict[str, Any], problem: str) -> None:
    path = tmp_path / f"clip{extension}"
    write_spikes(path, SpikeStream.from_dense(random_spikes(3, 5, 11)))
    with pytest.raises(InvalidValueError, match=problem):
        read_spikes(path, **size)


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"flip": "no"}, "flip must be True or False"), ({"header_columns": -1}, "whole number of at least 0, got -1")],
)
def test_options_of_dat_are_checked(bare: Path, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        read_spikes(bare, 5, 11, **options)
    with pytest.raises(InvalidValueError, match=problem):
        write_spikes(bare, SpikeStream.from_dense(random_spikes(3, 5, 11)), **options)


def test_axes_are_checked(tmp_path: Path) -> None:
    for name in ("a.npy", "a.npz"):
        write_spikes(tmp_path / name, SpikeStream.from_dense(random_spikes(3, 5, 11)))
        with pytest.raises(InvalidValueError, match="'THW', 'HWT', 'TWH', 'WHT', got 'HTW'"):
            read_spikes(tmp_path / name, axes="HTW")


@pytest.mark.parametrize(
    ("extension", "known"),
    [
        (".dat", "flip, header_columns, start, stop"),
        (".npz", "key, axes, start, stop"),
        (".npy", "axes, start, stop"),
        (".h5", "axes, start, stop"),
    ],
)
def test_unknown_options_are_refused_with_the_known_ones(tmp_path: Path, extension: str, known: str) -> None:
    path = tmp_path / f"clip{extension}"
    with pytest.raises(
        InvalidValueError, match=rf"offset: no such option to read {extension} files; they have {known}$"
    ):
        read_spikes(path, offset=3)
    with pytest.raises(InvalidValueError, match=rf"axes: no such option to write {extension}"):
        write_spikes(path, SpikeStream.from_dense(random_spikes(3, 5, 11)), axes="THW")


def test_only_streams_are_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"got ndarray; SpikeStream\.from_dense"):
        write_spikes(tmp_path / "clip.dat", random_spikes(3, 5, 11))


@pytest.mark.parametrize("name", ["clip.png", "clip"])
def test_unknown_extensions_are_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidValueError, match=r"\.dat, \.npz, \.npy, \.h5"):
        read_spikes(tmp_path / name)
    with pytest.raises(InvalidValueError, match=r"\.dat, \.npz, \.npy, \.h5"):
        write_spikes(tmp_path / name, SpikeStream.from_dense(random_spikes(3, 5, 11)))


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_missing_files_and_folders_are_input_errors(tmp_path: Path, extension: str) -> None:
    with pytest.raises(InputFileError, match=rf"none{extension}: No such file"):
        read_spikes(tmp_path / f"none{extension}", 5, 11)
    (tmp_path / f"folder{extension}").mkdir()
    with pytest.raises(InputFileError, match=rf"folder{extension}: Is a directory"):
        read_spikes(tmp_path / f"folder{extension}", 5, 11)
