"""What the authors of published networks minimise."""

from torch import Tensor

from ssdm_models.baselines.baseline import Baseline
from ssdm_models.objectives.objective import Batch, Objective
from ssdm_models.stage_config import StageConfig


class Published(Objective):
    """What the authors of a network minimise, from ground truth; samples are those of `RepresentedSamples`."""

    network: Baseline

    @classmethod
    def name(cls, config: StageConfig) -> str:
        return "as published"

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return self.network.losses(batch["blur"], batch["seen"], batch["sharp"])

    def images(self, batch: Batch) -> dict[str, Tensor]:
        return {
            "blur": batch["blur"],
            self.network.title.lower(): self.network.middle(batch["blur"], batch["seen"]),
            "sharp": batch["sharp"][:, batch["sharp"].shape[1] // 2],
        }
