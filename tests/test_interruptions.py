"""Ctrl-C and SIGTERM that come where Python drops exceptions: in what is called from C."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from build_data import write_frames

ENDED_BY = {"SIGINT": 130, "SIGTERM": 143}
"""Exit codes, as shells have them: 128 and the number of the signal."""

JOB = """
import ctypes, os, signal, sys, time
from pathlib import Path
import spikesim_datasets.shards
from spikesim.files import atomic_path
from spikesim_cli.main import main

number, place, then = getattr(signal, sys.argv[1]), sys.argv[2], sys.argv[3]
signal.signal(signal.SIGINT, signal.default_int_handler)  # shells make jobs in the background deaf to it

def send(*_):
    os.kill(os.getpid(), number)
    for _ in range(10):
        time.sleep(0.001)
    print("never said")  # for the signal comes before
    return 0

class Dropped:
    __del__ = send

def job(*_):
    with atomic_path(Path("out.txt")) as temporary:
        temporary.write_text("half")
        if place == "callback":
            ctypes.CFUNCTYPE(ctypes.c_int)(send)()
        else:
            Dropped()
        if then == "goes on":
            for _ in range(1000):
                time.sleep(0.1)
        elif then == "fails":
            raise ValueError("of what the callback did not do")
    yield from ()

spikesim_datasets.shards.verify_dataset = job
sys.argv = ["spikesim", "verify", "data"]
main()
"""

# A kernel is compiled: the signal comes as LLVM tells that the second object is made.
COMPILING = """
import os, signal, sys
from numba.core.codegen import CPUCodeLibrary
from spikesim_cli.main import main

number = getattr(signal, sys.argv[1])
signal.signal(signal.SIGINT, signal.default_int_handler)
real, made = CPUCodeLibrary._object_compiled_hook.__func__, []

def hook(library, *arguments):
    made.append(library)
    if len(made) == 2:
        os.kill(os.getpid(), number)
    return real(library, *arguments)

CPUCodeLibrary._object_compiled_hook = classmethod(hook)
sys.argv = ["spikesim", "simulate", "clip", "out.npy", "--interp", "linear"]
main()
"""


def run(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def assert_interrupted(done: subprocess.CompletedProcess[str], number: str) -> None:
    assert (done.returncode, done.stdout) == (ENDED_BY[number], ""), done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("Interrupted.")
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr


@pytest.mark.parametrize("number", ENDED_BY)
@pytest.mark.parametrize("place", ["callback", "__del__"])
@pytest.mark.parametrize("then", ["goes on", "fails", "ends"])
def test_an_interruption_that_python_drops_is_heard(tmp_path: Path, number: str, place: str, then: str) -> None:
    assert_interrupted(run(tmp_path, JOB, number, place, then), number)
    left = {path.name for path in tmp_path.iterdir()} - {"cache"}
    assert left <= ({"out.txt"} if then == "ends" else set())  # it may have ended before it is heard


@pytest.mark.parametrize("number", ENDED_BY)
def test_an_interruption_while_a_kernel_is_compiled_is_heard(tmp_path: Path, number: str) -> None:
    write_frames(tmp_path / "clip", 20, 12, 16)
    assert_interrupted(run(tmp_path, COMPILING, number), number)
    assert not (tmp_path / "out.npy").exists()
