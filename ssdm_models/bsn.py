"""BSN, the blind-spot denoiser: a network that never sees the pixel it predicts, and so cannot learn its noise."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim.checks import require_flag
from spikesim.errors import InvalidValueError
from ssdm_models.tensor_checks import require_tensor

_SLOPE = 0.1  # of the LeakyReLUs
_SMALLEST = 4  # pixels; two poolings leave one


class BSN(nn.Module):
    """Blind-spot network: four views of an image, each seen from above only, joined pixel by pixel.

    Args:
        square: Whether an image that is no square is padded to one by reflection, as the released network does. The
            padding costs W/H times the work, and mirrors pixels near the padded edges, whose blind spot then sees their
            mirror image. Without it, an image has the blind spot everywhere, and less to compute; of squares, both make
            the same.

    Raises:
        InvalidValueError: `square` is no flag.

    Attributes:
        title: What messages call the network.

    Source:
        Laine et al., "High-Quality Self-Supervised Deep Image Denoising", NeurIPS 2019; for spikes: Chen et al.,
        "SpikeReveal", NeurIPS 2024.
    """

    title = "BSN"

    def __init__(self, square: bool = True) -> None:
        super().__init__()
        self.square = require_flag(square, "square")
        self.encoders = nn.ModuleList(
            [_conv_stack(1, 48, 48, 48), _conv_stack(48, 48, 48, 48), _conv_stack(48, 96, 96, 48)]
        )
        self.decoders = nn.ModuleList([_conv_stack(48 + 48, 96, 96, 96, 96), _conv_stack(96 + 1, 96, 96, 96, 96)])
        self.joint = nn.Sequential(
            nn.Conv2d(4 * 96, 4 * 96, 1, bias=False),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(4 * 96, 96, 1, bias=False),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(96, 1, 1, bias=False),
        )
        for module in self.modules():
            if isinstance(
                module, nn.Conv2d
            ):  # without biases and norms, torch's own start would fade in so many layers
                nn.init.kaiming_normal_(module.weight, _SLOPE, nonlinearity="leaky_relu")

    def forward(self, image: Tensor) -> Tensor:
        """The image as its surroundings tell it.

        Args:
            image: Noisy images (N, 1, h, w), at least 4×4 pixels.

        Returns:
            Denoised images (N, 1, h, w), not clipped.

        Raises:
            InvalidValueError: The image is no such tensor, has another number of channels, is too small, or so narrow
                that it cannot be mirrored to a square.
        """
        require_tensor(image, "image", "...", like=self.joint.get_parameter("0.weight"))
        if image.ndim != 4 or image.shape[1] != 1 or min(image.shape[2:]) < _SMALLEST:
            raise InvalidValueError(
                f"BSN takes images (N, 1, h, w) of at least {_SMALLEST}×{_SMALLEST} pixels, got {tuple(image.shape)}"
            )
        height, width = image.shape[2:]
        padded, top, left = _squared(image) if self.square else (image, 0, 0)
        sharp: Tensor = self.joint(torch.cat(self._views(padded), 1))
        return sharp[..., top : top + height, left : left + width]

    def _views(self, image: Tensor) -> list[Tensor]:
        """What is told of each pixel by the half of the image on each of its sides, four times (N, 96, h, w)."""
        upright = self._from_above(torch.cat([image, image.flip(2, 3)]))
        lying = self._from_above(torch.cat([image.transpose(2, 3).flip(3), image.transpose(2, 3).flip(2)]))
        first, third = upright.chunk(2)
        second, fourth = lying.transpose(2, 3).chunk(2)
        return [first, second.flip(2), third.flip(2, 3), fourth.flip(3)]

    def _from_above(self, image: Tensor) -> Tensor:
        """A U-Net (N, 1, h, w) → (N, 96, h, w) that sees of each pixel only the rows above it."""
        first = _pool(self.encoders[0](image))
        second = _pool(self.encoders[1](first))
        decoded = self.decoders[0](_upsampled_beside(self.encoders[2](second), first))
        return _shift_down(self.decoders[1](_upsampled_beside(decoded, image)))


class _CausalConv(nn.Conv2d):
    """3×3 convolution that sees two rows above a pixel and its own, zeros above the image, edges repeated beside it."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        beside = functional.pad(input, (1, 1, 0, 0), mode="replicate")
        return super().forward(functional.pad(beside, (0, 0, 2, 0)))


def _conv_stack(*channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(channels):
        layers += [_CausalConv(inputs, outputs), nn.LeakyReLU(_SLOPE, inplace=True)]
    return nn.Sequential(*layers)


def _shift_down(features: Tensor) -> Tensor:
    return functional.pad(features[..., :-1, :], (0, 0, 1, 0))


def _pool(features: Tensor) -> Tensor:
    """Half the size; the shift keeps what is pooled from seeing rows below the first of each pair."""
    return functional.max_pool2d(_shift_down(features), 2)


def _upsampled_beside(small: Tensor, skipped: Tensor) -> Tensor:
    """Features of half the size, upsampled to that of others and concatenated with them; odd sizes end in zeros."""
    large = functional.interpolate(small, scale_factor=2, mode="nearest")
    rows, columns = (skipped.shape[axis] - large.shape[axis] for axis in (2, 3))
    return torch.cat([functional.pad(large, (0, columns, 0, rows)), skipped], 1)


def _squared(image: Tensor) -> tuple[Tensor, int, int]:
    """An image mirrored at its longer edges to a square, and the rows above and columns left of it."""
    height, width = image.shape[2:]
    side = max(height, width)
    if side == height == width:
        return image, 0, 0
    top, left = (side - height) // 2, (side - width) // 2
    bottom, right = side - height - top, side - width - left
    if bottom >= height or right >= width:
        raise InvalidValueError(
            f"an image of {width}×{height} pixels is too narrow to be mirrored to a square; use BSN(square=False)"
        )
    return functional.pad(image, (left, right, top, bottom), mode="reflect"), top, left
