"""Upsampling learned from true images and what is left of them at a quarter of their size."""

from torch import Tensor
from torch.nn import functional

from ssdm_models.baselines.quarter_size import reduced
from ssdm_models.objectives.objective import Batch, Objective
from ssdm_models.stage_config import StageConfig


class UpsamplingTruth(Objective):
    """The mean absolute difference to one of a sample's true images, of its own mean of blocks, upsampled.

    Networks that deblur at a quarter of the size learn to show those means.
    """

    @classmethod
    def name(cls, config: StageConfig) -> str:
        return "l1"

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        true = self._true(batch)
        return {"loss": functional.l1_loss(self.network(reduced(true)).float(), true)}

    def images(self, batch: Batch) -> dict[str, Tensor]:
        true = self._true(batch)
        return {"upsampled": self.network(reduced(true)), "sharp": true}

    def _true(self, batch: Batch) -> Tensor:
        sharp: Tensor = batch["sharp"]
        return sharp[:, 0]
