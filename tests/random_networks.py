"""Interpolation networks with weights rebuilt from names, without any file of the shared folder."""

from functools import cache

import torch
from golden_weights import rebuilt
from torch import Tensor, nn
from torch.nn import functional

from spikesim_datasets.interpolation import rife, xvfi
from spikesim_datasets.interpolation.networks import rife_release, xvfi_release
from spikesim_datasets.interpolation.networks.rife_network import Rife
from spikesim_datasets.interpolation.networks.xvfi_network import Xvfi
from spikesim_datasets.torch_tools.state_dicts import Slot


def _released(network: str, slots: list[Slot]) -> dict[str, Tensor]:
    shapes = {name: slot.shape for slot in slots for name in slot.released}
    ties = {name: slot.released[0] for slot in slots for name in slot.released[1:]}
    return rebuilt(shapes, network, ties)


@cache
def rife_weights(version: str) -> dict[str, Tensor]:
    """Random weights of RIFE under their released names; callers copy what they change."""
    with torch.device("meta"):
        network = Rife(rife.VERSIONS[version], version)
    return _released("rife", rife_release.slots(network))


@cache
def xvfi_weights(channels: int) -> dict[str, Tensor]:
    """Random weights of XVFI-Net under their released names."""
    with torch.device("meta"):
        network = Xvfi(channels, 0)
    return _released("xvfi", xvfi_release.slots(network))


@cache
def small_network(name: str) -> nn.Module:
    """A network of each kind that computes quickly."""
    return xvfi.load_released(xvfi_weights(8), scales=1) if name == "xvfi" else rife.load_released(rife_weights(name))


def smooth(height: int, width: int, seed: int) -> Tensor:
    """A smooth random frame (1,3,height,width), RGB in [0,1]."""
    grain = torch.rand(1, 3, 4 + height // 16, 4 + width // 16, generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(grain, size=(height, width), mode="bilinear")
