"""Frames between frames: from the rate of a video to the rate of a spike camera."""

import os

from spikesim.errors import InvalidValueError
from spikesim_datasets.interpolation.base import AlreadyDense, Interpolator
from spikesim_datasets.interpolation.flow import FlowInterpolator
from spikesim_datasets.interpolation.linear import LinearInterpolator

__all__ = ["Interpolator", "make_interpolator"]

_DEVICES = "auto", "cpu", "cuda"

_WITHOUT_WEIGHTS = {kind.name: kind for kind in (FlowInterpolator, LinearInterpolator, AlreadyDense)}


def make_interpolator(name: str, weights: str | os.PathLike[str] | None = None, device: str = "auto") -> Interpolator:
    """Make an interpolator by name.

    Args:
        name: `flow` follows the motion by optical flow, `linear` cross-fades, `none` takes every frame as a readout.
        weights: File of a network's weights; none of these has any.
        device: `auto`, `cpu` or `cuda`, where a network runs; these run on the CPU.

    Raises:
        InvalidValueError: The name or the device is unknown, or the interpolator has no use for weights or `cuda`.
    """
    if name not in _WITHOUT_WEIGHTS:
        raise InvalidValueError(f"interpolator must be one of {', '.join(_WITHOUT_WEIGHTS)}, got {name!r}")
    if device not in _DEVICES:
        raise InvalidValueError(f"device must be one of {', '.join(_DEVICES)}, got {device!r}")
    if weights is not None:
        raise InvalidValueError(f"interpolator {name!r} has no weights, got {os.fspath(weights)!r}; leave weights out")
    if device == "cuda":
        raise InvalidValueError(f"interpolator {name!r} runs on the CPU only, got device 'cuda'; use 'auto' or 'cpu'")
    return _WITHOUT_WEIGHTS[name]()
