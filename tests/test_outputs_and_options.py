"""What the command line does not do without being told: replace a file, or leave an option without effect."""

import os
from itertools import combinations
from pathlib import Path

import commands
import deblurring_data
import numpy as np
import pytest
from commands import Run, assert_refused
from PIL import Image
from source_data import noise, write_frames, write_video
from test_stacks import write_stack

from spikesim import SpikeStream, write_spikes
from spikesim_datasets.layouts import shards_to_layout

run, frames, dataset, shard = commands.run, commands.frames, commands.dataset, commands.shard
recording = commands.recording
recorded, released = deblurring_data.recorded, deblurring_data.released
checkpoint, ldn = deblurring_data.checkpoint, deblurring_data.ldn


@pytest.fixture
def spikes(tmp_path: Path) -> Path:
    """A recording that knows its size."""
    dense = np.random.default_rng(1).integers(0, 2, (12, 18, 30), np.uint8)
    write_spikes(tmp_path / "spikes.npz", SpikeStream.from_dense(dense))
    return tmp_path / "spikes.npz"


@pytest.fixture
def writing(
    frames: Path, shard: Path, spikes: Path, recorded: Path, checkpoint: Path, tmp_path: Path
) -> dict[str, list[object]]:
    """A command for every kind of file that is written, without its output."""
    deblur = ["deblur", recorded / "blur.png", recorded / "spikes.h5", "OUT", "--checkpoint", checkpoint]
    deblur += ["--exposure", 5, 25]
    flats = [tmp_path / f"{name}.npz" for name in ("dark", "flat")]
    for path, rate in zip(flats, (0.01, 0.3), strict=True):
        dense = np.random.default_rng(2).random((1200, 3, 5)) < rate
        write_spikes(path, SpikeStream.from_dense(dense.astype(np.uint8)))
    return {
        "simulate a.h5": ["simulate", frames, "OUT", "--interp", "linear", "--frames", 2],
        "convert a.dat": ["convert", spikes, "OUT"],
        "convert a.npz": ["convert", shard, "OUT", "--vth", 1],
        "view a.png": ["view", spikes, "OUT", "--window", 5],
        "view a.gif": ["view", spikes, "OUT", "--window", 5],
        "interpolate a.mp4": ["interpolate", frames, "OUT", "--interp", "linear", "--frames", 2],
        "deblur b.png": deblur,
        "deblur b.gif": [*deblur, "--frames", 2],
        "calibrate c.npz": ["calibrate", *flats, "--out", "OUT"],
    }


NAMES = (
    "simulate a.h5", "convert a.dat", "convert a.npz", "view a.png", "view a.gif", "interpolate a.mp4", "deblur b.png",
    "deblur b.gif", "calibrate c.npz",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_replaced_only_with_overwrite(
    run: Run, writing: dict[str, list[object]], tmp_path: Path, name: str
) -> None:
    output = tmp_path / "out" / name.split()[1]
    words = [output if word == "OUT" else word for word in writing[name]]
    output.parent.mkdir()
    output.write_bytes(b"mine")
    assert_refused(run(*words), f"{output} exists already; choose another name, or give --overwrite to replace it")
    assert output.read_bytes() == b"mine"
    assert [path.name for path in output.parent.iterdir()] == [output.name]
    replaced = run(*words, "--overwrite")
    assert replaced.code == 0, replaced.err
    assert len(output.read_bytes()) > len(b"mine")


def test_a_pipe_is_never_replaced(run: Run, writing: dict[str, list[object]], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.dat")
    words = [tmp_path / "a.dat" if word == "OUT" else word for word in writing["convert a.dat"]]
    for overwrite in ([], ["--overwrite"]):
        assert_refused(run(*words, *overwrite), "a.dat is a pipe or a device, and no file to write; choose another")
    assert (tmp_path / "a.dat").is_fifo()


def test_every_file_that_is_written_is_among_them(writing: dict[str, list[object]]) -> None:
    assert tuple(writing) == NAMES


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("convert SPIKES a.dat --vth 1", "--vth goes with a dataset, a shard or a released layout"),
        ("convert SPIKES a.dat --sample 1", "--sample goes with a shard"),
        ("convert SPIKES a.dat --preset ssdm", "--preset goes with a released layout"),
        ("convert SHARD a.dat --vth 1 --preset ssdm", "--preset goes with a released layout"),
        ("convert SHARD a.dat --vth 1 --height 3 --width 5", "--height, --width is for spike files"),
        ("convert DATASET out --sample 1", "--sample goes with a shard"),
        ("convert DATASET out --no-flip", "--no-flip is for spike files"),
        ("convert DATASET out --overwrite", "--overwrite goes with spike files; give the name of a new folder"),
        ("convert LAYOUT out --header-columns 3", "--header-columns is for spike files"),
        ("info SPIKES --header-columns 3", "--header-columns has no meaning for .npz files"),
        ("info SPIKES --no-flip", "--no-flip has no meaning for .npz files"),
        ("convert SPIKES a.dat --no-flip --start 3 --header-columns 0", "--no-flip, --header-columns has no meaning"),
        ("view DAT a.png --height 18 --width 30 --key spk --axes THW", "--key, --axes has no meaning for .dat files"),
        ("verify DAT --height 18 --width 30 --axes THW", "--axes has no meaning for .dat files"),
        ("view SPIKES a.png --split test", "--split goes with a dataset"),
        ("view SPIKES a.png --sample 1", "--sample goes with a dataset or a shard"),
        ("view SPIKES a.png --sample 0", "--sample goes with a dataset or a shard"),
        ("view SHARD a.png --start 0", "--start is for spike files"),
        ("view SHARD a.png --split test", "--split goes with a dataset"),
        ("view SHARD a.png --axes HWT", "--axes is for spike files"),
        ("view LAYOUT a.png --vth 3", "--vth goes with a folder in the released layout that does not record its"),
        ("view SPIKES a.png --as tfi --window 5", "--window is of the mean that a TFP is, and --as tfi shows none"),
        ("view SPIKES a.png --as tfstp --window 5", "--window is of the mean"),
        ("view SPIKES a.gif --as spikes --window 5", "--window is of the mean"),
        ("view SHARD a.gif --as tfi --window 5", "--window is of the mean"),
        ("build FRAMES --out out --timing ignore", "--timing is for videos and files of several images, and none"),
        ("simulate FRAMES a.h5 --pixels ignore", "--pixels is for videos"),
        ("interpolate FRAMES out --transfer pq", "--transfer is for videos"),
        ("interpolate --check FRAMES demo:desk --timing resample", "--timing is for videos"),
        ("view DATASET a.png --vth 1", "--vth goes with a folder in the released layout"),
        ("simulate FRAMES a.h5 --interp none --factor 4", "--factor makes no readouts with --interp none"),
        ("interpolate FRAMES out --fps 20", "--fps is of videos, and OUTPUT is a folder"),
        ("deblur BLUR SPIKES out --fps 20", "--fps is of videos, and OUT is none"),
        ("deblur BLUR SPIKES a.png --fps 20", "--fps is of videos, and OUT is none"),
        ("eval-ssdm --data DATASET --overwrite", "--overwrite goes with --out"),
    ],
)
def test_options_without_effect_are_refused(
    run: Run,
    frames: Path,
    dataset: Path,
    shard: Path,
    spikes: Path,
    recorded: Path,
    recording: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    shards_to_layout(dataset, tmp_path / "layout")
    places = {
        "SPIKES": spikes, "SHARD": shard, "DATASET": dataset, "LAYOUT": tmp_path / "layout", "FRAMES": frames,
        "BLUR": recorded / "blur.png", "DAT": recording,
    }  # fmt: skip
    before = commands.files(tmp_path)
    assert_refused(run(*(places.get(word, word) for word in words.split())), said, "leave it out")
    assert commands.files(tmp_path) == before


ABOUT = {
    "folder": {"numbering"},
    "stack.tif": {"timing"},
    "video.mp4": {"timing", "interlacing", "pixels", "matrix", "transfer"},
    "grey.mkv": {"timing", "interlacing", "pixels", "transfer"},
    "rgb.mkv": {"timing", "interlacing", "pixels", "transfer"},
    "photo:photo.png": set(),
    "demo:desk#1": set(),
}
"""Which options say something about each source; written down here on their own."""

GIVEN = {
    "timing": "ignore", "numbering": "ignore", "interlacing": "ignore", "pixels": "ignore", "matrix": "bt709",
    "transfer": "sdr",
}  # fmt: skip


@pytest.mark.parametrize("option", GIVEN)
def test_how_to_read_is_said_where_a_source_is_read_so(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    """Of one source or two; none is long enough for a build, which ends there at the latest."""
    monkeypatch.chdir(tmp_path)
    write_frames(tmp_path / "folder", 3)
    write_stack(tmp_path / "stack.tif", 3)
    write_video(tmp_path / "video.mp4")
    write_video(tmp_path / "grey.mkv", "ffv1", pixels="gray")
    write_video(tmp_path / "rgb.mkv", "ffv1", pixels="bgr0")
    Image.fromarray(noise(1, 720, 1280)).save(tmp_path / "photo.png")
    for sources in (*combinations(ABOUT, 1), *combinations(ABOUT, 2)):
        result = run("build", *sources, "--out", "out", f"--{option}", GIVEN[option], "--start", 9999)
        said = f"--{option} is for " if not any(option in ABOUT[source] for source in sources) else "are not in"
        assert_refused(result, said)


def test_they_are_taken_where_they_have_a_meaning(run: Run, dataset: Path, shard: Path, tmp_path: Path) -> None:
    assert run("convert", dataset, tmp_path / "layout", "--vth", 2).code == 0
    (tmp_path / "layout" / "spikesim.json").unlink()
    assert run("convert", tmp_path / "layout", tmp_path / "shards", "--vth", 2, "--preset", "ssdm").code == 0
    assert run("convert", shard, tmp_path / "a.dat", "--vth", 2, "--sample", 1).code == 0
    assert run("view", dataset, tmp_path / "a.png", "--split", "test", "--sample", 1).code == 0
    assert run("view", dataset, tmp_path / "b.png", "--window", 5).code == 0
