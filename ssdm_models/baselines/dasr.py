"""DASR: super-resolution of images that were blurred and reduced in ways it tells from the images themselves."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssdm_models.baselines.released_network import ReleasedNetwork
from ssdm_models.baselines.without_autocast import without_autocast
from ssdm_models.memory_format import channels_last
from ssdm_models.tensor_checks import require_tensor

_CHANNELS = 64
_REPRESENTATION = 256
_MEAN = (0.4488, 0.4371, 0.4040)  # RGB of natural images, of 1
_WHITE = 255.0
_SLOPE = 0.1  # of the leaky ReLUs


class DASR(nn.Module):
    """Degradation-aware super-resolution network, ×4, of colour images: `upsample` with what `represent` tells.

    What its authors' files hold for training alone is left out: the head that projects the representation, and a second
    encoder with its queue.

    The mean of natural images is taken off first and put back last, by fixed 1×1 convolutions that count as parameters
    in the released network and here, but are never trained.

    Attributes:
        title: What messages call the network.

    Source:
        Wang et al., "Unsupervised Degradation Representation Learning for Blind Super-Resolution", CVPR 2021.
    """

    title = "DASR"

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            *_encoding(3, 64),
            *_encoding(64, 64),
            *_encoding(64, 128, stride=2),
            *_encoding(128, 128),
            *_encoding(128, _REPRESENTATION, stride=2),
            *_encoding(_REPRESENTATION, _REPRESENTATION),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )
        self.compress = nn.Sequential(nn.Linear(_REPRESENTATION, _CHANNELS, bias=False), nn.LeakyReLU(_SLOPE))
        self.subtract_mean = _offset(-_WHITE)
        self.head = _conv(3, _CHANNELS)
        self.groups = nn.ModuleList(_Group() for _ in range(5))
        self.neck = _conv(_CHANNELS, _CHANNELS)
        self.upsampler = nn.Sequential(
            _conv(_CHANNELS, 4 * _CHANNELS), nn.PixelShuffle(2), _conv(_CHANNELS, 4 * _CHANNELS), nn.PixelShuffle(2)
        )
        self.output = _conv(_CHANNELS, 3)
        self.add_mean = _offset(_WHITE)

    def forward(self, lr: Tensor) -> Tensor:
        """The images at four times their size.

        Args:
            lr: Images (N, 3, h, w), RGB in [0, 255].

        Returns:
            Images (N, 3, 4h, 4w), RGB in [0, 255], not clipped.

        Raises:
            InvalidValueError: The images are no such tensor.
        """
        return self.upsample(lr, self.represent(lr))

    def represent(self, lr: Tensor) -> Tensor:
        """What images (N, 3, h, w), as for `forward`, have lost: representations (N, 256)."""
        self._check(lr)
        with without_autocast(lr.device):  # rounded to half precision, 255 levels lose their noise
            representation: Tensor = self.encoder(channels_last(lr.to(self.output.weight.dtype)))
        return representation

    def upsample(self, lr: Tensor, representation: Tensor) -> Tensor:
        """What `forward` gives of images (N, 3, h, w), with representations (N, 256) of what they have lost."""
        self._check(lr)
        require_tensor(representation, "representation", f"{len(lr)} {_REPRESENTATION}", like=self.output.weight)
        lost = self.compress(representation)
        dtype = self.output.weight.dtype
        with without_autocast(lr.device):  # half precision tells fewer than 255 levels apart
            shallow = deep = self.head(self.subtract_mean(channels_last(lr.to(dtype))))
        for group in self.groups:
            deep = group(deep, lost)
        large = self.upsampler(shallow + self.neck(deep))
        with without_autocast(lr.device):
            upsampled: Tensor = self.add_mean(self.output(large.to(dtype)))
        return upsampled

    def _check(self, lr: Tensor) -> None:
        require_tensor(lr, "lr", "N 3 h w", like=self.output.weight)


class _Group(nn.Module):
    """A residual of several blocks: features (N, 64, h, w), with what was lost (N, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block() for _ in range(5))
        self.conv = _conv(_CHANNELS, _CHANNELS)

    def forward(self, features: Tensor, lost: Tensor) -> Tensor:
        deep = features
        for block in self.blocks:
            deep = block(deep, lost)
        change: Tensor = self.conv(deep)
        return features + change


class _Block(nn.Module):
    """A residual of two layers that know what was lost and two convolutions, in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.first_aware, self.second_aware = _AwareLayer(), _AwareLayer()
        self.first, self.second = _conv(_CHANNELS, _CHANNELS), _conv(_CHANNELS, _CHANNELS)

    def forward(self, features: Tensor, lost: Tensor) -> Tensor:
        deep = _leaky(self.first(_leaky(self.first_aware(features, lost))))
        change: Tensor = self.second(_leaky(self.second_aware(deep, lost)))
        return features + change


class _AwareLayer(nn.Module):
    """A convolution of each channel with a kernel made of what was lost, and the channels weighted by it."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Sequential(
            nn.Linear(_CHANNELS, _CHANNELS, bias=False),
            nn.LeakyReLU(_SLOPE),
            nn.Linear(_CHANNELS, _CHANNELS * 9, bias=False),
        )
        self.mix = nn.Conv2d(_CHANNELS, _CHANNELS, 1)
        self.weights = nn.Sequential(
            nn.Conv2d(_CHANNELS, 8, 1, bias=False),
            nn.LeakyReLU(_SLOPE),
            nn.Conv2d(8, _CHANNELS, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor, lost: Tensor) -> Tensor:
        kernels = self.kernel(lost).view(-1, 1, 3, 3)
        # All images as one of many channels, so that each has kernels of its own.
        side_by_side = features.flatten(0, 1)[None]
        seen = functional.conv2d(side_by_side, kernels, padding=1, groups=len(kernels)).view_as(features)
        mixed: Tensor = self.mix(_leaky(seen))
        return mixed + features * self.weights(lost[:, :, None, None])


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _encoding(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
    return [conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(_SLOPE)]


def _offset(factor: float) -> nn.Conv2d:
    """A 1×1 convolution that adds a multiple of the mean and leaves the colours as they are."""
    offset = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        offset.weight.copy_(torch.eye(3)[:, :, None, None])
        offset.bias.copy_(factor * torch.tensor(_MEAN))  # type: ignore[union-attr]
    return offset.requires_grad_(False)


def _leaky(features: Tensor) -> Tensor:
    return functional.leaky_relu(features, _SLOPE)


RELEASED = (
    ReleasedNetwork(
        name="dasr",
        make=DASR,
        licence="MIT",
        names={
            r"^encoder\.": "E.encoder_q.E.",
            r"^subtract_mean\.": "G.sub_mean.",
            r"^add_mean\.": "G.add_mean.",
            r"^head\.": "G.head.0.",
            r"^compress\.": "G.compress.",
            r"^groups\.(\d)\.blocks\.(\d)\.": r"G.body.\1.body.\2.",
            r"^groups\.(\d)\.conv\.": r"G.body.\1.body.5.",
            r"\.first_aware\.": ".da_conv1.",
            r"\.second_aware\.": ".da_conv2.",
            r"\.first\.": ".conv1.",
            r"\.second\.": ".conv2.",
            r"\.mix\.": ".conv.",
            r"\.weights\.": ".ca.conv_du.",
            r"^neck\.": "G.body.5.",
            r"^upsampler\.": "G.tail.0.",
            r"^output\.": "G.tail.1.",
        },
        ignored=(r"^E\.encoder_q\.mlp\.", r"^E\.encoder_k\.", r"^E\.queue"),
    ),
)
