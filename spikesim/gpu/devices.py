"""Where torch computes: which device, how precisely, and how it tells that memory ran out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spikesim.checks import parse_device
from spikesim.errors import InvalidValueError

_OUT_OF_MEMORY = re.compile("out of memory|not enough memory|allocate memory|alloc_failed", re.IGNORECASE)


def find_device(name: str | torch.device = "auto") -> torch.device:
    """The device that `auto`, `cpu`, `cuda` or `cuda:N` stands for on this machine.

    Args:
        name: As above, or torch's own object for one of the last three.

    Raises:
        InvalidValueError: There is no such name, or the device is not available.
    """
    name = parse_device(str(name) if isinstance(name, torch.device) else name)
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InvalidValueError(
            f"device {name!r} was asked for, but torch {torch.__version__} finds {torch.cuda.device_count()} CUDA "
            "devices here; use 'cpu' or 'auto', or install the NVIDIA driver and a CUDA build of torch"
        )
    return device


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """On a GPU, let convolutions take float32 instead of TF32, and sums the same order every time."""
    if device.type == "cuda":
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            yield
    else:
        yield


def ran_out(error: MemoryError | RuntimeError) -> bool:
    """Whether an error of torch or the system is that of exhausted memory."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))
