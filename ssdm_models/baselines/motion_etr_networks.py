"""The two networks that Motion-ETR is made of: what tells the ways of pixels, and what deblurs along them."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssdm_models.baselines.deformable import deformable

_SLOPE = 0.2  # of the LeakyReLUs


class OffsetNetwork(nn.Module):
    """Where the ways of pixels start and end, rows and columns each (N, 4, H, W), of blurry images (N, 3, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = _OffsetStage(12, 16, 1)
        self.middle = _OffsetStage(16, 32, 2)
        self.coarse = _OffsetStage(32, 64, 2)
        self.bottlenecks = nn.ModuleList(map(_bottleneck, (64, 64, 32)))
        self.upsamplings = nn.ModuleList(map(_upsampling, (64, 64, 32), (32, 16, 32)))
        self.output = nn.Conv2d(32, 4, 5, padding=2)

    def forward(self, blur: Tensor) -> Tensor:
        fine = self.fine(_cells(blur))
        middle = self.middle(fine)
        features = self.coarse(middle)
        for skipped, bottleneck, upsample in zip((middle, fine, None), self.bottlenecks, self.upsamplings, strict=True):
            features = upsample(bottleneck(features))
            if skipped is None:
                features = features.relu()
            else:
                features = torch.cat([functional.leaky_relu(features, _SLOPE), skipped], 1)
        return self.output(features).to(self.output.weight.dtype)


class _OffsetStage(nn.Module):
    """A convolution after a mirrored edge and three residual blocks; stride 2 halves the size."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        before = 3 - stride
        self.padding = nn.ReflectionPad2d((before, 2, before, 2))
        self.first = nn.Conv2d(inputs, outputs, 5, stride)
        self.residuals = nn.Sequential(*(_Residual(outputs, 5, "replicate") for _ in range(3)))

    def forward(self, features: Tensor) -> Tensor:
        refined: Tensor = self.residuals(self.first(self.padding(features)).relu())
        return refined


class _Residual(nn.Module):
    """x + conv(ReLU(conv(x)))."""

    def __init__(self, channels: int, kernel: int = 3, edges: Literal["zeros", "replicate"] = "zeros") -> None:
        super().__init__()
        self.first, self.second = (
            nn.Conv2d(channels, channels, kernel, padding=kernel // 2, padding_mode=edges) for _ in range(2)
        )

    def forward(self, features: Tensor) -> Tensor:
        refined: Tensor = features + self.second(self.first(features).relu())
        return refined


class _DeformableResidual(_Residual):
    """The same of convolutions whose taps are moved, by offsets as of `deformable`."""

    def forward(self, features: Tensor, offsets: Tensor) -> Tensor:  # type: ignore[override]
        inner = deformable(self.first, features, offsets).relu()
        return features + deformable(self.second, inner, offsets)


class TrajectoryDeblurringNetwork(nn.Module):
    """Sharp images of blurry ones (N, 3, H, W) and nine points of pixels' ways (N, 18, H, W), rows and columns in turn.

    Three levels, of separate weights, see quarters of the image, halves and all of it; each adds to what the next is
    given. Points are cut as the image is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quarters, self.halves, self.whole = (_Level() for _ in range(3))

    def forward(self, blur: Tensor, points: Tensor) -> Tensor:
        quarters = [
            torch.cat([self.quarters.encoder(quarter) for quarter in half.chunk(2, 3)], 3) for half in blur.chunk(2, 2)
        ]
        sharper = [self.quarters.decoder(*half) for half in zip(quarters, points.chunk(2, 2), strict=True)]
        halves = [self.halves.encoder(half + more) for half, more in zip(blur.chunk(2, 2), sharper, strict=True)]
        features = torch.cat(halves, 2) + torch.cat(quarters, 2)
        sharp = blur + self.halves.decoder(features, points)
        return blur + self.whole.decoder(self.whole.encoder(sharp) + features, points)


class _Level(nn.Module):
    """Features (N, 128, H/4, W/4) of images (N, 3, H, W), and images of features."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *(nn.Conv2d(3, 32, 3, padding=1), _Residual(32), _Residual(32)),
            *(nn.Conv2d(32, 64, 3, 2, padding=1), _Residual(64), _Residual(64)),
            *(nn.Conv2d(64, 128, 3, 2, padding=1), _Residual(128), _Residual(128)),
        )
        self.decoder = _Decoder()


class _Decoder(nn.Module):
    """An image (N, 3, H, W) of features (N, 128, H/4, W/4) and nine points of pixels' ways (N, 18, H, W).

    Convolutions take the offsets of their taps as rows and columns in turn, and the released network gives them all
    rows, then all columns, less the regular grid laid out alike: rows of points 0 and 1 move tap 0. Its weights have
    learnt with that.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.08), requires_grad=False)  # fixed, but counted and released
        self.upsampling = nn.Sequential(
            *(_Residual(128), _Residual(128), _upsampling(128, 64)),
            *(_Residual(64), _Residual(64), _upsampling(64, 32)),
        )
        self.along = nn.ModuleList(_DeformableResidual(32) for _ in range(2))
        self.output = nn.Conv2d(32, 3, 3, padding=1)

    def forward(self, features: Tensor, points: Tensor) -> Tensor:
        rows_then_columns = torch.cat([points[:, 0::2], points[:, 1::2]], 1)
        taps = torch.arange(9, device=points.device)[:, None, None]
        offsets = self.scale * rows_then_columns - torch.cat([taps // 3 - 1, taps % 3 - 1])
        features = self.upsampling(features)
        for block in self.along:
            features = block(features, offsets)
        image: Tensor = self.output(features)
        return image


def _bottleneck(channels: int) -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(channels, 2 * channels, 1), nn.LeakyReLU(_SLOPE)),
        *(nn.Conv2d(2 * channels, channels, 3, padding=1), nn.LeakyReLU(_SLOPE)),
    )


def _upsampling(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)


def _cells(images: Tensor) -> Tensor:
    """Images (N, 3, H, W) cut into cells of 2×2 pixels, (N, 12, H/2, W/2): place by place, colours within each."""
    return functional.pixel_unshuffle(images, 2).unflatten(1, (3, 4)).transpose(1, 2).flatten(1, 2)
