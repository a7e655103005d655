"""What networks compute in the precision of their weights where the rest of them is in half precision."""

from contextlib import AbstractContextManager, nullcontext

import torch


def without_autocast(device: torch.device) -> AbstractContextManager[None]:
    """A context without autocast; inputs must be brought to the type of the weights.

    Args:
        device: What is computed on; `meta`, which computes nothing and has no autocast, included.
    """
    if torch.amp.is_autocast_available(device.type):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()
