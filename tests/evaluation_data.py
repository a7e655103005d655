"""What tests of evaluation share: a dataset of moving waves, networks that have learned nothing, and figures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from spikesim import SpikeCamera, SpikeStream
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.keys import parse_key
from spikesim_datasets.shards import ShardWriter
from spikesim_datasets.shards.sample import Sample
from ssdm_models import checkpoints, evaluation
from ssdm_models.bsn import BSN
from ssdm_models.edsr import EDSR
from ssdm_models.evaluation.results import Results
from ssdm_models.evaluation.rows import Row
from ssdm_models.ldn import LDN
from ssdm_models.metrics import psnr, ssim
from ssdm_models.released import slots

HEIGHT, WIDTH = 44, 60  # spikes of 11×15, the least that SSIM takes
PLAN = ExposurePlan()
SEVEN = (20, 36, 52, 68, 84, 100, 116)
RECIPE = {"choices": {"downscale": "area", "linear_light": False, "plan": PLAN.__dict__}}


def moving(readout: int, clip: int) -> np.ndarray:
    """Waves of colour that move, RGB uint8."""
    y, x, colour = np.ogrid[:HEIGHT, :WIDTH, :3]
    wave = np.sin((x + readout / 3 + 9 * colour + 20 * clip) / 5) * np.cos((y - readout / 7) / 6)
    return (128 + 100 * wave).astype(np.uint8)


def make_sample(key: str, window: int, sharp: tuple[int, ...], thresholds: tuple[float, ...] = (1.0, 2.5)) -> Sample:
    """A sample of the moving waves, whose pixels fire at random, at the rates they should."""
    rng = np.random.default_rng([window, len(key)])
    frames = np.stack([moving(readout, window) for readout in range(PLAN.stream_length)])
    light = frames.reshape(len(frames), HEIGHT // 4, 4, WIDTH // 4, 4, 3).mean((2, 4, 5)) / 255
    spikes = {
        v_th: SpikeStream.from_dense((rng.random(light.shape) < light / v_th).astype(np.uint8), SpikeCamera(v_th=v_th))
        for v_th in thresholds
    }
    blur = frames[slice(*PLAN.exposure)].mean(0).round().astype(np.uint8)
    first_frame = window * PLAN.period // PLAN.factor
    return Sample(*parse_key(key), window, first_frame, PLAN.exposure, blur, frames[list(sharp)], sharp, spikes)


def write_dataset(root: Path, shards: dict[str, list[Sample]], recipe: dict[str, Any] = RECIPE) -> Path:
    for name, samples in shards.items():
        with ShardWriter(root / f"{name}.000.h5", recipe, "none") as writer:
            for sample in samples:
                writer.append(sample)
    return root


def make_dataset(root: Path, sharp: tuple[int, ...] = SEVEN) -> Path:
    """A test split of one sample."""
    return write_dataset(root, {"test/a": [make_sample("test/a", 1, sharp)]})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, three samples; not to be changed."""
    shards = {
        "test/a": [make_sample("test/a", window, SEVEN) for window in (1, 2)],
        "test/bb": [make_sample("test/bb", 3, SEVEN)],
    }
    return write_dataset(tmp_path_factory.mktemp("evaluation") / "data", shards)


def save_run(folder: Path, seed: int = 0, loss: str = "ms-ssim + 100 reblur") -> Path:
    torch.manual_seed(seed)
    checkpoints.save(folder / "bsn.safetensors", BSN(), loss="mse")
    checkpoints.save(folder / "sr.safetensors", EDSR(), loss="mse")
    checkpoints.save(folder / "ldn.safetensors", LDN(), loss=loss)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks that have learned nothing; not to be changed."""
    return save_run(tmp_path_factory.mktemp("runs") / "ssdm")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where `results` are kept."""
    return tmp_path_factory.mktemp("results") / "evaluated"


@pytest.fixture(scope="module")
def results(data: Path, run: Path, evaluated: Path) -> Results:
    """Everything at every threshold and time."""
    return evaluation.evaluate(data, runs=[run], out=evaluated)


def select(results: Results, method: str, **wanted: Any) -> list[Row]:
    return [
        row
        for row in results.rows
        if row.method == method and all(getattr(row, name) == value for name, value in wanted.items())
    ]


def images(array: Any) -> np.ndarray:
    """(..., C, H, W) of a network as (..., H, W, C) of the metrics."""
    return np.moveaxis(np.clip(np.asarray(array), 0, 1), -3, -1)


def assert_figures(rows: list[Row], predicted: np.ndarray, truth: np.ndarray, tolerance: float = 0.0) -> None:
    assert len(rows) == len(predicted) == len(truth)
    for row, image, true in zip(rows, predicted, truth, strict=True):
        expected = psnr(image, true), ssim(image, true, "ssdm"), ssim(image, true, "standard")
        found = row.score.psnr, row.score.ssim_ssdm, row.score.ssim_standard
        assert found == pytest.approx(expected, rel=tolerance, abs=tolerance)


def released_ldn(path: Path) -> Path:
    """Our LDN's parameters under the names of the authors."""
    torch.manual_seed(5)
    network = LDN()
    held = dict(network.named_parameters())
    torch.save({slot.released[0]: held[slot.name].detach() for slot in slots(network, "ldn")}, path)
    return path
