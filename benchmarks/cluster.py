"""Builds by one worker, by two, and by two workers of a Dask scheduler on this machine, in turn.

The scheduler and its workers are processes of their own, reached by loopback, as on a cluster. Without arguments the
built-in scenes are built from PNG files of 1280×720 at three thresholds, with optical flow. A worker computes with one
thread; `one process` is a build that starts none and computes with threads on both cores. The table shows the minimum
of three rounds each, how many times as fast as one worker that is, and as two.

Needs Dask: pip install 'spikesim[cluster]'.

    python benchmarks/cluster.py [SOURCE ...]
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

from build import THRESHOLDS, write_frames

from spikesim_datasets.build import build_clips
from spikesim_datasets.cluster import open_scheduler
from spikesim_datasets.processes import worker_processes
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.sources import Clip, open_clips
from spikesim_datasets.work_pools import PoolExecutor

WORKERS, ROUNDS = 2, 3


@contextmanager
def scheduler(folder: Path) -> Iterator[PoolExecutor]:
    """The workers of a scheduler that runs meanwhile."""
    file = folder / "scheduler.json"
    common = ["--scheduler-file", str(file), "--no-dashboard"]

    def start(kind: str, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, *common]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    processes = [start("scheduler", "--port", "0", "--host", "127.0.0.1")]
    try:
        while not file.exists():
            time.sleep(0.1)
        processes += [start("worker", "--nthreads", "1", "--no-nanny") for _ in range(WORKERS)]
        with open_scheduler(str(file)) as workers:
            while workers.workers < WORKERS:
                time.sleep(0.1)
            yield workers
    finally:
        for process in processes:
            process.kill()
            process.wait()


def seconds(clips: list[Clip], workers: int | Executor) -> tuple[float, int]:
    """How long a build takes, and of how many readouts."""
    with tempfile.TemporaryDirectory() as out:
        report = build_clips(clips, out, make_recipe(THRESHOLDS), workers=workers)
    return report.seconds, report.readouts


def main() -> None:
    with tempfile.TemporaryDirectory() as root:
        write_frames(Path(root))
        clips = open_clips(sys.argv[1:] or [f"{root}/train"])
        with scheduler(Path(root)) as cluster, worker_processes(1) as one:
            ways = {"one worker": one, "two workers": WORKERS, "two workers of Dask": cluster, "one process": 1}
            for workers in ways.values():
                seconds(clips[:1], workers)  # compiles, and imports in the workers
            rounds = [{way: seconds(clips, workers) for way, workers in ways.items()} for _ in range(ROUNDS)]
    best = {way: min(one[way] for one in rounds) for way in ways}
    print(f"{'':22}{'seconds':>9}{'readouts/s':>12}{'times one':>11}{'times two':>11}")
    for way, (least, readouts) in best.items():
        one, two = best["one worker"][0], best["two workers"][0]
        print(f"{way:22}{least:9.1f}{readouts / least:12.1f}{one / least:11.2f}{two / least:11.2f}")


if __name__ == "__main__":
    main()
