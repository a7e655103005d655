"""Windows of readouts around a time, cut from streams of spikes that are tensors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spikesim.checks import require_whole
from spikesim.errors import InvalidValueError
from ssdm_models.tensor_checks import require_exposure, require_tensor, require_times

SHORT_LENGTH = 9
"""Length of the short exposures that the teacher is made of, readouts."""


def span(time: int, length: int, readouts: int) -> slice:
    """Which readouts of a stream a window around a time holds.

    Args:
        time: A readout of the stream. An even window reaches one further back than forward.
        length: How many readouts the window has.
        readouts: How many the stream has.

    Raises:
        InvalidValueError: The window reaches outside the stream.
    """
    time, length = require_whole(time, "time"), require_whole(length, "length", 1, unit="readouts")
    start = time - length // 2
    if start < 0 or start + length > require_whole(readouts, "readouts"):
        raise InvalidValueError(
            f"a window of {length} readouts around {time} is {start}..{start + length - 1}, outside the spikes' "
            f"0..{readouts - 1}; choose times from {length // 2} to {readouts - length + length // 2}"
        )
    return slice(start, start + length)


def window(spikes: Tensor, time: int, length: int) -> Tensor:
    """The readouts around a time.

    Args:
        spikes: (..., T, h, w).
        time, length: As for `span`.

    Returns:
        A view (..., length, h, w).

    Raises:
        InvalidValueError: The window reaches outside the stream.
    """
    require_tensor(spikes, "spikes", "... T h w", floats=False)
    return spikes[..., span(time, length, spikes.shape[-3]), :, :]


def windows(spikes: Tensor, times: Sequence[int], length: int) -> Tensor:
    """The readouts around each of several times, (..., S, length, h, w); see `window`."""
    return torch.stack([window(spikes, time, length) for time in require_times(times, least=1)], -4)


def short_exposures(spikes: Tensor, times: Sequence[int]) -> Tensor:
    """Spikes per readout in a short window around each of several times: short TFP.

    Args:
        spikes: (..., T, h, w).
        times: The S times, readouts of the stream.

    Returns:
        (..., S, h, w) in [0, 1].

    Raises:
        InvalidValueError: A window reaches outside the stream.
    """
    require_tensor(spikes, "spikes", "... T h w")
    return torch.stack([window(spikes, time, SHORT_LENGTH).mean(-3) for time in require_times(times, least=1)], -3)


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
    require_tensor(spikes, "spikes", "... T h w")
    return spikes[..., within(exposure, spikes.shape[-3]), :, :].mean(-3, keepdim=True)


def within(exposure: tuple[int, int], readouts: int) -> slice:
    """Which readouts of a stream an exposure holds.

    Args:
        exposure: First readout of the exposure, and the one after its last.
        readouts: How many the stream has.

    Raises:
        InvalidValueError: The exposure is empty or reaches outside the stream.
    """
    start, stop = require_exposure(exposure)
    if not 0 <= start < stop <= require_whole(readouts, "readouts"):
        raise InvalidValueError(
            f"an exposure from {start} to before {stop} is empty or not in the stream, whose readouts are "
            f"0..{readouts - 1}; give its first readout and the one after its last"
        )
    return slice(start, stop)
