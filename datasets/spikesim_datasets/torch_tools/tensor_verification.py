"""Verifying a file of torch without knowing its network: that all tensors in it can be read, and hold numbers."""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikesim.checks import require_path
from spikesim.errors import InputFileError
from spikesim_datasets.torch_tools.state_dicts import origin_of, read_held, some

_MOST_SPREAD = 8  # times: tensors may share values, as tied layers do, but not without end


def verify_tensors(path: str | os.PathLike[str]) -> int:
    """Read what `torch.save` wrote, and look at every value of every tensor in it, wherever it lies.

    Args:
        path: The file.

    Returns:
        How many tensors it holds.

    Raises:
        InputFileError: It is missing, damaged or no such file, holds more than tensors, numbers and names, or no
            tensor; or tensors without plain values, with far more of them than the file has bytes for, or with some
            that are infinite or no numbers.
    """
    path = require_path(path)
    tensors = dict(_tensors(read_held(path)))
    if not tensors:
        raise InputFileError(f"{origin_of(path)} holds no tensors; give a file of a network's weights")

    def refuse(problem: str, names: list[str]) -> None:
        if names:
            raise InputFileError(f"{origin_of(path)} {problem} {some(names)}; get the file again from where it is from")

    refuse("has tensors without plain values,", [name for name, tensor in tensors.items() if not _is_plain(tensor)])
    spread, size = sum(tensor.nbytes for tensor in tensors.values()), Path(path).stat().st_size
    if spread > _MOST_SPREAD * size:
        raise InputFileError(f"{origin_of(path)} has {size} bytes, but its tensors say that they have {spread}")
    refuse(
        "has infinite values, or some that are no numbers, in",
        [name for name, tensor in tensors.items() if not _is_finite(tensor)],
    )
    return len(tensors)


def _tensors(held: Mapping[Any, Any]) -> Iterator[tuple[str, Tensor]]:
    """Every tensor once, by where it lies; what holds others may hold itself, too."""
    waiting: deque[tuple[str, Any]] = deque([("", held)])
    seen: set[int] = set()
    while waiting:
        place, value = waiting.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            yield place, value
        elif isinstance(value, Mapping):
            waiting += [(f"{place}.{_called(name)}".lstrip("."), entry) for name, entry in value.items()]
        elif isinstance(value, list | tuple):
            waiting += [(f"{place}.{number}", entry) for number, entry in enumerate(value)]


def _called(name: Any) -> str:
    return str(name) if isinstance(name, str | int) else type(name).__name__


def _is_plain(tensor: Tensor) -> bool:
    """Whether a tensor has values, one after the other, that can be looked at."""
    return not (tensor.is_nested or tensor.is_meta or tensor.is_quantized) and tensor.layout is torch.strided


def _is_finite(tensor: Tensor) -> bool:
    # torch does not look at all floating point numbers of a byte.
    values = tensor.float() if tensor.is_floating_point() and tensor.element_size() == 1 else tensor
    return bool(values.isfinite().all())
