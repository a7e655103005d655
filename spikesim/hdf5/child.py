"""The process that looks through HDF5 files: started once, asked for one file after the other, ended when it hangs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from spikesim.hdf5 import inspection

SECONDS = 30.0
"""The longest that looking through one file may take: no values are read, so large files take no second either."""


AT_ONCE = 8
"""Files that may be asked for together: their answers fit into a pipe, so that nobody waits for the other to read."""


class Inspector:
    """Looks through HDF5 files in a process of its own, which may crash or hang without harm.

    Args:
        script: What the process runs, with the seconds as its argument: for each line with a path in JSON, it answers a
            line with what is wrong in JSON, or is ended by its own alarm.
        seconds: After which it is taken to hang.
    """

    def __init__(self, script: str = inspection.__file__, seconds: float = SECONDS) -> None:
        self._script, self._seconds = script, seconds
        self._lock = Lock()
        self._ended: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def problem(self, path: str) -> str:
        """What is wrong with a file; empty where nothing is."""
        with self._lock:
            answer = self._ask(path)
            if not answer and self._ended != -signal.SIGALRM:
                # Anybody may have ended the process; only one that ends again was ended by the file.
                answer = self._ask(path)
            hung = self._ended == -signal.SIGALRM
        if answer:
            problem: str = json.loads(answer)
            return problem
        what = f"does not come to an end, within {self._seconds:g} s, with" if hung else "crashes on"
        return f"HDF5 {what} it; the file is damaged: get it, or make it, again"

    def problems(self, paths: Sequence[str]) -> list[str]:
        """What is wrong with each of a few files, at most `AT_ONCE`: the process does not wait for us between them."""
        with self._lock:
            answers = self._ask_all(paths)
        found = [str(json.loads(answer)) for answer in answers]
        return found + [self.problem(path) for path in paths[len(found) :]]

    def _ask(self, path: str) -> bytes:
        """The answer of the process; empty if it has ended instead."""
        return b"".join(self._ask_all([path]))

    def _ask_all(self, paths: Sequence[str]) -> list[bytes]:
        """The answers of the process, those that it gives before it ends."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.writelines(json.dumps(path).encode() + b"\n" for path in paths)
            process.stdin.flush()
        answers: list[bytes] = []
        for _ in paths:
            if not (answer := process.stdout.readline()):
                self.close()
                self._ended = process.returncode
                break
            answers.append(answer)
        return answers

    def close(self) -> None:
        """End the process, where there is one."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(BrokenPipeError):
                process.communicate()  # it ends when nothing more can be asked

    def _start(self) -> subprocess.Popen[bytes]:
        # -P: what lies beside the script must not stand for modules of Python.
        return subprocess.Popen(
            [sys.executable, "-P", self._script, str(self._seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            cwd=Path(self._script).parent,
            start_new_session=True,  # Ctrl-C on a terminal is for us
        )
