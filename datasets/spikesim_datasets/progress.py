"""How far long work is: the one thing that it tells whoever wants to know."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from spikesim.checks import require_callable, require_instance, require_list, require_whole
from spikesim.errors import InvalidValueError


@dataclass(frozen=True)
class BuildState:
    """How a build stands, beside its readouts.

    Attributes:
        samples, total: Samples that are finished, and all.
        workers: Workers that are there.
        free: Room on the disk of the dataset, bytes.
    """

    samples: int
    total: int
    workers: int
    free: int


@dataclass(frozen=True)
class Progress:
    """How far work is.

    Args:
        done: Finished parts, such as readouts; what was found finished counts from the first time it is told.
        total: All parts.
        at: What is at hand, such as the key of a clip; empty where there is nothing to say.
        state: Of a build, how it stands otherwise; not compared.

    Raises:
        InvalidValueError: Values are not as above.
    """

    done: int
    total: int
    at: str = ""
    state: BuildState | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.state is not None:
            require_instance(self.state, "state", BuildState)
        require_instance(self.at, "at", str)
        total = require_whole(self.total, "total", 0)
        if (done := require_whole(self.done, "done", 0)) > total:
            raise InvalidValueError(f"{done} parts of {total} cannot be done")


OnProgress = Callable[[Progress], None]
"""Called with what is done when the work begins, and after each part, in order; never from another thread."""


def teller(on_progress: OnProgress | None) -> OnProgress:
    """The function to tell, also where nobody wants to know.

    Args:
        on_progress: Called with every `Progress`; None where nobody wants to know.

    Raises:
        InvalidValueError: It cannot be called.
    """
    if on_progress is None:
        return lambda progress: None
    require_callable(on_progress, "on_progress")
    return on_progress


class Tally:
    """Adds up how far several pieces of work are, and tells of each step of any.

    Args:
        pieces: What each is called, and how many parts it has.
        kept: Parts of further pieces, which were found finished.
        tell: Told at once of what is kept, and then of every step.
        state: Gives how a build stands otherwise.
    """

    def __init__(
        self,
        pieces: Sequence[tuple[str, int]],
        kept: int,
        tell: OnProgress,
        state: Callable[[], BuildState | None] = lambda: None,
    ) -> None:
        self._pieces = [
            (str(name), require_whole(parts, "parts", 0)) for name, parts in require_list(pieces, "pieces", "pairs")
        ]
        self._reached = [0] * len(self._pieces)
        self._done = require_whole(kept, "kept", 0)
        self._total = self._done + sum(parts for _, parts in self._pieces)
        self._tell, self._state = tell, require_callable(state, "state")
        self._tell(Progress(self._done, self._total, state=self._state()))

    def reach(self, piece: int, done: int) -> None:
        """Have done so many parts of a piece."""
        name, parts = self._pieces[piece]
        further = min(done, parts) - self._reached[piece]
        if further > 0:
            self._reached[piece] += further
            self._done += further
            self._tell(Progress(self._done, self._total, name, self._state()))

    def step(self, piece: int) -> None:
        """Have done one more part of a piece."""
        self.reach(piece, self._reached[piece] + 1)

    def finish(self, piece: int) -> None:
        """Have done all of a piece."""
        self.reach(piece, self._pieces[piece][1])
