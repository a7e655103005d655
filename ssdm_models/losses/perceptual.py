"""What every perceptual loss is. All compute in float32, whatever precision the networks train in."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim.errors import InvalidValueError
from ssdm_models.tensor_checks import require_one_device, require_tensor


class PerceptualLoss(nn.Module, ABC):
    """A distance of images that is 0 for equal ones, symmetric, and a mean over the batch."""

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The distance, a scalar.

        Args:
            prediction: Images (N, 3, H, W), RGB in [0, 1]; values somewhat outside do no harm.
            target: Images of the same shape.

        Raises:
            InvalidValueError: The shapes differ, the images are too small, or they are no tensors.
        """
        require_tensor(prediction, "prediction", "N C H W")
        require_tensor(target, "target", "N C H W")
        require_one_device(prediction=prediction, target=target)
        if prediction.shape != target.shape:
            raise InvalidValueError(
                "prediction and target must be (N, C, H, W) of one shape, got "
                f"{tuple(prediction.shape)} and {tuple(target.shape)}"
            )
        with torch.autocast(prediction.device.type, enabled=False):
            return self.distance(prediction.float(), target.float())

    @abstractmethod
    def distance(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The distance of float32 images of one shape, outside any autocast.

        Args:
            prediction, target: Images (N, 3, H, W), RGB in [0, 1].

        Raises:
            InvalidValueError: The images are too small.
        """


def filtered(image: Tensor, window: Tensor) -> Tensor:
    """Every channel of an image convolved with a window (h, w), where the window is whole."""
    channels = image.shape[1]
    return functional.conv2d(image, window.expand(channels, 1, *window.shape), groups=channels)
