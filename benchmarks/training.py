"""Cost of a training step of each stage, and savings from precomputing the teacher targets.

Steps of the real loop on a dataset, in float32 and bfloat16: batches of one crop of 256², one loader process, times
from `metrics.csv`, means over the second epoch. Networks have random weights, which does not change the cost. The row
`targets` is LDN with precomputed teacher targets; its column `once` is the time they took, per sample.

    python benchmarks/training.py [DATASET]

DATASET is a folder of shards with the threshold 1. Without it, one is built from a built-in scene.
"""

import csv
import sys
import tempfile
import time
from pathlib import Path

from spikesim_datasets.build import build_dataset
from ssdm_models.stages import STAGES
from ssdm_models.training import StageProgress, train

OPTIONS = {"crop": 256, "batch": 1, "epochs": 2, "workers": 1, "perceptual": "laplacian", "device": "cpu"}
PRECISIONS = ("float32", "bfloat16")


class Teaching:
    """Notes when the teacher begins and ends."""

    def __init__(self) -> None:
        self.began, self.took, self.samples = time.perf_counter(), 0.0, 0

    def __call__(self, progress: StageProgress) -> None:
        if progress.stage == "teacher":
            self.took, self.samples = time.perf_counter() - self.began, progress.total


def last_epoch(run: Path, stage: str) -> tuple[float, float]:
    """Seconds a step computed, and waited for data."""
    with (run / stage / "metrics.csv").open() as file:
        row = list(csv.DictReader(file))[-1]
    return float(row["step_seconds"]), float(row["data_seconds"])


def main(data: str) -> None:
    print(f"{'precision':12}{'stage':8}{'step ms':>9}{'wait ms':>9}{'once ms':>9}")
    for precision in PRECISIONS:
        with tempfile.TemporaryDirectory() as folder:
            run = Path(folder)
            train(data, run, precision=precision, **OPTIONS)  # type: ignore[arg-type]
            for stage in STAGES.default:
                show(precision, stage, *last_epoch(run, stage))
            teaching = Teaching()
            again = {**OPTIONS, "precompute_teacher": True, "overwrite": True}
            train(data, run, ["ldn"], precision=precision, on_step=teaching, **again)  # type: ignore[arg-type]
            show(precision, "targets", *last_epoch(run, "ldn"), teaching.took / teaching.samples)


def show(precision: str, stage: str, *seconds: float) -> None:
    print(f"{precision:12}{stage:8}" + "".join(f"{1e3 * value:9.0f}" for value in seconds), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            build_dataset("demo:street", folder, interpolation="linear", sharp="none")
            main(folder)
