"""How far a command is, on stderr: a live bar on a terminal, lines elsewhere."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from spikesim_cli import console
from spikesim_cli.terminal_text import printable
from spikesim_report.words import size

if TYPE_CHECKING:
    from spikesim_datasets.progress import Progress

T = TypeVar("T")

_FIRST_LINE = 1.5  # seconds: work that is done before tells nothing but that
_BETWEEN_LINES = 10
_BEAT = 0.25


class Steps:
    """A count of finished steps: a live bar on a terminal; else, or where it is not to be live, lines now and then.

    Lines come whether steps are finished or not: a step may take long.

    Args:
        what: What the steps are, such as `readouts`.
        live: Whether there may be a bar.
        clock: Seconds from any time on.
    """

    def __init__(self, what: str, live: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self._what, self._clock = what, clock
        self._started = self._clock()
        self._due = self._started + _FIRST_LINE
        self._first: tuple[float, int] | None = None  # when steps were told of first, and how many were done before
        self._done = self._total = 0
        self._note = ""
        self._lock = threading.Lock()
        self._bar: Bar | None = None
        if live and console.messages.is_terminal:
            columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
            self._bar = Bar(*columns, TextColumn("{task.fields[pace]}"), TimeElapsedColumn(), console=console.messages)
            self._task = self._bar.add_task(what, total=None, pace="")

    def tell(self, progress: "Progress") -> None:
        """Show how far the work is."""
        self.tell_part(0, progress.total, progress)

    def tell_part(self, before: int, total: int, progress: "Progress") -> None:
        """Show how far a part of the work is, with so many steps before it."""
        done = before + progress.done
        said = [progress.at] if progress.at else []
        if (state := progress.state) is not None:
            said += [
                f"{state.samples} of {console.count(state.total, 'sample')}",
                console.count(state.workers, "worker"),
                f"{size(state.free)} free",
            ]
        self.reach(done, total, ", ".join(said) if done < total else "")

    def reach(self, done: int, total: int, note: str = "") -> None:
        """Have done so many steps of a total; a note is shown beside."""
        with self._lock:
            now = self._clock()
            self._first = self._first or (now, done)
            self._done, self._total, self._note = done, total, note
            if self._bar is not None:
                what = f"{self._what}{note and ', '}{note}"
                self._bar.update(
                    self._task, description=printable(what), completed=done, total=total, pace=self._pace(now)
                )
            else:
                self._print(now, finished=done == total)

    def counted(self, items: Iterable[T], total: int) -> Iterator[T]:
        """The items, each a step that is finished when the next is asked for; the last is for the caller to finish.

        Who takes them may have work left then: all of a GIF is compressed at its end.
        """
        for done, item in enumerate(items):
            self.reach(done, total)
            yield item

    def beat(self) -> None:
        """Print a line if one is due."""
        with self._lock:
            if self._first is None or self._done < self._total:
                self._print(self._clock())

    @contextmanager
    def shown(self) -> Iterator["Steps"]:
        """Show the progress inside the `with` block."""
        if self._bar is not None:
            with self._bar:
                yield self
            return
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(_BEAT):
                try:
                    self.beat()
                except OSError:  # the reader of our messages has gone; there is nobody to tell
                    return

        beating = threading.Thread(target=beat, daemon=True)
        beating.start()
        try:
            yield self
        finally:
            ended.set()
            beating.join()

    def _print(self, now: float, finished: bool = False) -> None:
        if not finished and now < self._due:
            return
        self._due = now + _BETWEEN_LINES
        parts = [part for part in (self._note, self._pace(now)) if part]
        so_far = f"{self._done} of {self._total}" if self._first else f"{console.duration(now - self._started)} so far"
        console.messages.print(f"{self._what}: {', '.join([so_far, *parts])}")

    def _pace(self, now: float) -> str:
        """The rate since steps were first told of, and how long the rest takes at that rate."""
        if self._first is None or now < self._started + _FIRST_LINE:
            return ""
        began, before = self._first
        made, seconds = self._done - before, now - began
        if made <= 0 or seconds <= 0:
            return ""
        rate = made / seconds
        left = self._total - self._done
        remaining = f"{console.duration(left / rate)} left" if left else f"in {console.duration(seconds)}"
        return f"{rate:.3g}/s, {remaining}"
