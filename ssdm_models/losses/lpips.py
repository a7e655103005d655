"""LPIPS on VGG-16, by the package `lpips`; nothing is ever downloaded."""

import warnings
from pathlib import Path

import torch
from torch import Tensor

from spikesim.errors import InputFileError, MissingExtraError
from spikesim_datasets.torch_tools.state_dicts import Slot, fill, read_tensors
from ssdm_models.losses.perceptual import PerceptualLoss

VGG_SOURCE = "https://download.pytorch.org/models/vgg16-397923af.pth"
"""VGG-16 as torchvision publishes it."""


class LPIPS(PerceptualLoss):
    """Learned perceptual distance: what trained eyes, and then people, see of a difference.

    Raises:
        MissingExtraError: The package, or torchvision that it is made with, is missing or does not fit torch.
        InputFileError: The weights of VGG-16 are not in torch's cache folder, or are others.

    Source:
        Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018.
    """

    def __init__(self) -> None:
        super().__init__()
        weights = Path(torch.hub.get_dir()) / "checkpoints" / VGG_SOURCE.rpartition("/")[2]
        self.network = _network()
        if not weights.exists():
            raise InputFileError(
                f"LPIPS needs the weights of VGG-16, {weights}: download {VGG_SOURCE} to that "
                "place, or choose a perceptual loss without weights, such as ms-ssim"
            )
        trunk = self.network.get_submodule("net")
        trunk.title = "the VGG-16 of LPIPS"  # type: ignore[assignment]
        slots = [
            # lpips cuts VGG into slices, but leaves its layers their numbers
            Slot(name, (f"features.{name.partition('.')[2]}",), tuple(parameter.shape))
            for name, parameter in trunk.named_parameters()
        ]
        tensors = {name: value for name, value in read_tensors(weights).items() if name.startswith("features.")}
        fill(trunk, slots, tensors, weights)
        self.requires_grad_(False).eval()

    def distance(self, prediction: Tensor, target: Tensor) -> Tensor:
        distance: Tensor = self.network(prediction, target, normalize=True).mean()
        return distance


def _network() -> torch.nn.Module:
    """LPIPS with its own small weights on a VGG of none yet."""
    try:
        import lpips
    except Exception as error:  # a torchvision of another torch fails in its own ways
        raise MissingExtraError(
            f"the perceptual loss 'lpips' needs the package lpips and a torchvision that fits torch {torch.__version__}"
            f" ({error}); pip install 'spikesim[iqa]', or choose a loss without weights, such as ms-ssim"
        ) from error
    # The trunk is drawn at random first, which training must not notice, by a call that torchvision warns of.
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network: torch.nn.Module = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)
    return network
