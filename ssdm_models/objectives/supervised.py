"""Deblurring learned from ground truth."""

import torch
from torch import Tensor

from ssdm_models.objectives.objective import Batch, Objective
from ssdm_models.stage_config import StageConfig

_ROUNDING = 1e-3  # of the distance where it turns from absolute to squared
_DECIBELS = 0.05  # weight of the logarithm of the squared distance, which is what PSNR measures
_NO_NOISE = 2e-5  # squared distance below which an image is as good as equal


class Supervised(Objective):
    """The distance to the true image of one time a sample, as `sensed_samples.SensedSamples` gives them.

        mean √((f(B, S) − I)² + ε²) + w · mean_n log(MSE_n + δ)

    The first term is robust where nothing can be known; the second, one for each sample, counts an easy sample and a
    hard one alike, as a mean of PSNR does.

    Source:
        Charbonnier distance: Lai et al., "LapSRN", CVPR 2017; logarithm: Chen et al., "NAFNet", ECCV 2022, whose
        released code minimises negative PSNR.
    """

    @classmethod
    def name(cls, config: StageConfig) -> str:
        return "charbonnier + psnr"

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        squared = (self._shown(batch).float() - batch["sharp"]) ** 2
        charbonnier = torch.sqrt(squared + _ROUNDING**2).mean()
        logarithm = torch.log(squared.mean((1, 2, 3)) + _NO_NOISE).mean()
        return {"loss": charbonnier + _DECIBELS * logarithm, "charbonnier": charbonnier, "log_mse": logarithm}

    def images(self, batch: Batch) -> dict[str, Tensor]:
        return {"blur": batch["blur"], "shown": self._shown(batch), "sharp": batch["sharp"]}

    def _shown(self, batch: Batch) -> Tensor:
        shown: Tensor = self.network(batch["blur"], batch["planes"])
        return shown
