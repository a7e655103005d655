"""Frames between frames: from the rate of a video to the rate of a spike camera."""

from typing import Any

from spikesim_datasets.interpolation.base import Interpolator
from spikesim_datasets.interpolation.interpolator_spec import InterpolatorSpec

__all__ = ["Interpolator", "InterpolatorSpec", "make_interpolator"]


def make_interpolator(name: str, *options: Any, **named: Any) -> Interpolator:
    """Make an interpolator by name: `InterpolatorSpec(name, weights, device, tile, precision).make()`.

    Args:
        name: Of the interpolator.
        *options, **named: Further fields of `InterpolatorSpec`, in their order or by name.

    Returns:
        The interpolator.

    Raises:
        InvalidValueError, InputFileError, MissingExtraError: As for `InterpolatorSpec` and its `make`.
    """
    return InterpolatorSpec(name, *options, **named).make()
