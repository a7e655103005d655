"""The teacher: sharp images from a blurry one and its spikes, without ever having seen a sharp one."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from spikesim.checks import require_instance, require_whole
from spikesim_datasets.optics import SCALE
from ssdm_models import sdm
from ssdm_models.intensity import intensity_scale
from ssdm_models.readout_spans import require_times
from ssdm_models.tensor_checks import require_tensor
from ssdm_models.windows import long_exposure, short_exposures


class Bilinear(nn.Module):
    """Bilinear upsampling to the colour camera's size, what super-resolution has to beat.

    Args:
        ratio: How many times as wide and high images become.

    Raises:
        InvalidValueError: It is no whole number of at least 1.
    """

    def __init__(self, ratio: int = SCALE) -> None:
        super().__init__()
        self.ratio = require_whole(ratio, "ratio", 1)

    def forward(self, image: Tensor) -> Tensor:
        """Images (N, C, h, w) as (N, C, ratio·h, ratio·w).

        Args:
            image: (N, C, h, w).

        Raises:
            InvalidValueError: It is no such tensor.
        """
        require_tensor(image, "image", "N C h w")
        return functional.interpolate(image, scale_factor=self.ratio, mode="bilinear", align_corners=False)


class Teacher(nn.Module):
    """BSN → super-resolution → SDM: what the student learns from.

        T(t) = clip(B · SR(c · BSN(short TFP at t)) / SR(c · long TFP)),   0 where the denominator is 0

    SR is clipped to [0, 1] as in its training. `intensity.intensity_scale` c, which the paper does not have,
    normalises spikes, so that one SR serves every threshold. The parts are evaluated, not trained.

    Args:
        denoiser: BSN of short exposures; None leaves them as they are.
        upsampler: EDSR; None upsamples bilinearly. Without both, this is plain SDM.

    Raises:
        InvalidValueError: A part is no module.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024.
    """

    def __init__(self, denoiser: nn.Module | None = None, upsampler: nn.Module | None = None) -> None:
        super().__init__()
        self.denoiser = nn.Identity() if denoiser is None else require_instance(denoiser, "denoiser", nn.Module)
        self.upsampler = Bilinear() if upsampler is None else require_instance(upsampler, "upsampler", nn.Module)
        self.requires_grad_(False).eval()

    def forward(self, blur: Tensor, spikes: Tensor, times: Sequence[int], exposure: tuple[int, int]) -> Tensor:
        """The sharp images at several times.

        Args:
            blur: Blurry images (N, 3, H, W), RGB in [0, 1].
            spikes: Their streams (N, T, H/4, W/4) of 0 and 1.
            times: The S times, readouts of the streams.
            exposure: First readout of the blurry images' exposure, and the one after its last.

        Returns:
            Sharp images (N, S, 3, H, W) in [0, 1].

        Raises:
            InvalidValueError: A time or the exposure is not in the stream, the spikes are not a quarter of the images,
                or values are not as above.
        """
        require_tensor(blur, "blur", "N 3 H W")
        require_tensor(spikes, "spikes", "N T h w")
        times = require_times(times, least=1)
        long = long_exposure(spikes, exposure)
        scale = intensity_scale(blur, long)
        short = self.denoiser(short_exposures(spikes, times).flatten(0, 1)[:, None])
        short = self._upsample(short * scale.repeat_interleave(len(times), 0)).unflatten(0, (-1, len(times)))
        long = self._upsample(long * scale)
        return sdm.deblur(blur[:, None].expand(-1, len(times), -1, -1, -1), long[:, None], short).clamp(0, 1)

    def _upsample(self, exposure: Tensor) -> Tensor:
        upsampled: Tensor = self.upsampler(exposure).clamp(0, 1)
        return upsampled
