"""RIFE v4 for inference.

Blocks from coarse to fine each correct the flows from the wanted time to both frames and the mask that mixes them; a
block looks at the frames warped by what the coarser ones found. It looks at them reduced by its scale: that reads the
middle 2×2 of each scale × scale pixels only, so frames are warped at those alone. The result is that of warping them
everywhere.

Source:
    Huang, Zhang, Heng, Shi and Zhou, "Real-Time Intermediate Flow Estimation for Video Frame Interpolation", ECCV 2022,
    and the later versions of https://github.com/hzwer/Practical-RIFE.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim_datasets.interpolation.networks.layers import join, pad_to_multiple, resize, sample
from spikesim_datasets.interpolation.networks.network import InterpolationNetwork
from spikesim_datasets.torch_tools.tiles import Tile, in_tiles

_REACH = 48
"""Pixels of a block's own scale beyond which it sees nothing."""

_BYTES, _BYTES_WITH_HEAD = (130, 150), (190, 265)
"""Measured: memory taken a pixel of the padded frame, and a pixel of a tile with its margin on top of it."""


@dataclass(frozen=True)
class Version:
    """What the versions differ in.

    Args:
        channels: Of each block, coarse to fine.
        head: Whether features of the frames are warped with them, hints are handed from block to block and masks
            replaced, not added up.
    """

    channels: tuple[int, ...]
    head: bool

    @property
    def scales(self) -> tuple[int, ...]:
        """How much smaller than it is each block sees the frame."""
        return tuple(1 << i for i in reversed(range(len(self.channels))))


class Encoded(NamedTuple):
    """Padded frames with their features, (N,3 or 7,H,W), and the size of the frames."""

    image: Tensor
    size: tuple[int, int]


class Pair(NamedTuple):
    """Two frames, and both as the first block sees them (N,6 or 14,h,w)."""

    encoded0: Encoded
    encoded1: Encoded
    reduced: Tensor


class Rife(InterpolationNetwork[Encoded, Pair]):
    """RIFE; `interpolation.rife.load_released` makes one.

    Args:
        version: Which.
        title: Its name and version.
    """

    def __init__(self, version: Version, title: str) -> None:
        super().__init__()
        self.version, self.title = version, title
        self.head = Head() if version.head else None
        frames, found, given = (14, 13, 13) if version.head else (6, 5, 6)
        self.blocks = nn.ModuleList(
            Block(frames + 1 + (found if i else 0), channels, given) for i, channels in enumerate(version.channels)
        )
        self.cell = 4 * version.scales[0]  # pixels that every stride divides

    def encode(self, frames: Tensor) -> Encoded:
        """See `InterpolationNetwork.encode`."""
        image = pad_to_multiple(frames, self.cell)
        size = (frames.shape[2], frames.shape[3])
        return Encoded(image if self.head is None else torch.cat([image, self.head(image)], 1), size)

    def relate(self, encoded0: Encoded, encoded1: Encoded) -> Pair:
        """See `InterpolationNetwork.relate`."""
        scale = self.version.scales[0]
        reduced = (resize(encoded.image, 1 / scale) for encoded in (encoded0, encoded1))
        return Pair(encoded0, encoded1, torch.cat(_mingled(*reduced), 1))

    def render(self, pair: Pair, times: Tensor) -> Tensor:
        """See `InterpolationNetwork.render`."""
        image0 = pair.encoded0.image
        batch, (height, width) = max(len(image0), len(times)), image0.shape[2:]
        flow, mask = image0.new_zeros((batch, 4, height, width)), image0.new_zeros((batch, 1, height, width))
        found: Tensor | None = None
        for index, scale in enumerate(self.version.scales):
            found = self._look(index, pair, times, flow, mask, found)
            correction = resize(found[:, :5], scale)
            flow.add_(correction[:, :4], alpha=scale)
            mask = correction[:, 4:] if self.version.head else mask + correction[:, 4:]
        height, width = pair.encoded0.size
        warped0, warped1 = _warped(pair, flow[..., :height, :width], slice(0, 3))
        return torch.lerp(warped1, warped0, mask[..., :height, :width].sigmoid())

    def bytes_needed(self, height: int, width: int) -> int:
        """See `InterpolationNetwork.bytes_needed`."""
        padded = (height + -height % self.cell) * (width + -width % self.cell)
        tile = padded if self.tile is None else min(padded, (self.tile + 2 * self.cell) ** 2)
        whole_bytes, tile_bytes = _BYTES_WITH_HEAD if self.version.head else _BYTES
        return whole_bytes * padded + tile_bytes * tile

    def _look(self, index: int, pair: Pair, times: Tensor, flow: Tensor, mask: Tensor, found: Tensor | None) -> Tensor:
        """What a block finds, (K,5 or 13,H/scale,W/scale): corrections of flow and mask, and hints for the next."""
        scale = self.version.scales[index]
        per_cell = self.cell // scale
        outputs = 13 if self.version.head and scale > 1 else 5  # nobody reads the others

        def look(tile: Tile) -> Tensor:
            if found is None:
                parts = [tile.take(pair.reduced, per_cell)]
                parts.append(times.expand(-1, -1, *parts[0].shape[2:]))
            else:
                origin = tile.rows.start * self.cell, tile.columns.start * self.cell
                flow_here, mask_here = tile.take(flow, self.cell), tile.take(mask, self.cell)
                parts = self._seen(pair, times, flow_here, mask_here, scale, origin)
                if self.version.head:
                    parts.insert(-1, resize(tile.take(found[:, 5:], per_cell // 2), 2))
            return self.blocks[index](join(parts), outputs)

        cells = flow.shape[2] // self.cell, flow.shape[3] // self.cell
        return in_tiles(look, cells, cells, per_cell, self.tile, _REACH)

    def _seen(
        self, pair: Pair, times: Tensor, flow: Tensor, mask: Tensor, scale: int, origin: tuple[int, int]
    ) -> list[Tensor]:
        """What a block sees of flow, mask and the frames warped by the flow, all (K,C,h,w), reduced by its scale."""
        flow, mask = (_middle(_middle(whole, 2, scale), 3, scale) for whole in (flow, mask))
        warped = _warped(pair, flow, slice(None), scale, origin)
        flow, mask, *reduced = (_reduced(image, scale) for image in (flow, mask, *warped))
        return [*_mingled(*reduced), times.expand(-1, -1, *flow.shape[2:]), mask, flow / scale]


class Head(nn.Module):
    """Features of a frame, (N,3,H,W) to (N,4,H,W)."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [nn.Conv2d(3, 16, 3, stride=2, padding=1), *(nn.Conv2d(16, 16, 3, padding=1) for _ in range(2))]
        )
        self.upsample = nn.ConvTranspose2d(16, 4, 4, stride=2, padding=1)

    def forward(self, frames: Tensor) -> Tensor:
        """Features of frames."""
        for conv in self.convs:
            frames = _leaky(conv(frames))
        return self.upsample(frames)


class Block(nn.Module):
    """Corrects motion at one scale, (N,inputs,H,W) to (N,outputs,H,W).

    Args:
        inputs: Channels of what it sees.
        channels: Channels inside.
        outputs: Channels of what it can give.
    """

    def __init__(self, inputs: int, channels: int, outputs: int) -> None:
        super().__init__()
        self.reduce = nn.ModuleList(
            nn.Conv2d(*ends, 3, stride=2, padding=1) for ends in ((inputs, channels // 2), (channels // 2, channels))
        )
        self.residual = nn.ModuleList(Residual(channels) for _ in range(8))
        self.upsample = nn.ConvTranspose2d(channels, 4 * outputs, 4, stride=2, padding=1)

    def forward(self, seen: Tensor, outputs: int) -> Tensor:
        """The first `outputs` channels of what the block gives."""
        for conv in self.reduce:
            seen = _leaky(conv(seen))
        for residual in self.residual:
            seen = residual(seen)
        weight, bias, used = self.upsample.weight, self.upsample.bias, slice(0, 4 * outputs)
        assert bias is not None
        given = functional.conv_transpose2d(seen, weight[:, used], bias[used], stride=2, padding=1)
        return functional.pixel_shuffle(given.contiguous(), 2)


class Residual(nn.Module):
    """x + beta · conv(x), and a leaky ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.beta = nn.Parameter(torch.ones(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Of an image (N,channels,H,W), one of the same shape."""
        return _leaky(torch.addcmul(x, self.conv(x), self.beta))


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu_(x, 0.2)


def _mingled(first: Tensor, second: Tensor) -> list[Tensor]:
    """Both frames, then the features of both."""
    return [first[:, :3], second[:, :3], first[:, 3:], second[:, 3:]]


def _middle(x: Tensor, axis: int, scale: int) -> Tensor:
    """The middle two of each `scale` entries along an axis: those that reduction by that scale reads."""
    if scale <= 2:
        return x
    return x.unflatten(axis, (-1, scale)).narrow(axis + 1, scale // 2 - 1, 2).flatten(axis, axis + 1)


def _reduced(x: Tensor, scale: int) -> Tensor:
    """An image reduced by a scale, from what `_middle` left of it."""
    return functional.avg_pool2d(x, 2) if scale > 1 else x


def _warped(
    pair: Pair, motion: Tensor, channels: slice, scale: int = 1, origin: tuple[int, int] = (0, 0)
) -> list[Tensor]:
    """Both frames, some channels of them, warped to a time.

    Args:
        pair: The frames.
        motion: Flow from pixels of the wanted frame to those of frame 0 and 1, (K,4 or more,h,w).
        channels: Which.
        scale: The pixels are those which reduction by this scale reads.
        origin: Row and column of the first.
    """
    height, width = motion.shape[2:]
    rows, columns = (
        _middle(
            torch.arange(start, start + count * max(scale, 2) // 2, dtype=motion.dtype, device=motion.device), 0, scale
        )
        for start, count in zip(origin, (height, width), strict=True)
    )
    return [
        sample(encoded.image[:, channels], columns + motion[:, 2 * i], rows[:, None] + motion[:, 2 * i + 1], "border")
        for i, encoded in enumerate((pair.encoded0, pair.encoded1))
    ]
