"""Which axis of dense spikes is time: what the caller says, or what their shape and their rates do not contradict.

An array does not name its axes, and one read in another order is 250 readouts of 400×500 instead of 500 of 250×400. So
the usual order is taken only where nothing speaks for another: no other order alone gives the size of a known sensor,
and spikes keep apart along no other axis. A pixel that has fired must first be charged again, so a spike is seldom
followed by another in time, or, in bright light, a gap by another; its neighbours know nothing of that.
"""

from typing import Any

import numpy as np

from spikesim.checks import require_choice
from spikesim.errors import InvalidValueError
from spikesim.formats.known_sizes import KNOWN_SIZES

AXES = {"THW": (0, 1, 2), "HWT": (2, 0, 1), "TWH": (0, 2, 1), "WHT": (2, 1, 0)}
"""Axis orders of dense spikes on disk, with the transposition that makes each T, H, W."""

_USUAL = "THW"
_SIDE = 64  # of the block in the middle whose spikes are looked at: enough to tell, and quick
_APART = 0.03  # negative correlation of neighbours along an axis that is time; of shot noise alone it is less
_DEVIATIONS = 6


def check_axes(axes: str | None) -> None:
    """Refuses an axis order that does not exist; None is for this module to find.

    Raises:
        InvalidValueError: It is no key of `AXES`.
    """
    if axes is not None:
        require_choice(axes, "axes", AXES)


def axis_order(array: Any, size: tuple[int, int] | None) -> str:
    """The order of the axes of dense spikes, of which nobody has said it.

    Args:
        array: Three axes; a numpy array, a memory map, or an HDF5 dataset.
        size: Height and width that the caller expects, None if any.

    Returns:
        The usual order, T, H, W.

    Raises:
        InvalidValueError: Something speaks for another order; the message says what, and how to give it.
    """
    shape = array.shape
    sizes, why = ((size,), "the size you give") if size is not None else (KNOWN_SIZES, "the size of a known sensor")
    others = [order for order in AXES if order != _USUAL and _size(shape, order) in sizes]
    timed_last = [order for order in others if order.endswith("T")]
    if _size(shape, _USUAL) in sizes:
        if size is not None:
            return _USUAL
    elif others:
        raise _ask(shape, others[0], why)
    if _keep_apart_along_the_last_axis(array):
        raise _ask(
            shape,
            timed_last[0] if timed_last else "HWT",
            "and its spikes keep apart along the last axis as those of a pixel do in time",
        )
    return _USUAL


def _size(shape: tuple[int, ...], order: str) -> tuple[int, int]:
    """Height and width of an array in an order."""
    _, height, width = AXES[order]
    return shape[height], shape[width]


def _ask(shape: tuple[int, ...], order: str, why: str) -> InvalidValueError:
    def said(order: str) -> str:
        height, width = _size(shape, order)
        return f"{shape[AXES[order][0]]} readouts of height×width {height}×{width}"

    return InvalidValueError(
        f"its array of shape {shape} would be {said(_USUAL)} in the order T, H, W, but {said(order)} in the order "
        f"{', '.join(order)}, {why}; say with axes which it is: --axes {order}, or --axes {_USUAL}"
    )


def _keep_apart_along_the_last_axis(array: Any) -> bool:
    """Whether neighbouring spikes exclude each other along the last axis, and not so along the first.

    Pixels beside each other do so in fine texture as well. But a scene is much the same one readout later, so a pixel
    then keeps apart from its neighbour in the next readout, too, and two pixels do not do so in time.
    """
    if min(array.shape) < 2:
        return False
    middle = tuple(slice(start := max(0, (length - _SIDE) // 2), start + _SIDE) for length in array.shape)
    block = np.asarray(array[middle]) != 0
    first, last = _correlation(block[:-1], block[1:]), _correlation(block[..., :-1], block[..., 1:])
    both = _correlation(block[:-1, :, :-1], block[1:, :, 1:])
    return last < -max(_APART, _DEVIATIONS / np.sqrt(block.size)) and last < 2 * min(first, both)


def _correlation(before: np.ndarray, after: np.ndarray) -> float:
    """Of neighbours; 0 where all are alike."""
    mean = (before.mean() + after.mean()) / 2
    variance = mean * (1 - mean)
    return float(((before & after).mean() - before.mean() * after.mean()) / variance) if variance else 0.0
