"""SpkDeblurNet: two branches of Swin transformers, of the image and of spikes at half its size."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim.checks import require_flag, require_whole
from spikesim.errors import InvalidValueError
from ssdm_models.baselines.channel_attention import RELEASED_CHANNEL_ATTENTION, ChannelAttention
from ssdm_models.baselines.quarter_maps import reflected, require_least, stem, unfolded, unfolding
from ssdm_models.baselines.released_network import ReleasedNetwork
from ssdm_models.baselines.window_attention import DERIVED, RELEASED_BLOCKS, SwinBlocks
from ssdm_models.memory_format import channels_last
from ssdm_models.tensor_checks import require_tensor

_HEADS, _WINDOW = 6, 8  # of attention within windows
_PER_SPIKE = 3  # channels of the image for one of the spikes
_DIMS = _PER_SPIKE * 12  # both kinds of heads divide the channels of both branches
_MULTIPLE = 32  # of the sides of a map, once padded
_SMALLEST = 65  # pixels: a smaller map has too little to reflect
_LUMA = (0.2989, 0.587, 0.114)
_STILL = 0.1  # of the range of differences between image and TFI


class EncodedImage(NamedTuple):
    """What a blurry image alone gives: features (N, dim, H/4, W/4), padded, and the sharp image `quick` of them."""

    features: Tensor
    quick: Tensor


class Deblurring(NamedTuple):
    """What SpkDeblurNet makes, each of which its authors compare with the truth; none is clipped.

    Args:
        sharp: The sharp images (N, 3, H, W).
        recon: The spikes' own grey images (N, 1, 2h, 2w).
        quick: Sharp images (N, 3, H, W) of the blurry ones alone.
    """

    sharp: Tensor
    recon: Tensor
    quick: Tensor


class SpkDeblurNet(nn.Module):
    """SpkDeblurNet: `network(blur, spikes, tfi)` is the sharp image in the middle of a window of readouts.

    The branch of the image shows a first sharp image. Where that agrees with the spikes' TFI, it is added to the branch
    of the spikes, and what this makes of both is added to the branch of the image. Maps have a quarter of the image's
    size and are padded by reflection to multiples of 32.

    In the code of its authors the third group of the spikes is given what the first is given, so that the first two do
    nothing; two convolutions are never called. Their parameters are kept, because files have them and counts are with
    them.

    Args:
        readouts: How many readouts of spikes it is given.
        dim: Channels of the image, a multiple of 36; spikes have a third.
        blocks: Of each group.
        chained: Whether the three groups of the spikes follow each other, as the paper has it and the authors' code
            does not.
        shared_range: Whether the mask is scaled by the range of the whole batch, as in the authors' training, and not
            by that of each of its images. Of one image both are the same.

    Attributes:
        title: What messages call the network.

    Raises:
        InvalidValueError: An argument is out of range.

    Source:
        Chen et al., "Enhancing Motion Deblurring in High-Speed Scenes with Spike Streams", NeurIPS 2023; attention of
        channels: Zamir et al., "Restormer", CVPR 2022.
    """

    title = "SpkDeblurNet"

    def __init__(
        self,
        readouts: int = 21,
        dim: int = 180,
        blocks: int = 6,
        chained: bool = False,
        shared_range: bool = False,
    ) -> None:
        super().__init__()
        self.readouts = require_whole(readouts, "readouts", 1)
        self.dim, self.blocks = require_whole(dim, "dim", _DIMS), require_whole(blocks, "blocks", 1)
        self.chained, self.shared_range = require_flag(chained, "chained"), require_flag(shared_range, "shared_range")
        if self.dim % _DIMS:
            raise InvalidValueError(f"dim must be a multiple of {_DIMS}, got {dim}; take {dim // _DIMS * _DIMS}")
        of_spikes = self.dim // _PER_SPIKE
        self.blur_stem = stem(3, self.dim)
        self.blur_groups = nn.Sequential(*(_Group(self.dim, self.blocks) for _ in range(6)))
        self.quick_head = unfolding(self.dim, 3)
        self.mask = _StillMask(self.shared_range)
        self.masked_stem = stem(1, of_spikes)
        self.spike_stem = nn.Conv2d(self.readouts, of_spikes, 3, stride=2, padding=1)
        self.spike_groups = nn.Sequential(*(_Group(of_spikes, self.blocks) for _ in range(4)))
        self.image_into_spikes = ChannelAttention(of_spikes, of_spikes)
        self.spikes_merge = _conv(of_spikes, of_spikes)
        self.recon_head = unfolding(of_spikes, 1)
        self.spikes_into_image = ChannelAttention(self.dim, of_spikes)
        self.sharp_head = unfolding(self.dim, 3)
        self.idle_of_blur = _conv(self.dim + of_spikes, self.dim)
        self.idle_of_spikes = _conv(2 * of_spikes, of_spikes)

    def forward(self, blur: Tensor, spikes: Tensor, tfi: Tensor) -> Tensor:
        """The sharp images.

        Args:
            blur: Blurry images (N, 3, H, W), RGB in [0, 1], at least 65×65 pixels.
            spikes: Readouts around the wanted time (N, `readouts`, H/2, W/2), rounded up, of 0 and 1.
            tfi: Images (N, 1, any, any) of the spikes at that time, light in [0, 1].

        Returns:
            Sharp images (N, 3, H, W), not clipped.

        Raises:
            InvalidValueError: Images are too small, or spikes and TFI do not belong to them.
        """
        return self.deblur(blur, spikes, tfi).sharp

    def deblur(self, blur: Tensor, spikes: Tensor, tfi: Tensor) -> Deblurring:
        """The sharp images, and what is made on the way; arguments as for `forward`."""
        self._check(blur, spikes, tfi)
        return self.fuse(self.encode_blur(blur), spikes, tfi)

    def encode_blur(self, blur: Tensor) -> EncodedImage:
        """What depends on the blurry images alone, as for `forward`: for several times, it is computed once."""
        self._check_image(blur)
        shallow = self._padded(self.blur_stem(channels_last(blur)))
        features = self.blur_groups[:3](shallow) + shallow
        height, width = blur.shape[2:]
        return EncodedImage(features, unfolded(self.quick_head(features), height, width))

    def fuse(self, image: EncodedImage, spikes: Tensor, tfi: Tensor) -> Deblurring:
        """What `deblur` gives, of what `encode_blur` gave of the blurry images; other arguments as for `forward`."""
        self._check(image.quick, spikes, tfi)
        shallow = self._padded(self.spike_stem(channels_last(spikes)))
        features = self.spike_groups[0 if self.chained else 2 : 3](shallow) + shallow
        masked = self.masked_stem(self.mask(image.quick, tfi))
        joined = self.image_into_spikes(features, self._padded(masked))
        refined = self.spike_groups[3:](joined)
        recon = self.recon_head(joined + self.spikes_merge(refined))
        features = self.spikes_into_image(image.features, refined)
        sharp = self.sharp_head(features + self.blur_groups[3:](features))
        height, width = image.quick.shape[2:]
        return Deblurring(
            unfolded(sharp, height, width),
            unfolded(recon, 2 * spikes.shape[2], 2 * spikes.shape[3]),
            image.quick,
        )

    def _check_image(self, blur: Tensor) -> None:
        require_tensor(blur, "blur", "N 3 H W", like=self.sharp_head.weight)
        require_least(blur, "blur", _SMALLEST, self.title)

    def _check(self, blur: Tensor, spikes: Tensor, tfi: Tensor) -> None:
        self._check_image(blur)
        images, _, height, width = blur.shape
        require_tensor(spikes, "spikes", "N readouts h w", like=self.sharp_head.weight)
        require_tensor(tfi, "tfi", "N 1 h w", like=self.sharp_head.weight)
        expected = (images, self.readouts, -(-height // 2), -(-width // 2))
        if tuple(spikes.shape) != expected:
            raise InvalidValueError(
                f"spikes must be {self.readouts} readouts at half the size of {images} images of {width}×{height}, "
                f"{expected}, got {tuple(spikes.shape)}; repeat the pixels of smaller ones"
            )
        if len(tfi) != images:
            raise InvalidValueError(f"tfi must be one for each of {images} images, got {len(tfi)}")

    def _padded(self, features: Tensor) -> Tensor:
        """Maps with sides of whole windows, in the type of the weights: much is added to them.

        Under autocast they would have half its bits.
        """
        return channels_last(reflected(features.to(self.sharp_head.weight.dtype), _MULTIPLE))


class _Group(nn.Module):
    """Swin blocks and a convolution, whose result is added to what they are of."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.blocks = SwinBlocks(channels, _HEADS, _WINDOW, blocks)
        self.merge = _conv(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        result: Tensor = features + self.merge(self.blocks(features))
        return result


class _StillMask(nn.Module):
    """What of the first sharp image (N, 3, H, W) agrees with the TFI (N, 1, h, w), grey (N, 1, H, W)."""

    def __init__(self, shared_range: bool) -> None:
        super().__init__()
        self.axes = (0, 1, 2, 3) if shared_range else (1, 2, 3)
        self.compare = _conv(2, 32)
        self.weigh = nn.Conv2d(33, 33, 1)
        self.join = nn.Conv2d(33, 1, 1)

    def forward(self, quick: Tensor, tfi: Tensor) -> Tensor:
        # As the weights: a step at a tenth of the range is not for half the bits, which autocast would give.
        quick, tfi = quick.to(self.join.weight.dtype), tfi.to(self.join.weight.dtype)
        red, green, blue = quick.split(1, 1)
        grey = _LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue
        light = functional.interpolate(tfi, grey.shape[2:], mode="bilinear")
        features = torch.cat([self.compare(torch.cat([grey, light], 1)), self._still(grey - light)], 1)
        weights = self.weigh(features.mean((2, 3), keepdim=True))
        masked: Tensor = grey * self.join(features * weights).sigmoid()
        return masked

    @torch.no_grad()
    def _still(self, difference: Tensor) -> Tensor:
        """1 where the difference is small for its range, and at the greatest one, as its authors' code has it."""
        difference = difference.abs()
        least, most = difference.amin(self.axes, keepdim=True), difference.amax(self.axes, keepdim=True)
        scaled = (difference - least) / (most - least)  # no number where all are equal: then none is still
        return ((scaled <= _STILL) | (scaled == 1)).to(difference.dtype)


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


_NAMES = {
    r"^blur_stem\.": "D_conv_down.",
    r"^blur_groups\.(\d)\.blocks\.": r"D_layers.\1.residual_group.blocks.",
    r"^blur_groups\.(\d)\.merge\.": r"D_layers.\1.last_layer.",
    r"^quick_head\.": "D_mid_shuffle_up.0.",
    r"^sharp_head\.": "D_last_shuffle_up.0.",
    r"^idle_of_blur\.": "D_conv_reduce.0.",
    r"^mask\.compare\.": "cammm.conv1.",
    r"^mask\.weigh\.": "cammm.sca.1.",
    r"^mask\.join\.": "cammm.conv2.",
    r"^masked_stem\.": "conv_masked_blur.",
    r"^spike_stem\.": "S_conv_down.0.",
    r"^spike_groups\.(\d)\.blocks\.": r"S_layers.\1.residual_group.blocks.",
    r"^spike_groups\.(\d)\.merge\.": r"S_layers.\1.last_layer.",
    r"^spikes_merge\.": "S_conv_after_body.",
    r"^recon_head\.": "S_shuffle_up.0.",
    r"^idle_of_spikes\.": "S_conv_reduce.0.",
    r"^image_into_spikes\.": "cross_attention_1.",
    r"^spikes_into_image\.": "cross_attention_2.",
    **RELEASED_CHANNEL_ATTENTION,
    **RELEASED_BLOCKS,
}

# Their files are of 56 readouts, or, for another dataset, of 33 and 65; 21 is what the table of SpikeReveal has.
RELEASED = tuple(
    ReleasedNetwork(
        name,
        partial(SpkDeblurNet, readouts),
        licence="none stated",
        names=_NAMES,
        ignored=DERIVED,
    )
    for name, readouts in (("spkdeblurnet", 56), ("spkdeblurnet21", 21))
)
