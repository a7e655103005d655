"""A supervised network with its objective and its stage: all that adding one takes, and known to tests alone."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim_datasets.optics import SCALE
from ssdm_models.deblurring_network import DeblurringNetwork
from ssdm_models.objectives.objective import Batch, Objective
from ssdm_models.stage_config import StageConfig
from ssdm_models.stages import STAGES
from ssdm_models.stages.stage_spec import StageSpec
from ssdm_models.windows import windows


class Toy(DeblurringNetwork):
    """The blurry image, changed by what one convolution makes of it and five readouts."""

    title = "Toy"
    length = 5

    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.width = width
        self.layer = nn.Conv2d(3 + self.length, 3, width, padding=width // 2)

    def forward(self, blur: Tensor, seen: Tensor) -> Tensor:
        changed: Tensor = self.layer(torch.cat([blur, functional.interpolate(seen, scale_factor=SCALE)], 1))
        return blur + changed


class Supervised(Objective):
    """The mean squared difference to the ground truth, at the times that there is any."""

    @classmethod
    def name(cls, config: StageConfig) -> str:
        return "mse"

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": functional.mse_loss(self._sharp(batch).float(), batch["sharp"])}

    def images(self, batch: Batch) -> dict[str, Tensor]:
        return {"toy": self._sharp(batch)[:, 0], "sharp": batch["sharp"][:, 0]}

    def _sharp(self, batch: Batch) -> Tensor:
        times = batch["sharp_readouts"][0].tolist()  # of every sample of a dataset the same
        seen = windows(batch["spikes"], times, Toy.length) * self.scale(batch)[:, None]
        return torch.stack([self.network(batch["blur"], seen[:, i]) for i in range(len(times))], 1)


SPEC = StageSpec(
    name="toy",
    label="Toy",
    task="deblurring",
    network=Toy,
    objective=Supervised,
    paper={"epochs": 4, "learning_rate": 1e-2},
    arguments=("width",),
    needs_ground_truth=True,
)


@pytest.fixture
def toy() -> Iterator[StageSpec]:
    """The stage, registered for one test."""
    STAGES.register(SPEC)
    yield SPEC
    STAGES.unregister(SPEC.name)
