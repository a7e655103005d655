"""Spike files: what is written is read back, the field's format holds the field's bytes, and damage is an error."""

import json
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spikesim import SpikeCamera, SpikeStream, read_spikes, write_spikes
from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim.formats import FORMATS, contents

EXTENSIONS = tuple(FORMATS)
SELF_DESCRIBING = (".npz", ".npy", ".h5")
CAMERA = SpikeCamera.preset("ssdm", v_th=2.5)


@st.composite
def spikes(draw: st.DrawFn, least: int = 0) -> np.ndarray:
    shape = (draw(st.integers(least, 9)), draw(st.integers(1, 13)), draw(st.integers(1, 19)))
    return draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 1)))


def random_spikes(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 2, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A 3×5×11 `.dat` file with its description beside it."""
    write_spikes(tmp_path / "clip.dat", SpikeStream.from_dense(random_spikes(3, 5, 11), CAMERA))
    return tmp_path / "clip.dat"


@pytest.fixture
def bare(clip: Path) -> Path:
    """The same file without its description: 3 readouts of 7 bytes."""
    clip.with_suffix(".json").unlink()
    return clip


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
    monkeypatch.setattr(contents, "_BLOCK_BYTES", 3 * 5 * width)
    assert [block.stop for block in contents.blocks(7, 5 * width)] == [3, 6, 7]
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


@pytest.mark.footage
def test_golden_dat(shared: Path, tmp_path: Path) -> None:
    golden = shared / "golden" / "spikes_7x24x40.dat"
    with np.load(golden.with_suffix(".npz")) as arrays:
        dense = arrays["spikes"]
    write_spikes(tmp_path / "ours.dat", SpikeStream.from_dense(dense))
    assert (tmp_path / "ours.dat").read_bytes() == golden.read_bytes()
    assert np.array_equal(read_spikes(golden, 24, 40).dense(), dense)
    assert np.array_equal(read_spikes(golden.with_suffix(".npz")).dense(), dense)


@pytest.mark.footage
def test_real_recordings(shared: Path) -> None:
    recording = shared / "data" / "real_spike.npz"
    stream = read_spikes(recording, axes="HWT")
    with np.load(recording) as arrays:
        assert stream.shape == (500, 250, 400)
        assert np.array_equal(stream[37:38].dense()[0], arrays["arr_0"][:, :, 37])
    assert read_spikes(shared / "data" / "reds_250x400.dat", 250, 400).shape == (301, 250, 400)


# The size of a .dat file


@pytest.mark.parametrize(
    "config",
    [
        "spike_h: 5\nspike_w: 11\n",
        "# SpikeCV\nspike_w : 11   # columns\n\nspike_h:5\nfilename: a.dat",
        "data:\r\n  'spike_h': '005'\r\n  \"spike_w\": 11\r\n",
    ],
)
def test_spikecv_config_gives_the_size(bare: Path, config: str) -> None:
    bare.with_name("config.yaml").write_text(config, newline="")
    assert read_spikes(bare).shape == (3, 5, 11)
    assert read_spikes(bare, 7, 8).shape == (3, 7, 8)  # the caller knows better: the folder may hold other files


@pytest.mark.parametrize("config", ["", "spike_h: 5\n", "spike_h: 0\nspike_w: 11\n", "my_spike_h: 5\nspike_w: 11\n"])
def test_a_config_without_a_size_gives_none(bare: Path, config: str) -> None:
    bare.with_name("config.yaml").write_text(config)
    with pytest.raises(InvalidValueError, match="give height and width"):
        read_spikes(bare)


def test_the_description_wins_over_the_config(clip: Path) -> None:
    clip.with_name("config.yaml").write_text("spike_h: 7\nspike_w: 8\n")
    assert read_spikes(clip).shape == (3, 5, 11)


@pytest.mark.parametrize("options", [{"height": 7, "width": 8}, {"flip": False}, {"header_columns": 2}])
def test_contradicting_the_description_is_an_error_that_says_both(clip: Path, options: dict[str, Any]) -> None:
    assert read_spikes(clip, 5, 11, flip=True, header_columns=0).shape == (3, 5, 11)
    name = next(iter(options))
    recorded = {"height": 5, "flip": True, "header_columns": 0}[name]
    with pytest.raises(InputFileError, match=rf"{name}={options[name]}: clip\.json .* says {name}={recorded}"):
        read_spikes(clip, **options)


def test_an_unknown_size_suggests_the_known_ones_that_fit(bare: Path) -> None:
    bare.write_bytes(bytes(2 * 500 * 800 // 8))
    with pytest.raises(
        InvalidValueError, match=r"give height and width.*250×400 \(8 readouts\), 500×800 \(2 readouts\)$"
    ):
        read_spikes(bare)
    bare.write_bytes(b"1")
    with pytest.raises(InvalidValueError, match="None of the known sizes"):
        read_spikes(bare)


@pytest.mark.parametrize("cut", [1, 7])
def test_a_cut_dat_is_an_error(clip: Path, cut: int) -> None:
    clip.write_bytes(clip.read_bytes()[:-cut])
    with pytest.raises(InputFileError, match=r"clip\.dat.*cut short"):
        read_spikes(clip)


def test_a_wrong_length_is_an_error_with_all_the_numbers(bare: Path) -> None:
    bare.write_bytes(bytes(12_500))
    with pytest.raises(InputFileError, match=r"clip\.dat has 12500 bytes.* 7 bytes .*5×11.*250×400 \(1 readouts\)"):
        read_spikes(bare, 5, 11)
    with pytest.raises(InputFileError, match=r"9 bytes .*5×11 with 3 header columns"):
        read_spikes(bare, 5, 11, header_columns=3)


def test_an_empty_file_is_an_error_unless_described_as_empty(bare: Path) -> None:
    bare.write_bytes(b"")
    with pytest.raises(InputFileError, match="empty"):
        read_spikes(bare, 5, 11)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", ""),
        ('{"schema": "spikesim.dat/2", "shape": [3, 5, 11]}', "spikesim.dat/2"),
        ('{"schema": "spikesim.dat/1", "shape": [3, 5]}', ""),
        ('{"schema": "spikesim.dat/1", "shape": [3, 5, 0], "flip": true, "header_columns": 0}', "width must be 1"),
        (
            '{"schema": "spikesim.dat/1", "shape": [3, 5, 11], "flip": 1, "header_columns": 0, "camera": {"a": 1}}',
            "'a'",
        ),
    ],
)
def test_a_damaged_description_is_an_error(clip: Path, text: str, problem: str) -> None:
    clip.with_suffix(".json").write_text(text)
    with pytest.raises(InputFileError, match=rf"clip\.json.*{re.escape(problem)}"):
        read_spikes(clip)


@pytest.mark.parametrize("text", ['{"boxes": []}', "[1]", "not JSON"])
def test_a_json_file_of_somebody_else_is_never_replaced(bare: Path, text: str) -> None:
    other = bare.with_suffix(".json")
    other.write_text(text)
    before = bare.read_bytes()
    with pytest.raises(OutputError, match=r"clip\.json.*something else"):
        write_spikes(bare, SpikeStream.from_dense(random_spikes(1, 5, 11)))
    assert (other.read_text(), bare.read_bytes()) == (text, before)


def test_a_json_file_of_somebody_else_is_not_read(bare: Path) -> None:
    bare.with_suffix(".json").write_text('{"boxes": [], "shape": [9, 9, 9]}')
    assert read_spikes(bare, 5, 11).shape == (3, 5, 11)


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
        with pytest.raises(InputFileError, match=r"spk, label.*key="):
            read_spikes(path, **options)


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
        ({"height": 0, "width": 11}, "height must be 1 or more, got 0"),
        ({"height": 5, "width": -11}, "width must be 1 or more, got -11"),
        ({"height": 5.5, "width": 11}, "whole number, got 5.5"),
    ],
)
@pytest.mark.parametrize("extension", [".dat", ".npz"])
def test_sizes_that_are_none_are_refused(tmp_path: Path, extension: str, size: dict[str, Any], problem: str) -> None:
    path = tmp_path / f"clip{extension}"
    write_spikes(path, SpikeStream.from_dense(random_spikes(3, 5, 11)))
    with pytest.raises(InvalidValueError, match=problem):
        read_spikes(path, **size)


@pytest.mark.parametrize(
    ("options", "problem"), [({"flip": "no"}, "flip must be True or False"), ({"header_columns": -1}, "0 or more")]
)
def test_options_of_dat_are_checked(bare: Path, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        read_spikes(bare, 5, 11, **options)
    with pytest.raises(InvalidValueError, match=problem):
        write_spikes(bare, SpikeStream.from_dense(random_spikes(3, 5, 11)), **options)


def test_axes_are_checked(tmp_path: Path) -> None:
    for name in ("a.npy", "a.npz"):
        write_spikes(tmp_path / name, SpikeStream.from_dense(random_spikes(3, 5, 11)))
        with pytest.raises(InvalidValueError, match="'THW', 'HWT', got 'WHT'"):
            read_spikes(tmp_path / name, axes="WHT")


@pytest.mark.parametrize(
    ("extension", "known"),
    [
        (".dat", "flip, header_columns, start, stop"),
        (".npz", "key, axes"),
        (".npy", "axes"),
        (".h5", "start, stop"),
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
    with pytest.raises(InvalidValueError, match=r"got a ndarray; SpikeStream\.from_dense"):
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


# Damage, full disks, kills


@pytest.mark.parametrize("extension", SELF_DESCRIBING)
@settings(max_examples=30, deadline=None)
@given(kept=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_anywhere_is_an_input_error(folder: Path, extension: str, kept: float) -> None:
    path = folder / f"cut{extension}"
    write_spikes(path, SpikeStream.from_dense(random_spikes(7, 5, 11), CAMERA))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(InputFileError, match=rf"cut{extension}"):
        read_spikes(path)


def test_parts_of_our_npz_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    packed = SpikeStream.from_dense(random_spikes(7, 5, 11)).packed
    for shape in ([7, 5, 17], [6, 5, 11], [7, 5], []):
        np.savez(tmp_path / "clip.npz", packed=packed, shape=shape, camera="null")
        with pytest.raises(InputFileError, match=r"clip\.npz"):
            read_spikes(tmp_path / "clip.npz")
    with zipfile.ZipFile(tmp_path / "clip.npz", "w") as archive:
        archive.writestr("packed.npy", "not an array")
    with pytest.raises(InputFileError, match=r"clip\.npz"):
        read_spikes(tmp_path / "clip.npz")


WRITE = """
import os, pathlib, resource, signal, sys
import numpy as np
from spikesim import SpikeStream, write_spikes
from spikesim.errors import OutputError

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

path, trouble = sys.argv[1:]
if trouble == "full disk":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
elif trouble == "killed before it is on disk":
    os.fsync = die
elif trouble == "killed between two renames":
    pathlib.Path.replace = lambda old, new: die() if str(new).endswith(".json") else os.replace(old, new)
try:
    write_spikes(path, SpikeStream(np.ones((400, 50, 10), np.uint8), 80))
except OutputError as error:
    sys.exit(str(error))
"""


def write_in_trouble(path: Path, trouble: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WRITE, str(path), trouble]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_write_that_fails_or_dies_leaves_the_old_file(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"clip{extension}"
    old = SpikeStream.from_dense(random_spikes(3, 5, 11))
    write_spikes(path, old)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    full = write_in_trouble(path, "full disk")
    assert (full.returncode, full.stdout) == (1, "")
    assert re.fullmatch(rf"cannot write {re.escape(str(path))}: .*File too large.*untouched\n", full.stderr)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before

    assert write_in_trouble(path, "killed before it is on disk").returncode == -signal.SIGKILL
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.suffix != ".tmp"} == before


def test_new_spikes_are_never_described_by_the_old_description(clip: Path) -> None:
    assert write_in_trouble(clip, "killed between two renames").returncode == -signal.SIGKILL
    assert clip.stat().st_size == 400 * 50 * 10
    with pytest.raises(InvalidValueError, match="give height and width"):
        read_spikes(clip)


def test_links_to_spikes_and_description_are_kept(clip: Path, tmp_path: Path) -> None:
    for file in (clip, clip.with_suffix(".json")):
        file.rename(file.with_stem("stored"))
        file.symlink_to(file.with_stem("stored"))
    dense = random_spikes(2, 3, 4)
    write_spikes(clip, SpikeStream.from_dense(dense))
    assert clip.is_symlink()
    assert np.array_equal(read_spikes(clip).dense(), dense)
    assert np.array_equal(read_spikes(tmp_path / "stored.dat").dense(), dense)


def test_a_place_that_cannot_be_is_an_output_error(clip: Path) -> None:
    for extension in EXTENSIONS:
        with pytest.raises(OutputError, match=r"^cannot write .*below.*untouched$"):
            write_spikes(clip / f"below{extension}", SpikeStream.from_dense(random_spikes(2, 3, 4)))


def test_a_description_can_be_read_by_anybody(clip: Path) -> None:
    description = json.loads(clip.with_suffix(".json").read_text())
    assert description.pop("camera")["v_th"] == 2.5
    assert description == {"schema": "spikesim.dat/1", "shape": [3, 5, 11], "flip": True, "header_columns": 0}
