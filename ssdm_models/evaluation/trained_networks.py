"""Trained networks: of a run folder, or of files."""

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from torch import nn

from spikesim.errors import InputFileError
from spikesim_datasets.optics import SCALE
from spikesim_datasets.shards.index import checksum
from ssdm_models import checkpoints, cost
from ssdm_models.checkpoints import Stage
from ssdm_models.ldn import LDN


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network and where it is from.

    Attributes:
        network: On the device.
        path: Its file.
        loss: What its training minimised; empty where that is not known.
        sha256: Of the file.
    """

    network: nn.Module
    path: Path
    loss: str
    sha256: str

    def macs(self, height: int, width: int) -> int:
        """Multiplications with weights in one pass, for spikes (height, width)."""
        if isinstance(self.network, LDN):
            image, spikes = (1, 3, SCALE * height, SCALE * width), (1, self.network.readouts, height, width)
            return cost.macs(self.network, image, spikes)
        return cost.macs(self.network, (1, 1, height, width))


def load_run(run: Path, device: torch.device) -> dict[Stage, TrainedNetwork]:
    """The finished networks of a run folder.

    Raises:
        InputFileError: There is no such folder, or a checkpoint in it is damaged or of another stage.
    """
    if not run.is_dir():
        raise InputFileError(f"there is no run folder {run}; `spikesim train-ssdm` makes one")
    paths: dict[Stage, Path] = {stage: run / f"{stage}.safetensors" for stage in get_args(Stage)}
    return {stage: _load(path, stage, device) for stage, path in paths.items() if path.exists()}


def load_student(path: Path, device: torch.device) -> TrainedNetwork:
    """The LDN of a checkpoint, ours or the authors'.

    Raises:
        InputFileError: The file is missing, damaged, or holds another network.
    """
    return _load(path, "ldn", device)


def _load(path: Path, stage: Stage, device: torch.device) -> TrainedNetwork:
    network, card = checkpoints.load_any(path, stage)
    return TrainedNetwork(network.to(device), path, "" if card is None else card.loss, checksum(path))
