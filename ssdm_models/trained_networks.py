"""Trained networks and where they are from: of a run folder, or of a file, whoever trained them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from spikesim.checks import require_instance, require_path
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import checksum
from ssdm_models import cost
from ssdm_models.checkpoint_file import is_ours
from ssdm_models.checkpoints import load_any
from ssdm_models.deblurring_network import DeblurringNetwork
from ssdm_models.stages import STAGES
from ssdm_models.stages.stage_spec import ReleasedFile, StageSpec


@dataclass(frozen=True)
class TrainedNetwork:
    """A trained network and what is known of it.

    Attributes:
        network: Ready to be evaluated.
        spec: Its stage.
        v_th: Thresholds of the spikes it was trained on, as far as they are known.
        loss: What its training minimised; empty where that is not known.
        sha256: Of its file.
        released: What is known of the file, where its authors released it.
    """

    network: nn.Module
    spec: StageSpec
    v_th: tuple[float, ...]
    loss: str
    sha256: str
    released: ReleasedFile | None = None

    @property
    def deblurring(self) -> DeblurringNetwork:
        """The network, where it is one that deblurs.

        Raises:
            InvalidValueError: It is none.
        """
        return require_instance(self.network, "network", DeblurringNetwork)

    def macs(self, height: int, width: int) -> int:
        """Multiplications with weights in one pass, for spikes (height, width).

        Args:
            height, width: Of the spikes, pixels.
        """
        if isinstance(self.network, DeblurringNetwork):
            return cost.deblurring_macs(self.network, height, width)
        if self.spec.task == "upsampling":
            return cost.macs(self.network, (1, 3, height, width))
        return cost.macs(self.network, (1, 1, height, width))


def load_run(run: Path) -> dict[str, TrainedNetwork]:
    """The finished networks of a run folder, by their stages.

    Args:
        run: Folder of the run.

    Raises:
        InvalidValueError: It is no path.
        InputFileError: There is no such folder, or a checkpoint in it is damaged or of another stage.
    """
    run = require_path(run, "run")
    if not run.is_dir():
        raise InputFileError(f"there is no run folder {run}; `spikesim train-ssdm` makes one")
    paths = {name: run / spec.file for name, spec in STAGES.items()}
    return {name: load_trained(path, [name]) for name, path in paths.items() if path.exists()}


def load_deblurring(path: str | os.PathLike[str]) -> TrainedNetwork:
    """Load a network that deblurs, from a checkpoint of ours or from a file that its authors released.

    Args:
        path: The file; what it is shows in its first bytes, whatever its name.

    Returns:
        The network, in evaluation mode, and what is known of it.

    Raises:
        InvalidValueError: It is no path.
        InputFileError: It is missing, damaged, or holds another network.
    """
    return load_trained(path, STAGES.of_task("deblurring"))


def load_published(name: str, path: str | os.PathLike[str]) -> TrainedNetwork:
    """Load a published network, from a checkpoint of ours or from a file that its authors released.

    Args:
        name: Of its stage, such as `red`.
        path: The file.

    Returns:
        The network, in evaluation mode, and what is known of it.

    Raises:
        InvalidValueError: There is no such stage, or it has no published network.
        InputFileError: The file is missing, damaged, or holds another network.
    """
    spec, path = STAGES.find(name), require_path(path)
    if is_ours(path):
        return load_trained(path, [name])
    if not getattr(spec.network, "released", ""):
        raise InvalidValueError(
            f"files that others released of the stage {name} are not known; give one that was trained here"
        )
    network: Any = spec.network
    return TrainedNetwork(network.of_released(path).eval(), spec, (), "", checksum(path))


def load_trained(path: str | os.PathLike[str], stages: Sequence[str]) -> TrainedNetwork:
    """Load the network of one of some stages, from a checkpoint of ours or from a file that its authors released.

    Args:
        path: The file.
        stages: Names of those that it may be of.

    Returns:
        The network, in evaluation mode, and what is known of it.

    Raises:
        InvalidValueError: The path is none, or the stages are no list of names.
        InputFileError: The file is missing, damaged, or holds another network.
    """
    loaded = load_any(path, stages)
    spec, card = loaded.spec, loaded.card
    if card is not None:
        return TrainedNetwork(loaded.network, spec, card.v_th, card.loss, checksum(Path(path)))
    assert spec.released is not None
    return TrainedNetwork(loaded.network, spec, spec.released.v_th, "", checksum(Path(path)), spec.released)
