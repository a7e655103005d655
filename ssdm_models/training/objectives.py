"""What each stage minimises: a module that holds the network, and makes losses of a batch of samples."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ssdm_models.intensity import intensity_scale, luma
from ssdm_models.ldn import LDN
from ssdm_models.losses import PerceptualLoss, reblur_loss
from ssdm_models.teacher import Bilinear, Teacher
from ssdm_models.windows import long_exposure, short_exposures, windows

_TIMES = 5

Batch = dict[str, Any]
"""Samples as a loader stacks them: `blur` (N, 3, H, W), `spikes` (N, T, H/4, W/4), and what names them."""


def training_times(exposure: tuple[int, int]) -> list[int]:
    """The readouts of an exposure that are trained at: five, evenly from its first to its last."""
    start, stop = exposure
    return [round(time) for time in np.linspace(start, stop - 1, _TIMES)]


class Objective(nn.Module, ABC):
    """A network in training; `objective(batch)` gives scalar losses by name, `loss` being the one to minimise.

    Args:
        network: What is trained.
        exposure: (start, stop) of the blurry images' exposure in the streams.
    """

    def __init__(self, network: nn.Module, exposure: tuple[int, int]) -> None:
        super().__init__()
        self.network = network
        self.exposure, self.times = exposure, training_times(exposure)

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The losses of a batch."""

    @abstractmethod
    def images(self, batch: Batch) -> dict[str, Tensor]:
        """Images (N, C, H, W) in [0, 1] of the same batch by what they show, to look at."""

    def _long(self, batch: Batch) -> Tensor:
        """Spikes per readout in the whole exposures (N, 1, h, w)."""
        return long_exposure(batch["spikes"], self.exposure)

    def _gain(self, batch: Batch) -> Tensor:
        """What spikes are multiplied with to be light (N, 1, 1, 1)."""
        return intensity_scale(batch["blur"], self._long(batch))


class Denoising(Objective):
    """BSN on light of short exposures: since it cannot see a pixel, the noisy image itself is its target.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024.
    """

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        noisy = self._short(batch).flatten(0, 1)
        return {"loss": functional.mse_loss(self.network(noisy).float(), noisy)}

    def images(self, batch: Batch) -> dict[str, Tensor]:
        noisy = self._short(batch)[:, _TIMES // 2]
        return {"tfp": noisy, "bsn": self.network(noisy)}

    def _short(self, batch: Batch) -> Tensor:
        return (short_exposures(batch["spikes"], self.times) * self._gain(batch))[:, :, None]


class SuperResolution(Objective):
    """SR from light of whole exposures to the grey blurry images, which are the same light.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024.
    """

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": functional.mse_loss(self.network(self._light(batch)).float().clamp(0, 1), luma(batch["blur"]))}

    def images(self, batch: Batch) -> dict[str, Tensor]:
        light = self._light(batch)
        return {"blur": luma(batch["blur"]), "bilinear": Bilinear()(light), "sr": self.network(light)}

    def _light(self, batch: Batch) -> Tensor:
        """Light of the whole exposures (N, 1, h, w)."""
        long = self._long(batch)
        return long * intensity_scale(batch["blur"], long)


class Distillation(Objective):
    """LDN learns from the teacher, and from the mean of its sharp images, which must be the blurry one.

        mean_m perceptual(LDN(t_m), T(t_m)) + λ · MSE(mean_m LDN(t_m), B)

    Args:
        network, exposure: See `Objective`.
        perceptual: Distance to the teacher; None for none, when no teacher is needed.
        reblur: λ.
        teacher: What makes T; None where it comes with the samples, as `sharp`.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024.
    """

    network: LDN

    def __init__(
        self,
        network: LDN,
        exposure: tuple[int, int],
        perceptual: PerceptualLoss | None,
        reblur: float,
        teacher: Teacher | None,
    ) -> None:
        super().__init__(network, exposure)
        self.perceptual, self.reblur, self.teacher = perceptual, reblur, teacher

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        sharp = self._sharp(batch)
        losses = {"reblur": reblur_loss(sharp, batch["blur"])}
        total = self.reblur * losses["reblur"]
        if self.perceptual is not None:
            losses["perceptual"] = self.perceptual(sharp.flatten(0, 1), self._taught(batch).flatten(0, 1))
            total = total + losses["perceptual"]
        return {"loss": total, **losses}

    def images(self, batch: Batch) -> dict[str, Tensor]:
        middle = _TIMES // 2
        shown = {"blur": batch["blur"], "ldn": self._sharp(batch)[:, middle]}
        if self.perceptual is not None:
            shown["teacher"] = self._taught(batch)[:, middle]
        return shown

    @torch.no_grad()
    def _taught(self, batch: Batch) -> Tensor:
        if self.teacher is None:
            ahead: Tensor = batch["sharp"]
            return ahead
        taught: Tensor = self.teacher(batch["blur"], batch["spikes"], self.times, self.exposure)
        return taught

    def _sharp(self, batch: Batch) -> Tensor:
        seen = windows(batch["spikes"], self.times, self.network.readouts) * self._gain(batch)[:, None]
        return self.network.sequence(batch["blur"], seen).float()
