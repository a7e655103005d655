"""The multi-exposure network: deblurs at any threshold, from exposures of many lengths in the unit of light."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim.checks import require_instance
from spikesim.errors import InvalidValueError
from spikesim_datasets.optics import SCALE
from ssdm_models.deblurring_network import DeblurringNetwork, Renderer, check_sizes
from ssdm_models.exposure_spans import PLANES
from ssdm_models.exposures import exposure_planes
from ssdm_models.memory_format import channels_last
from ssdm_models.stream_view import StreamView
from ssdm_models.tensor_checks import require_tensor

_FINE, _COARSE = 64, 96  # channels at the size of the spikes, and at a half and a quarter of it
_IMAGE = 3 * SCALE**2  # channels of an image that lies in the spikes' pixels
_LEVELS = 4  # of the spikes' pixels along a side, one of the coarsest


class MultiExposure(DeblurringNetwork):
    """The multi-exposure network: `network(blur, planes)` adds to the blurry image what it makes of both.

    It sees the stream as light: windows of many lengths around the time, the whole exposure and its two parts, all
    times the intensity scale (`exposures.exposure_planes`). So thresholds, gains and lengths of exposures cancel, and
    one set of weights serves all of them. Windows are differences of fractional counts, which have no steps of a whole
    spike (`spikesim.fractional_counts`), so few spikes tell much.

    The image is folded to the size of the spikes, a pixel of which holds 4×4 of the image's in 48 channels. Residual
    blocks work there and, between convolutions of stride 2, at a half and a quarter of it; what they give is unfolded.

    Images of any size, as long as the sides are multiples of 4; streams and exposures of any length, and any time in
    the stream.

    Source:
        The blurry image with short and long exposures of spikes as in SDM: Chen et al., "SpikeReveal", NeurIPS 2024,
        Eq. 5-7; residual blocks: Lim et al., "EDSR", CVPRW 2017; levels: Ronneberger et al., "U-Net", MICCAI 2015.
    """

    title = "the multi-exposure network"

    def __init__(self) -> None:
        super().__init__()
        # One convolution of image and planes side by side; apart, the image's part is computed once for all times.
        self.image_in = nn.Conv2d(_IMAGE, _FINE, 3, padding=1)
        self.planes_in = nn.Conv2d(PLANES, _FINE, 3, padding=1, bias=False)
        self.fine_in = ResidualBlock(_FINE)
        self.down = nn.Conv2d(_FINE, _COARSE, 2, stride=2)
        self.coarse_in = ResidualBlock(_COARSE)
        self.down_again = nn.Conv2d(_COARSE, _COARSE, 2, stride=2)
        self.coarsest = ResidualBlock(_COARSE)
        self.up = nn.ConvTranspose2d(_COARSE, _COARSE, 2, stride=2)
        self.coarse_out = ResidualBlock(_COARSE)
        self.up_again = nn.ConvTranspose2d(_COARSE, _FINE, 2, stride=2)
        self.fine_out = nn.Sequential(ResidualBlock(_FINE), ResidualBlock(_FINE))
        self.output = nn.Conv2d(_FINE, _IMAGE, 3, padding=1)
        with torch.no_grad():  # training begins near the blurry image itself
            self.output.weight.mul_(0.1)
            self.output.bias.zero_()  # type: ignore[union-attr]

    def prepare(self, spikes: StreamView, time: int) -> Tensor:
        """The planes of a time, (1, `PLANES`, h, w).

        Args:
            spikes: A view of the stream.
            time: The readout to show, any of the stream.

        Raises:
            InvalidValueError: The time is not in the stream.
        """
        require_instance(spikes, "spikes", StreamView)  # type: ignore[type-abstract]
        return exposure_planes(spikes.counts[None], time, spikes.exposure, spikes.robust_scale[None])

    def forward(self, blur: Tensor, planes: Tensor) -> Tensor:
        """The sharp images at a time.

        Args:
            blur: Blurry images (N, 3, H, W), RGB in [0, 1], H and W multiples of 4.
            planes: What `prepare` gives of their streams, (N, `PLANES`, H/4, W/4).

        Returns:
            Sharp images (N, 3, H, W), RGB, not clipped.

        Raises:
            InvalidValueError: The planes are not a quarter of the image, or another number.
        """
        return self.renderer(blur)(planes)

    def renderer(self, blur: Tensor) -> Renderer:
        require_tensor(blur, "blur", "N 3 H W", like=self.output.weight)
        folded = channels_last(_padded(functional.pixel_unshuffle(blur, SCALE)))
        encoded = self.image_in(folded)

        def render(planes: Any) -> Tensor:
            require_tensor(planes, "planes", "N planes h w", like=self.output.weight)
            check_sizes(blur, planes)
            if planes.shape[:2] != (len(blur), PLANES):
                raise InvalidValueError(
                    f"planes must be {PLANES} for each of {len(blur)} images, as exposure_planes gives them; got "
                    f"{tuple(planes.shape)}"
                )
            change = self._refine(self.planes_in(channels_last(_padded(planes))).add_(encoded))
            height, width = planes.shape[2:]
            # Not in place: under autocast the change has half precision, and the image must not.
            return blur + functional.pixel_shuffle(change[:, :, :height, :width], SCALE)

        return render

    def _refine(self, fine: Tensor) -> Tensor:
        fine = self.fine_in(fine)
        coarse = self.coarse_in(self.down(fine))
        coarse = self.coarse_out(self.up(self.coarsest(self.down_again(coarse))).add_(coarse))
        change: Tensor = self.output(self.fine_out(self.up_again(coarse).add_(fine)))
        return change


class ResidualBlock(nn.Module):
    """Two convolutions whose result is added to what they are of, (N, channels, h, w).

    Args:
        channels: Of what comes in and goes out.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():  # training begins with little but the identity, so that no layer need be normalised
            self.second.weight.mul_(0.3)
            self.second.bias.zero_()  # type: ignore[union-attr]

    def forward(self, features: Tensor) -> Tensor:
        """What comes of features, of the same shape.

        Args:
            features: (N, channels, h, w).
        """
        # In place: what a convolution gives is needed nowhere else.
        change: Tensor = self.second(self.first(features).relu_())
        return change.add_(features)


def _padded(features: Tensor) -> Tensor:
    """Features (N, C, h, w) with their last rows and columns repeated, until all levels have whole pixels."""
    height, width = features.shape[2:]
    return functional.pad(features, (0, -width % _LEVELS, 0, -height % _LEVELS), "replicate")
