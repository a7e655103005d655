"""The differences of Laplacian pyramids as a loss."""

import torch
from torch import Tensor
from torch.nn import functional

from ssdm_models.losses.perceptual import PerceptualLoss, filtered


class LaplacianPyramid(PerceptualLoss):
    """Mean absolute differences of Laplacian pyramids, added over their levels.

        Σ_j mean |L_j(prediction) − L_j(target)|

    Each band of frequencies counts the same, so that edges weigh as much as shading, which has far larger differences.

    Source:
        Bojanowski et al., "Optimizing the Latent Space of Generative Networks", ICML 2018, where sums over pixels are
        weighted by 4^j: these are the means.
    """

    _LEVELS = 5

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16, persistent=False)
        self.window: Tensor

    def distance(self, prediction: Tensor, target: Tensor) -> Tensor:
        # A pyramid is linear: that of the difference is the difference of both.
        rest = prediction - target
        total = rest.new_zeros(())
        for _ in range(self._LEVELS - 1):
            if min(rest.shape[2:]) < 2:
                break
            coarse = self._halved(rest)
            upsampled = functional.interpolate(coarse, size=rest.shape[2:], mode="bilinear", align_corners=False)
            total = total + (rest - upsampled).abs().mean()
            rest = coarse
        return total + rest.abs().mean()

    def _halved(self, image: Tensor) -> Tensor:
        padded = functional.pad(image, (2, 2, 2, 2), mode="replicate")
        return functional.avg_pool2d(
            filtered(filtered(padded, self.window[:, None]), self.window[None]), 2, ceil_mode=True
        )
