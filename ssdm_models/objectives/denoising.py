"""Denoising of short exposures, which a blind-spot network learns from themselves."""

from torch import Tensor
from torch.nn import functional

from ssdm_models.objectives.objective import MIDDLE, Batch, Objective
from ssdm_models.stage_config import StageConfig
from ssdm_models.windows import short_exposures


class Denoising(Objective):
    """BSN on normalised short exposures: since it cannot see a pixel, the noisy image itself is its target.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024.
    """

    @classmethod
    def name(cls, config: StageConfig) -> str:
        return "mse"

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        noisy = self._short(batch).flatten(0, 1)
        return {"loss": functional.mse_loss(self.network(noisy).float(), noisy)}

    def images(self, batch: Batch) -> dict[str, Tensor]:
        noisy = self._short(batch)[:, MIDDLE]
        return {"tfp": noisy, "bsn": self.network(noisy)}

    def _short(self, batch: Batch) -> Tensor:
        return (short_exposures(batch["spikes"], self.times(batch)) * self.scale(batch))[:, :, None]
