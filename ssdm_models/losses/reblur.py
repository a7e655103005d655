"""What ties a sharp sequence to its blurry image."""

from torch import Tensor
from torch.nn import functional

from spikesim.errors import InvalidValueError
from ssdm_models.tensor_checks import require_one_device, require_tensor


def reblur_loss(sharp: Tensor, blur: Tensor) -> Tensor:
    """How far the mean of a sharp sequence is from its blurry image: MSE(mean_m L(t_m), B), a scalar.

    Args:
        sharp: Sequences (N, S, 3, H, W).
        blur: Blurry images (N, 3, H, W).

    Raises:
        InvalidValueError: They are no such tensors, or of other sizes.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024.
    """
    require_tensor(sharp, "sharp", "N S 3 H W")
    require_tensor(blur, "blur", "N 3 H W")
    require_one_device(sharp=sharp, blur=blur)
    if (len(sharp), *sharp.shape[2:]) != blur.shape:
        raise InvalidValueError(
            f"sharp must be sequences (N, S, 3, H, W) of the blurry images' number and size, {tuple(blur.shape)}, got "
            f"{tuple(sharp.shape)}"
        )
    return functional.mse_loss(sharp.mean(1), blur)
