"""What tests of training share: a small dataset with spikes that are really those of its light, and runs on it."""

import csv
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch

from spikesim import SpikeCamera, simulate
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.keys import parse_key
from spikesim_datasets.optics import Optics
from spikesim_datasets.shards import ShardWriter
from spikesim_datasets.shards.sample import Sample
from ssdm_models import checkpoints
from ssdm_models.training import train

PLAN = ExposurePlan()
SHARP = (20, 68, 116)


def moving(seed: int, height: int, width: int, readouts: int = PLAN.stream_length) -> np.ndarray:
    """Readouts uint8 (T, H, W, 3) of smooth blobs that move to the right."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    frames = np.zeros((readouts, height, width, 3))
    for _ in range(6):
        top, left, speed = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.02, 0.2)
        colour, size = rng.uniform(0.1, 0.5, 3), rng.uniform(4, 12)
        for t, frame in enumerate(frames):
            blob = np.exp(-((rows - top) ** 2 + (columns - left - speed * t) ** 2) / (2 * size**2))
            frame += blob[..., None] * colour
    return (255 * (0.1 + 0.8 * frames / max(frames.max(), 1))).astype(np.uint8)


def write_moving(
    root: Path,
    clips: dict[str, int],
    *,
    v_th: tuple[float, ...] = (1.0, 2.0),
    size: tuple[int, int] = (64, 96),
    sharp: tuple[int, ...] = SHARP,
    plan: ExposurePlan = PLAN,
) -> None:
    """A dataset of clips with so many samples each."""
    optics = Optics()
    start, stop = plan.exposure
    for number, (key, samples) in enumerate(clips.items()):
        with ShardWriter(root / f"{key}.000.h5", {"choices": {"plan": asdict(plan)}}, "none") as writer:
            for window in range(1, samples + 1):
                frames = moving(100 * number + window, *size, plan.stream_length)
                light = np.stack([optics.light(frame) for frame in frames])
                spikes = {v: simulate(light, SpikeCamera.preset("ideal", v_th=v), seed=window) for v in v_th}
                blur = frames[start:stop].mean(0).round().astype(np.uint8)
                first_frame = window * plan.period // plan.factor
                sample = Sample(
                    *parse_key(key), window, first_frame, plan.exposure, blur, frames[list(sharp)], sharp, spikes
                )
                writer.append(sample)


SAMPLES = 5
SHORT = {"crop": 32, "batch": 2, "workers": 0, "device": "cpu", "perceptual": "laplacian"}
STEPS = 3  # of an epoch


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_moving(root, {"train/a": 3, "train/b": 2})
    return root


@pytest.fixture(scope="module")
def taught(data, tmp_path_factory) -> Path:
    """A run whose teacher is trained, for two steps."""
    run = tmp_path_factory.mktemp("runs") / "taught"
    train(data, run, ["bsn", "sr"], epochs=1, **SHORT)
    return run


@pytest.fixture
def run(taught, tmp_path) -> Path:
    """A folder with a teacher in it, but no record of its training."""
    folder = tmp_path / "run"
    folder.mkdir()
    for stage in ("bsn", "sr"):
        (folder / f"{stage}.safetensors").write_bytes((taught / f"{stage}.safetensors").read_bytes())
    return folder


def weights(path: Path) -> dict[str, torch.Tensor]:
    return dict(checkpoints.load(path).named_parameters())


def assert_same(first: Path, second: Path, tolerance: float = 0) -> None:
    ours, theirs = weights(first), weights(second)
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=0, atol=tolerance, msg=lambda text, n=name: f"{n}: {text}")


def losses(run: Path, stage: str) -> list[float]:
    with (run / stage / "metrics.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]
