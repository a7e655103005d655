"""How far work is: what is told, and what is shown of it when."""

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from shard_data import make_sample, write_shard

from spikesim import SpikeStream, write_spikes
from spikesim.errors import InvalidValueError
from spikesim_cli import console, steps
from spikesim_cli.main import cli
from spikesim_cli.steps import Steps
from spikesim_datasets.progress import Progress, Tally, teller


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    written = io.StringIO()
    monkeypatch.setattr(console, "messages", Console(file=written, width=200, soft_wrap=True))
    return written


@pytest.fixture
def at(screen: io.StringIO) -> Callable[..., list[str]]:
    """What is printed if, so many seconds after the beginning, something is told, or nothing."""
    clock = Clock()
    steps = Steps("readouts", clock=clock)

    def lines(seconds: float, *progress: Any) -> list[str]:
        clock.now = 100 + seconds
        screen.seek(0)
        screen.truncate()
        if progress:
            steps.tell(Progress(*progress))
        else:
            steps.beat()
        return screen.getvalue().splitlines()

    return lines


def test_lines_come_soon_and_then_every_ten_seconds(at: Callable[..., list[str]]) -> None:
    assert at(0.5, 0, 1000) == []
    assert at(1.4, 90, 1000, "train/a") == []
    assert at(1.5, 100, 1000, "train/a") == ["readouts: 100 of 1000, train/a, 100/s, 9 s left"]
    assert at(1.6, 110, 1000, "train/a") == at(11.4, 545, 1000, "train/a") == []
    assert at(11.5, 550, 1000, "train/b") == ["readouts: 550 of 1000, train/b, 50/s, 9 s left"]
    assert at(12, 1000, 1000, "train/b") == ["readouts: 1000 of 1000, 87/s, in 12 s"]


def test_lines_come_also_while_a_step_takes_long(at: Callable[..., list[str]]) -> None:
    assert at(1.4) == []
    assert at(1.5) == ["readouts: 2 s so far"]
    assert at(11.4) == []
    assert at(11.5) == ["readouts: 12 s so far"]
    assert at(12, 3, 5) == []
    assert at(21.5) == ["readouts: 3 of 5"]
    assert at(22, 4, 5, "train/a") == []
    assert at(31.5) == ["readouts: 4 of 5, train/a, 0.0513/s, 20 s left"]
    assert at(32, 5, 5) == ["readouts: 5 of 5, 0.1/s, in 20 s"]
    assert at(99) == []  # finished


def test_what_was_found_finished_is_no_pace(at: Callable[..., list[str]]) -> None:
    assert at(0, 900, 1000) == []
    assert at(2, 910, 1000, "train/a") == ["readouts: 910 of 1000, train/a, 5/s, 18 s left"]


def test_short_work_tells_that_it_is_done(at: Callable[..., list[str]]) -> None:
    assert at(0, 0, 3) == at(0.1, 2, 3) == []
    assert at(0.5, 3, 3) == ["readouts: 3 of 3"]


def test_on_a_terminal_there_is_a_bar_with_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(console, "messages", Console(file=written, force_terminal=True, width=150))
    clock = Clock()
    steps = Steps("readouts", clock=clock)
    with steps.shown():
        steps.tell(Progress(0, 100))
        clock.now += 4
        steps.tell(Progress(40, 100, "train/a"))
    for part in ("\x1b", "readouts, train/a", "40/100", "10/s, 6 s left"):
        assert part in written.getvalue()


def test_the_thread_that_prints_ends_with_the_work(screen: io.StringIO) -> None:
    with Steps("readouts").shown() as steps:
        steps.tell(Progress(2, 2))
    assert screen.getvalue().splitlines() == ["readouts: 2 of 2"]
    with pytest.raises(KeyError), Steps("readouts").shown():
        raise KeyError
    screen.close()  # nothing writes to it any more


def test_items_are_counted_as_they_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    counting, reached = Steps("frames"), []
    monkeypatch.setattr(counting, "reach", lambda done, total: reached.append((done, total)))
    assert [(item, reached[-1]) for item in counting.counted("abc", 3)] == [("a", (0, 3)), ("b", (1, 3)), ("c", (2, 3))]
    assert reached[-1] == (2, 3)  # what is made of the last takes its time


def test_several_pieces_add_up() -> None:
    told: list[Progress] = []
    tally = Tally([("a", 3), ("b", 2)], 4, told.append)
    tally.step(1)
    tally.reach(0, 2)
    tally.reach(0, 1)  # never back
    tally.reach(1, 7)  # never more than there are
    tally.finish(0)
    tally.finish(0)
    expected = [(4, ""), (5, "b"), (7, "a"), (8, "b"), (9, "a")]
    assert told == [Progress(done, 9, at) for done, at in expected]


def test_progress_that_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="4 parts of 3 cannot be done"):
        Progress(4, 3)
    with pytest.raises(InvalidValueError, match="on_progress"):
        teller(3)  # type: ignore[arg-type]
    teller(None)(Progress(1, 2))


# Commands that write or read one file


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch, screen: io.StringIO) -> Callable[..., list[str]]:
    """The lines that a command prints if one is due at every step."""
    monkeypatch.setattr(steps, "_FIRST_LINE", 0)
    monkeypatch.setattr(steps, "_BETWEEN_LINES", 0)

    def lines(*words: object) -> list[str]:
        screen.seek(0)
        screen.truncate()
        cli.main([str(word) for word in words], standalone_mode=False)
        return [line for line in screen.getvalue().splitlines() if " of " in line]

    return lines


def test_commands_of_one_file_report(reports: Callable[..., list[str]], tmp_path: Path) -> None:
    write_spikes(
        tmp_path / "a.h5", SpikeStream.from_dense(np.random.default_rng(0).integers(0, 2, (7, 5, 11), np.uint8))
    )
    Image.fromarray(np.zeros((20, 28, 3), np.uint8)).save(
        tmp_path / "a.tif", save_all=True, append_images=[Image.new("RGB", (28, 20))] * 3
    )
    write_shard(tmp_path / "shard.h5", make_sample())

    def assert_counted(lines: list[str], what: str, total: int) -> None:
        assert {line.partition(",")[0] for line in lines} >= {f"{what}: {n} of {total}" for n in range(total + 1)}
        assert re.search(r"/s, .* left$", lines[total // 2]) or total == 1

    for extension in ("mp4", "gif"):
        assert_counted(reports("view", tmp_path / "a.h5", tmp_path / f"a.{extension}", "--window", 3), "readouts", 7)
        assert_counted(reports("view", tmp_path / "a.tif", tmp_path / f"b.{extension}"), "frames", 4)
    (length,) = {len(stream) for stream in make_sample().spikes.values()}
    assert_counted(reports("view", tmp_path / "shard.h5", tmp_path / "c.gif", "--window", 1), "readouts", length)
    lines = reports("convert", tmp_path / "a.h5", tmp_path / "b.npz")
    assert {line.partition(",")[0] for line in lines} >= {"readouts: 0 of 7", "readouts: 7 of 7"}
    assert_counted(reports("verify", tmp_path / "shard.h5"), "samples", 1)
    lines = reports("verify", tmp_path / "a.h5")
    assert lines[0].startswith("files: 0 of 1, ")
    assert lines[0].endswith("B")
    assert "files: 1 of 1" in {line.partition(",")[0] for line in lines}
