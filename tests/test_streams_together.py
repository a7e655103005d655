"""Streams beside each other: in images and videos, and in recordings for Rerun."""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import commands
import imageio.v3 as iio
import numpy as np
import pytest
from commands import Run, assert_refused

from spikesim import SpikeCamera, SpikeStream, read_spikes, write_spikes
from spikesim.errors import InvalidValueError
from spikesim_datasets.progress import Progress
from spikesim_datasets.rerun_file import write_rerun
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.visualisation import sheet, spike_image, streams_sheet, streams_video

run, dataset, shard, frames = commands.run, commands.dataset, commands.shard, commands.frames


def stream(readouts: int, height: int, width: int, every: int) -> SpikeStream:
    dense = np.zeros((readouts, height, width), np.uint8)
    dense[::every, :, : width // 2] = 1
    return SpikeStream.from_dense(dense, SpikeCamera(v_th=every))


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Spikes of 40 and of 33 readouts, of other sizes."""
    streams = {"one.h5": stream(40, 12, 20, 2), "two.npz": stream(33, 18, 15, 3)}
    for name, of_file in streams.items():
        write_spikes(tmp_path / name, of_file)
    return [tmp_path / name for name in streams]


def test_streams_are_shown_at_the_same_readouts() -> None:
    """In rows of an image, and in columns of a video as long as the shorter one."""
    streams = {"a": stream(40, 12, 20, 2), "b": stream(33, 18, 15, 3)}
    page = streams_sheet(streams, "spikes", 1, moments=3, labels=False)
    heights = [400 * of_row.shape[1] // of_row.shape[2] for of_row in streams.values()]
    assert page.shape == (sum(heights) + 3 * 6, 3 * 406 + 6, 3)
    tops = [6, 6 + heights[0] + 6]
    for top, of_row in zip(tops, streams.values(), strict=True):
        for column, centre in enumerate((8, 16, 24)):
            shown = page[top + 5, 6 + 406 * column + 5, 0]
            assert shown == spike_image(of_row, centre, "spikes", 1)[0, 0], (top, centre)
    video = [*streams_video(streams, "spikes", 1, labels=False)]
    assert len(video) == 33
    for centre, frame in enumerate(video):
        assert [frame[11, left, 0] == 255 for left in (11, 417)] == [centre % 2 == 0, centre % 3 == 0]


def test_a_single_stream_needs_no_name() -> None:
    one = stream(40, 12, 20, 2)
    row = sheet([[(f"tfp at {7 + at}", spike_image(one, at, "tfp", 5)) for at in (6, 13, 19, 26, 32)]], 400)
    assert np.array_equal(streams_sheet({"": one}, "tfp", 5, first=7), row)
    assert not np.array_equal(streams_sheet({"": one}, "tfp", 5), streams_sheet({"a": one}, "tfp", 5))


@pytest.mark.parametrize("streams", [{}, [1], {"a": 1}, {1: stream(9, 2, 3, 1)}, {"a": stream(0, 2, 3, 1)}])
def test_what_are_no_streams_is_refused(streams: object) -> None:
    with pytest.raises(InvalidValueError):
        streams_sheet(streams, "spikes", 1)  # type: ignore[arg-type]


def test_files_beside_each_other(run: Run, files: list[Path], tmp_path: Path) -> None:
    one, two = files
    assert run("view", one, tmp_path / "both.png", "--beside", two, "--as", "spikes").code == 0
    expected = streams_sheet({path.name: read_spikes(path) for path in files}, "spikes", 21)
    np.testing.assert_array_equal(iio.imread(tmp_path / "both.png"), expected)
    assert run("view", one, tmp_path / "part.png", "--beside", two, "--start", 3, "--readouts", 25).code == 0
    part = streams_sheet({path.name: read_spikes(path)[3:28] for path in files}, "tfp", 21, first=3)
    np.testing.assert_array_equal(iio.imread(tmp_path / "part.png"), part)


def test_a_sample_beside_a_file(run: Run, dataset: Path, shard: Path, files: list[Path], tmp_path: Path) -> None:
    """Its streams, without blur and ground truth; files of one name are called by where they are."""
    assert run("view", dataset, tmp_path / "a.gif", "--beside", files[0], "--as", "spikes").code == 0
    assert iio.improps(tmp_path / "a.gif", plugin="pillow").n_images == 40
    (tmp_path / "other").mkdir()
    again = tmp_path / "other" / files[0].name
    again.write_bytes(files[0].read_bytes())
    assert run("view", files[0], tmp_path / "b.png", "--beside", again).code == 0
    one = read_spikes(again)
    expected = streams_sheet({str(files[0]): one, str(again): one}, "tfp", 21)
    np.testing.assert_array_equal(iio.imread(tmp_path / "b.png"), expected)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("{one}", "{out}", "--beside", "{none}"), "does not exist"),
        (("{one}", "{out}", "--beside", "{shard}", "--start", 1), "--start is for spike files, and a sample is shown"),
        (("{one}", "{out}", "--beside", "{two}", "--sample", 1), "--sample goes with a dataset or a shard"),
        (("{frames}", "{out}", "--beside", "{two}"), "--beside is about spikes, and a source has none"),
        (("{one}", "{out}", "--beside", "{frames}"), "--beside is about spikes, and a source has none"),
        (("{frames}", "--rerun", "{rrd}"), "--rerun is about spikes"),
        (("{one}", "--rerun", "{out}"), "recordings for Rerun are .rrd"),
        (("{one}", "--rerun", "{rrd}", "--json"), "--json is about OUTPUT"),
    ],
)
def test_what_cannot_be_shown_together_is_refused(
    run: Run, frames: Path, shard: Path, files: list[Path], tmp_path: Path, words: tuple[object, ...], said: str
) -> None:
    places = {"one": files[0], "two": files[1], "none": tmp_path / "none", "shard": shard, "frames": frames}
    out = {"out": tmp_path / "out.png", "rrd": tmp_path / "out.rrd"}
    assert_refused(run("view", *(str(word).format(**places, **out) for word in words)), said)
    assert not any(path.exists() for path in out.values())


def test_without_rerun_its_extra_is_named(run: Run, files: list[Path], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "rerun", None)
    refused = run("view", files[0], "--rerun", tmp_path / "a.rrd")
    assert_refused(refused, "needs rerun-sdk; pip install 'spikesim[rerun]'")
    assert not (tmp_path / "a.rrd").exists()


def printed(path: Path, *words: str) -> str:
    """A recording, as Rerun's own program prints it."""
    line = [sys.executable, "-m", "rerun", "rrd", "print", *words, path]
    return subprocess.run(line, capture_output=True, text=True, encoding="utf-8", check=True).stdout


def rows_of(path: Path) -> dict[str, int]:
    """How many rows each entity of a recording has."""
    found: dict[str, int] = defaultdict(int)
    for rows, entity in re.findall(r"^Chunk\(.*?\) with (\d+) rows.*? - /(.*?) - ", printed(path), re.MULTILINE):
        found[entity.replace("\\", "")] += int(rows)
    return {entity: rows for entity, rows in found.items() if not entity.startswith("__")}


def test_a_recording_for_rerun_holds_every_readout(run: Run, dataset: Path, files: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("rerun", reason="rerun is an extra")
    assert run("view", dataset, "--rerun", tmp_path / "sample.rrd", "--as", "tfi").code == 0
    sample = open_dataset(dataset, "train")[0]
    streams = {
        f"V_th {v_th:g}/{kind}": len(s) for v_th, s in sample.spikes.items() for kind in ("spikes", "tfi", "rate")
    }
    assert rows_of(tmp_path / "sample.rrd") == {"blur": 1, "sharp": len(sample.sharp), **streams}
    both = run("view", files[0], tmp_path / "both.png", "--rerun", tmp_path / "both.rrd", "--beside", files[1])
    assert (both.code, (tmp_path / "both.png").exists()) == (0, True)
    assert rows_of(tmp_path / "both.rrd") == {
        f"{path.name}/{kind}": rows
        for path, rows in zip(files, (40, 33), strict=True)
        for kind in ("spikes", "tfp", "rate")
    }


def test_rates_in_a_recording_for_rerun(files: list[Path], tmp_path: Path) -> None:
    """Half of the pixels fire in every other readout, from the one that is called 7."""
    pytest.importorskip("rerun", reason="rerun is an extra")
    told: list[Progress] = []
    write_rerun(tmp_path / "a.rrd", {"": read_spikes(files[0])}, "spikes", first=7, on_progress=told.append)
    text = printed(tmp_path / "a.rrd", "-vvv")
    found = re.findall(r"┆ (\d+) +┆ \[([\d.]+)\] +│", text)
    assert sorted((int(readout), float(rate)) for readout, rate in found) == [
        (7 + readout, 0.0 if readout % 2 else 0.5) for readout in range(40)
    ]
    assert [progress.done for progress in told] == list(range(41))
    with pytest.raises(InvalidValueError, match=r"recordings for Rerun are \.rrd"):
        write_rerun(tmp_path / "a.txt", {"": read_spikes(files[0])})
