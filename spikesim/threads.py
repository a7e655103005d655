"""Running a kernel over blocks of rows on several threads.

Compiled kernels release the interpreter lock, so plain Python threads serve. Unlike numba's own thread pools these
survive a fork (data-loader workers) and calls from several threads at once.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from spikesim.checks import require_whole

_limit: ContextVar[int | None] = ContextVar("spikesim_thread_limit", default=None)

# Below this much work a thread costs more than it brings.
_WORTH_A_THREAD = 1 << 18


@contextmanager
def thread_limit(threads: int) -> Iterator[None]:
    """Use at most this many threads inside the `with` block; results are the same for any number.

    Args:
        threads: Most threads, ≥ 1.

    Raises:
        InvalidValueError: It is no whole number, or less than one.
    """
    token = _limit.set(require_whole(threads, "threads", 1))
    try:
        yield
    finally:
        _limit.reset(token)


def available_cores() -> int:
    """The processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def allowed_threads() -> int:
    """How many threads the calling code may use: what `thread_limit` says, else one for each core."""
    return _limit.get() or available_cores()


def run_on_rows(kernel: Callable[..., Any], height: int, row_cost: int, *arguments: Any) -> None:
    """Call `kernel(first_row, stop_row, *arguments)` on blocks of rows that together cover 0..height.

    Args:
        kernel: Compiled without the interpreter lock; rows must not depend on each other.
        height: Number of rows.
        row_cost: Pixel-readouts in a row, to judge how many threads pay.
        *arguments: Handed on.
    """
    threads = min(allowed_threads(), height, 1 + height * row_cost // _WORTH_A_THREAD)
    if threads <= 1:
        kernel(0, height, *arguments)
        return
    edges = [height * i // threads for i in range(threads + 1)]
    others = [_helpers().submit(kernel, edges[i], edges[i + 1], *arguments) for i in range(1, threads)]
    try:
        kernel(edges[0], edges[1], *arguments)
    finally:
        errors = [other.exception() for other in others]  # which waits for each
    for error in filter(None, errors):
        raise error


@cache
def _helpers() -> ThreadPoolExecutor:
    """The threads that help the calling one: started once, because starting them takes as long as a small kernel."""
    return ThreadPoolExecutor(max(1, available_cores() - 1), "spikesim")


# A forked child has none of its parent's threads: it starts its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_helpers.cache_clear)
