"""Windows of readouts around a time, cut from streams of spikes that are tensors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spikesim.errors import InvalidValueError

SHORT_READOUTS = 9
"""Length of the short exposures that the teacher is made of."""


def span(readout: int, length: int, readouts: int) -> slice:
    """Which readouts of a stream a window around a time holds.

    Args:
        readout: The time, as a readout of the stream. An even window reaches one further back than forward.
        length: Number of readouts.
        readouts: Those of the stream.

    Raises:
        InvalidValueError: The window reaches outside the stream.
    """
    start = readout - length // 2
    if start < 0 or start + length > readouts:
        raise InvalidValueError(
            f"a window of {length} readouts around {readout} is {start}..{start + length - 1}, outside the spikes' "
            f"0..{readouts - 1}; choose times from {length // 2} to {readouts - length + length // 2}"
        )
    return slice(start, start + length)


def window(spikes: Tensor, readout: int, length: int) -> Tensor:
    """The readouts around a time.

    Args:
        spikes: (..., T, h, w).
        readout, length: As for `span`.

    Returns:
        A view (..., length, h, w).

    Raises:
        InvalidValueError: The window reaches outside the stream.
    """
    return spikes[..., span(readout, length, spikes.shape[-3]), :, :]


def windows(spikes: Tensor, readouts: Sequence[int], length: int) -> Tensor:
    """The readouts around each of several times, (..., S, length, h, w); see `window`."""
    return torch.stack([window(spikes, readout, length) for readout in readouts], -4)


def short_exposures(spikes: Tensor, readouts: Sequence[int]) -> Tensor:
    """Spikes per readout in a short window around each of several times: short TFP.

    Args:
        spikes: (..., T, h, w).
        readouts: The S times.

    Returns:
        (..., S, h, w) in [0, 1].

    Raises:
        InvalidValueError: A window reaches outside the stream.
    """
    return torch.stack([window(spikes, readout, SHORT_READOUTS).mean(-3) for readout in readouts], -3)


def long_exposure(spikes: Tensor, exposure: tuple[int, int]) -> Tensor:
    """Spikes per readout in the whole exposure of the blurry image: long TFP.

    Args:
        spikes: (..., T, h, w).
        exposure: First readout of the exposure, and the one after its last.

    Returns:
        (..., 1, h, w) in [0, 1].

    Raises:
        InvalidValueError: The exposure is empty or reaches outside the stream.
    """
    return spikes[..., within(exposure, spikes.shape[-3]), :, :].mean(-3, keepdim=True)


def within(exposure: tuple[int, int], readouts: int) -> slice:
    """Which readouts of a stream an exposure holds.

    Args:
        exposure: First readout of the exposure, and the one after its last.
        readouts: Those of the stream.

    Raises:
        InvalidValueError: The exposure is empty or reaches outside the stream.
    """
    start, stop = exposure
    if not 0 <= start < stop <= readouts:
        raise InvalidValueError(
            f"an exposure from {start} to before {stop} is empty or not in the stream, whose readouts are "
            f"0..{readouts - 1}; give its first readout and the one after its last"
        )
    return slice(start, stop)
