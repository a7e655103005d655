"""XVFI-Net for inference.

Features of the frames, and the flow between them from coarse to fine, do not depend on the time. At a time, both flows
are carried to where their pixels are by then (complementary flow reversal) and refined, the frames are warped by them,
and a U-Net at full size mixes and corrects, where the frames are, not where they were padded.

Source:
    Sim, Oh and Kim, "XVFI: eXtreme Video Frame Interpolation", ICCV 2021.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from spikesim_datasets.interpolation.networks.layers import (
    join,
    pad_to_multiple,
    resize,
)
from spikesim_datasets.interpolation.networks.network import InterpolationNetwork
from spikesim_datasets.interpolation.networks.reversal import flow_at, warp
from spikesim_datasets.interpolation.networks.xvfi_parts import Features, FlowNet, Refinement
from spikesim_datasets.torch_tools.tiles import Tile, in_tiles

_FACTOR = 4  # how much smaller than the frame its features and flows are
_CELL = 16  # side of the pixels that every stride of what is tiled divides
_REACH = 48  # pixels beyond which neither the features nor the U-Net see anything

_WHOLE_BYTES, _TILE_BYTES = (100, 1.8), (120, 7.0)
"""Measured: memory taken a pixel of the padded frame, and a pixel of a tile with its margin on top of it: of itself,
and a channel."""


class Encoded(NamedTuple):
    """Padded frames (N,3,H,W), BGR in [-1,1], their features (N,C,h,w) from fine to coarse, and the frames' size."""

    image: Tensor
    features: list[Tensor]
    size: tuple[int, int]


class Pair(NamedTuple):
    """Two frames, the flow from each to the other (N,4,h,w), and how much each of its pixels counts (N,2,h,w)."""

    encoded0: Encoded
    encoded1: Encoded
    flow: Tensor
    importance: Tensor


class Xvfi(InterpolationNetwork[Encoded, Pair]):
    """XVFI-Net; `interpolation.xvfi.load_released` makes one.

    Args:
        channels: Of its features, `nf` of the released code.
        scales: Times the features are halved to the coarsest level, S of the paper.
    """

    def __init__(self, channels: int, scales: int) -> None:
        super().__init__()
        self.title, self.channels, self.scales = f"XVFI nf={channels} S={scales}", channels, scales
        self.multiple = 4 * _FACTOR << scales
        self.features = Features(channels)
        self.halve = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.coarsest_flow = FlowNet(2 * channels, channels, 6)
        self.compare = nn.Conv2d(2 * channels, channels, 3, padding=1)
        self.finer_flow = FlowNet(2 * channels + 4, channels, 6)
        self.mix = nn.Conv2d(4 * channels + 4, channels, 1)
        self.flow_at_time = FlowNet(channels, channels, 4)
        self.refine = Refinement(4 * channels // _FACTOR**2 + 16, channels)
        # Released with the others, and used by nothing.
        self.unused = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))

    def encode(self, frames: Tensor) -> Encoded:
        """See `InterpolationNetwork.encode`."""
        image = pad_to_multiple(2 * frames.flip(1) - 1, self.multiple)
        cells = image.shape[2] // _CELL, image.shape[3] // _CELL
        finest = self._in_tiles(lambda tile: self.features(tile.take(image, _CELL)), cells, cells, _FACTOR)
        levels = [finest]
        for _ in range(self.scales):
            levels.append(self.halve(levels[-1]))
        return Encoded(image, levels, (frames.shape[2], frames.shape[3]))

    def relate(self, encoded0: Encoded, encoded1: Encoded) -> Pair:
        """See `InterpolationNetwork.relate`."""
        levels = list(zip(encoded0.features, encoded1.features, strict=True))
        found = self.coarsest_flow(join(levels[-1]))
        flow = found[:, :4]
        for features0, features1 in reversed(levels[:-1]):
            coarse = 2 * resize(flow, 2)
            views = (features0, warp(features1, coarse[:, :2])), (features1, warp(features0, coarse[:, 2:]))
            found = self.finer_flow(join([*(self.compare(join(view)) for view in views), coarse]))
            flow = found[:, :4] + coarse
        return Pair(encoded0, encoded1, flow, found[:, 4:].sigmoid())

    def render(self, pair: Pair, times: Tensor) -> Tensor:
        """See `InterpolationNetwork.render`."""
        image0, image1 = pair.encoded0.image, pair.encoded1.image
        features0, features1 = pair.encoded0.features[0], pair.encoded1.features[0]
        flow = flow_at(pair.flow, pair.importance, times)
        seen = [features0, warp(features0, flow[:, :2]), warp(features1, flow[:, 2:]), features1, flow]
        flow = flow + self.flow_at_time(functional.relu_(self.mix(join(seen))))
        features = join([features0, features1, warp(features0, flow[:, :2]), warp(features1, flow[:, 2:])])

        def rendered(tile: Tile) -> Tensor:
            here = _FACTOR * resize(tile.take(flow, _CELL // _FACTOR), _FACTOR)
            origin = tile.rows.start * _CELL, tile.columns.start * _CELL
            warped0, warped1 = warp(image0, here[:, :2], origin), warp(image1, here[:, 2:], origin)
            shown = [functional.pixel_shuffle(tile.take(features, _CELL // _FACTOR), _FACTOR)]
            shown += [tile.take(image0, _CELL), tile.take(image1, _CELL), warped0, warped1, here]
            visible, residual = self.refine(join(shown)).split([1, 3], 1)
            visible = visible.sigmoid()
            share0, share1 = (1 - times) * visible, times * (1 - visible)
            return (share0 * warped0 + share1 * warped1) / (share0 + share1) + residual

        height, width = pair.encoded0.size
        cells = image0.shape[2] // _CELL, image0.shape[3] // _CELL
        result = self._in_tiles(rendered, cells, (-(-height // _CELL), -(-width // _CELL)), 1)
        return (result[..., :height, :width].flip(1) + 1) / 2

    def bytes_needed(self, height: int, width: int) -> int:
        """See `InterpolationNetwork.bytes_needed`."""
        padded = (height + -height % self.multiple) * (width + -width % self.multiple)
        tile = min(padded, (height + _REACH) * (width + _REACH))
        if self.tile is not None:
            tile = min(tile, (self.tile + 2 * _REACH) ** 2)
        whole_bytes, tile_bytes = (own + each * self.channels for own, each in (_WHOLE_BYTES, _TILE_BYTES))
        return int(whole_bytes * padded + tile_bytes * tile)

    def _in_tiles(
        self, compute: Callable[[Tile], Tensor], cells: tuple[int, int], wanted: tuple[int, int], factor: int
    ) -> Tensor:
        """An image `factor` times smaller than the frames, tile by tile."""
        side = None if self.tile is None else self.tile // factor
        return in_tiles(compute, cells, wanted, _CELL // factor, side, _REACH // factor)
