"""Packed spikes as tensors."""

import numpy as np
import torch
from torch import Tensor

from spikesim.gpu.devices import find_device
from spikesim.stream import SpikeStream


def to_torch(stream: SpikeStream, device: torch.device | str | None = None) -> Tensor:
    """See `spikesim.to_torch`."""
    where = device if isinstance(device, torch.device) else find_device("cpu" if device is None else device)
    if where.type == "cpu":
        return torch.from_numpy(stream.dense(np.float32))
    return unpack_tensor(torch.tensor(stream.packed, device=where), stream.width)


def unpack_tensor(packed: Tensor, width: int) -> Tensor:
    """Packed bits that lie on a device, unpacked there.

    Args:
        packed: uint8 (..., ceil(W/8)), least significant bit first.
        width: W.

    Returns:
        float32 (..., W) of 0 and 1 on the same device.
    """
    bits = (packed[..., None] >> torch.arange(8, dtype=torch.uint8, device=packed.device)) & 1
    return bits.flatten(-2)[..., :width].float()
