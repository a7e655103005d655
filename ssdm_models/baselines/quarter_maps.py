"""Maps of a quarter of the image's size: from images to maps and back, and sides that windows divide."""

from torch import Tensor, nn
from torch.nn import functional

from spikesim.errors import InvalidValueError

FOLD = 4
"""Pixels of the image along a side of one of the map."""


def stem(inputs: int, channels: int) -> nn.Sequential:
    """Convolutions from images (N, inputs, H, W) to a map of a quarter of their size, rounded up."""
    return nn.Sequential(
        nn.Conv2d(inputs, channels, 3, stride=2, padding=1),
        nn.GELU(),
        nn.Conv2d(channels, channels, 3, stride=2, padding=1),
    )


def unfolding(channels: int, images: int) -> nn.Conv2d:
    """A convolution of a map, of which `unfolded` makes so many images."""
    return nn.Conv2d(channels, images * FOLD**2, 3, padding=1)


def unfolded(features: Tensor, height: int, width: int) -> Tensor:
    """Images (N, C, height, width) of features (N, 16·C, h, w), whose padding is cut off."""
    return functional.pixel_shuffle(features, FOLD)[..., :height, :width]


def reflected(images: Tensor, multiple: int) -> Tensor:
    """Images or maps (N, C, H, W), reflected at the right and at the bottom to sides that are multiples of a number."""
    height, width = images.shape[2:]
    return functional.pad(images, (0, -width % multiple, 0, -height % multiple), "reflect")


def require_least(images: Tensor, name: str, side: int, title: str) -> None:
    """Refuse images (..., H, W) with a side of fewer pixels than a network can make windows of.

    Args:
        images: What was given.
        name: Of the argument.
        side: The least that the network takes, pixels.
        title: Of the network.

    Raises:
        InvalidValueError: They are smaller; the message names the nearest size that it takes.
    """
    height, width = images.shape[-2:]
    if min(height, width) < side:
        raise InvalidValueError(
            f"{title} takes images of at least {side}×{side} pixels, got {name} of {width}×{height}; pad them to "
            f"{max(width, side)}×{max(height, side)}"
        )
