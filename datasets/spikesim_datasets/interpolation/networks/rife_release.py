"""RIFE v4.6, v4.25 and v4.26 with the weights their authors published."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from spikesim.checks import require_choice
from spikesim.errors import InputFileError
from spikesim_datasets.interpolation.networks.layers import ready_for_inference
from spikesim_datasets.interpolation.networks.rife_network import Rife, Version
from spikesim_datasets.torch_tools.state_dicts import Slot, Weights, fill, origin_of, read_tensors

__all__ = ["VERSIONS", "load_released"]

VERSIONS = {
    "4.6": Version((192, 128, 96, 64), head=False),
    "4.25": Version((192, 128, 96, 64, 32), head=True),
    "4.26": Version((192, 128, 96, 64, 32), head=True),
}


def load_released(path_or_state_dict: Weights, version: str | None = None) -> Rife:
    """Load RIFE with the weights its authors published.

    Args:
        path_or_state_dict: The file `flownet.pkl` (tensors alone are read, no code is run), or what it holds by name.
        version: One of `VERSIONS`; None recognises it by the tensors. 4.25 and 4.26 differ in nothing but their values.

    Returns:
        The network: `net(frame0, frame1, t)` takes frames float (N,3,H,W), RGB in [0,1], of any size, and a time, and
        gives frames of the same shape, not clipped.

    Raises:
        InputFileError: The file is missing, damaged or none of tensors alone, or the tensors are not those of this
            version, or of none.
        InvalidValueError: There is no such version.
    """
    if version is not None:
        require_choice(version, "version of RIFE", VERSIONS)
    tensors = read_tensors(path_or_state_dict)
    names = [version] if version else _recognised(tensors, path_or_state_dict)
    with torch.device("meta"):
        network = Rife(VERSIONS[names[0]], "RIFE v" + " or v".join(names))
    fill(network, slots(network), tensors, path_or_state_dict)
    return ready_for_inference(network)


def _recognised(tensors: Mapping[str, Tensor], weights: Weights) -> list[str]:
    """The versions that are made of the parts that the tensors belong to."""
    parts = {name.split(".")[0] for name in tensors}
    names = [
        name
        for name, version in VERSIONS.items()
        if parts == {f"block{i}" for i in range(len(version.channels))} | ({"encode"} if version.head else set())
    ]
    if not names:
        raise InputFileError(
            f"{origin_of(weights)} fits no version of RIFE that is known here ({', '.join(VERSIONS)}): its parts are "
            f"{', '.join(sorted(parts))}; give the released file of one of these versions"
        )
    return names


_RELEASED_NAMES = (
    (r"^blocks\.(\d)\.reduce\.(\d)", r"block\1.conv0.\2.0"),
    (r"^blocks\.(\d)\.residual", r"block\1.convblock"),
    (r"^blocks\.(\d)\.upsample", r"block\1.lastconv.0"),
    (r"^head\.convs\.", "encode.cnn"),
    (r"^head\.upsample", "encode.cnn3"),
)


def slots(network: Rife) -> list[Slot]:
    """What the released files call the parameters of a network."""
    found = []
    for name, parameter in network.named_parameters():
        released = name
        for ours, theirs in _RELEASED_NAMES:
            released = re.sub(ours, theirs, released)
        found.append(Slot(name, (released,), tuple(parameter.shape)))
    return found
