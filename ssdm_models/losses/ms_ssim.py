"""Multi-scale structural similarity as a loss."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from spikesim.errors import InvalidValueError
from ssdm_models.losses.perceptual import PerceptualLoss, filtered


class MultiScaleSSIM(PerceptualLoss):
    """1 − MS-SSIM: luminance at the coarsest scale, contrast and structure at all.

        1 − l_M^w_M · Π_j cs_j^w_j

    with Gaussian 11×11 windows of σ 1.5 and means over pixels and channels at each scale. Of the five scales, as many
    are used as have room for the window, with weights that still add up to 1: all from 176 pixels on. Factors that are
    not positive count as 1e-4, so that powers and their gradients stay finite.

    Source:
        Wang et al., "Multiscale Structural Similarity for Image Quality Assessment", Asilomar 2003.
    """

    _WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    _WINDOW = 11
    _SIGMA = 1.5
    _STABILISERS = (0.01**2, 0.03**2)
    _LEAST = 1e-4

    def __init__(self) -> None:
        super().__init__()
        offsets = torch.arange(self._WINDOW) - self._WINDOW // 2
        weights = torch.exp(-(offsets**2) / (2 * self._SIGMA**2))
        self.register_buffer("window", weights / weights.sum(), persistent=False)
        self.window: Tensor

    def distance(self, prediction: Tensor, target: Tensor) -> Tensor:
        smallest = min(prediction.shape[2:])
        if smallest < self._WINDOW:
            raise InvalidValueError(
                f"MS-SSIM needs images of at least {self._WINDOW} pixels a side, got {tuple(prediction.shape)}"
            )
        scales = min(len(self._WEIGHTS), 1 + int(math.log2(smallest / self._WINDOW)))
        weights = self._WEIGHTS[:scales]
        similarity = torch.ones(len(prediction), device=prediction.device)
        for scale, weight in enumerate(weights):
            if scale:
                prediction, target = functional.avg_pool2d(prediction, 2), functional.avg_pool2d(target, 2)
            luminance, structure = self._compare(prediction, target)
            factor = luminance * structure if scale == scales - 1 else structure
            similarity = similarity * factor.mean((1, 2, 3)).clamp(min=self._LEAST) ** (weight / sum(weights))
        return 1 - similarity.mean()

    def _compare(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Similarity of luminance, and of contrast and structure, of all whole windows."""
        stabiliser1, stabiliser2 = self._STABILISERS
        mean_a, mean_b, of_squares, of_product = (self._blur(x) for x in (a, b, a * a + b * b, a * b))
        product, squares = mean_a * mean_b, mean_a**2 + mean_b**2
        structure = (2 * (of_product - product) + stabiliser2) / (of_squares - squares + stabiliser2)
        return (2 * product + stabiliser1) / (squares + stabiliser1), structure

    def _blur(self, image: Tensor) -> Tensor:
        return filtered(filtered(image, self.window[:, None]), self.window[None])
