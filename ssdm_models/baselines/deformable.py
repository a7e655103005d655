"""Convolutions whose taps are moved, at every pixel by offsets of its own, and the warp that they are made of."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssdm_models.baselines.without_autocast import without_autocast


def deformable(convolution: nn.Conv2d, features: Tensor, offsets: Tensor, modulation: Tensor | None = None) -> Tensor:
    """What a convolution gives whose taps are moved:

        out(p) = b + Σ_k m_k(p) · w_k · x(p + tap_k + offset_k(p)), bilinear, 0 outside.

    By torchvision where it is installed, else tap by tap with `warp`: equal but for rounding. Everything is computed in
    the type of the weights, under autocast as well: bfloat16 cannot tell neighbouring pixels of an image apart.

    Args:
        convolution: Of stride 1, with a square kernel of odd side, padded by half of it; its taps count row by row.
        features: The x, (N, C, H, W).
        offsets: Rows and columns of each of K taps in turn, (N, 2K, H, W), pixels.
        modulation: The m, (N, K, H, W); left out, it is 1.

    Returns:
        (N, C', H, W) in the type of the weights.

    Source:
        Zhu et al., "Deformable ConvNets v2: More Deformable, Better Results", CVPR 2019, equation 1.
    """
    weight = convolution.weight
    features, offsets = features.to(weight.dtype), offsets.to(weight.dtype)
    modulation = None if modulation is None else modulation.to(weight.dtype)
    # On the device `meta` multiplications are counted, which torchvision does not tell of.
    operation = None if features.is_meta else _torchvision(features.device)
    with without_autocast(features.device):
        if operation is not None:
            padding = tuple(side // 2 for side in convolution.kernel_size)
            result: Tensor = operation(features, offsets, weight, convolution.bias, padding=padding, mask=modulation)
            return result
        return _tap_by_tap(convolution, features, offsets, modulation)


def warp(images: Tensor, offsets: Tensor) -> Tensor:
    """Images as each pixel sees them that looks aside: at p + offset(p), bilinear, 0 outside.

    Args:
        images: (N, C, H, W).
        offsets: Rows and columns, (N, 2, H, W), pixels, in whose type everything is computed.

    Returns:
        (N, C, H, W).
    """
    height, width = images.shape[2:]
    rows = torch.arange(height, device=offsets.device)[:, None] + offsets[:, 0]
    columns = torch.arange(width, device=offsets.device) + offsets[:, 1]
    grid = torch.stack([(2 * columns + 1) / width, (2 * rows + 1) / height], -1) - 1
    return functional.grid_sample(images.to(offsets.dtype), grid, align_corners=False)


def _tap_by_tap(convolution: nn.Conv2d, features: Tensor, offsets: Tensor, modulation: Tensor | None) -> Tensor:
    """All taps at once would take as many times the memory of the features."""
    side = convolution.kernel_size[0]
    bias, total = convolution.bias, features.new_zeros(())
    for tap, offset in enumerate(offsets.split(2, 1)):
        row, column = divmod(tap, side)
        place = offset.new_tensor([[[row - side // 2]], [[column - side // 2]]])
        seen = warp(features, offset + place)
        if modulation is not None:
            seen = seen * modulation[:, tap, None]
        total = total + functional.conv2d(seen, convolution.weight[:, :, row, column, None, None], bias)
        bias = None  # it is added once
    return total


@cache
def _torchvision(device: torch.device) -> Callable[..., Any] | None:
    """Deformable convolution as torchvision has it, compiled, if it is installed and works on a device."""
    try:
        from torchvision.ops import deform_conv2d

        image, offset, weight = (torch.zeros(1, channels, 1, 1, device=device) for channels in (1, 2, 1))
        deform_conv2d(image, offset, weight)
    except Exception:  # a torchvision of another torch fails in its own ways, some only when it is called
        return None
    operation: Callable[..., Any] = deform_conv2d
    return operation
