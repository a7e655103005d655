"""What the multi-exposure network sees, as arrays: the image folded, and the planes of `ssdm_models.exposures`."""

import math

import numpy as np

from spikesim_datasets.kernels.optics import LUMA
from spikesim_datasets.optics import SCALE
from ssdm_models.exposure_spans import FULL_RATE, LEAST_SHARE, SCALES, WHITE, WHOLE, exposure_spans


def folded(image: np.ndarray) -> np.ndarray:
    """An image (C, H, W) in pixels of 4×4 of its own, (16 C, H/4, W/4)."""
    channels, height, width = image.shape
    apart = image.reshape(channels, height // SCALE, SCALE, width // SCALE, SCALE)
    return apart.transpose(0, 2, 4, 1, 3).reshape(-1, height // SCALE, width // SCALE)


def unfolded(folded: np.ndarray) -> np.ndarray:
    """The image (C, H, W) that `folded` folds."""
    channels, height, width = folded.shape
    apart = folded.reshape(channels // SCALE**2, SCALE, SCALE, height, width)
    return apart.transpose(0, 3, 1, 4, 2).reshape(-1, SCALE * height, SCALE * width)


def robust_scale(image: np.ndarray, whole: np.ndarray) -> float:
    """`ssdm_models.exposures.robust_scale` of one image.

    Args:
        image: Blurry image (3, H, W), RGB in [0, 1], float32.
        whole: Spikes per readout (H/4, W/4) in its exposure, float32.
    """
    grey = folded(np.tensordot(np.array(LUMA, np.float32), image, 1)[None]).mean(0)
    counted = (whole < FULL_RATE) & (grey < WHITE)
    if counted.mean() < LEAST_SHARE:
        counted[:] = True
    spikes, (least, most) = float(whole[counted].sum()), SCALES
    return min(max(float(grey[counted].sum()) / spikes, least), most) if spikes > 0 else 1.0


def exposure_planes(counts: np.ndarray, time: int, exposure: tuple[int, int], scale: float) -> np.ndarray:
    """`ssdm_models.exposures.exposure_planes` of one stream.

    Args:
        counts: Fractional counts (T + 1, h, w), float32.
        time: Readout to show.
        exposure: First readout of the blurry image's exposure, and the one after its last.
        scale: Light per spike.

    Returns:
        (`PLANES`, h, w), float32.
    """
    spans = exposure_spans(time, exposure, len(counts) - 1)
    rates = np.stack([(counts[end] - counts[begin]) / (end - begin) for begin, end in spans])
    whole = rates[WHOLE, None]
    return np.concatenate([rates * scale, whole, np.full_like(whole, math.log2(scale) / 4)])
