"""TRMD: how six frames of a blurry image differ from the seventh in the middle, from which all seven follow."""

from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn

from spikesim.checks import require_choice
from spikesim.errors import InvalidValueError
from ssdm_models.baselines.image_sizes import require_multiples, require_same_place
from ssdm_models.baselines.released_network import ReleasedNetwork
from ssdm_models.baselines.without_autocast import without_autocast
from ssdm_models.memory_format import channels_last
from ssdm_models.tensor_checks import require_one_device, require_tensor

_FRAMES = 7
_RESIDUALS = _FRAMES - 1
_CHANNELS = 32  # of the image, and as many of the events
_LEVELS = (_CHANNELS, 64, 128, 256, 512)
_STEP = 1 << (len(_LEVELS) - 1)  # pixels of the image along a side of one of the coarsest level
_MORE_ROWS = 8  # a pixel of the coarsest level half of which lies below the image


class TRMD(nn.Module):
    """Two-stage residual-based motion deblurring: `network(blur, scer)` is `seven_frames` of `network.residuals`.

    Image and events attend to each other channel by channel, in products over all pixels; so what it computes of a
    pixel depends on the whole image, and on its size.

    Args:
        colours: 3 for colour images, 1 for grey ones.

    Attributes:
        title: What messages call the network.

    Raises:
        InvalidValueError: There is no network of so many colours.

    Source:
        Chen and Yu, "Motion Deblur by Learning Residual from Events", IEEE Transactions on Multimedia 2024.
    """

    title = "TRMD"

    def __init__(self, colours: int = 3) -> None:
        super().__init__()
        self.colours = require_choice(colours, "colours", (1, 3))
        self.blur_encoder = _encoder(colours)
        self.event_encoder = _encoder(_RESIDUALS)
        self.fusion = _Fusion()
        self.downs = nn.ModuleList(
            nn.Sequential(nn.Conv2d(fine, coarse, 5, stride=2, padding=2), nn.ReLU())
            for fine, coarse in pairwise(_LEVELS)
        )
        self.blocks = nn.ModuleList(_ResidualBlock(_LEVELS[-1]) for _ in range(2))
        # Beside each, but for the first, lie the features that went down at its level.
        self.ups = nn.ModuleList(
            [_up(512, 256, (0, 1)), _up(256 + 256, 128), _up(128 + 128, 64), _up(64 + 64, _CHANNELS)]
        )
        self.output = nn.Conv2d(_CHANNELS + colours + _RESIDUALS, _RESIDUALS * colours, 1)

    def forward(self, blur: Tensor, scer: Tensor) -> Tensor:
        """The sharp frames.

        Args:
            blur: Blurry images (N, C, H, W) of `colours` channels, RGB or grey, in [0, 1], H 8 more than a multiple of
                16, W a multiple of 16.
            scer: Sums of the events between the middle frame and the others (N, 6, H, W), positive ones less negative
                ones: from frames 0, 1 and 2 to the middle, negated, and from the middle to frames 4, 5 and 6.

        Returns:
            Sharp frames (N, 7, C, H, W) in the order of time, not clipped.

        Raises:
            InvalidValueError: They are no such tensors, or of a size that the network cannot take.
        """
        return seven_frames(blur, self.residuals(blur, scer))

    def residuals(self, blur: Tensor, scer: Tensor) -> Tensor:
        """What frames 0, 1, 2, 4, 5 and 6 are more than the middle one, (N, 6, C, H, W), from what `forward` takes."""
        require_tensor(blur, "blur", f"N {self.colours} H W", like=self.output.weight)
        require_tensor(scer, "scer", f"N {_RESIDUALS} H W", like=self.output.weight)
        require_same_place(blur=blur, scer=scer)
        require_multiples(self.title, blur, _STEP, _MORE_ROWS)
        blur, scer = channels_last(blur), channels_last(scer)
        features, levels = self.fusion(self.blur_encoder(blur), self.event_encoder(scer)), []
        for down in self.downs:
            features = down(features)
            levels.append(features)
        for block in self.blocks:
            features = block(features)
        features = self.ups[0](features)
        for up, level in zip(self.ups[1:], reversed(levels[:-1]), strict=True):
            features = up(torch.cat([features, level], 1))
        with without_autocast(blur.device):  # differences of images, of which those in half precision would be rough
            seen = torch.cat([features, blur, scer], 1).to(self.output.weight.dtype)
            residuals: Tensor = self.output(seen)
        return residuals.unflatten(1, (_RESIDUALS, self.colours))


def seven_frames(blur: Tensor, residuals: Tensor) -> Tensor:
    """The frames whose mean is a blurry image, from what they are more than the middle one.

    Args:
        blur: Blurry images (N, C, H, W).
        residuals: Those of frames 0, 1, 2, 4, 5 and 6, (N, 6, C, H, W). The authors' test clips them to ±1, and
            what comes out to [0, 1].

    Returns:
        Frames (N, 7, C, H, W) in the order of time: the middle one is the blurry image less a seventh of the sum of the
        residuals.

    Raises:
        InvalidValueError: They are no such tensors, or the residuals are not those of the images.
    """
    require_tensor(blur, "blur", "N C H W")
    require_tensor(residuals, "residuals", f"N {_RESIDUALS} C H W")
    require_one_device(blur=blur, residuals=residuals)
    if residuals[:, 0].shape != blur.shape:
        raise InvalidValueError(
            f"residuals must be {_RESIDUALS} of each blurry image {tuple(blur.shape)}, got {tuple(residuals.shape)}"
        )
    middle = (blur - residuals.sum(1) / _FRAMES)[:, None]
    before, after = residuals.chunk(2, 1)
    return torch.cat([middle + before, middle, middle + after], 1)


class _Fusion(nn.Module):
    """Features of image and events, each with what attends to the other's, and mixed channel by channel of a pixel.

    Of the two projections of what was attended to, the released network computes both with the image's, and never with
    the events' own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blur_query, self.blur_key, self.event_query, self.event_key = (_projection() for _ in range(4))
        self.blur_value, self.event_value = (nn.Conv2d(_CHANNELS, _CHANNELS, 1) for _ in range(2))
        self.output, self.unused_output = (nn.Conv2d(_CHANNELS, _CHANNELS, 1) for _ in range(2))
        self.unused_output.requires_grad_(False)
        self.blur_gate, self.event_gate = (nn.Conv2d(2 * _CHANNELS, _CHANNELS, 1) for _ in range(2))

    def forward(self, blur: Tensor, event: Tensor) -> Tensor:
        """Of features (N, 32, H, W) of both, ones of the same shape."""
        dtype = self.output.weight.dtype
        blur_key, event_query, blur_value = self.blur_key(blur), self.event_query(event), self.blur_value(blur)
        blur_query, event_key, event_value = self.blur_query(blur), self.event_key(event), self.event_value(event)
        with without_autocast(blur.device):  # sums over all pixels, which half precision would round by whole units
            of_blur = _attended(blur_key.to(dtype), event_query.to(dtype), blur_value.to(dtype))
            of_event = _attended(blur_query.to(dtype), event_key.to(dtype), event_value.to(dtype))
        both = torch.cat([blur + self.output(of_blur), event + self.output(of_event)], 1)
        shares = torch.cat([self.blur_gate(both), self.event_gate(both)], 1).softmax(1)
        of_blur, of_event = (shares * both).chunk(2, 1)
        return of_blur + of_event


class _ResidualBlock(nn.Module):
    """Two normalised convolutions, and what they are of."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        change: Tensor = self.convs(features)
        return (features + change).relu()


def _attended(blur: Tensor, event: Tensor, values: Tensor) -> Tensor:
    """Values (N, C, H, W) mixed by how alike each channel of the image is to each of the events, all of one shape."""
    scores = blur.flatten(2) @ event.flatten(2).transpose(1, 2) / blur.shape[1] ** 0.5
    return (scores.softmax(-1) @ values.flatten(2)).view_as(values)


def _encoder(inputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, 16, 5, padding=2), nn.ReLU(), nn.Conv2d(16, _CHANNELS, 5, padding=2), nn.ReLU()
    )


def _projection() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(_CHANNELS, _CHANNELS, 1), nn.Dropout(0.5), nn.BatchNorm2d(_CHANNELS), nn.ReLU())


def _up(inputs: int, outputs: int, more: int | tuple[int, int] = 1) -> nn.Sequential:
    """Twice the size less one, and `more` rows and columns."""
    return nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 5, stride=2, padding=2, output_padding=more), nn.ReLU())


_NAMES = {
    r"^(blur|event)_encoder\.0\.": r"\1_en_conv1.0.",
    r"^(blur|event)_encoder\.2\.": r"\1_en_conv2.0.",
    r"^fusion\.(blur|event)_query\.": r"sca.\1_q.",
    r"^fusion\.(blur|event)_key\.": r"sca.\1_k.",
    r"^fusion\.(blur|event)_value\.": r"sca.\1_v.",
    r"^fusion\.(blur|event)_gate\.": r"sca.gate_\1.",
    r"^fusion\.output\.": "sca.blur_project.",
    r"^fusion\.unused_output\.": "sca.event_project.",
    **{rf"^downs\.{level}\.": f"en_conv{level + 1}." for level in range(4)},
    **{rf"^blocks\.{number}\.convs\.": f"res{number + 1}." for number in range(2)},
    **{rf"^ups\.{level}\.": f"de_conv{level + 1}." for level in range(4)},
    r"^output\.": "pred.",
}

RELEASED = tuple(
    ReleasedNetwork(
        name=name,
        make=partial(TRMD, colours),
        licence="MIT, by a badge alone; there is no licence text",
        names=_NAMES,
        entry="state_dict",
    )
    for name, colours in (("trmd_gray", 1), ("trmd_rgb", 3))
)
