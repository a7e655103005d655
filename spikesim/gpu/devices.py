"""Where torch computes: which device, how precisely, and how it tells that memory ran out."""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from spikesim.checks import parse_device
from spikesim.errors import InvalidValueError, SlowPrecisionWarning

_OUT_OF_MEMORY = re.compile("out of memory|not enough memory|allocate memory|alloc_failed", re.IGNORECASE)


def gpu_names() -> list[str]:
    """What the CUDA devices of this machine are called; empty where torch finds none."""
    return [torch.cuda.get_device_name(device) for device in range(torch.cuda.device_count())]


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


def check_precision(precision: str, device: torch.device) -> None:
    """See whether a device computes networks in a precision, and warn where it does so in software.

    Args:
        precision: `float32`, `bfloat16` or `float16`.
        device: Where networks will run.

    Raises:
        InvalidValueError: It does not.
    """
    if device.type != "cpu":
        return
    if precision == "float16":
        raise InvalidValueError("precision 'float16' is for GPUs; on a CPU take 'float32', or 'bfloat16'")
    if precision == "bfloat16" and not _has_bfloat16(_processor()):
        warnings.warn(
            "this processor has no instructions for precision 'bfloat16' (AMX or AVX-512 BF16) and computes it many "
            "times slower than 'float32'; take 'float32' here",
            SlowPrecisionWarning,
            stacklevel=3,
        )


def _processor() -> Mapping[str, Any]:
    """What torch knows of the processor; nothing, if it is too old to tell."""
    known: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return known


def _has_bfloat16(processor: Mapping[str, Any]) -> bool:
    """Whether a processor computes in bfloat16; one of which nothing is known is taken to."""
    names = ("amx_bf16", "avx512_bf16", "bf16")
    return processor.get("architecture") != "x86_64" or any(processor.get(name) for name in names)


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
