"""Spike files that are cut, of which the disk is full, or whose writer is killed."""

import json
import re
import signal
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import format_data
import h5py
import numpy as np
import pytest
from format_data import CAMERA, EXTENSIONS, SELF_DESCRIBING, random_spikes
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim import SpikeStream, SpikeWriter, read_spikes, write_spikes
from spikesim.errors import InputFileError, InvalidValueError, OutputError

folder, clip = format_data.folder, format_data.clip


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
        with pytest.raises(OutputError, match=r"^cannot write .*below\S*: (?!.*untouched)"):
            write_spikes(clip / f"below{extension}", SpikeStream.from_dense(random_spikes(2, 3, 4)))


def test_a_description_can_be_read_by_anybody(clip: Path) -> None:
    description = json.loads(clip.with_suffix(".json").read_text())
    assert description.pop("camera")["v_th"] == 2.5
    assert description.pop("crc32") == zlib.crc32(clip.read_bytes())
    assert description == {"schema": "spikesim.dat/1", "shape": [3, 5, 11], "flip": True, "header_columns": 0}


@settings(max_examples=50, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flipped_bit_of_a_described_dat_file_is_found(folder: Path, where: float, bit: int) -> None:
    path = folder / "flipped.dat"
    write_spikes(path, SpikeStream.from_dense(random_spikes(7, 5, 11), CAMERA))
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=r"flipped\.dat: it has other bytes than when it was written"):
        read_spikes(path)
    assert len(read_spikes(path, start=1, stop=3)) == 2  # of a part no checksum is known


@settings(max_examples=50, deadline=None)
@given(where=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7), grown=st.booleans())
def test_any_flipped_bit_of_the_spikes_in_hdf5_is_found(folder: Path, where: float, bit: int, grown: bool) -> None:
    path, stream = folder / "flipped.h5", SpikeStream.from_dense(random_spikes(7, 5, 11), CAMERA)
    if grown:
        with SpikeWriter(path, 5, 11, CAMERA) as writer:
            writer.append(stream)
    else:
        write_spikes(path, stream)
    with h5py.File(path) as file:
        chunk = file["spikes"].id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + int(where * 7 * 5 * 2)] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=r"flipped\.h5"):
        read_spikes(path, start=2, stop=5)


def test_dat_files_that_were_described_before_there_were_checksums_are_read(clip: Path) -> None:
    whole = read_spikes(clip)
    description = json.loads(clip.with_suffix(".json").read_text())
    del description["crc32"]
    clip.with_suffix(".json").write_text(json.dumps(description))
    assert np.array_equal(read_spikes(clip).packed, whole.packed)
