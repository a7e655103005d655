"""What REFID is built of."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class ImageEncoder(nn.Module):
    """Two convolutions beside a shortcut: (N, channels, H, W) to (N, 2·channels, H/2, W/2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(channels, 2 * channels, 1)
        self.first, self.second = conv3x3(channels, 2 * channels), conv3x3(2 * channels, 2 * channels)
        self.down = halving(2 * channels)

    def forward(self, image: Tensor) -> Tensor:
        coarser: Tensor = self.down(leaky(self.second(leaky(self.first(image)))) + self.shortcut(image))
        return coarser


class EventEncoder(nn.Module):
    """A level of a pass: the state (N, 2·channels, H, W) after a frame.

    Args:
        channels: Of the features of events.
        fused: Whether attention mixes them with the image's; then the released `widen` takes no part.
    """

    def __init__(self, channels: int, fused: bool) -> None:
        super().__init__()
        self.widen = conv3x3(channels, 2 * channels)
        self.widen.requires_grad_(not fused)
        self.attention = CrossAttention(channels) if fused else None
        self.recurrence = Recurrence(2 * channels)

    def forward(self, events: Tensor, image: Tensor | None, state: Tensor | None) -> Tensor:
        if self.attention is not None:
            seen = self.attention(events, image)
        else:
            seen = leaky(leaky(self.widen(events if image is None else events + image)))
        made: Tensor = self.recurrence(seen, state)
        return made


class CrossAttention(nn.Module):
    """Features of image and events (N, channels, H, W), weighted by channel as the events tell, to twice the channels.

    Source:
        Sun et al., "Event-Based Fusion for Motion Deblurring with Cross-modal Attention", ECCV 2022.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.image_branch, self.event_branch = (_branch(channels) for _ in range(2))
        self.gate, self.unused_gate = (_gate(channels) for _ in range(2))
        self.unused_gate.requires_grad_(False)
        self.mix = nn.Conv2d(2 * channels, channels, 1)
        self.scale = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.refine = nn.Sequential(
            _ChannelNorm(channels),
            nn.Conv2d(channels, 2 * channels, 1),
            nn.GELU(),
            nn.Conv2d(2 * channels, 2 * channels, 1),
        )
        self.refine_scale = nn.Parameter(torch.zeros(1, 2 * channels, 1, 1))

    def forward(self, events: Tensor, image: Tensor) -> Tensor:
        of_image, of_events = self.image_branch(image), self.event_branch(events)
        # One gate for both, of the events: the released network computes the image's own nowhere.
        gated = torch.cat([of_image, of_events], 1) * self.gate(of_events).repeat(1, 2, 1, 1)
        fused = events + image + self.scale * self.mix(gated)
        widened: Tensor = self.widen(fused) + self.refine_scale * self.refine(fused)
        return widened


class _ChannelNorm(nn.LayerNorm):
    """Normalises the channels of each pixel of (N, channels, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class Recurrence(nn.Module):
    """Features and the state that the frame before left, both (N, channels, H, W), joined to the next state."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.join = conv3x3(2 * channels, channels)
        self.block = ResidualBlock(channels)

    def forward(self, features: Tensor, state: Tensor | None) -> Tensor:
        state = torch.zeros_like(features) if state is None else state
        joined: Tensor = self.block(functional.leaky_relu(self.join(torch.cat([features, state], 1)), 0.1))
        return joined


class Decoder(nn.Module):
    """A level on the way back: (N, 2·channels, H, W) to the state (N, channels, 2H, 2W) after a frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.recurrence = Recurrence(channels)

    def forward(self, features: Tensor, state: Tensor | None) -> Tensor:
        made: Tensor = self.recurrence(self.up(features), state)
        return made


class ResidualBlock(nn.Module):
    """Two convolutions whose result is added to what they are of, (N, channels, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = conv3x3(channels, channels), conv3x3(channels, channels)
        for conv in (self.first, self.second):
            nn.init.kaiming_normal_(conv.weight)
            with torch.no_grad():
                conv.weight.mul_(0.1)
                conv.bias.zero_()  # type: ignore[union-attr]

    def forward(self, features: Tensor) -> Tensor:
        change: Tensor = self.second(self.first(features).relu())
        return features + change


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """A convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def halving(channels: int) -> nn.Conv2d:
    """A convolution to half the size."""
    return nn.Conv2d(channels, channels, 4, stride=2, padding=1, bias=False)


def leaky(features: Tensor) -> Tensor:
    """The activation of all but the recurrences, which have half its slope."""
    return functional.leaky_relu(features, 0.2)


def _branch(channels: int) -> nn.Sequential:
    return nn.Sequential(
        _ChannelNorm(channels),
        nn.Conv2d(channels, channels, 1),
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
        nn.GELU(),
    )


def _gate(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.AdaptiveAvgPool2d(1),
        nn.Conv2d(channels, channels // 2, 1),
        nn.ReLU(),
        nn.Conv2d(channels // 2, channels, 1),
        nn.Sigmoid(),
    )
