"""What every objective is: a module that holds the network, and makes losses of a batch of samples."""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from torch import Tensor, nn

from ssdm_models.intensity import intensity_scale
from ssdm_models.readout_spans import shown_of
from ssdm_models.stage_config import StageConfig
from ssdm_models.teacher import Teacher
from ssdm_models.windows import SHORT_LENGTH, long_exposure

_TIMES = 5
MIDDLE = _TIMES // 2
"""Which of the times that are trained at is in the middle of the exposure."""

Batch = dict[str, Any]
"""Samples as a loader stacks them: `blur` (N, 3, H, W), `spikes` (N, T, H/4, W/4), `sharp` (N, S, 3, H, W) where there
is ground truth or a teacher asked before, and what names them."""


def training_times(exposure: tuple[int, int], readouts: int, length: int) -> list[int]:
    """The readouts of an exposure that are trained at: five, evenly from its first to its last that can be shown.

    Args:
        exposure: (start, stop) in the stream.
        readouts: How many the stream has.
        length: Of the window around each time, which must be in the stream.

    Raises:
        InvalidValueError: The exposure is not in the stream, or no time of it can be shown.
    """
    shown = shown_of(exposure, readouts, length)
    return [round(time) for time in np.linspace(shown[0], shown[-1], _TIMES)]


class Objective(nn.Module, ABC):
    """A network in training; `objective(batch)` gives scalar losses by name, `loss` being the one to minimise.

    Args:
        network: What is trained.
        exposure: (start, stop) of the blurry images' exposure in the streams.

    Attributes:
        length: How many readouts around a time it looks at.
    """

    length: int = SHORT_LENGTH

    def __init__(self, network: nn.Module, exposure: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.exposure = network, exposure

    @classmethod
    def make(cls, network: nn.Module, exposure: tuple[int, int], config: StageConfig, teacher: Teacher | None) -> Self:
        """The objective of a training.

        Args:
            network, exposure: As above.
            config: The training.
            teacher: What the network learns from; None where there is none, or its images come with the samples.
        """
        return cls(network, exposure)

    @classmethod
    @abstractmethod
    def name(cls, config: StageConfig) -> str:
        """What is minimised, for the cards of checkpoints.

        Args:
            config: The training.
        """

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The losses of a batch, scalars by name.

        Args:
            batch: Items of a dataset, stacked.
        """

    @abstractmethod
    def images(self, batch: Batch) -> dict[str, Tensor]:
        """Images (N, C, H, W) in [0, 1] of the same batch by what they show, to look at.

        Args:
            batch: Items of a dataset, stacked.
        """

    def times(self, batch: Batch) -> list[int]:
        """The readouts that are trained at.

        Args:
            batch: Items of a dataset, stacked.
        """
        return training_times(self.exposure, batch["spikes"].shape[-3], self.length)

    def long(self, batch: Batch) -> Tensor:
        """Spikes per readout in the whole exposures (N, 1, h, w).

        Args:
            batch: Items of a dataset, stacked.
        """
        return long_exposure(batch["spikes"], self.exposure)

    def scale(self, batch: Batch) -> Tensor:
        """What normalises the spikes of each sample (N, 1, 1, 1).

        Args:
            batch: Items of a dataset, stacked.
        """
        return intensity_scale(batch["blur"], self.long(batch))
