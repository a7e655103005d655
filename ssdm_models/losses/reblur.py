"""What ties a sharp sequence to its blurry image."""

from torch import Tensor
from torch.nn import functional


def reblur_loss(sharp: Tensor, blur: Tensor) -> Tensor:
    """How far the mean of a sharp sequence is from its blurry image: MSE(mean_m L(t_m), B).

    Args:
        sharp: Sequences (N, S, 3, H, W).
        blur: Blurry images (N, 3, H, W).

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024.
    """
    return functional.mse_loss(sharp.mean(1), blur)
