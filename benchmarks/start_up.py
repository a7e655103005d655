"""How long commands take that compute nothing, from the start of the process to its end.

A dataset of one sample of a built-in scene at 720×1280 is made first. Each command is then started anew several times,
in turn with the others, and its shortest time is told, also as a multiple of what Python itself takes to do nothing.

    python benchmarks/start_up.py [--runs N]
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from spikesim_datasets.build import build_clips
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.sources import DemoClip

_PROGRAM = "from spikesim_cli.main import main; main()"


def commands(dataset: Path) -> dict[str, list[str]]:
    """What is measured, by what it is called: arguments of Python."""
    shard = next(dataset.rglob("*.h5"))
    return {
        'python -c "pass"': ["-c", "pass"],
        'python -c "import spikesim"': ["-c", "import spikesim"],
        "spikesim --help": ["-c", _PROGRAM, "--help"],
        "spikesim build --help": ["-c", _PROGRAM, "build", "--help"],
        "spikesim info SHARD": ["-c", _PROGRAM, "info", str(shard)],
        "spikesim info DATASET": ["-c", _PROGRAM, "info", str(dataset)],
        "spikesim verify SHARD": ["-c", _PROGRAM, "verify", str(shard)],
    }


def seconds(arguments: list[str]) -> float:
    """How long a new process takes."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="times that each command is started")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        clip = DemoClip("train", "street", "street", 29)
        build_clips([clip], Path(folder), make_recipe((1, 2), interpolation="linear"), workers=1)
        measured = commands(Path(folder))
        least = dict.fromkeys(measured, float("inf"))
        for _ in range(runs):
            for name, arguments in measured.items():
                least[name] = min(least[name], seconds(arguments))
    nothing = next(iter(least.values()))
    print(f"{'command':30}{'seconds':>9}{'× Python':>10}")
    for name, taken in least.items():
        print(f"{name:30}{taken:9.3f}{taken / nothing:10.1f}")


if __name__ == "__main__":
    main()
