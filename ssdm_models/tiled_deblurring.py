"""LDN in tiles: the images of one piece, in less memory."""

from typing import Protocol

import torch
from torch import Tensor, nn

from spikesim.checks import require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.optics import SCALE
from spikesim_datasets.torch_tools.tiles import Tile, in_tiles
from ssdm_models.memory_format import channels_last

LEAST_SIDE = 64
"""Smaller tiles would be margins for the most part."""

# How many of the spikes' pixels around one its result depends on.
_ENCODERS = 2  # the image's two strided 5×5 convolutions see 6 pixels around four; the spikes' are two of 3×3
_RENDERING = 3 + 4 * 1 + 2  # 7×7 attention, four 3×3 convolutions, and two transposed ones of 5×5


class Parts(Protocol):
    """The parts that LDN is computed in."""

    blur_encoder: nn.Sequential

    def encode_spikes(self, spikes: Tensor) -> Tensor: ...

    def channel_weights(self, *features: Tensor) -> Tensor: ...

    def part_in_output(self, blur: Tensor) -> Tensor: ...

    def render(self, features: Tensor) -> Tensor: ...


class TiledDeblurring:
    """`network(blur, spikes)` of one blurry image and the spikes around any time, computed tile by tile.

    Convolutions look at a neighbourhood: a tile has a margin as wide as they reach, and its middle comes out as in one
    piece. Attention to channels takes means and maxima of the whole image: the features they are taken of, at a
    quarter of the image's size, are kept whole. So the result is that of one piece, but for rounding.

    Args:
        network: LDN.
        blur: Blurry image (1, 3, H, W), RGB in [0, 1], H and W multiples of 4, on the network's device.
        side: Side of a tile without its margin, pixels, at least 64.

    Raises:
        InvalidValueError: The side is smaller.
    """

    def __init__(self, network: Parts, blur: Tensor, side: int) -> None:
        if require_whole(side, "tile", unit="pixels") < LEAST_SIDE:
            raise InvalidValueError(f"tile must be at least {LEAST_SIDE} pixels, got {side}")
        self._network, self._blur, self._side = network, blur, side
        self._cells = (blur.shape[-2] // SCALE, blur.shape[-1] // SCALE)
        self._features = in_tiles(
            lambda tile: network.blur_encoder(channels_last(tile.take(blur, SCALE))), *self._whole(1), reach=_ENCODERS
        )

    def __call__(self, spikes: Tensor) -> Tensor:
        """The sharp image (1, 3, H, W) in the middle of a window of spikes (1, length, H/4, W/4)."""
        network = self._network
        of_spikes = in_tiles(lambda tile: network.encode_spikes(tile.take(spikes, 1)), *self._whole(1), reach=_ENCODERS)
        weights = network.channel_weights(self._features, of_spikes)

        def rendered(tile: Tile) -> Tensor:
            features = torch.cat([tile.take(self._features, 1), tile.take(of_spikes, 1)], 1)
            image = channels_last(tile.take(self._blur, SCALE))
            return network.part_in_output(image) + network.render(channels_last(features * weights))

        return in_tiles(rendered, *self._whole(SCALE), reach=SCALE * _RENDERING)

    def _whole(self, per_cell: int) -> tuple[tuple[int, int], tuple[int, int], int, int]:
        """What `in_tiles` asks about an image of so many pixels for one of the spikes."""
        return self._cells, self._cells, per_cell, self._side * per_cell // SCALE
