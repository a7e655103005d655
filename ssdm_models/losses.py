"""What the student minimises: a perceptual distance to the teacher, and the distance of its mean to the blurry image.

Perceptual losses have names. `lpips` is the paper's and needs weights that others trained; `ms-ssim` and `laplacian`
need none. All compute in float32, whatever precision the networks train in.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim.errors import InvalidValueError


class PerceptualLoss(nn.Module, ABC):
    """A distance of images that is 0 for equal ones, symmetric, and a mean over the batch."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The distance, a scalar.

        Args:
            prediction: Images (N, 3, H, W), RGB in [0, 1]; values somewhat outside do no harm.
            target: Images of the same shape.

        Raises:
            InvalidValueError: The shapes differ, or the images are too small.
        """
        if prediction.shape != target.shape or prediction.ndim != 4:
            raise InvalidValueError(
                "prediction and target must be (N, C, H, W) of one shape, got "
                f"{tuple(prediction.shape)} and {tuple(target.shape)}"
            )
        with torch.autocast(prediction.device.type, enabled=False):
            return self.distance(prediction.float(), target.float())

    @abstractmethod
    def distance(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The distance of float32 images of one shape, outside any autocast."""


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
        return _filtered(_filtered(image, self.window[:, None]), self.window[None])


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
            enlarged = functional.interpolate(coarse, size=rest.shape[2:], mode="bilinear", align_corners=False)
            total = total + (rest - enlarged).abs().mean()
            rest = coarse
        return total + rest.abs().mean()

    def _halved(self, image: Tensor) -> Tensor:
        padded = functional.pad(image, (2, 2, 2, 2), mode="replicate")
        return functional.avg_pool2d(
            _filtered(_filtered(padded, self.window[:, None]), self.window[None]), 2, ceil_mode=True
        )


def _filtered(image: Tensor, window: Tensor) -> Tensor:
    """Every channel of an image convolved with a window (h, w), where the window is whole."""
    channels = image.shape[1]
    return functional.conv2d(image, window.expand(channels, 1, *window.shape), groups=channels)


def _lpips() -> PerceptualLoss:
    from ssdm_models.lpips import LPIPS

    return LPIPS()


PERCEPTUAL: dict[str, Callable[[], PerceptualLoss]] = {
    "lpips": _lpips,
    "ms-ssim": MultiScaleSSIM,
    "laplacian": LaplacianPyramid,
}
"""Perceptual losses by name."""


def make_perceptual(name: str) -> PerceptualLoss:
    """Make a perceptual loss.

    Args:
        name: One of `PERCEPTUAL`.

    Raises:
        InvalidValueError: There is no such loss.
        MissingExtraError: `lpips` is not installed.
        InputFileError: The weights that `lpips` needs are not there.
    """
    if name not in PERCEPTUAL:
        raise InvalidValueError(f"perceptual loss must be one of {', '.join(PERCEPTUAL)}, got {name!r}")
    return PERCEPTUAL[name]()


def reblur_loss(sharp: Tensor, blur: Tensor) -> Tensor:
    """How far the mean of a sharp sequence is from its blurry image: MSE(mean_m L(t_m), B).

    Args:
        sharp: Sequences (N, S, 3, H, W).
        blur: Blurry images (N, 3, H, W).

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024.
    """
    return functional.mse_loss(sharp.mean(1), blur)
