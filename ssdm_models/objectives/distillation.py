"""Deblurring learned from a teacher, without ground truth."""

from typing import Self

import torch
from torch import Tensor, nn

from spikesim.checks import require_instance
from ssdm_models.losses import PerceptualLoss, make_perceptual, reblur_loss
from ssdm_models.objectives.objective import MIDDLE, Batch, Objective
from ssdm_models.stage_config import NO_PERCEPTUAL, StageConfig
from ssdm_models.student import Student
from ssdm_models.teacher import Teacher
from ssdm_models.windows import SHORT_LENGTH, windows


def taught_length(student: nn.Module) -> int:
    """How many readouts around a time a student or its teacher looks at."""
    return max(SHORT_LENGTH, require_instance(student, "student", Student).length)  # type: ignore[type-abstract]


class Distillation(Objective):
    """A student learns from the teacher, and from the mean of its sharp images, which must be the blurry one.

        mean_m perceptual(student(t_m), T(t_m)) + λ · MSE(mean_m student(t_m), B)

    Args:
        network, exposure: See `Objective`.
        perceptual: Distance to the teacher; None for none, when no teacher is needed.
        reblur: λ.
        teacher: What makes T; None where it comes with the samples, as `sharp`.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024.
    """

    network: Student

    def __init__(
        self,
        network: Student,
        exposure: tuple[int, int],
        perceptual: PerceptualLoss | None,
        reblur: float,
        teacher: Teacher | None,
    ) -> None:
        super().__init__(network, exposure)
        self.length = taught_length(network)
        self.perceptual, self.reblur, self.teacher = perceptual, reblur, teacher

    @classmethod
    def make(cls, network: nn.Module, exposure: tuple[int, int], config: StageConfig, teacher: Teacher | None) -> Self:
        perceptual = None if config.perceptual == NO_PERCEPTUAL else make_perceptual(config.perceptual)
        student = require_instance(network, "network", Student)  # type: ignore[type-abstract]
        return cls(student, exposure, perceptual, config.reblur, teacher)

    @classmethod
    def name(cls, config: StageConfig) -> str:
        reblur = f"{config.reblur:g} reblur"
        return reblur if config.perceptual == NO_PERCEPTUAL else f"{config.perceptual} + {reblur}"

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        sharp = self._sharp(batch)
        losses = {"reblur": reblur_loss(sharp, batch["blur"])}
        total = self.reblur * losses["reblur"]
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(sharp.flatten(0, 1), self._taught(batch).flatten(0, 1))
            total = total + losses["perceptual"]
        return {"loss": total, **losses}

    def images(self, batch: Batch) -> dict[str, Tensor]:
        shown = {"blur": batch["blur"], self.network.title.lower(): self._sharp(batch)[:, MIDDLE]}
        if self.perceptual is not None:
            shown["teacher"] = self._taught(batch)[:, MIDDLE]
        return shown

    @torch.no_grad()
    def _taught(self, batch: Batch) -> Tensor:
        if self.teacher is None:
            precomputed: Tensor = batch["sharp"]
            return precomputed
        taught: Tensor = self.teacher(batch["blur"], batch["spikes"], self.times(batch), self.exposure)
        return taught

    def _sharp(self, batch: Batch) -> Tensor:
        seen = windows(batch["spikes"], self.times(batch), self.network.length) * self.scale(batch)[:, None]
        return self.network.sequence(batch["blur"], seen).float()
