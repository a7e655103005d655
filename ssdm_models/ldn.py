"""LDN, the student of S-SDM: a lightweight network that deblurs an image with the spikes around a time."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim.checks import require_whole
from spikesim.errors import InvalidValueError
from ssdm_models.deblurring_network import Renderer, check_sizes
from ssdm_models.memory_format import channels_last
from ssdm_models.student import Student
from ssdm_models.tensor_checks import require_tensor
from ssdm_models.tiled_deblurring import TiledDeblurring

_ENCODED = 32  # channels of the image, and as many of the spikes
_FUSED = 2 * _ENCODED


class EncodedBlur(NamedTuple):
    """What a blurry image alone gives: features (N, 32, H/4, W/4), and its part in the output (N, 3, H, W)."""

    features: Tensor
    image: Tensor


class LDN(Student):
    """Lightweight deblurring network: `network(blur, spikes)` is `fuse(encode_blur(blur), encode_spikes(spikes))`.

    The image and the spikes are encoded to a quarter of the image's size, weighted by channel and by place, refined,
    and upsampled to the image's size, where a 1×1 convolution joins them with the image itself.

    Convolutions run in the channels-last layout, which transposed ones are twice as fast in on the CPU.

    Args:
        length: How many readouts its window of normalised spikes has, odd: the wanted time is in the middle.

    Raises:
        InvalidValueError: The length is even or not positive.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024; attention: Woo et al., "CBAM", ECCV 2018.
    """

    title = "LDN"
    has_tiles = True

    def __init__(self, length: int = 21) -> None:
        super().__init__()
        length = require_whole(length, "length")
        if length < 1 or length % 2 == 0:
            raise InvalidValueError(f"LDN needs an odd number of readouts with the time in the middle, got {length}")
        self.length = length
        self.blur_encoder = nn.Sequential(
            nn.Conv2d(3, 16, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, _ENCODED, 5, stride=2, padding=2),
            nn.ReLU(),
        )
        self.spike_encoder = nn.Sequential(
            nn.Conv2d(length, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, _ENCODED, 3, padding=1), nn.ReLU()
        )
        self.channel_attention = nn.Sequential(
            nn.Conv2d(_FUSED, 4, 1, bias=False), nn.ReLU(), nn.Conv2d(4, _FUSED, 1, bias=False)
        )
        self.spatial_attention = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.residuals = nn.ModuleList(
            nn.Sequential(nn.Conv2d(_FUSED, _FUSED, 3, padding=1), nn.ReLU(), nn.Conv2d(_FUSED, _FUSED, 3, padding=1))
            for _ in range(2)
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(_FUSED, 32, 5, stride=2, padding=2, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 5, stride=2, padding=2, output_padding=1),
            nn.ReLU(),
        )
        self.output = nn.Conv2d(3 + 16, 3, 1)

    def forward(self, blur: Tensor, spikes: Tensor) -> Tensor:
        """The sharp image in the middle of the window.

        Args:
            blur: Blurry images (N, 3, H, W), RGB in [0, 1], H and W multiples of 4.
            spikes: Normalised spikes around the wanted time (N, `length`, H/4, W/4).

        Returns:
            Sharp images (N, 3, H, W), RGB, not clipped.

        Raises:
            InvalidValueError: The spikes are not a quarter of the image, or another number of readouts.
        """
        self._check_place(blur, spikes)
        self.check(blur, spikes)
        return self.fuse(self.encode_blur(blur), self.encode_spikes(spikes))

    def sequence(self, blur: Tensor, spikes: Tensor) -> Tensor:
        self._check_place(blur, spikes)
        times = require_tensor(spikes, "spikes", "N S length h w").shape[1]
        self.check(blur, spikes.flatten(0, 1), times)
        encoded = EncodedBlur(*(part.repeat_interleave(times, 0) for part in self.encode_blur(blur)))
        return self.fuse(encoded, self.encode_spikes(spikes.flatten(0, 1))).unflatten(0, (-1, times))

    def renderer(self, blur: Tensor) -> Renderer:
        encoded = self.encode_blur(blur)
        return lambda spikes: self.fuse(encoded, self.encode_spikes(spikes))

    def tiled_renderer(self, blur: Tensor, side: int) -> Renderer:
        require_tensor(blur, "blur", "1 3 H W", like=self.output.weight)
        return TiledDeblurring(self, blur, side)

    def encode_blur(self, blur: Tensor) -> EncodedBlur:
        """What depends on the blurry image (N, 3, H, W) alone.

        Args:
            blur: RGB (N, 3, H, W) in [0, 1].
        """
        blur = channels_last(blur)
        return EncodedBlur(self.blur_encoder(blur), self.part_in_output(blur))

    def encode_spikes(self, spikes: Tensor) -> Tensor:
        """What depends on the spikes (N, length, H/4, W/4) around a time alone: features (N, 32, H/4, W/4).

        Args:
            spikes: (N, length, H/4, W/4), float32.
        """
        features: Tensor = self.spike_encoder(channels_last(spikes))
        return features

    def fuse(self, blur: EncodedBlur, spikes: Tensor) -> Tensor:
        """The sharp images (N, 3, H, W), from what both encoders gave.

        Args:
            blur: What `encode_blur` gave.
            spikes: What `encode_spikes` gave, (N, 32, H/4, W/4).
        """
        features = torch.cat([blur.features, spikes], 1)
        return blur.image + self.render(features * self.channel_weights(features))

    def part_in_output(self, blur: Tensor) -> Tensor:
        """What the blurry image (N, 3, H, W) itself adds to the sharp ones, of the same shape.

        Args:
            blur: RGB (N, 3, H, W) in [0, 1].
        """
        of_image, _ = self._output_weights()
        return functional.conv2d(blur, of_image, self.output.bias)

    def channel_weights(self, *features: Tensor) -> Tensor:
        """The weights of channels (N, 64, 1, 1): the one step that looks at whole images.

        Args:
            features: The features (N, 64, h, w), in one piece or several that follow each other.
        """
        means = torch.cat([part.mean((2, 3), keepdim=True) for part in features], 1)
        peaks = torch.cat([part.amax((2, 3), keepdim=True) for part in features], 1)
        weights: Tensor = self.channel_attention(means) + self.channel_attention(peaks)
        return weights.sigmoid()

    def render(self, features: Tensor) -> Tensor:
        """What features (N, 64, h, w), weighted by channel, add to the sharp images, (N, 3, 4h, 4w).

        Args:
            features: (N, 64, h, w).
        """
        places = torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], 1)
        fused = features * self.spatial_attention(places).sigmoid()
        for residual in self.residuals:
            fused = fused + residual(fused)
        _, of_features = self._output_weights()
        return functional.conv2d(self.decoder(fused), of_features)

    def _output_weights(self) -> tuple[Tensor, Tensor]:
        """The last convolution takes image and features side by side; apart, they need not be laid there."""
        of_image, of_features = self.output.weight.split([3, 16], 1)
        return of_image, of_features

    def _check_place(self, *inputs: Tensor) -> None:
        """Refuse what is no tensor like the weights."""
        for name, value in zip(("blur", "spikes"), inputs, strict=True):
            require_tensor(value, name, "...", like=self.output.weight)

    def check(self, blur: Tensor, spikes: Tensor, times: int = 1) -> None:
        """Check that spikes belong to images.

        Args:
            blur: (N, 3, H, W).
            spikes: (N·times, length, h, w).
            times: Readouts that are shown of each image, ≥ 1.

        Raises:
            InvalidValueError: They do not.
        """
        check_sizes(blur, spikes)
        images = len(blur)
        if tuple(spikes.shape[:2]) != (images * times, self.length):
            raise InvalidValueError(
                f"this LDN takes windows of {self.length} readouts, one for each of {images * times} images; got "
                f"spikes {tuple(spikes.shape)}"
            )
