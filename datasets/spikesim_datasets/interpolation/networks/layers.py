"""Operations that the interpolation networks share."""

from collections.abc import Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

Network = TypeVar("Network", bound=nn.Module)


class UpsamplingConv(nn.Conv2d):
    """3×3 convolution of an image upsampled twice by its nearest pixels, beside which another may lie.

    Each output pixel sees a 2×2 patch of the small image, some of its pixels twice: a transposed convolution with 4×4
    weights, each a sum of the 3×3 ones, does the same with 4 instead of 9 multiplications and upsamples nothing.

    Args:
        inputs: Channels of the small image.
        outputs: Channels of the result.
        beside: Channels of the other image, which has the size of the result already.
    """

    def __init__(self, inputs: int, outputs: int, beside: int = 0) -> None:
        super().__init__(inputs + beside, outputs, 3, padding=1)
        self.inputs = inputs
        self.register_buffer("summed", None, persistent=False)
        self.register_buffer("others", None, persistent=False)

    def prepare(self) -> None:
        """Derive from the weights what `forward` multiplies with."""
        small = self.weight.detach()[:, : self.inputs]
        outputs, inputs = small.shape[:2]
        # Of two small pixels the first is seen through taps 0 and 1, 2, or 0, 1 and 2: each is added to its neighbour.
        padded = functional.pad(small.reshape(-1, 1, 3, 3), (1, 1, 1, 1))
        summed = 4 * functional.avg_pool2d(padded, 2, stride=1).reshape(outputs, inputs, 4, 4)
        self.summed = summed.flip(2, 3).transpose(0, 1).contiguous()
        self.others = self.weight.detach()[:, self.inputs :].contiguous(memory_format=torch.channels_last)

    def forward(self, small: Tensor, beside: Tensor | None = None) -> Tensor:
        """Convolve (N, inputs, H, W), beside (N, beside, 2H, 2W), to (N, outputs, 2H, 2W)."""
        result = functional.conv_transpose2d(small, self.summed, self.bias, stride=2, padding=1)
        return result if beside is None else result.add_(functional.conv2d(beside, self.others, padding=1))


def ready_for_inference(network: Network) -> Network:
    """Fix the weights of a network, in the memory layout that its convolutions are fastest in on the CPU."""
    network.requires_grad_(False).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for module in network.modules():
        if isinstance(module, UpsamplingConv):
            module.prepare()
    return network


def compute_in(network: nn.Module, precision: torch.dtype) -> None:
    """Let the convolutions of a network compute in half precision.

    What goes into each of its parts and comes out stays float32: positions in a frame have more digits than half
    precision holds, and warps and sums are made of them.
    """

    def narrow(part: nn.Module, arguments: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(each.to(precision) if isinstance(each, Tensor) else each for each in arguments)

    def widen(part: nn.Module, arguments: tuple[object, ...], result: Tensor) -> Tensor:
        return result.float()

    for child in network.children():
        for part in child if isinstance(child, nn.ModuleList) else [child]:
            part.to(precision)
            part.register_forward_pre_hook(narrow)
            part.register_forward_hook(widen)


def join(parts: Sequence[Tensor]) -> Tensor:
    """Concatenate images along their channels for a convolution, those of batch 1 repeated to that of the others."""
    batch = max(len(part) for part in parts)
    expanded = [part.expand(batch, -1, -1, -1) for part in parts]
    if parts[0].is_cuda:
        return torch.cat(expanded, 1)
    channels, (height, width) = sum(part.shape[1] for part in parts), parts[0].shape[2:]
    shape, like = (batch, channels, height, width), parts[0]
    joined = torch.empty(shape, dtype=like.dtype, device=like.device, memory_format=torch.channels_last)
    return torch.cat(expanded, 1, out=joined)


def sample(image: Tensor, columns: Tensor, rows: Tensor, outside: Literal["zeros", "border"]) -> Tensor:
    """Read an image (N,C,H,W) bilinearly at positions (K,h,w) in pixels, K = N or N = 1; the result is (K,C,h,w)."""
    height, width = image.shape[2:]
    grid = torch.stack([columns, rows], -1)
    grid[..., 0].mul_(2).div_(max(width - 1, 1))
    grid[..., 1].mul_(2).div_(max(height - 1, 1))
    expanded = image.expand(len(grid), -1, -1, -1)
    return functional.grid_sample(expanded, grid.sub_(1), padding_mode=outside, align_corners=True)


def resize(image: Tensor, factor: float) -> Tensor:
    """Resize an image (N,C,H,W) bilinearly, pixels being areas, not points."""
    if factor != 1:
        image = functional.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=False)
    return image


def pad_to_multiple(frames: Tensor, multiple: int) -> Tensor:
    """Pad frames (N,C,H,W) with zeros at the bottom and the right to multiples of a number of pixels."""
    height, width = frames.shape[2:]
    return functional.pad(frames, (0, -width % multiple, 0, -height % multiple))
