"""What tests of published methods share: a small dataset with the sharp sequence, and networks without training."""

from pathlib import Path

import pytest
import torch
from training_data import write_moving

from spikesim_datasets.exposure import ExposurePlan
from ssdm_models import checkpoints
from ssdm_models.stages import STAGES

SEVEN = ExposurePlan().sharp_readouts("sequence")
SEQUENCES = ("red", "trmd", "refid", "levs", "motion_etr", "bit", "bitpp")
BASELINES = ("spkdeblurnet", *SEQUENCES, "dasr")
OPTIONS = {"batch": 2, "workers": 0, "device": "cpu", "small": True, "precision": "float32"}
SIDES = {"spkdeblurnet": 96}  # of the smallest images that are learned from, else 64


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_moving(root, {"train/a": 3, "train/b": 1, "test/c": 2}, size=(96, 128), sharp=SEVEN)
    return root


@pytest.fixture(scope="module")
def little(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Datasets of two samples whose images are as large as a crop, by their sides."""
    root = tmp_path_factory.mktemp("little")
    for side in (64, 96):
        write_moving(root / str(side), {"train/a": 2}, size=(side, side), sharp=SEVEN, v_th=(1.0,))
    return {side: root / str(side) for side in (64, 96)}


def untrained(folder: Path, *names: str) -> list[tuple[str, Path]]:
    """Checkpoints of new networks, by their stages."""
    made = []
    for name in names:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(4)
            network = STAGES[name].new(small=True).eval()
        path = folder / f"{name}.safetensors"
        checkpoints.save(path, network, stage=name)
        made.append((name, path))
    return made
