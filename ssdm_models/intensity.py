"""The intensity scale between spikes and images: what a blurry image and its spikes both tell."""

import torch
from torch import Tensor

from spikesim.errors import InvalidValueError
from spikesim_datasets.kernels.optics import LUMA
from ssdm_models.tensor_checks import require_one_device, require_tensor


def luma(image: Tensor) -> Tensor:
    """Grey images (..., 1, H, W) of RGB ones (..., 3, H, W): 0.30 R + 0.59 G + 0.11 B, what the spike camera sees.

    Args:
        image: RGB (..., 3, H, W).

    Raises:
        InvalidValueError: It is no such tensor.
    """
    require_tensor(image, "image", "... 3 H W")
    weights = torch.tensor(LUMA, device=image.device, dtype=image.dtype)
    return (image * weights[:, None, None]).sum(-3, keepdim=True)


def intensity_scale(blur: Tensor, long_exposure: Tensor) -> Tensor:
    """What normalises spikes: multiplied with it they are light, and thresholds and gains need not be known.

        c = mean(luma(B)) / mean(N/T),   1 where there are no spikes

    Both are means of the same light over the same time, so c is V_th/gain, but for what noise adds.

    Args:
        blur: Blurry images (N, 3, H, W), RGB in [0, 1].
        long_exposure: Spikes per readout (N, 1, h, w) in the same exposure of the same scene, or their mean.

    Returns:
        (N, 1, 1, 1).

    Raises:
        InvalidValueError: The tensors are not of these shapes, or on two devices.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024, Eq. 5, averaged over the image.
    """
    require_tensor(blur, "blur", "N 3 H W")
    require_tensor(long_exposure, "long_exposure", "N 1 h w")
    require_one_device(blur=blur, long_exposure=long_exposure)
    if len(long_exposure) != len(blur) and 1 not in (len(long_exposure), len(blur)):
        raise InvalidValueError(f"{len(blur)} blurry images need as many long exposures, got {len(long_exposure)}")
    grey, spikes = (image.mean((1, 2, 3), keepdim=True) for image in (luma(blur), long_exposure))
    return torch.where(spikes > 0, grey / spikes.clamp(min=torch.finfo(spikes.dtype).tiny), 1)
