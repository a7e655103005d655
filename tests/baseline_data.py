"""What tests of published methods share: a small dataset with the sharp sequence, and networks without training."""

from pathlib import Path

import pytest
import torch
from training_data import write_moving

from spikesim_datasets.exposure import ExposurePlan
from ssdm_models import checkpoints
from ssdm_models.stages import STAGES

SEVEN = ExposurePlan().sharp_readouts("sequence")
SEQUENCES = ("red", "trmd", "refid", "levs", "motion_etr", "bit")
BASELINES = ("spkdeblurnet", *SEQUENCES, "dasr")
OPTIONS = {"batch": 2, "workers": 0, "device": "cpu", "small": True, "precision": "float32"}
CROPS = {"levs": 64, "bit": 64, "spkdeblurnet": 96}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_moving(root, {"train/a": 3, "train/b": 1, "test/c": 2}, size=(96, 128), sharp=SEVEN)
    return root


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
