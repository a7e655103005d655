"""Windows of readouts around a time, cut from streams of spikes that are tensors."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ssdm_models.readout_spans import require_times, span, within
from ssdm_models.tensor_checks import require_tensor

SHORT_LENGTH = 9
"""Length of the short exposures that the teacher is made of, readouts."""


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
    """The readouts around each of several times, (..., S, length, h, w); see `window`.

    Args:
        spikes: (..., T, h, w).
        times: S readouts of the stream.
        length: Readouts of each window, as for `window`.

    Raises:
        InvalidValueError: There is no time, one is no whole number, or a window reaches outside the stream.
    """
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
