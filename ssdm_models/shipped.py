"""The network in the box: weights that come with the package."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssdm_models.trained_networks import TrainedNetwork

SHIPPED = Path(__file__).with_name("weights") / "multi_exposure.safetensors"
"""Their file."""


def load_shipped() -> "TrainedNetwork":
    """The multi-exposure network that comes with the package, float32, on the CPU, ready to deblur.

    Raises:
        InputFileError: The installation is damaged.
    """
    from ssdm_models.trained_networks import load_deblurring

    return load_deblurring(SHIPPED)


def _ship(path: str | os.PathLike[str]) -> None:
    """Replace the weights that come with this installation by those of a checkpoint, in half the bytes.

    Args:
        path: What the stage `multi_exposure` has trained.

    Raises:
        InputFileError: It is missing, damaged, or of another stage.
        OutputError: The installation cannot be written.
    """
    from ssdm_models import checkpoints

    network, card = checkpoints.load(path, "multi_exposure"), checkpoints.read_card(path)
    checkpoints.save(
        SHIPPED,
        network,
        stage=card.stage,
        v_th=card.v_th,
        data=card.data,
        loss=card.loss,
        metrics=card.metrics,
        half=True,
    )


if __name__ == "__main__":
    _ship(*sys.argv[1:])
