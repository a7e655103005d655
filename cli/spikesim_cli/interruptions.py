"""Ctrl-C and SIGTERM, as schedulers send it: each ends a command by an exception, wherever it comes."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SECONDS_TO_NEXT = 0.05  # callbacks are shorter


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


@contextmanager
def hearing_interruptions() -> Iterator[None]:
    """Take SIGTERM for an interruption inside the `with` block, and lose none of either kind.

    Raises:
        KeyboardInterrupt: There was one, though the block may have ended in another way since.
    """
    with _hearing_sigterm(), _hearing_lost_ones():
        yield


def _terminate(*_: object) -> None:
    raise Terminated


@contextmanager
def _hearing_sigterm() -> Iterator[None]:
    """Take SIGTERM for an interruption, where this is the main thread and nobody has it ignored."""
    before = signal.getsignal(signal.SIGTERM)
    if threading.current_thread() is not threading.main_thread() or before == signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _hearing_lost_ones() -> Iterator[None]:
    """Send an interruption again that came where Python drops exceptions.

    It does so in what is called from C: `__del__`, and callbacks, such as those of LLVM while a kernel is compiled.
    """
    lost: list[type[KeyboardInterrupt]] = []
    again: list[threading.Timer] = []
    before = sys.unraisablehook

    def hear(dropped: "sys.UnraisableHookArgs") -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            before(dropped)
            return
        kind = Terminated if issubclass(dropped.exc_type, Terminated) else KeyboardInterrupt
        number = signal.SIGTERM if kind is Terminated else signal.SIGINT
        lost.append(kind)
        again.append(threading.Timer(_SECONDS_TO_NEXT, os.kill, (os.getpid(), number)))
        again[-1].daemon = True
        again[-1].start()

    sys.unraisablehook = hear
    try:
        yield
    except Exception:
        if not lost:  # else the callback that did not come to its end may be what went wrong
            raise
    finally:
        sys.unraisablehook = before
        for timer in again:
            timer.cancel()
    if lost:
        raise lost[-1]
