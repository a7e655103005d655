"""Super-resolution of long exposures, whose truth is the grey blurry image."""

from torch import Tensor
from torch.nn import functional

from ssdm_models.intensity import intensity_scale, luma
from ssdm_models.objectives.objective import Batch, Objective
from ssdm_models.stage_config import StageConfig
from ssdm_models.teacher import Bilinear


class SuperResolution(Objective):
    """SR from normalised spikes of whole exposures to the grey blurry images, which are the same light.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024.
    """

    @classmethod
    def name(cls, config: StageConfig) -> str:
        return "mse"

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        upsampled = self.network(self._normalised(batch))
        return {"loss": functional.mse_loss(upsampled.float().clamp(0, 1), luma(batch["blur"]))}

    def images(self, batch: Batch) -> dict[str, Tensor]:
        long = self._normalised(batch)
        return {"blur": luma(batch["blur"]), "bilinear": Bilinear()(long), "sr": self.network(long)}

    def _normalised(self, batch: Batch) -> Tensor:
        """The whole exposures, normalised (N, 1, h, w)."""
        long = self.long(batch)
        return long * intensity_scale(batch["blur"], long)
