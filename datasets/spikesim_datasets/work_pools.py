"""Where the units of a build are made: in this process, in processes of its own, or by an executor of somebody else."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from typing import Any
from warnings import catch_warnings, simplefilter

from spikesim import thread_limit
from spikesim.errors import OutputError, SlowPrecisionWarning, UnlockedWarning
from spikesim_datasets.interpolation.networks.weights import UnknownWeightsWarning
from spikesim_datasets.processes import count_up, shared_counts, uninterrupted, worker_processes
from spikesim_datasets.progress import Tally

_LOOK = 0.5  # seconds between looks at how far workers are

Work = Callable[..., Any]
"""A unit of work. Where it is counted, it takes `on_readout`, a function to call after every readout."""


class WorkPool(ABC):
    """Makes units of work, several at a time, in any order; further ones may be added while results come."""

    @abstractmethod
    def submit(self, name: Any, work: Work, place: int | None = None) -> None:
        """Add a unit.

        Args:
            name: What it is called among the results.
            work: What to do.
            place: Of the unit in the tally, where it is counted.
        """

    @abstractmethod
    def results(self) -> Iterator[tuple[Any, Any]]:
        """The name of each unit and what came of it, as they are finished, until none is left."""


class PoolExecutor(Executor, ABC):
    """An executor that knows how many workers it has, and how far they are."""

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many units are made at a time."""

    @abstractmethod
    def pool(self, tally: Tally) -> WorkPool:
        """A pool for the units of one build."""


@contextmanager
def work_pool(workers: int | Sequence[int] | Executor, places: int, tally: Tally) -> Iterator[WorkPool]:
    """A pool for the units of a build.

    Args:
        workers: Processes to start; of one, the work is done here. Or the GPUs of as many processes. Or who does it
            instead.
        places: How many units the tally has.
        tally: Told how far units are.
    """
    if isinstance(workers, PoolExecutor):
        yield workers.pool(tally)
    elif isinstance(workers, Executor):
        yield ExecutorPool(workers, tally)
    elif isinstance(workers, int) and workers <= 1:
        yield _Here(tally)
    else:
        counts = shared_counts(places)
        number, gpus = (workers, ()) if isinstance(workers, int) else (len(workers), workers)
        with worker_processes(number, counts, gpus) as processes:
            yield _Processes(processes, tally, counts)


class _Here(WorkPool):
    """This process, one unit after the other."""

    def __init__(self, tally: Tally) -> None:
        self._waiting: deque[tuple[Any, Work, int | None]] = deque()
        self._tally = tally

    def submit(self, name: Any, work: Work, place: int | None = None) -> None:
        self._waiting.append((name, work, place))

    def results(self) -> Iterator[tuple[Any, Any]]:
        while self._waiting:
            name, work, place = self._waiting.popleft()
            made = work() if place is None else work(on_readout=partial(self._tally.step, place))
            yield name, made
            if place is not None:
                self._tally.finish(place)


class ExecutorPool(WorkPool):
    """An executor, whose workers may run on other machines; only what is finished is seen.

    Args:
        executor: The executor.
        tally: Told of units that are finished.
    """

    def __init__(self, executor: Executor, tally: Tally) -> None:
        self._executor, self._tally = executor, tally
        self._units: dict[Future[Any], tuple[Any, int | None]] = {}

    def submit(self, name: Any, work: Work, place: int | None = None) -> None:
        self._add(name, place, done_alone, work)

    def results(self) -> Iterator[tuple[Any, Any]]:
        try:
            while self._units:
                for future in self._finished():
                    name, place = self._units.pop(future)
                    yield name, future.result()
                    if place is not None:
                        self._tally.finish(place)
        except BaseException:
            self._give_up()
            raise

    def _add(self, name: Any, place: int | None, function: Callable[..., Any], *arguments: Any) -> None:
        self._units[self._executor.submit(function, *arguments)] = name, place

    def _finished(self) -> set[Future[Any]]:
        """Units that are finished, at least one or after a while."""
        return wait(self._units, None, FIRST_COMPLETED).done

    def _give_up(self) -> None:
        for future in self._units:
            future.cancel()


class CountingPool(ExecutorPool):
    """An executor whose workers say how far they are."""

    @abstractmethod
    def _reached(self) -> Iterable[tuple[int, int]]:
        """Places of units, and how many readouts of each are made."""

    def _finished(self) -> set[Future[Any]]:
        finished = wait(self._units, _LOOK, FIRST_COMPLETED).done
        for place, count in self._reached():
            self._tally.reach(place, count)
        return finished


class _Processes(CountingPool):
    """Processes of this build, which are gone with it; how far they are is seen in `counts`, place by place."""

    def __init__(self, processes: Executor, tally: Tally, counts: Any) -> None:
        super().__init__(processes, tally)
        self._counts = counts

    def submit(self, name: Any, work: Work, place: int | None = None) -> None:
        counted = work if place is None else partial(_counting, work, place)
        # Processes are started by the first ones, and Ctrl-C must not reach them.
        uninterrupted(lambda: self._add(name, place, done_alone, counted))

    def results(self) -> Iterator[tuple[Any, Any]]:
        try:
            yield from super().results()
        except BrokenProcessPool as error:
            raise OutputError(
                "a worker process was killed, perhaps for want of memory: run again with fewer workers, finished "
                'shards are kept (or this script does not keep its own work under `if __name__ == "__main__"`)'
            ) from error

    def _reached(self) -> Iterable[tuple[int, int]]:
        return enumerate(self._counts)

    def _give_up(self) -> None:
        """Whoever has started the processes ends them: a pool that breaks while others cancel leaves a traceback."""


def done_alone(work: Callable[[], Any]) -> Any:
    """Do work in a worker: on one thread, and without warnings that the first process has told."""
    with thread_limit(1), catch_warnings():
        for told in (UnknownWeightsWarning, SlowPrecisionWarning, UnlockedWarning):
            simplefilter("ignore", told)
        return work()


def _counting(work: Work, place: int) -> Any:
    return work(on_readout=partial(count_up, place))
