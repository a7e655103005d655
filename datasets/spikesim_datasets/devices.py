"""Where torch computes: which device, how precisely, and how it tells that memory ran out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from spikesim.errors import InvalidValueError

_OUT_OF_MEMORY = re.compile("out of memory|not enough memory|allocate memory|alloc_failed", re.IGNORECASE)


def find_device(name: str = "auto") -> torch.device:
    """The device that `auto`, `cpu` or `cuda` stands for on this machine.

    Raises:
        InvalidValueError: There is no such name, or no CUDA device.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise InvalidValueError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise InvalidValueError(
            f"device 'cuda' was asked for, but torch {torch.__version__} finds no CUDA device here; "
            "use 'cpu' or 'auto', or install a torch built for CUDA"
        )
    return torch.device("cuda" if name == "cuda" or (name == "auto" and torch.cuda.is_available()) else "cpu")


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
