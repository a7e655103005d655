"""The process that looks through HDF5 files: started once, asked for one file after the other, ended when it hangs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import IO

from spikesim.errors import InputFileError
from spikesim.hdf5 import inspection
from spikesim.hdf5.chunk_index import children
from spikesim.hdf5.source import Source

SECONDS = 30.0
"""The longest that looking through one file may take: no values are read, so large files take no second either. Waiting
for bytes that lie elsewhere is not counted."""

_MOST_READ = 1 << 27  # bytes: metadata of a file that lies elsewhere, which this process is to hold


AT_ONCE = 8
"""Files that may be asked for together: their answers fit into a pipe, so that nobody waits for the other to read."""


class Inspector:
    """Looks through HDF5 files in a process of its own, which may crash or hang without harm.

    Args:
        script: What the process runs, with the seconds as its argument: for each line with a path in JSON, or the size
            of a file that lies elsewhere, it answers a line with what is wrong in JSON, or is ended by its own alarm.
            Before, it may ask for pieces by lines of start and length in JSON, and is given their bytes.
        seconds: After which it is taken to hang.
    """

    def __init__(self, script: str = inspection.__file__, seconds: float = SECONDS) -> None:
        self._script, self._seconds = script, seconds
        self._lock = Lock()
        self._ended: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def problem(self, path: str) -> str:
        """What is wrong with a file; empty where nothing is."""
        return self._answer(lambda: self._ask(path))

    def look_through(self, source: Source) -> tuple[str, list[tuple[int, bytes]]]:
        """What is wrong with a file that lies elsewhere, and what was read of it: parts, with where they start.

        Raises:
            InputFileError: Its bytes cannot be fetched.
        """
        parts: dict[int, bytes] = {}

        def give(start: int, length: int) -> bytes:
            part = source.read(start, length)
            # One by one, each of them would cost the time of a request.
            source.expect([(place, length) for place in children(part)])
            if len(part) > len(parts.get(start, b"")):
                parts[start] = part
            if sum(map(len, parts.values())) > _MOST_READ:
                raise InputFileError(f"cannot read {source.name}: it has more than {_MOST_READ} bytes of metadata")
            return part

        problem = self._answer(lambda: self._ask(source.size, give))
        return problem, sorted(parts.items())

    def _answer(self, ask: Callable[[], bytes]) -> str:
        with self._lock:
            answer = ask()
            if not answer and self._ended != -signal.SIGALRM:
                # Anybody may have ended the process; only one that ends again was ended by the file.
                answer = ask()
            hung = self._ended == -signal.SIGALRM
        if answer:
            problem: str = json.loads(answer)
            return problem
        return self._ending(hung)

    def _ending(self, hung: bool) -> str:
        what = f"does not come to an end, within {self._seconds:g} s, with" if hung else "crashes on"
        return f"HDF5 {what} it; the file is damaged: get it, or make it, again"

    def problems(self, paths: Sequence[str]) -> list[str]:
        """What is wrong with each of a few files, at most `AT_ONCE`: the process does not wait for us between them."""
        with self._lock:
            answers = self._ask_all(paths)
            hung = len(answers) < len(paths) and self._ended == -signal.SIGALRM
        found = [str(json.loads(answer)) for answer in answers]
        if hung:  # with the first that has no answer, which is not waited for again
            found.append(self._ending(hung))
        return found + [self.problem(path) for path in paths[len(found) :]]

    def _ask(self, file: str | int, give: Callable[[int, int], bytes] | None = None) -> bytes:
        """The answer of the process; empty if it has ended instead."""
        with self._asked([file]) as (asked, answers), suppress(BrokenPipeError):
            while (answer := answers.readline()).startswith(b"["):
                assert give is not None
                asked.write(give(*json.loads(answer)))
                asked.flush()
            if answer:
                return answer
        self._note_end()
        return b""

    def _ask_all(self, paths: Sequence[str]) -> list[bytes]:
        """The answers of the process, those that it gives before it ends."""
        found: list[bytes] = []
        with self._asked(paths) as (_, answers):
            while len(found) < len(paths) and (answer := answers.readline()):
                found.append(answer)
        if len(found) < len(paths):
            self._note_end()
        return found

    @contextmanager
    def _asked(self, files: Sequence[str | int]) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """What the process reads and what it answers, after it was asked; it does not outlive an interrupt."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(BrokenPipeError):
                process.stdin.writelines(json.dumps(file).encode() + b"\n" for file in files)
                process.stdin.flush()
            yield process.stdin, process.stdout
        except BaseException:  # it still waits for what it will not be given, or answers what nobody will read
            process.kill()
            self.close()
            raise

    def _note_end(self) -> None:
        process = self._process
        assert process is not None
        self.close()
        self._ended = process.returncode

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
