"""BiT and BiT++: a Swin transformer of three blurry images at several scales, to show the middle one at any time."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim.checks import require_flag
from spikesim.errors import InvalidValueError
from ssdm_models.baselines.quarter_maps import reflected, require_least, stem, unfolded, unfolding
from ssdm_models.baselines.released_network import ReleasedNetwork
from ssdm_models.baselines.window_attention import DERIVED, RELEASED_BLOCKS, SwinBlocks
from ssdm_models.memory_format import channels_last
from ssdm_models.tensor_checks import require_tensor

_EMBEDDED = 58  # channels of an image
_CHANNELS = 3 * _EMBEDDED
_HEADS, _WINDOW, _BLOCKS = 6, 4, 6
_MULTIPLE = 16  # of the sides of an image, once padded
_SMALLEST = 49  # pixels: padded, a quarter of their map is a window


class Frames(NamedTuple):
    """What BiT makes; none is clipped.

    Args:
        frames: Sharp images (N, S, 3, H, W) at the times.
        anchors: Those at the first and the last time of the exposure, in this order, as each direction of time shows
            them (N, D, 2, 3, H, W), which only training looks at; D is 1, and 2 of BiT++.
    """

    frames: Tensor
    anchors: Tensor


class BiT(nn.Module):
    """Blur interpolation transformer: `network(blurs, times)` shows the middle one of three blurry images.

    Both halves of the network are three groups of Swin blocks; the time is given to the second, so that the first is
    computed once for all times. Each group runs its blocks, with the same weights, at its map's size, a half and a
    quarter of it. Images are padded by reflection to multiples of 16 and cropped again.

    BiT++ looks in both directions of time, with one set of weights: also at the images in reverse order, and 1 − t. A
    last norm is never called; it is kept, because files have it and counts are with it.

    Colours are in the order that it was trained with, which in the files of its authors is BGR.

    Args:
        both_directions: Whether it is BiT++.

    Attributes:
        title: What messages call the network.

    Source:
        Zhong et al., "Blur Interpolation Transformer for Real-World Motion from Blur", CVPR 2023.
    """

    def __init__(self, both_directions: bool = False) -> None:
        super().__init__()
        self.both_directions = require_flag(both_directions, "both_directions")
        self.title = "BiT++" if both_directions else "BiT"
        self.embedding = stem(3, _EMBEDDED)
        self.groups = nn.Sequential(*(_Group() for _ in range(6)))
        self.with_time = nn.Linear(_CHANNELS + 1, _CHANNELS)
        self.idle_norm = nn.LayerNorm(_CHANNELS)
        self.anchor_head = unfolding(_CHANNELS, 2 * 3)
        self.head = unfolding((2 if both_directions else 1) * _CHANNELS, 3)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)

    def forward(self, blurs: Tensor, times: Tensor) -> Tensor:
        """The sharp images at times of the middle exposure.

        Args:
            blurs: Three blurry images that follow each other (N, 3, 3, H, W), in [0, 1], at least 49×49 pixels.
            times: The same for all images (S,) or others for each (N, S), from 0, where the middle exposure begins, to
                1, where it ends.

        Returns:
            Sharp images (N, S, 3, H, W), not clipped.

        Raises:
            InvalidValueError: Inputs are no such tensors, or images are too small.
        """
        shown = self._checked(blurs, times)
        return self._frames(self._encoded(blurs), shown, blurs.shape[3:])

    def with_anchors(self, blurs: Tensor, times: Tensor) -> Frames:
        """The same, and the first and last sharp image as the first half of the network shows them."""
        shown, size = self._checked(blurs, times), blurs.shape[3:]
        encoded = self._encoded(blurs)
        anchors = [unfolded(self.anchor_head(features), *size).unflatten(1, (2, 3)) for features in encoded]
        if self.both_directions:
            anchors[1] = anchors[1].flip(1)
        return Frames(self._frames(encoded, shown, size), torch.stack(anchors, 1))

    def _checked(self, blurs: Tensor, times: Tensor) -> Tensor:
        """The times of each image, (N, S)."""
        require_tensor(blurs, "blurs", "N 3 3 H W", like=self.head.weight)
        require_tensor(times, "times", "...", like=self.head.weight)
        require_least(blurs, "blurs", _SMALLEST, self.title)
        if times.ndim not in (1, 2) or (times.ndim == 2 and len(times) != len(blurs)):
            raise InvalidValueError(f"times must be (S,), or (N, S) for {len(blurs)} images, got {tuple(times.shape)}")
        return times.expand(len(blurs), -1)

    def _encoded(self, blurs: Tensor) -> list[Tensor]:
        """What the images alone tell (N, 174, h, w): in their order and, for BiT++, in reverse order."""
        padded = channels_last(reflected(blurs.flatten(0, 1), _MULTIPLE))
        # In the type of the weights, because much is added to it: under autocast it would have half its bits.
        embedded = self.embedding(padded).to(self.head.weight.dtype).unflatten(0, (-1, 3))
        orders = [embedded, embedded.flip(1)] if self.both_directions else [embedded]
        maps = [channels_last(order.flatten(1, 2)) for order in orders]
        return [self.groups[:3](features) + features for features in maps]

    def _frames(self, encoded: list[Tensor], times: Tensor, size: torch.Size) -> Tensor:
        return torch.stack([self._frame(encoded, time, size) for time in times.unbind(1)], 1)

    def _frame(self, encoded: list[Tensor], time: Tensor, size: torch.Size) -> Tensor:
        """The sharp images (N, 3, H, W) at a time of each, (N,)."""
        decoded = []
        for features, shown in zip(encoded, (time, 1 - time), strict=False):
            timed = self._given(features, shown)
            decoded.append(timed + self.groups[3:](timed))
        return unfolded(self.head(torch.cat(decoded, 1)), *size)

    def _given(self, features: Tensor, time: Tensor) -> Tensor:
        """Features mixed with a time as one more channel; apart, because it has more bits than autocast would leave."""
        of_features, of_time = self.with_time.weight.split([_CHANNELS, 1], 1)
        mixed = functional.linear(features.permute(0, 2, 3, 1), of_features, self.with_time.bias)
        return (mixed + time[:, None, None, None] * of_time[:, 0]).permute(0, 3, 1, 2)


class _Group(nn.Module):
    """Swin blocks at three scales, merged and added to what they are of, (N, 174, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = SwinBlocks(_CHANNELS, _HEADS, _WINDOW, _BLOCKS)
        self.join = nn.Conv2d(3 * _CHANNELS, _CHANNELS, 1)
        self.merge = nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        scales = [self.blocks(features)]
        for divisor in (2, 4):
            size = [side // divisor // _WINDOW * _WINDOW for side in features.shape[2:]]
            small = functional.interpolate(features, size, mode="bilinear")
            scales.append(functional.interpolate(self.blocks(small), features.shape[2:], mode="bilinear"))
        result: Tensor = features + self.merge(self.join(torch.cat(scales, 1)))
        return result


_NAMES = {
    r"^embedding\.": "conv_down.",
    r"^groups\.(\d)\.blocks\.": r"layers.\1.residual_group.blocks.",
    r"^groups\.(\d)\.join\.": r"layers.\1.fuse_layer.",
    r"^groups\.(\d)\.merge\.": r"layers.\1.last_layer.",
    r"^with_time\.": "linear_reduce.",
    r"^idle_norm\.": "norm.",
    r"^anchor_head\.": "mid_shuffle_up.0.",
    r"^head\.": "last_shuffle_up.0.",
    **RELEASED_BLOCKS,
}

RELEASED = (
    ReleasedNetwork("bit", BiT, licence="MIT", names=_NAMES, ignored=DERIVED),
    ReleasedNetwork(
        "bitpp",
        partial(BiT, both_directions=True),
        licence="MIT",
        names={**_NAMES, r"^(?!last_shuffle_up)": "model."},
        ignored=DERIVED,
        parts=("model", "last_shuffle_up"),
    ),
)
