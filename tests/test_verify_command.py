"""`verify`: of datasets by several processes, of spike files, shards, checkpoints, and folders of trainings."""

import json
import math
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from build_data import command, wait_until
from commands import Run, assert_refused, run
from shard_data import flip_bits, make_sample, write_shard
from test_ended_builds import ENDED_BY, by_signal, has_ended, linux, workers_of
from training_data import data, taught

from spikesim import SpikeStream, write_spikes
from spikesim.errors import InvalidValueError, OutputError
from spikesim_datasets.progress import Progress
from spikesim_datasets.shards import verification, verify_dataset
from spikesim_datasets.shards.index import write_index
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
    "ldn.pth": (lambda path: torch.save(LDN(5).state_dict(), path), f"{len(LDN(5).state_dict())} tensors"),
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


def state(**more: Any) -> dict[str, Any]:
    """What a training leaves of a network: its weights, those of an average of them, and the memory of Adam."""
    weights = {"a.weight": torch.rand(3, 5), "a.count": torch.tensor(7)}
    memory = {0: {"step": torch.tensor(1.0), "average": torch.rand(3, 5)}}
    return {"model": weights, "ema": {**weights, **more}, "optimiser": {"state": memory, "groups": [{"lr": 0.1}]}}


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "A.PKL"])
def test_a_checkpoint_of_any_network_is_read_whole(run: Run, tmp_path: Path, name: str) -> None:
    torch.save(state(), tmp_path / name)
    assert "4 tensors, " in (said := run("verify", tmp_path / name).err)  # shared ones once
    assert "equal to its checksum" in said
    torch.save(state(), tmp_path / name, _use_new_zipfile_serialization=False)  # as torch wrote before 1.6
    result = run("verify", tmp_path / name, "--json")
    assert "read whole; it has no checksum" in result.err
    assert (result.code, result.json["compared"]) == (0, False)


@pytest.mark.parametrize(
    "kind", [torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16, torch.complex64, torch.bool, torch.uint8]
)
def test_numbers_of_any_kind_are_looked_at(run: Run, tmp_path: Path, kind: torch.dtype) -> None:
    torch.save({"a": torch.ones(3).to(kind)}, tmp_path / "a.pth")
    assert "1 tensor, " in run("verify", tmp_path / "a.pth").err
    if kind.is_floating_point:
        torch.save({"a": torch.tensor([1.0, math.nan]).to(kind)}, tmp_path / "a.pth")
        assert_refused(run("verify", tmp_path / "a.pth"), "a.pth", "no numbers")


BAD_TENSORS = {
    "no number": (torch.tensor([1.0, math.nan]), "ema.b"),
    "infinite": (torch.tensor([-math.inf, 1.0], dtype=torch.float16), "ema.b"),
    "without values": (torch.empty(3, device="meta"), "ema.b"),
    "sparse": (torch.eye(3).to_sparse(), "ema.b"),
    "without end": (torch.zeros(1).expand(10**9, 10**6), "tensors say"),
}


@pytest.mark.parametrize("kind", BAD_TENSORS)
def test_a_checkpoint_with_a_tensor_that_is_of_no_use_is_refused(run: Run, tmp_path: Path, kind: str) -> None:
    tensor, said = BAD_TENSORS[kind]
    torch.save(state(b=tensor), tmp_path / "a.pth")
    assert_refused(run("verify", tmp_path / "a.pth"), "a.pth", said)


@pytest.mark.parametrize("held", [{}, {"epoch": 3}, [torch.zeros(3)], torch.zeros(3), {"model": torch.nn.Linear(2, 2)}])
def test_a_file_of_torch_without_named_tensors_is_refused(run: Run, tmp_path: Path, held: Any) -> None:
    torch.save(held, tmp_path / "a.pth")
    assert_refused(run("verify", tmp_path / "a.pth"), "a.pth")


def test_what_holds_itself_comes_to_an_end(run: Run, tmp_path: Path) -> None:
    held: dict[str, Any] = {"weight": torch.zeros(3)}
    held["held"] = held
    torch.save(held, tmp_path / "a.pth")
    assert "1 tensor, " in run("verify", tmp_path / "a.pth").err


def test_a_program_of_torch_is_called_one(run: Run, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "a.pt")
    assert_refused(run("verify", tmp_path / "a.pt"), "it is TorchScript")


def test_a_checkpoint_needs_torch(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save(state(), tmp_path / "a.pth")
    monkeypatch.setitem(sys.modules, "torch", None)
    for module in ("tensor_verification", "torch_files", "state_dicts", "pickle_check"):
        monkeypatch.delitem(sys.modules, f"spikesim_datasets.torch_tools.{module}", raising=False)
    assert_refused(run("verify", tmp_path / "a.pth"), "`spikesim verify` needs torch; pip install 'spikesim[ssdm]'")


# Datasets, by several processes


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 12 shards, one of them missing, one damaged and one not listed; not to be changed."""
    root = tmp_path_factory.mktemp("damaged")
    for number in range(12):
        key = f"{'test' if number % 3 else 'train'}/clip{number:02d}"
        write_shard(root / f"{key}.000.h5", make_sample(number, 24, 40, key=key), recipe={})
    write_index(root, {})
    (root / "test/clip04.000.h5").unlink()
    flip_bits(root / "train/clip09.000.h5", 5000)
    write_shard(root / "train/z.000.h5", make_sample(0, 24, 40, key="train/z"), recipe={})
    return root


def test_any_number_of_processes_finds_the_same_in_the_same_order(damaged: Path) -> None:
    found = {}
    for workers in (None, 1, 2, 3):
        told: list[Progress] = []
        found[workers] = list(verify_dataset(damaged, told.append, workers))
        assert [(progress.done, progress.total) for progress in told] == [(number, 13) for number in range(14)]
        assert {progress.at for progress in told[1:]} == {check.path for check in found[workers]}
    assert found[None] == found[1] == found[2] == found[3]
    assert [check.path for check in found[1]] == sorted(check.path for check in found[1])
    problems = {check.path for check in found[1] if check.problem}
    assert problems == {"test/clip04.000.h5", "train/clip09.000.h5", "train/z.000.h5"}


def test_the_command_takes_a_number_of_processes(run: Run, damaged: Path) -> None:
    one, two = (run("verify", damaged, "--workers", workers, "--json") for workers in (1, 2))
    assert (one.code, one.json["damaged"]) == (2, 3)
    assert (two.code, two.json) == (2, one.json)
    assert_refused(run("verify", damaged, "--workers", 0), "--workers")
    with pytest.raises(InvalidValueError, match="workers must be a whole number of at least 1"):
        next(verify_dataset(damaged, workers=0))


def test_who_stops_asking_leaves_no_process_behind(damaged: Path) -> None:
    checks = verify_dataset(damaged, workers=2)
    assert next(checks).path == "test/clip01.000.h5"
    assert multiprocessing.active_children()
    checks.close()
    assert multiprocessing.active_children() == []


@linux
@by_signal
def test_an_interruption_leaves_no_process_behind(damaged: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        command("verify", damaged, "--workers", 2),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    workers = wait_until(lambda: len(pids := workers_of(process.pid)) == 2 and pids)
    os.killpg(process.pid, number)  # a terminal sends it to the whole group
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (ENDED_BY[number], "")
    assert stderr.strip().splitlines()[-1].startswith("Interrupted.")
    assert "Traceback" not in stderr
    wait_until(lambda: all(map(has_ended, workers)))


@linux
def test_a_killed_process_is_told(damaged: Path) -> None:
    def kill(progress: Progress) -> None:
        for child in multiprocessing.active_children():
            child.kill()

    checks = verify_dataset(damaged, kill, 2)
    with pytest.raises(OutputError, match="a worker process was killed"):
        list(checks)
    assert multiprocessing.active_children() == []


def test_processes_are_started_where_they_are_worth_it(damaged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def in_order(work: Any, shards: list[Any], workers: int, on_finished: Any) -> Iterator[Any]:
        asked.append(workers)
        return iter(())

    monkeypatch.setattr(verification, "in_order", in_order)
    monkeypatch.setattr(verification, "available_cores", lambda: 3)
    for worth in (1 << 30, 1 << 17, 1 << 10):
        monkeypatch.setattr(verification, "_WORTH_A_PROCESS", worth)
        list(verify_dataset(damaged))
    assert asked[0] == 1
    assert asked == sorted(asked)
    assert asked[2] == 3
    list(verify_dataset(damaged, workers=5))
    assert asked[3] == 5
