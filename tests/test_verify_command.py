"""`verify` of what is no dataset: spike files, shards, checkpoints, and folders of trainings."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import Run, assert_refused, run
from shard_data import make_sample, write_shard
from training_data import data, taught

from spikesim import SpikeStream, write_spikes
from ssdm_models import checkpoints
from ssdm_models.ldn import LDN

__all__ = ["data", "run", "taught"]

STREAM = SpikeStream(np.random.default_rng(0).integers(0, 256, (9, 5, 2), np.uint8) & np.array([255, 7], np.uint8), 11)


def flip(path: Path, place: int | None = None) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if place is None else place] ^= 4
    path.write_bytes(content)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "clip.dat": (lambda path: write_spikes(path, STREAM), "9 readouts"),
    "clip.npz": (lambda path: write_spikes(path, STREAM), "9 readouts"),
    "clip.000.h5": (lambda path: write_shard(path, make_sample()), "1 sample"),
    "ldn.safetensors": (lambda path: checkpoints.save(path, LDN(5)), "LDN"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_compared_with_its_checksum(run: Run, tmp_path: Path, name: str) -> None:
    make, what = FILES[name]
    make(tmp_path / name)
    result = run("verify", tmp_path / name)
    assert (result.code, result.out) == (0, "")
    assert f"{what}, " in result.err
    assert "equal to its checksum" in result.err
    assert json.loads(run("verify", tmp_path / name, "--json").out)["compared"] is True
    flip(tmp_path / name)
    assert_refused(run("verify", tmp_path / name), name)


def test_spikes_in_hdf5_are_compared_with_the_checksums_of_their_chunks(run: Run, tmp_path: Path) -> None:
    write_spikes(tmp_path / "clip.h5", STREAM)
    assert "9 readouts" in (said := run("verify", tmp_path / "clip.h5").err)
    assert "equal to its checksum" in said
    with h5py.File(tmp_path / "clip.h5") as file:
        place = file["spikes"].id.get_chunk_info(0).byte_offset
    flip(tmp_path / "clip.h5", place)
    assert_refused(run("verify", tmp_path / "clip.h5"), "clip.h5")


def test_a_shard_without_checksums_says_so(run: Run, tmp_path: Path) -> None:
    write_shard(tmp_path / "a.h5", make_sample())
    with h5py.File(tmp_path / "a.h5") as ours, h5py.File(tmp_path / "b.h5", "w") as file:
        file.attrs.update(ours.attrs)
        for name in ours:
            ours.copy(name, file)
        blur, attributes = file["blur"][:], dict(file["blur"].attrs)
        del file["blur"]
        file["blur"] = blur
        file["blur"].attrs.update(attributes)
    assert "equal to its checksum" in run("verify", tmp_path / "a.h5").err
    said = run("verify", tmp_path / "b.h5").err
    assert "1 sample, " in said
    assert "it has no checksum" in said


@pytest.mark.parametrize("name", ["raw_spike", "spikes"])
def test_spikes_in_hdf5_without_checksums_are_read(run: Run, tmp_path: Path, name: str) -> None:
    write_spikes(tmp_path / "ours.h5", STREAM)
    with h5py.File(tmp_path / "ours.h5") as ours, h5py.File(tmp_path / "clip.h5", "w") as file:
        file[name] = STREAM.dense() if name == "raw_spike" else ours["spikes"][:]
        file[name].attrs.update(ours["spikes"].attrs)
    said = run("verify", tmp_path / "clip.h5").err
    assert "9 readouts" in said
    assert "it has no checksum" in said


def test_a_file_without_a_checksum_is_read(run: Run, tmp_path: Path) -> None:
    write_spikes(tmp_path / "clip.dat", STREAM, describe=False)
    result = run("verify", tmp_path / "clip.dat", "--height", 5, "--width", 11)
    assert result.code == 0
    assert "9 readouts, 63 B, read whole; it has no checksum to compare it with" in result.err
    with (tmp_path / "clip.dat").open("ab") as file:
        file.write(b"\0")
    assert_refused(run("verify", tmp_path / "clip.dat", "--height", 5, "--width", 11), "no multiple of")


def test_what_has_nothing_to_verify(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    assert_refused(run("verify", tmp_path / "a.png"), "there is nothing to verify")
    write_shard(tmp_path / "a.h5", make_sample())
    assert_refused(run("verify", tmp_path / "a.h5", "--height", 5, "--width", 11), "--height")


def test_a_training_is_read_whole(run: Run, taught: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(taught, tmp_path / "run"))
    result = run("verify", root)
    assert result.code == 0, result.err
    files = [path for pattern in ("*.safetensors", "*/config.json", "*/state.pt") for path in root.glob(pattern)]
    assert f"{len(files)} files, " in result.err
    assert "all whole" in result.err
    for damaged in (next(root.glob("*.safetensors")), next(root.glob("*/config.json"))):
        whole = damaged.read_bytes()
        if damaged.suffix == ".json":
            damaged.write_bytes(whole[:40])
        else:
            flip(damaged)
        result = run("verify", root, "--json")
        assert result.code == 2
        named = [check["path"] for check in json.loads(result.out)["files"] if check["problem"]]
        assert named == [damaged.relative_to(root).as_posix()]
        assert damaged.name in result.err
        damaged.write_bytes(whole)
