"""SAN: a network that deblurs an image of any size with events or spikes of any other, by their ratio of light."""

from functools import partial
from itertools import pairwise, product
from math import e, log
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim.checks import require_whole
from spikesim.errors import InvalidValueError
from ssdm_models.baselines.deformable import deformable
from ssdm_models.baselines.image_sizes import require_multiples
from ssdm_models.baselines.released_network import ReleasedNetwork
from ssdm_models.tensor_checks import require_tensor

_CHANNELS = (16, 32, 64, 128, 128)  # of the five levels, each half the size of the one before
_ENCODER_KERNELS = (7, 5, 3, 3, 3)
_FUSION_KERNELS = (5, 3, 3, 3, 3)
_COARSEST = 2 ** (len(_CHANNELS) - 1)  # pixels of the input in one of the last level
_PLACE = 4  # numbers that tell a sample of the fusion where it is
_AFTER_EDGE = 1e-6  # of an image two units wide; a sample on the edge of two cells is of the second
_LEAST_AREA = 1e-9
_SOFTPLUS_ONE = log(e - 1)  # its softplus is 1


class SAN(nn.Module):
    """Scale-aware network: the sharp image is the blurry one times the ratio of light that the network tells.

    Image and events are encoded on five levels. On each, the map of the events is resampled at the pixels of the
    image's by a small network that is told where its samples lie, and what comes out is sampled again by a convolution
    whose taps move with it. The ratio is decoded from what all levels gave.

    Where the map of the image has an odd multiple of the rows or columns of the events' on some level, pixels lie on
    the middles of events' cells, and in the last row or column the four samples weigh nothing but rounding errors.
    720×1280 pixels with 180×320 events, and crops of these in whole cells of all levels, are clear of it.

    Colours come out in the order in which they go in; the released weights are ones of BGR.

    Args:
        channels: How many channels the events have: 21 raw readouts of a spike camera around the wanted time, or the 96
            of the released network's event representation.

    Attributes:
        title: What messages call the network.

    Raises:
        InvalidValueError: The number of channels is no positive whole number.

    Source:
        Zhang et al., "Generalizing Event-Based Motion Deblurring in Real-World Scenarios", ICCV 2023; resampling: Chen
        et al., "Learning Continuous Image Representation with Local Implicit Image Function", CVPR 2021.
    """

    title = "SAN"

    def __init__(self, channels: int = 21) -> None:
        super().__init__()
        self.channels = require_whole(channels, "channels", 1)
        self.blur_encoder = _encoder(3)
        self.event_encoder = _encoder(self.channels)
        self.fusions = nn.ModuleList(map(_Fusion, _CHANNELS, _FUSION_KERNELS))
        self.decoder = nn.ModuleList(_Upsampling(*widths, 3) for widths in pairwise(_CHANNELS[::-1]))
        self.output = nn.Conv2d(_CHANNELS[0], 3, 3, padding=1)
        for part in (self.blur_encoder, self.event_encoder, self.decoder, self.output):
            for module in part.modules():
                if isinstance(module, nn.Conv2d):
                    _begin(module)

    def forward(self, blur: Tensor, events: Tensor) -> Tensor:
        """The sharp image at the time that the events are arranged around.

        Args:
            blur: Blurry images (N, 3, H, W) in [0, 1], H and W multiples of 16.
            events: What a sensor of any other size saw meanwhile, (N, `channels`, h, w), h and w at least 16: counts of
                events, or spikes.

        Returns:
            Sharp images (N, 3, H, W), not negative, not clipped.

        Raises:
            InvalidValueError: Images or events are of other shapes, or not as many.
        """
        return blur * self.ratio(blur, events)

    def ratio(self, blur: Tensor, events: Tensor) -> Tensor:
        """How many times as bright the sharp image is as the blurry one, (N, 3, H, W); arguments as for `forward`."""
        require_tensor(blur, "blur", "N 3 H W", like=self.output.weight)
        require_multiples(self.title, blur, _COARSEST)
        require_tensor(events, "events", f"{len(blur)} {self.channels} h w", like=self.output.weight)
        return self.decode(self.encode_blur(blur), self.encode_events(events))

    @torch.no_grad()
    def begin_with_blur(self) -> None:
        """Weights to begin a short training with: the image shown is the blurry one, and fusions keep features large.

        Its authors' begin with a ratio that is noise, and with fused features that vary a hundredth as much as those of
        image and events.
        """
        nn.init.zeros_(self.output.weight)
        nn.init.constant_(self.output.bias, _SOFTPLUS_ONE)  # type: ignore[arg-type]
        for module in self.fusions.modules():
            if isinstance(module, _Fusion):
                _begin(module.convolution)
                module.convolution.weight.mul_(2)  # taps weigh a half before they have learned
            elif isinstance(module, nn.Linear):
                _begin(module)

    def encode_blur(self, blur: Tensor) -> list[Tensor]:
        """What depends on the blurry image (N, 3, H, W) alone: features of five levels, the finest first."""
        return _encode(self.blur_encoder, 2 * blur - 1)

    def encode_events(self, events: Tensor) -> list[Tensor]:
        """What depends on the events (N, `channels`, h, w) alone: features of five levels, the finest first.

        Raises:
            InvalidValueError: They have too few pixels for the last level.
        """
        height, width = events.shape[2:]
        if min(height, width) < _COARSEST:
            raise InvalidValueError(
                f"{self.title} takes events of at least {_COARSEST}×{_COARSEST} pixels, got {width}×{height}; the "
                f"nearest size is {max(_COARSEST, width)}×{max(_COARSEST, height)}"
            )
        return _encode(self.event_encoder, events)

    def decode(self, blur: list[Tensor], events: list[Tensor]) -> Tensor:
        """The ratio of light (N, 3, H, W), from what both encoders gave."""
        *finer, decoded = (fuse(*level) for fuse, *level in zip(self.fusions, blur, events, strict=True))
        for upsample, fused in zip(self.decoder, reversed(finer), strict=True):
            decoded = upsample(decoded, fused)
        return functional.softplus(self.output(decoded).to(self.output.weight.dtype))


class _ConvPair(nn.Module):
    """Two convolutions that keep the size, each with a ReLU after it."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(outputs, outputs, kernel, padding=kernel // 2)

    def forward(self, features: Tensor) -> Tensor:
        encoded: Tensor = self.second(self.first(features).relu()).relu()
        return encoded


class _Upsampling(_ConvPair):
    """The same at twice the size, with the level's fused features added in between."""

    def forward(self, features: Tensor, fused: Tensor) -> Tensor:  # type: ignore[override]
        larger = functional.interpolate(features, scale_factor=2, mode="bicubic", align_corners=False)
        decoded: Tensor = self.second(self.first(larger).relu() + fused).relu()
        return decoded


def _begin(layer: nn.Conv2d | nn.Linear) -> None:
    nn.init.kaiming_normal_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def _encoder(channels: int) -> nn.ModuleList:
    return nn.ModuleList(map(_ConvPair, (channels, *_CHANNELS), _CHANNELS, _ENCODER_KERNELS))


def _encode(encoder: nn.ModuleList, images: Tensor) -> list[Tensor]:
    finest, *coarser = encoder
    levels = [finest(images)]
    for level in coarser:
        levels.append(level(functional.avg_pool2d(levels[-1], 2)))
    return levels


class _Fusion(nn.Module):
    """A level's features of the image (N, C, H, W) and of the events (N, C, h, w) as one map (N, C, H, W)."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(2 * channels + _PLACE, channels)]
        for _ in range(3):
            layers += [nn.ReLU(), nn.Linear(channels, channels)]
        self.resampler = nn.Sequential(*layers)
        self.convolution = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
        self.predictor = nn.Conv2d(channels, 3 * kernel**2, kernel, padding=kernel // 2)
        nn.init.zeros_(self.predictor.weight)
        nn.init.zeros_(self.predictor.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, events: Tensor) -> Tensor:
        fused = self._resampled(image, events)
        predicted = self.predictor(fused)
        taps = predicted.shape[1] // 3
        offsets, logits = predicted.split([2 * taps, taps], 1)
        return deformable(self.convolution, fused, offsets, logits.sigmoid())

    def _resampled(self, image: Tensor, events: Tensor) -> Tensor:
        """What four cells of the events around each pixel tell of it, the nearer the more: the implicit function."""
        weight = self.resampler.get_parameter("0.weight")
        rows, columns = (
            [_aside(image.shape[axis], events.shape[axis], side, weight) for side in (-1, 1)] for axis in (2, 3)
        )
        corners = list(product(rows, columns))
        areas = [(row.apart[:, None] * column.apart).abs() + _LEAST_AREA for row, column in corners]
        # A cell counts as much as the area between the pixel and the cell diagonally across.
        shares = [area / sum(areas) for area in reversed(areas)]
        image, events = image.movedim(1, -1).contiguous(), events.movedim(1, -1).contiguous()
        fused = torch.zeros((), dtype=weight.dtype, device=weight.device)
        for (row, column), share in zip(corners, shares, strict=True):
            place = torch.stack(
                torch.broadcast_tensors(row.apart[:, None], column.apart, row.cell, column.cell), -1
            ).expand(len(image), -1, -1, -1)
            event = events.index_select(1, row.of_events).index_select(2, column.of_events)
            pixel = image.index_select(1, row.of_image).index_select(2, column.of_image)
            fused = fused + share[..., None] * self.resampler(torch.cat([event, place, pixel], -1))
        return fused.movedim(-1, 1)


class _Samples(NamedTuple):
    """Where samples lie along an axis, one for each of n pixels of an image.

    Args:
        of_events: The cell of the events that each falls into, (n,).
        of_image: The pixel of the image that it falls into, (n,).
        apart: How far the pixel that asks is from the middle of the events' cell, in halves of a cell, (n,).
        cell: Length of one of the image's pixels, in halves of a cell of the events.
    """

    of_events: Tensor
    of_image: Tensor
    apart: Tensor
    cell: Tensor


def _aside(pixels: int, cells: int, side: int, like: Tensor) -> _Samples:
    """The samples half a cell before (side −1) or behind (1) the pixels."""

    def middles(count: int) -> Tensor:
        """From −1 to 1; in double precision, in which samples fall into the same cells on every machine."""
        return (2 * torch.arange(count, dtype=torch.float64, device=like.device) + 1) / count - 1

    places = (middles(pixels) + side / cells + _AFTER_EDGE).clamp(_AFTER_EDGE - 1, 1 - _AFTER_EDGE)
    of_events, of_image = (((places + 1) * count / 2 - 0.5).round().long() for count in (cells, pixels))
    apart = (middles(pixels) - middles(cells)[of_events]) * cells
    return _Samples(of_events, of_image, apart.to(like.dtype), like.new_tensor(2 * cells / pixels))


_NAMES = {
    r"^blur_encoder": "im_enc",
    r"^event_encoder": "ev_enc",
    r"(?<=_enc)\.0": "",
    r"(?<=_enc)\.(?=\d)": ".down",
    **{rf"^decoder\.{level}": f"dec.up{level + 1}" for level in range(4)},
    **{rf"^fusions\.{level}": f"msff{level + 1}" for level in range(5)},
    r"^output": "dec.conv",
    r"\.first": ".conv1",
    r"\.second": ".conv2",
    r"\.resampler": ".mlp.imnet.layers",
    r"\.convolution": ".dcn",
    r"\.predictor": ".dcn.conv_offset_mask",
}

RELEASED = tuple(
    ReleasedNetwork(
        name,
        partial(SAN, channels),
        licence="Apache-2.0",
        names=_NAMES,
        entry="state_dict",
        prefix="model.",
    )
    for name, channels in (("san", 96), ("san21", 21))
)
