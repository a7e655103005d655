"""The parts that XVFI-Net is made of."""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

from spikesim_datasets.interpolation.networks.layers import UpsamplingConv, join


class Features(nn.Module):
    """Features of a frame, (N,3,H,W) to (N,channels,H/4,W/4).

    Args:
        channels: How many.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3, channels, 3, padding=1)
        self.halve = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.leave = nn.Conv2d(channels, channels, 3, padding=1)
        self.residual = nn.ModuleList(Residual(channels) for _ in range(2))

    def forward(self, image: Tensor) -> Tensor:
        """Features of an image."""
        x = functional.relu_(self.enter(join([image])))
        for _ in range(2):
            x = functional.relu_(self.halve(x))
        x = self.leave(x)
        first, second = self.residual
        return second(first(x)).add_(x)


class Residual(nn.Module):
    """x + conv(ReLU(conv(x)))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Of an image (N,channels,H,W), one of the same shape."""
        return self.second(functional.relu_(self.first(x))).add_(x)


class FlowNet(nn.Module):
    """Estimates flow, (N,inputs,H,W) to (N,outputs,H,W), down to a quarter of the size and back.

    Args:
        inputs: Channels of what it sees.
        channels: Channels inside.
        outputs: Channels of what it gives.
    """

    def __init__(self, inputs: int, channels: int, outputs: int) -> None:
        super().__init__()
        widths = inputs, 2 * channels, 4 * channels
        self.down = nn.ModuleList(nn.Conv2d(*ends, 4, stride=2, padding=1) for ends in pairwise(widths))
        self.up = nn.ModuleList(UpsamplingConv(2 * count, count) for count in (2 * channels, channels))
        self.last = nn.Conv2d(channels, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Flow, and what else it was trained to give."""
        for conv in (*self.down, *self.up):
            x = functional.relu_(conv(x))
        return self.last(x)


class Refinement(nn.Module):
    """The U-Net at full size, (N,inputs,H,W) to (N,4,H,W).

    Args:
        inputs: Channels of what it sees.
        channels: Channels inside, at half of the size.
    """

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        widths = inputs, channels, 2 * channels, 4 * channels
        self.down = nn.ModuleList(nn.Conv2d(*ends, 4, stride=2, padding=1) for ends in pairwise(widths))
        self.bottom = nn.Conv2d(4 * channels, 4 * channels, 3, padding=1)
        self.up = nn.ModuleList(UpsamplingConv(2 * count, count, beside=count) for count in (2 * channels, channels))
        self.last = UpsamplingConv(channels, 4)

    def forward(self, x: Tensor) -> Tensor:
        """How visible frame 0 is, before the sigmoid, and what is to be added to the mix."""
        passed = []
        for conv in self.down:
            x = functional.relu_(conv(x))
            passed.append(x)
        x = functional.relu_(self.bottom(x))
        for conv, beside in zip(self.up, (passed[1], passed[0]), strict=True):
            x = functional.relu_(conv(x, beside))
        return self.last(x)
