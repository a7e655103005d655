"""The weights that the authors of S-SDM released, in networks of ours."""

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, get_args

import torch
from torch import nn

from spikesim.errors import InvalidValueError
from spikesim_datasets.torch_tools.state_dicts import Slot, Weights, fill, read_tensors
from ssdm_models.bsn import BSN
from ssdm_models.edsr import EDSR
from ssdm_models.ldn import LDN

Kind = Literal["ldn", "bsn", "edsr"]


class _Release(NamedTuple):
    """A network, and patterns of our names for its parameters with what the authors call them."""

    network: Callable[[], nn.Module]
    names: Mapping[str, str]


_RELEASES = {
    "ldn": _Release(
        LDN,
        {
            r"(blur|spike)_encoder\.0": r"\1_enc.0",
            r"(blur|spike)_encoder\.2": r"\1_enc2.0",
            r"channel_attention": "ca.fc",
            r"spatial_attention": "sa.conv1",
            r"residuals\.0\.0": "resBlock1.conv_block.0",
            r"residuals\.0\.2": "resBlock1.conv_block.3",
            r"residuals\.1\.0": "resBlock2.conv_block.0",
            r"residuals\.1\.2": "resBlock2.conv_block.3",
            r"decoder\.0": "decoder1.0",
            r"decoder\.2": "decoder2.0",
            r"output": "pred",
        },
    ),
    "bsn": _Release(
        BSN,
        {
            **{rf"encoders\.{i}\.{2 * j}": f"unet.enc{i + 1}.conv{j + 1}.conv" for i in range(3) for j in range(3)},
            **{rf"decoders\.{i}\.{2 * j}": f"unet.dec{2 - i}.conv{j + 1}.conv" for i in range(2) for j in range(4)},
            **{rf"joint\.{2 * j}": f"nin_{'ABC'[j]}" for j in range(3)},
        },
    ),
    "edsr": _Release(
        EDSR,
        {
            r"subtract_mean": "sub_mean",
            r"head": "head.0",
            r"blocks\.(\d+)\.([02])": r"body.\1.body.\2",
            r"neck": "body.16",
            r"tail\.([02])": r"tail.0.\1",
            r"tail\.4": "tail.1",
        },
    ),
}


def load_released(path_or_state_dict: Weights, kind: Kind) -> nn.Module:
    """Load a network of S-SDM with the weights its authors released.

    The released LDN was trained on BGR. Its weights are turned around once, here, so that the network takes and gives
    RGB as every other.

    Args:
        path_or_state_dict: The file (tensors alone are read, no code is run), or what it holds by name.
        kind: `ldn` for the student `LDN`, `bsn` for `BSN`, `edsr` for `EDSR`.

    Returns:
        The network, float32, ready to be evaluated or trained on.

    Raises:
        InputFileError: The file is missing, damaged or none of tensors alone, or the tensors are not those of this
            network.
        InvalidValueError: There is no such kind.
    """
    if kind not in _RELEASES:
        raise InvalidValueError(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}")
    tensors = read_tensors(path_or_state_dict)
    with torch.device("meta"):
        network = _RELEASES[kind].network()
    fill(network, slots(network, kind), tensors, path_or_state_dict)
    if isinstance(network, LDN):
        _swap_red_and_blue(network)
    return network.eval()


def slots(network: nn.Module, kind: Kind) -> list[Slot]:
    """What the released files call the parameters of a network."""
    found = []
    for name, parameter in network.named_parameters():
        released = name
        for ours, theirs in _RELEASES[kind].names.items():
            released, replaced = re.subn(rf"^{ours}(?=\.)", theirs, name)
            if replaced:
                break
        found.append(Slot(name, (released,), tuple(parameter.shape)))
    return found


@torch.no_grad()
def _swap_red_and_blue(network: LDN) -> None:
    """Make a network of BGR one of RGB, or the other way round: first layer, and the image's way around all layers."""
    first, last, bias = map(network.get_parameter, ("blur_encoder.0.weight", "output.weight", "output.bias"))
    first.copy_(first.flip(1))
    last[:, :3] = last[:, :3].flip(1)
    last.copy_(last.flip(0))
    bias.copy_(bias.flip(0))
