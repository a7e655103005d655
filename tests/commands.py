"""What tests of the command line share: commands run as a terminal does, and files to give them."""

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click
import numpy as np
import pytest
from build_data import write_frames

from spikesim import SpikeStream, write_spikes
from spikesim_cli import steps
from spikesim_cli.main import cli, main
from spikesim_datasets.build import build_clips
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.sources import Split, open_clips


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command as a terminal does, through the entry point, in this process; as if it took no time."""
    monkeypatch.setattr(steps, "_FIRST_LINE", math.inf)

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["spikesim", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


def assert_refused(result: Result, *said: str) -> None:
    """Exit code 2, nothing on stdout, and one message on stderr that says what is wrong."""
    assert (result.code, result.out) == (2, "")
    assert result.err.count("Error: ") == 1
    for text in said:
        assert text in result.err


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """42 frames, which have the windows 1 and 2; not to be changed."""
    return write_frames(tmp_path_factory.mktemp("videos") / "clip", 42)


@pytest.fixture(scope="module")
def dataset(frames: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two samples of each split at V_th 1 and 2; not to be changed."""
    out = tmp_path_factory.mktemp("dataset") / "data"
    for split in get_args(Split):
        build_clips(open_clips([frames], split), out, make_recipe((1, 2), interpolation="linear"), workers=1)
    return out


@pytest.fixture(scope="module")
def shard(dataset: Path) -> Path:
    return dataset / "train" / "clip.000.h5"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A `.dat` of 12 readouts of 18×30 that does not know its size: 12 times 68 bytes."""
    dense = np.random.default_rng(1).integers(0, 2, (12, 18, 30), np.uint8)
    write_spikes(tmp_path / "recording.dat", SpikeStream.from_dense(dense), describe=False)
    return tmp_path / "recording.dat"


def command(name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return found


def shown(name: str) -> dict[str, str]:
    """The defaults that a command's help shows in words, by parameter."""
    return {
        str(option.name): option.show_default
        for option in command(name).params
        if isinstance(option, click.Option) and isinstance(option.show_default, str)
    }
