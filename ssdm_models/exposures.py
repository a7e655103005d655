"""Exposures of many lengths around a time, in the unit of light, from streams that are tensors."""

import torch
from torch import Tensor
from torch.nn import functional

from spikesim.errors import InvalidValueError
from spikesim_datasets.optics import SCALE
from ssdm_models.exposure_spans import FULL_RATE, LEAST_SHARE, SCALES, WHITE, WHOLE, exposure_spans
from ssdm_models.intensity import luma
from ssdm_models.readout_spans import within
from ssdm_models.tensor_checks import require_one_device, require_tensor


def fractional_counts(spikes: Tensor) -> Tensor:
    """`spikesim.fractional_counts` of streams that are tensors.

    Args:
        spikes: (..., T, h, w) of 0 and 1.

    Returns:
        (..., T + 1, h, w).

    Raises:
        InvalidValueError: It is no such tensor.
    """
    require_tensor(spikes, "spikes", "... T h w")
    readouts = spikes.shape[-3]
    boundaries = torch.arange(readouts + 1, device=spikes.device, dtype=spikes.dtype)[:, None, None]
    ends, fired = boundaries[1:], spikes > 0
    none, endless = torch.zeros_like(spikes[..., :1, :, :]), torch.full_like(spikes[..., :1, :, :], torch.inf)
    number = torch.cat([none, spikes.cumsum(-3)], -3)
    last = torch.cat([none, torch.where(fired, ends, 0).cummax(-3).values], -3)
    following = torch.where(fired, ends, torch.inf).flip(-3).cummin(-3).values.flip(-3)
    following = torch.cat([following, endless], -3)
    total, first, final = number[..., -1:, :, :], following[..., :1, :, :], last[..., -1:, :, :]
    # With one spike, as long as the pixel was silent before or after it.
    alone = torch.maximum(first, readouts + 1 - first)
    second = following.gather(-3, first.clamp(max=readouts).long())
    previous = last.gather(-3, (final - 1).clamp(min=0).long())
    first_interval, last_interval = (
        torch.where(total > 1, interval, alone) for interval in (second - first, final - previous)
    )
    counts = number + (boundaries - last) / (following - last)
    counts = torch.where(boundaries < first, (1 - (first - boundaries) / first_interval).clamp(min=0), counts)
    counts = torch.where(boundaries >= final, total + ((boundaries - final) / last_interval).clamp(max=1), counts)
    return torch.where(total > 0, counts, boundaries / (2 * readouts))


def robust_scale(blur: Tensor, long_exposure: Tensor) -> Tensor:
    """As `intensity.intensity_scale`, of the pixels that are not saturated: c = Σ luma(B) / Σ N/T over them.

    Where nearly all are saturated, all count.

    Args:
        blur: Blurry images (N, 3, H, W), RGB in [0, 1].
        long_exposure: Spikes per readout (N, 1, H/4, W/4) in the exposure of the same scene.

    Returns:
        (N, 1, 1, 1) in [0.001, 1000]; 1 where there are no spikes.

    Raises:
        InvalidValueError: The tensors are not of these shapes, or on two devices.
    """
    require_tensor(blur, "blur", "N 3 H W")
    require_tensor(long_exposure, "long_exposure", "N 1 h w")
    require_one_device(blur=blur, long_exposure=long_exposure)
    grey = functional.avg_pool2d(luma(blur), SCALE)
    if grey.shape != long_exposure.shape:
        raise InvalidValueError(
            f"long_exposure must be a quarter of the blurry image, {tuple(grey.shape)}, got "
            f"{tuple(long_exposure.shape)}"
        )
    counted = ((long_exposure < FULL_RATE) & (grey < WHITE)).to(blur.dtype)
    counted = torch.where(counted.mean((1, 2, 3), keepdim=True) < LEAST_SHARE, 1, counted)
    light, spikes = ((counted * image).sum((1, 2, 3), keepdim=True) for image in (grey, long_exposure))
    scale = light / spikes.clamp(min=torch.finfo(spikes.dtype).tiny)
    return torch.where(spikes > 0, scale.clamp(*SCALES), 1)


def counted_scale(blur: Tensor, counts: Tensor, exposure: tuple[int, int]) -> Tensor:
    """`robust_scale`, of the fractional counts of whole streams.

    Args:
        blur: Blurry images (N, 3, H, W), RGB in [0, 1].
        counts: Fractional counts of their streams (N, T + 1, H/4, W/4).
        exposure: First readout of the blurry images' exposure, and the one after its last.

    Returns:
        (N, 1, 1, 1), as `robust_scale`.

    Raises:
        InvalidValueError: The exposure is not in the stream.
    """
    require_tensor(counts, "counts", "N boundaries h w")
    during = within(exposure, counts.shape[1] - 1)
    spikes = counts[:, during.stop] - counts[:, during.start]
    return robust_scale(blur, spikes[:, None] / (during.stop - during.start))


def exposure_planes(counts: Tensor, time: int, exposure: tuple[int, int], scale: Tensor) -> Tensor:
    """What the spikes tell of the light around a time, through windows of many lengths.

    The exposures of `exposure_spans.exposure_spans` in the unit of light. Besides: the whole exposure in spikes per
    readout, which shows saturation, and log₂(c)/4.

    Args:
        counts: Fractional counts (N, T + 1, h, w).
        time: Readout to show.
        exposure: First readout of the blurry image's exposure, and the one after its last.
        scale: c, light per spike, (N, 1, 1, 1).

    Returns:
        (N, `PLANES`, h, w).

    Raises:
        InvalidValueError: The time or the exposure is not in the stream.
    """
    require_tensor(counts, "counts", "N boundaries h w")
    require_tensor(scale, "scale", "N 1 1 1")
    spans = exposure_spans(time, exposure, counts.shape[1] - 1)
    rates = torch.stack([(counts[:, end] - counts[:, begin]) / (end - begin) for begin, end in spans], 1)
    whole = rates[:, WHOLE, None]
    return torch.cat([rates * scale, whole, (scale.log2() / 4).expand_as(whole)], 1)
