"""Motion-ETR: a network that tells each pixel's way during the exposure, and one that deblurs along it."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from spikesim.checks import require_list, require_number
from spikesim.errors import InvalidValueError
from ssdm_models.baselines.deformable import warp
from ssdm_models.baselines.image_sizes import require_multiples
from ssdm_models.baselines.motion_etr_networks import OffsetNetwork, TrajectoryDeblurringNetwork
from ssdm_models.baselines.released_network import ReleasedNetwork
from ssdm_models.tensor_checks import require_tensor

_MULTIPLE = 8  # pixels
_LEAST = 16  # pixels; of smaller images, the coarsest maps cannot be mirrored at their edges
_STEPS = 7  # from the middle of the exposure to either end

TIMES = tuple(step / _STEPS for step in range(-_STEPS, _STEPS + 1))
"""Of the 15 points on a pixel's way: −1 is the start of the exposure, 0 its middle, 1 its end."""

# As the released network keeps its points: start, those before the middle away from it, middle, the others.
_KEPT_TIMES = (TIMES[0], *TIMES[_STEPS - 1 : 0 : -1], *TIMES[_STEPS:])
_TAPS = slice(2 * 3, 2 * (3 + 9))  # the points that move the nine taps, rows and columns


class MotionETR(nn.Module):
    """Exposure trajectory recovery: a quadratic way of each pixel, and the sharp image in the middle of the exposure.

    A frame of another time is the sharp image as each pixel sees it from where its way is then; their mean is the
    blurry image again. In which direction time runs the image does not say.

    Attributes:
        title: What messages call the network.
        offset_network: What tells the ways, alone in the first stage of training.
        deblurring_network: What deblurs along them.

    Source:
        Zhang et al., "Exposure Trajectory Recovery from Motion Blur", TPAMI 2021.
    """

    title = "Motion-ETR"

    def __init__(self) -> None:
        super().__init__()
        self.offset_network = OffsetNetwork()
        self.deblurring_network = TrajectoryDeblurringNetwork()
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, blur: Tensor) -> Tensor:
        """The frames of all 15 `TIMES`.

        Args:
            blur: Blurry images (N, 3, H, W), RGB in [0, 1], H and W multiples of 8, at least 16.

        Returns:
            Frames (N, 15, 3, H, W), RGB, not clipped, in the order of time, or against it; the middle one is the
            deblurred image itself.

        Raises:
            InvalidValueError: The images are of other shapes.
        """
        return self.frames_at(blur, TIMES)

    def frames_at(self, blur: Tensor, times: Iterable[float]) -> Tensor:
        """The frames of any times: seven equal steps of an exposure are at −1, −2/3, …, 1.

        Args:
            blur: Blurry images (N, 3, H, W), as for `forward`.
            times: S times in [−1, 1]; at 0 is the deblurred image itself.

        Returns:
            Frames (N, S, 3, H, W), RGB, not clipped.

        Raises:
            InvalidValueError: The images are of other shapes, or times are outside the exposure or none.
        """
        listed = [require_number(time, "each of times", -1, 1) for time in require_list(times, "times", "times")]
        if not listed:
            raise InvalidValueError("times must be one or more in [−1, 1], got none")
        offsets = self.offsets(blur)
        return frames(self.deblurred(blur, offsets), offsets, listed)

    def offsets(self, blur: Tensor) -> Tensor:
        """How far each pixel is from its place at the 15 points of its way.

        Args:
            blur: Blurry images (N, 3, H, W), as for `forward`.

        Returns:
            Rows and columns, pixels, of the points in the order in which the released network keeps them, by their
            times −1, −1/7, …, −6/7, 0, 1/7, …, 1: (N, 30, H, W), float32 under autocast as well.

        Raises:
            InvalidValueError: As for `forward`.
        """
        self._check(blur)
        ends: Tensor = self.offset_network(blur)
        start, end = ends.split(2, 1)
        return torch.cat([_point(start, end, time) for time in _KEPT_TIMES], 1)

    def deblurred(self, blur: Tensor, offsets: Tensor) -> Tensor:
        """The sharp image in the middle of the exposure.

        Args:
            blur: Blurry images (N, 3, H, W), as for `forward`.
            offsets: Their offsets (N, 30, H, W), from `offsets` of this network or of another.

        Returns:
            (N, 3, H, W), RGB, not clipped.

        Raises:
            InvalidValueError: As for `forward`, or the offsets are not theirs.
        """
        self._check(blur)
        count, _, height, width = blur.shape
        shape = f"{count} {2 * len(TIMES)} {height} {width}"
        require_tensor(offsets, "offsets", shape, like=self.offset_network.output.weight)
        sharp: Tensor = self.deblurring_network(blur, offsets[:, _TAPS])
        return sharp

    def _check(self, blur: Tensor) -> None:
        require_tensor(blur, "blur", "N 3 H W", like=self.offset_network.output.weight)
        require_multiples(self.title, blur, _MULTIPLE)
        height, width = blur.shape[2:]
        if min(height, width) < _LEAST:
            raise InvalidValueError(
                f"{self.title} takes images of at least {_LEAST}×{_LEAST} pixels, got {width}×{height}; pad them to "
                f"the nearest size, {max(_LEAST, width)}×{max(_LEAST, height)}"
            )


def frames(sharp: Tensor, offsets: Tensor, times: Sequence[float]) -> Tensor:
    """Frames (N, S, 3, H, W) of times in [−1, 1], from sharp images (N, 3, H, W) and their offsets (N, 30, H, W)."""
    start, end = offsets[:, :2], offsets[:, -2:]
    return torch.stack([warp(sharp, _point(start, end, time)) if time else sharp for time in times], 1)


def reblur(sharp: Tensor, offsets: Tensor) -> Tensor:
    """The blurry image (N, 3, H, W) that sharp ones make on their way: the mean of the frames of `TIMES`."""
    return frames(sharp, offsets, TIMES).mean(1)


def _point(start: Tensor, end: Tensor, time: float) -> Tensor:
    """The quadratic way that starts at one place at −1, passes 0 at 0 and ends at another at 1."""
    return ((time + time**2) * end - (time - time**2) * start) / 2


RELEASED = (
    ReleasedNetwork(
        "motion_etr",
        MotionETR,
        licence="none stated; not to be redistributed",
        names={
            r"^offset_network": "offset_net",
            r"\.fine\.": ".conv_1.",
            r"\.middle\.": ".conv_2.",
            r"\.coarse\.": ".conv_3.",
            r"(?<=\.conv_\d)\.first": ".1",
            r"(?<=\.conv_\d)\.residuals\.(\d)": r".3.\1.conv_block",
            r"(?<=\.conv_block)\.first": ".1",
            r"(?<=\.conv_block)\.second": ".4",
            **{rf"\.bottlenecks\.{index}": f".bottleneck_{index + 1}" for index in range(3)},
            r"(?<=bottleneck_\d)\.0": ".conv1",
            r"(?<=bottleneck_\d)\.2": ".conv2",
            **{rf"\.upsamplings\.{index}": f".uconv_{index + 1}" for index in range(3)},
            r"(?<=offset_net)\.output": ".conv_out_0",
            r"^deblurring_network\.whole\.(..coder)": r"deblur_net.\1_lv1",
            r"^deblurring_network\.halves\.(..coder)": r"deblur_net.\1_lv2",
            r"^deblurring_network\.quarters\.(..coder)": r"deblur_net.\1_lv3",
            **{
                rf"(?<=encoder_lv\d)\.{index}(?=\.)": f".layer{layer}"
                for index, layer in enumerate((1, 2, 3, 5, 6, 7, 9, 10, 11))
            },
            **{rf"\.upsampling\.{index}": f".layer{layer}" for index, layer in enumerate((13, 14, 16, 17, 18, 20))},
            r"(?<=decoder_lv\d)\.scale": ".ratio_3",
            r"(?<=decoder_lv\d)\.output": ".layer24",
            r"\.along\.0\.first": ".dcn_5_0",
            r"\.along\.0\.second": ".dcn_5_1",
            r"\.along\.1\.first": ".dcn_6_0",
            r"\.along\.1\.second": ".dcn_6_1",
            r"(?<=\d)\.first": ".0",
            r"(?<=\d)\.second": ".2",
        },
        twins={
            r"(bottleneck_\d)\.conv1": r"\1.model.0",
            r"(bottleneck_\d)\.conv2": r"\1.model.2",
        },
    ),
)
