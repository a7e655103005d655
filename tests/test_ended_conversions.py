"""Conversions that were killed: readers are told, the same conversion again finishes them, and no other one does."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from build_data import content, leftovers, recipe, snapshot, write_frames
from click.testing import CliRunner

from spikesim.errors import InputFileError, OutputError
from spikesim_cli.main import cli
from spikesim_datasets.build import build_clips
from spikesim_datasets.layouts import layout_to_shards, open_layout, shards_to_layout
from spikesim_datasets.shards import open_dataset, verify_dataset
from spikesim_datasets.shards.index import list_shards, shard_files, write_index
from spikesim_datasets.sources import open_clips

# Ends the process as it is about to give a file its final name: the first is the one that says what the folder is.
KILLED = """
import os, signal, sys
from spikesim_cli.main import main
whole, files = os.fsync, int(sys.argv.pop(1))
def last(file):
    global files
    files -= 1
    if files < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    whole(file)
os.fsync = last
main()
"""


def kill(files: int, *arguments: object) -> None:
    """A conversion that is killed after so many files."""
    line = [sys.executable, "-c", KILLED, str(files), "convert", *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of five samples at two thresholds; not to be changed."""
    root = tmp_path_factory.mktemp("there")
    clips = open_clips([write_frames(root / "a", 20)])
    build_clips(clips, root / "data", recipe(sharp="sequence"), workers=1)
    return root / "data"


@pytest.fixture(scope="module")
def layout(dataset: Path) -> Path:
    """The same as folders; not to be changed."""
    root = dataset.parent / "layout"
    assert shards_to_layout(dataset, root) == 5
    return root


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def assert_refused_as_unfinished(out: Path, readers: list[Callable[[], object]]) -> None:
    for read in readers:
        with pytest.raises(InputFileError, match=r"not finished; run the same `spikesim convert` again"):
            read()
    for command in ("info", "verify"):
        told = CliRunner().invoke(cli, [command, str(out)])
        assert (told.exit_code, told.stdout) == (2, "")
        assert "begun and not finished" in told.stderr


@pytest.mark.parametrize("written", [0, 1, 2, 8, 25])
def test_a_layout_is_finished_by_the_same_command(dataset: Path, layout: Path, tmp_path: Path, written: int) -> None:
    out = tmp_path / "out"
    kill(written, dataset, out)
    there = {path: path.stat().st_ino for path in out.rglob("*.dat")}
    assert len(files(out)) <= written + 2  # the lock, and what had no name yet
    if written:
        readers: list[Callable[[], object]] = [
            lambda: open_layout(out, "train"),
            lambda: layout_to_shards(out, tmp_path / "back"),
            lambda: build_clips(open_clips([dataset.parent / "a"]), out, recipe(sharp="sequence"), workers=1),
            lambda: write_index(out, {}),
        ]
        assert_refused_as_unfinished(out, readers)
    done = CliRunner().invoke(cli, ["convert", str(dataset), str(out)])
    assert (done.exit_code, done.stdout) == (0, "")
    assert "5 samples in the released layout" in done.stderr
    assert files(out) == files(layout)
    # Of the sample that was being written all files are written again.
    assert sum(path.stat().st_ino == number for path, number in there.items()) >= len(there) - 2
    before = snapshot(out)
    assert shards_to_layout(dataset, out) == 5
    assert snapshot(out) == before


@pytest.mark.parametrize("written", [0, 1, 2, 4])
def test_a_dataset_is_finished_by_the_same_command(dataset: Path, layout: Path, tmp_path: Path, written: int) -> None:
    out = tmp_path / "out"
    kill(written, layout, out)
    there = {path: path.stat().st_ino for path in shard_files(out)}
    assert len(there) == max(0, written - 1)
    if written:
        readers: list[Callable[[], object]] = [
            lambda: open_dataset(out, "train"),
            lambda: list_shards(out),
            lambda: list(verify_dataset(out)),
            lambda: shards_to_layout(out, tmp_path / "again"),
            lambda: build_clips(open_clips([dataset.parent / "a"]), out, recipe(sharp="sequence"), workers=1),
            lambda: write_index(out, {}),
        ]
        assert_refused_as_unfinished(out, readers)
    assert layout_to_shards(layout, out) == 5
    assert leftovers(out) == []
    assert [check.problem for check in verify_dataset(out)] == [""] * 3
    assert content(out) == content(dataset)
    assert {path: path.stat().st_ino for path in there} == there
    before = snapshot(out)
    assert layout_to_shards(layout, out) == 5
    assert snapshot(out) == before


def test_what_was_removed_from_a_whole_layout_is_made_again(dataset: Path, layout: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shards_to_layout(dataset, out)
    before = snapshot(out)
    (removed, *_) = out.rglob("*.dat")
    removed.unlink()
    assert shards_to_layout(dataset, out) == 5
    assert files(out) == files(layout)
    others = {place for name, place in before.items() if name.endswith(".dat") and Path(name).stem != removed.stem}
    assert set() < others <= set(snapshot(out).values())


def test_what_was_removed_from_a_whole_dataset_is_made_again(layout: Path, tmp_path: Path) -> None:
    """And what was damaged since is still seen to be."""
    out = tmp_path / "out"
    layout_to_shards(layout, out)
    index = (out / "dataset.json").read_bytes()
    removed, damaged, _ = shard_files(out)
    made = removed.read_bytes()
    removed.unlink()
    held = bytearray(damaged.read_bytes())
    held[-1] ^= 1
    damaged.write_bytes(held)
    assert layout_to_shards(layout, out) == 5
    assert (out / "dataset.json").read_bytes() == index
    assert {out / check.path for check in verify_dataset(out) if check.problem} == {damaged}
    assert removed.read_bytes() == made


@pytest.mark.parametrize("written", [3, 50])
def test_another_source_does_not_go_on(dataset: Path, layout: Path, tmp_path: Path, written: int) -> None:
    """Neither of what was begun, nor of what is whole."""
    source = Path(shutil.copytree(layout, tmp_path / "source"))
    out = tmp_path / "out"
    if written < 50:
        kill(written, source, out)
    else:
        layout_to_shards(source, out)
    before = [place for name, place in snapshot(out).items() if not name.startswith(".")]
    (spikes, *_) = source.rglob("*.dat")
    spikes.write_bytes(bytes(spikes.stat().st_size))
    with pytest.raises(OutputError, match=r"of a source that has changed since|is not an empty folder"):
        layout_to_shards(source, out)
    with pytest.raises(OutputError, match=r"another conversion|is not an empty folder"):
        shards_to_layout(dataset, out)
    assert set(before) <= set(snapshot(out).values())
