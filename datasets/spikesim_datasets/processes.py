"""Worker processes that end with the one that started them, however it ends."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, TypeVar

from spikesim.errors import OutputError

S = TypeVar("S")
T = TypeVar("T")

# Not forked: a forked child of a process that has threads can hang.
_SPAWN = multiprocessing.get_context("spawn")

_counts: Any = None  # of this worker


def shared_counts(number: int) -> Any:
    """Whole numbers, 0 at first, that workers count up and their parent reads; without locks, which death would keep.

    Args:
        number: How many. Each is for one worker alone.
    """
    return _SPAWN.RawArray("q", number)


@contextmanager
def worker_processes(workers: int, counts: Any = None, gpus: Sequence[int] = ()) -> Iterator[Executor]:
    """A pool of processes; none is left when the `with` block is, and after an error they are not waited for.

    Args:
        workers: How many.
        counts: What `shared_counts` gave, for `count_up` in the workers.
        gpus: One for each worker, which sees no other; none leaves all of them to all.
    """
    others = set(multiprocessing.active_children())
    free = _SPAWN.SimpleQueue()
    for gpu in gpus:
        free.put(gpu)
    pool = ProcessPoolExecutor(workers, _SPAWN, _start_worker, (counts, free if gpus else None))
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()  # they are deaf to everything else
        pool.shutdown(cancel_futures=True)
        raise


def in_order(
    work: Callable[[S], T], things: Sequence[S], workers: int, on_finished: Callable[[int], object]
) -> Generator[T, None, None]:
    """Do the same with several things in worker processes, and give the results in the order of the things.

    Args:
        work: What to do; workers import it by its name.
        things: With what.
        workers: Processes; a single one is this one.
        on_finished: Told the number of each thing that is done, in any order.

    Raises:
        OutputError: A worker was killed.
    """
    workers = min(workers, len(things))
    if workers <= 1:
        for number, thing in enumerate(things):
            result = work(thing)
            on_finished(number)
            yield result
        return
    with worker_processes(workers) as pool:
        futures = uninterrupted(lambda: [pool.submit(work, thing) for thing in things])
        numbers = {future: number for number, future in enumerate(futures)}
        waiting, given = set(futures), 0
        try:
            while waiting:
                finished, waiting = wait_for(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    on_finished(numbers[future])
                while given < len(futures) and futures[given] not in waiting:
                    yield futures[given].result()
                    given += 1
        except BrokenProcessPool as error:
            raise OutputError(
                "a worker process was killed, perhaps for want of memory: run again with fewer workers (or this script "
                'does not keep its own work under `if __name__ == "__main__"`)'
            ) from error


def uninterrupted(work: Callable[[], T]) -> T:
    """Do something that Ctrl-C must not cut in two; it is heard afterwards, and never by processes started here.

    It reaches the whole group, as SIGTERM of a scheduler does, but the parent decides. A worker that said for itself
    that it ignores them would say it too late, after a second of imports. Python raises KeyboardInterrupt in the main
    thread alone, and a process inherits which signals are blocked in the thread that starts it: so another thread does
    it.

    Args:
        work: What to do.

    Returns:
        What it gives.
    """
    blocked = (signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    with ThreadPoolExecutor(1, initializer=signal.pthread_sigmask, initargs=blocked) as helper:
        return helper.submit(work).result()


def count_up(place: int) -> None:
    """Add 1 to one of the `shared_counts` that this worker was started with."""
    _counts[place] += 1


def _start_worker(counts: Any, free_gpus: Any) -> None:
    global _counts
    _counts = counts
    if free_gpus is not None:
        # CUDA looks at it when it is first used. Whichever it is, a worker calls its GPU the first.
        os.environ["CUDA_VISIBLE_DEVICES"] = str(free_gpus.get())
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
