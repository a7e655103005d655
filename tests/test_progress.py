"""How far work is: what is told, and what is shown of it when."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from spikesim.errors import InvalidValueError
from spikesim_cli import console
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
