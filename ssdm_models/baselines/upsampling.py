"""DASR as what makes frames of a quarter of the size four times as large."""

from typing import Self

from torch import Tensor, nn

from spikesim_datasets.torch_tools.state_dicts import Weights
from ssdm_models.baselines import load_released
from ssdm_models.baselines.dasr import DASR

_LEVELS = 255


class DASRUpsampler(nn.Module):
    """DASR ×4, which computes in levels of 255, of images in [0, 1].

    Attributes:
        title: What messages call the network.
        network: DASR itself.
        released: What `baselines.load_released` calls the weights of its authors.

    Source:
        Wang et al., "Unsupervised Degradation Representation Learning for Blind Super-Resolution", CVPR 2021.
    """

    title = "DASR"
    released = "dasr"
    network: nn.Module

    def __init__(self) -> None:
        super().__init__()
        self.network = DASR()

    @classmethod
    def of_released(cls, weights: Weights) -> Self:
        """DASR with the weights that its authors released.

        Raises:
            InputFileError: The file is missing, damaged, or holds others.
        """
        found = cls()
        found.network = load_released(cls.released, weights)
        return found

    def forward(self, images: Tensor) -> Tensor:
        """The images at four times their size.

        Args:
            images: RGB (N, 3, h, w) in [0, 1].

        Returns:
            RGB (N, 3, 4h, 4w), not clipped.

        Raises:
            InvalidValueError: They are no such tensor.
        """
        upsampled: Tensor = self.network(images * _LEVELS)
        return upsampled / _LEVELS
