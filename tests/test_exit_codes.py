"""What docs/scripting.md says of exit codes and variables is true: each code is returned by a planted run."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import Run, run
from shard_data import RECIPE, make_sample, write_shard
from test_interruptions import JOB
from test_interruptions import run as run_code

from spikesim import SpikeStream, write_spikes
from spikesim_cli.commands import doctor
from spikesim_datasets.shards.index import write_index

__all__ = ["run"]

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "scripting.md").read_text("utf-8")
COMMAND = [sys.executable, "-c", "from spikesim_cli.main import main; main()"]


def listed_codes(text: str) -> set[int]:
    """The numbers that begin the rows of a page's tables."""
    return {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}


def ends(folder: Path, *arguments: str) -> int:
    return subprocess.run([*COMMAND, *arguments], cwd=folder, capture_output=True, check=False).returncode


def without_reader(folder: Path) -> int:
    """The exit code of a command whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        arguments = [*COMMAND, "completion", "bash"]
        return subprocess.run(arguments, cwd=folder, stdout=writing, stderr=subprocess.PIPE, check=False).returncode
    finally:
        os.close(writing)


def interrupted(folder: Path, name: str) -> int:
    """The exit code of a command that gets a signal while it works."""
    return run_code(folder, JOB, name, "callback", "goes on").returncode


PLANTED: dict[int, Callable[[Path], int]] = {
    0: lambda folder: ends(folder, "--version"),
    1: without_reader,
    2: lambda folder: ends(folder, "info", "nothing.dat"),
    130: lambda folder: interrupted(folder, "SIGINT"),
    143: lambda folder: interrupted(folder, "SIGTERM"),
}


def dataset_in(folder: Path) -> Path:
    """The only shard of a dataset that has an index."""
    shard = write_shard(folder / "train" / "clip.000.h5", make_sample())
    write_index(folder, RECIPE)
    return shard


def test_every_code_of_the_page_is_planted() -> None:
    assert listed_codes(PAGE) == set(PLANTED)
    assert listed_codes("| 0 | well |\n| 3 | ill |\n| x | 4 |\n5 | 6 |") == {0, 3}


@pytest.mark.parametrize("code", PLANTED)
def test_a_planted_run_returns_its_code(code: int, tmp_path: Path) -> None:
    assert PLANTED[code](tmp_path) == code


def test_codes_of_signals_are_those_of_shells() -> None:
    assert {130, 143} == {128 + signal.SIGINT, 128 + signal.SIGTERM}


def test_verify_returns_2_for_damage_alone(run: Run, tmp_path: Path) -> None:
    shard = dataset_in(tmp_path / "data")
    assert run("verify", tmp_path / "data").code == 0
    shard.write_bytes(shard.read_bytes()[:-20])
    assert run("verify", tmp_path / "data").code == 2
    assert run("verify", tmp_path / "data", "--repair").code == 2  # it does not say what it was made from
    assert run("index", tmp_path / "data").code == 2


def test_verify_prints_json_and_returns_2(run: Run, tmp_path: Path) -> None:
    dataset_in(tmp_path / "data").unlink()
    result = run("verify", tmp_path / "data", "--json")
    assert (result.code, result.json["damaged"]) == (2, 1)


def test_doctor_returns_2_where_a_required_part_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> str:
        raise RuntimeError("planted")

    def absent() -> str:
        raise doctor._AbsentError("planted")

    monkeypatch.setattr(doctor, "_CHECKS", {"part": absent})
    assert run("doctor").code == 0
    monkeypatch.setattr(doctor, "_CHECKS", {"part": breaks})
    result = run("doctor", "--json")
    assert (result.code, result.json[0]["state"]) == (2, "FAILS")


def test_results_go_to_stdout_and_errors_to_stderr(run: Run, tmp_path: Path) -> None:
    write_spikes(tmp_path / "clip.dat", SpikeStream.from_dense(np.ones((3, 8, 8), np.uint8)))
    told = run("info", tmp_path / "clip.dat")
    assert (told.code, told.err) == (0, "")
    assert "spikes" in told.out
    refused = run("info", tmp_path / "clip.dat", "--height", "9", "--width", "8")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("Error: ")


def test_tables_are_as_wide_as_columns_says(tmp_path: Path) -> None:
    write_spikes(tmp_path / "clip.dat", SpikeStream.from_dense(np.ones((3, 8, 8), np.uint8)))

    def widest(**variables: str) -> int:
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | variables
        arguments = [*COMMAND, "info", "a-name-that-is-long-enough-to-need-another-line-of-the-table.dat"]
        printed = subprocess.run(
            arguments, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout
        return max(map(len, printed.splitlines()))

    (tmp_path / "clip.dat").rename(tmp_path / "a-name-that-is-long-enough-to-need-another-line-of-the-table.dat")
    (tmp_path / "clip.json").rename(tmp_path / "a-name-that-is-long-enough-to-need-another-line-of-the-table.json")
    assert widest(COLUMNS="40") <= 40 < widest() <= 80 < widest(COLUMNS="200")


def test_every_variable_of_ours_is_listed() -> None:
    folders = ("spikesim", "datasets", "ssdm_models", "cli", "tests")
    sources = [path.read_text("utf-8") for folder in folders for path in (ROOT / folder).rglob("*.py")]
    named = set(re.findall(r"\bSPIKESIM_[A-Z_]+[A-Z]\b", "\n".join(sources)))
    assert named == set(re.findall(r"\bSPIKESIM_[A-Z_]+[A-Z]\b", PAGE))
    assert len(named) > 3
