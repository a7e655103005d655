"""Checks of arguments beside those of `spikesim.checks`: tensors, and readouts of a stream."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from spikesim.checks import require_list, require_number
from spikesim.errors import InvalidValueError


def require_tensor(value: Any, name: str, axes: str, *, floats: bool = True, like: Tensor | None = None) -> Tensor:
    """A tensor of some shape that holds an image: its last two axes are not empty.

    Args:
        value: What was given.
        name: Of the argument, for the message.
        axes: Names of the axes, such as `N 3 H W`: a number is the length the axis must have, and a first `...` stands
            for any number of axes.
        floats: Whether its numbers must be floating-point ones.
        like: A weight that it is computed with, whose device and, outside autocast, type it must have.

    Raises:
        InvalidValueError: It is none.
    """
    if not isinstance(value, Tensor):
        raise InvalidValueError(
            f"{name} must be a tensor {_shown(axes)}, got {type(value).__name__}; torch.from_numpy takes arrays"
        )
    shape = tuple(value.shape)
    wanted = axes.split()
    if wanted[0] == "...":
        wanted = [*("any" for _ in range(len(shape) - len(wanted) + 1)), *wanted[1:]]
    named = zip(wanted, shape, strict=False)
    if len(shape) != len(wanted) or any(axis.isdigit() and int(axis) != size for axis, size in named):
        raise InvalidValueError(f"{name} must be {_shown(axes)}, got {shape}")
    if 0 in shape[-2:]:
        raise InvalidValueError(f"{name} must have pixels, got {shape}")
    if floats and not value.is_floating_point():
        raise InvalidValueError(f"{name} must hold floating-point numbers, got {value.dtype}; call its .float()")
    if like is not None and value.device != like.device:
        raise InvalidValueError(f"{name} must be on the network's device, {like.device}, got {value.device}")
    if like is not None and value.dtype != like.dtype and not torch.is_autocast_enabled(value.device.type):
        raise InvalidValueError(f"{name} must be {like.dtype} as the network's weights, got {value.dtype}")
    return value


def require_one_device(**tensors: Tensor) -> None:
    """Tensors by their names, all on one device.

    Raises:
        InvalidValueError: They are on several.
    """
    if len({tensor.device for tensor in tensors.values()}) > 1:
        places = ", ".join(f"{name} on {tensor.device}" for name, tensor in tensors.items())
        raise InvalidValueError(f"{' and '.join(tensors)} must be on one device, got {places}")


def require_thresholds(v_th: Any) -> tuple[float, ...]:
    """Thresholds of spikes, any number of them.

    Raises:
        InvalidValueError: They are no positive numbers.
    """
    return tuple(
        require_number(threshold, "each of v_th", above=0) for threshold in require_list(v_th, "v_th", "thresholds")
    )


def require_function(value: Any, name: str) -> Callable[..., Any]:
    """Anything that can be called, such as what is to be told of progress.

    Raises:
        InvalidValueError: It cannot.
    """
    if not callable(value):
        raise InvalidValueError(f"{name} must be a function, got {value!r}")
    function: Callable[..., Any] = value
    return function


def _shown(axes: str) -> str:
    return f"({', '.join(axes.split())})"
