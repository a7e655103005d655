"""Every command that writes, killed at random moments, run again, and compared with what it writes undisturbed.

    python benchmarks/kills.py [KILLS]

A command runs in a child of this process, which has imported everything already, so that most kills meet work and not
imports. SIGKILL comes after a random part of the time that the command takes undisturbed; then the same command runs to
its end. A row tells how many kills came before the end, how many of these left something behind, and in how many cases
all files then had the bytes that the undisturbed ones have, with nothing hidden beside them, and the rerun ended with 0
or, where nothing was left to do, said that the file exists.
Commands take turns; Ctrl-C ends with the table so far.
"""

import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import spikesim_cli.main
from spikesim_datasets import build, clip_interpolation, clip_simulation, layouts  # noqa: F401  each command's work
from spikesim_datasets.shards import open_dataset
from ssdm_models import recordings, shipped, trained_networks  # noqa: F401
from ssdm_models.training import run  # noqa: F401

KILLS = 30
# Times are no results: logs, the state of a finished training, and TensorBoard's curves hold them.
TIMED = ("metrics.csv", "state.pt", "events.out")


@dataclass(frozen=True)
class Command:
    """A command line: its arguments, given where its output goes."""

    name: str
    output: str
    line: Callable[[Path], tuple[object, ...]]


def commands(root: Path) -> list[Command]:
    """All that write, on small inputs that are made here."""
    frames(root / "clip", 15)
    frames(root / "large" / "clip", 42, 64, 96)
    built = ("--interp", "linear", "--workers", 1)
    ended(("build", root / "large", "--out", root / "data", *built, "--vth", 1, 2, "--shard-samples", 1))
    ended(("convert", root / "data", root / "layout"))
    sample = open_dataset(root / "data", "train")[0]
    Image.fromarray(sample.blur).save(root / "blur.png")
    ended(("convert", root / "data/train/clip.000.h5", root / "spikes.dat", "--vth", 1))
    trained = ("--stage", "bsn", "--epochs", 2, "--crop", 32, "--batch", 1, "--device", "cpu", "--workers", 0)
    return [
        Command("build", "data", lambda out: ("build", root / "clip", "--out", out, *built, "--shard-samples", 1,
                                              "--exposure-frames", 3)),
        Command("convert, to a layout", "layout", lambda out: ("convert", root / "data", out)),
        Command("convert, to a dataset", "data", lambda out: ("convert", root / "layout", out)),
        Command("convert, spikes", "spikes.h5", lambda out: ("convert", root / "spikes.dat", out)),
        Command("simulate", "spikes.dat", lambda out: ("simulate", root / "clip", out, "--interp", "linear")),
        Command("interpolate, a folder", "frames", lambda out: ("interpolate", root / "clip", out, "--interp",
                                                                "linear")),
        Command("interpolate, a video", "video.mp4", lambda out: ("interpolate", root / "clip", out, "--interp",
                                                                  "linear")),
        Command("train-ssdm", "run", lambda out: ("train-ssdm", "--data", root / "data", "--out", out, *trained)),
        Command("deblur, a folder", "sharp", lambda out: ("deblur", root / "blur.png", root / "spikes.dat", out)),
        Command("deblur, a video", "sharp.mp4", lambda out: ("deblur", root / "blur.png", root / "spikes.dat", out)),
    ]  # fmt: skip


def frames(folder: Path, number: int, height: int = 96, width: int = 128) -> None:
    """Waves that wander over the image."""
    folder.mkdir(parents=True)
    y, x, colour = np.ogrid[:height, :width, :3]
    for n in range(number):
        wave = np.sin((x + 3 * n + 40 * colour) / 9) * np.cos((y - n) / 7)
        Image.fromarray((127 + 120 * wave).astype(np.uint8)).save(folder / f"{n:06d}.png")


def started(line: tuple[object, ...]) -> int:
    """A command in a child of this process."""
    child = os.fork()
    if child:
        return child
    os.setpgid(0, 0)
    sys.argv = ["spikesim", *map(str, line)]
    quiet = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(quiet, stream)
    os.dup2(os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    code = 1
    try:
        spikesim_cli.main.main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        os._exit(code)


def ended(line: tuple[object, ...]) -> None:
    """Run a command to its end."""
    _, status = os.waitpid(started(line), 0)
    if status:
        raise SystemExit(f"{' '.join(map(str, line))} ended with {status}; see {LOG}")


def content(folder: Path) -> dict[str, str]:
    """Checksum of every file, hidden ones too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(TIMED)
    }


@dataclass
class Count:
    """What came of the kills of a command."""

    folder: Path
    line: tuple[object, ...]
    seconds: float
    whole: dict[str, str]
    kills: int = 0
    early: int = 0
    left: int = 0
    equal: int = 0

    @classmethod
    def of(cls, command: Command, folder: Path) -> "Count":
        """Run a command undisturbed; twice, so that what is compiled and cached is."""
        line = command.line(folder / command.output)
        ended(line)
        shutil.rmtree(folder)
        begun = time.monotonic()
        ended(line)
        return cls(folder, line, time.monotonic() - begun, content(folder))

    def kill(self, part: float) -> None:
        """Kill the command after a part of its time, and run it again."""
        shutil.rmtree(self.folder)
        child = started(self.line)
        time.sleep(part * self.seconds)
        os.kill(child, signal.SIGKILL)
        early = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        left = early and self.folder.exists()
        whole = self.folder.exists() and content(self.folder) == self.whole
        again = os.waitstatus_to_exitcode(os.waitpid(started(self.line), 0)[1])
        self.kills, self.early, self.left = self.kills + 1, self.early + early, self.left + left
        self.equal += content(self.folder) == self.whole and (again == 0 or (whole and again == 2))


def main() -> None:
    kills, rng = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS, random.Random(1)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        counts = {command.name: Count.of(command, root / "out" / command.name) for command in commands(root / "in")}
        with suppress(KeyboardInterrupt):
            for _ in range(kills):
                for count in counts.values():
                    count.kill(rng.uniform(0, 1))
    print(f"{'command':24} {'seconds':>8} {'kills':>6} {'before the end':>15} {'left something':>15} {'equal':>6}")
    for name, count in counts.items():
        print(f"{name:24} {count.seconds:8.2f} {count.kills:6} {count.early:15} {count.left:15} {count.equal:6}")


LOG = Path(tempfile.gettempdir()) / "kills.log"

if __name__ == "__main__":
    main()
