"""Every command that writes, killed at random moments, run again, and compared with what it writes undisturbed.

    python benchmarks/kills.py [KILLS [COMMAND ...]]

A command runs in a child of this process, which has imported everything already, so that most kills meet work and not
imports. Some begin with nothing, others with what they go on with: `index` with the shards of two parts of a build,
`verify --repair` with a dataset of which a shard is missing, one is cut off, one has a flipped bit and one is empty.
SIGKILL comes after a random part of the time that the command takes undisturbed, to the command alone or, as often, to
it and all processes that it has started; then the same command runs to its end. A row tells how many kills came before
the end, how many of these left something behind, how many processes were there ten seconds after a kill, and in how
many cases all files then had the bytes that the undisturbed ones have, with nothing hidden beside them, and the rerun
ended with 0 or, where nothing was left to do, said that the file exists.
Commands take turns; Ctrl-C ends with the table so far. Needs Dask: pip install 'spikesim[cluster]'.
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
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

import spikesim_cli.main
from spikesim_datasets import build, clip_interpolation, clip_simulation, layouts, repair  # noqa: F401  each one's work
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.shards.index import shard_files
from ssdm_models import recordings, shipped, trained_networks  # noqa: F401
from ssdm_models.training import run  # noqa: F401

KILLS = 30
# Times are no results: logs, the state of a finished training, and TensorBoard's curves hold them.
TIMED = ("metrics.csv", "state.pt", "events.out")
PATIENCE = 10.0  # seconds for processes to see that the one which started them is gone


@dataclass(frozen=True)
class Command:
    """A command line: its arguments, given where its output goes, and what is there before it begins, if anything."""

    name: str
    output: str
    line: Callable[[Path], tuple[object, ...]]
    begin: Path | None = None


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
    frames(root / "long" / "clip", 62)
    windows = ("build", root / "long", "--interp", "linear", "--exposure-frames", 3, "--shard-samples", 1)
    ended((*windows, "--workers", 1, "--out", root / "half", "--part", "2/2"))
    shutil.copytree(root / "half", root / "parts")
    ended((*windows, "--workers", 1, "--out", root / "parts", "--part", "1/2"))
    shutil.copytree(root / "parts", root / "damaged")
    ended(("index", root / "damaged"))
    damage(root / "damaged")
    trained = ("--stage", "bsn", "--epochs", 2, "--crop", 32, "--batch", 1, "--device", "cpu", "--workers", 0)
    return [
        Command("build", "data", lambda out: ("build", root / "clip", "--out", out, *built, "--shard-samples", 1,
                                              "--exposure-frames", 3)),
        Command("build, a part", "data", lambda out: (*windows, "--workers", 1, "--out", out, "--part", "1/2"),
                root / "half"),
        Command("build, two processes", "data", lambda out: (*windows, "--workers", 2, "--out", out)),
        Command("build, a Dask cluster", "data", lambda out: (*windows, "--scheduler", "local:2", "--out", out)),
        Command("index", "data", lambda out: ("index", out), root / "parts"),
        Command("verify --repair", "data", lambda out: ("verify", out, "--repair", "--workers", 1), root / "damaged"),
        Command("repair, two processes", "data", lambda out: ("verify", out, "--repair", "--workers", 2),
                root / "damaged"),
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


def damage(dataset: Path) -> None:
    """Damage some shards, each in another way, and leave others whole."""
    missing, short, flipped, empty, *_ = shard_files(dataset)[::3]
    missing.unlink()
    os.truncate(short, short.stat().st_size // 2)
    content = bytearray(flipped.read_bytes())
    content[len(content) // 2] ^= 1
    flipped.write_bytes(content)
    empty.write_bytes(b"")


def started(line: tuple[object, ...]) -> int:
    """A command in a child of this process, which has a group of its own."""
    child = os.fork()
    if child:
        os.setpgid(child, child)
        return child
    sys.modules["__main__"] = spikesim_cli.main  # what processes that it starts import, and not this script
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


def processes(group: int) -> list[int]:
    """Those of a group that run."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, _, of_group, *_ = file.read_text().rpartition(")")[2].split()
            found += [int(file.parent.name)] if int(of_group) == group and state != "Z" else []
    return found


def outlived(group: int) -> int:
    """How many processes of a group are there when all should be gone; they are killed."""
    end = time.monotonic() + PATIENCE
    while (left := processes(group)) and time.monotonic() < end:
        time.sleep(0.02)
    if left:
        os.killpg(group, signal.SIGKILL)
    return len(left)


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

    command: Command
    folder: Path
    seconds: float = 0
    whole: dict[str, str] = field(default_factory=dict)
    kills: int = 0
    early: int = 0
    left: int = 0
    outlived: int = 0
    equal: int = 0

    def measure(self) -> None:
        """Run the command undisturbed; twice, so that what is compiled and cached is."""
        for _ in range(2):
            self._begin()
            begun = time.monotonic()
            ended(self._line)
            self.seconds = time.monotonic() - begun
        self.whole = content(self.folder)

    def kill(self, part: float, all_of_it: bool) -> None:
        """Kill the command after a part of its time, and run it again."""
        before = self._begin()
        child = started(self._line)
        time.sleep(part * self.seconds)
        (os.killpg if all_of_it else os.kill)(child, signal.SIGKILL)
        early = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        self.outlived += outlived(child)
        there = content(self.folder)
        again = os.waitstatus_to_exitcode(os.waitpid(started(self._line), 0)[1])
        self.kills, self.early, self.left = self.kills + 1, self.early + early, self.left + (early and there != before)
        self.equal += content(self.folder) == self.whole and (again == 0 or (there == self.whole and again == 2))

    @property
    def _line(self) -> tuple[object, ...]:
        return self.command.line(self.folder / self.command.output)

    def _begin(self) -> dict[str, str]:
        """Put there what the command begins with."""
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.command.begin is not None:
            shutil.copytree(self.command.begin, self.folder / self.command.output)
        return content(self.folder)


def main() -> None:
    kills, rng = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS, random.Random(1)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        chosen = [command for command in commands(root / "in") if command.name in (sys.argv[2:] or [command.name])]
        counts = [Count(command, root / "out" / command.name) for command in chosen]
        for count in counts:
            count.measure()
        with suppress(KeyboardInterrupt):
            for _ in range(kills):
                for count in counts:
                    count.kill(rng.uniform(0, 1), rng.random() < 0.5)
    print(
        f"{'command':24} {'seconds':>8} {'kills':>6} {'before the end':>15} {'left something':>15} {'processes':>10} "
        f"{'equal':>6}"
    )
    for count in counts:
        print(
            f"{count.command.name:24} {count.seconds:8.2f} {count.kills:6} {count.early:15} {count.left:15} "
            f"{count.outlived:10} {count.equal:6}"
        )


LOG = Path(tempfile.gettempdir()) / "kills.log"

if __name__ == "__main__":
    main()
