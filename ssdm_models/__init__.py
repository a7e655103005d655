"""S-SDM: the networks, self-supervised training and evaluation that consume spikesim's shards."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssdm_models.deblurring_network import DeblurringNetwork

__all__ = ["pretrained"]


def pretrained() -> "DeblurringNetwork":
    """The network that comes with spikesim: it deblurs at any threshold, and was trained on synthetic data.

        frames = deblur_frames(pretrained(), blur, stream, times=[68], exposure=(20, 117))

    Returns:
        `multi_exposure.MultiExposure`, float32, on the CPU, ready to deblur or to be adapted.

    Raises:
        InputFileError: The installation is damaged.
        ModuleNotFoundError: torch is not installed; pip install 'spikesim[ssdm]'.
    """
    from ssdm_models.shipped import load_shipped

    return load_shipped().deblurring
