"""S-SDM: the networks, self-supervised training and evaluation that consume spikesim's shards."""

from typing import TYPE_CHECKING

from ssdm_models.engines import load_deblurrer

if TYPE_CHECKING:
    from ssdm_models.deblurring_network import DeblurringNetwork

__all__ = ["load_deblurrer", "pretrained"]


def pretrained() -> "DeblurringNetwork":
    """The network that comes with spikesim, for torch: it deblurs at any threshold, and was trained on synthetic data.

        sharp = deblur_sequence(pretrained(), blur, spikes, readouts=[68], exposure=(20, 117))

    To deblur images and files, with torch or without it, take `load_deblurrer`.

    Returns:
        `multi_exposure.MultiExposure`, float32, on the CPU, ready to deblur or to be adapted.

    Raises:
        InputFileError: The installation is damaged.
        ModuleNotFoundError: torch is not installed; pip install 'spikesim[ssdm]'.
    """
    from ssdm_models.shipped import load_shipped

    return load_shipped().deblurring
