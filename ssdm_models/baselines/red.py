"""RED: the seven frames of a grey blurry image at once, from it and the events of the six intervals between them."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ssdm_models.baselines.image_sizes import require_multiples, require_same_place
from ssdm_models.baselines.released_network import ReleasedNetwork
from ssdm_models.memory_format import channels_last
from ssdm_models.tensor_checks import require_tensor

_FRAMES = 7
_INTERVALS = _FRAMES - 1
_EVENTS = 4  # images that tell of the events of an interval
_FOLD = 2  # pixels of the image along a side of one that is computed with
_CHANNELS = 96
_GROWTH = 48  # channels that each convolution of a block adds
_BLOCKS, _CONVS = 20, 5


class RED(nn.Module):
    """Real-world event-based deblurring network: a residual dense network whose output is added to the blurry image.

    It is one of grey images; of a colour image each colour is computed on its own, with the same events.

    Attributes:
        title: What messages call the network.

    Source:
        Xu et al., "Motion Deblurring with Real Events", ICCV 2021; blocks: Zhang et al., "Residual Dense Network for
        Image Super-Resolution", CVPR 2018.
    """

    title = "RED"

    def __init__(self) -> None:
        super().__init__()
        folded = (1 + _INTERVALS * _EVENTS) * _FOLD**2
        self.head = nn.Conv2d(folded, _CHANNELS, 5, padding=2)
        self.into_blocks = _conv(_CHANNELS, _CHANNELS)
        self.blocks = nn.ModuleList(_DenseBlock() for _ in range(_BLOCKS))
        self.join = nn.Sequential(nn.Conv2d(_BLOCKS * _CHANNELS, _CHANNELS, 1), _conv(_CHANNELS, _CHANNELS))
        self.tail = nn.Sequential(_conv(_CHANNELS, 64 * _FOLD**2), nn.PixelShuffle(_FOLD), _conv(64, _FRAMES))

    def forward(self, blur: Tensor, events: Tensor) -> Tensor:
        """The sharp frames.

        Args:
            blur: Blurry images (N, 1, H, W), grey in [0, 1], H and W even.
            events: The events of the six intervals between the frames (N, 6, 4, H, W): of each pixel the count of
                positive ones, that of negative ones, and in [0, 1] of the interval the time of the latest positive and
                of the latest negative one, 0 where there is none.

        Returns:
            Sharp frames (N, 7, H, W) in the order of time, grey, not clipped.

        Raises:
            InvalidValueError: They are no such tensors, are not of one size, or H or W is odd.
        """
        require_tensor(blur, "blur", "N 1 H W", like=self.head.weight)
        require_tensor(events, "events", f"N {_INTERVALS} {_EVENTS} H W", like=self.head.weight)
        require_same_place(blur=blur, events=events)
        require_multiples(self.title, blur, _FOLD)
        folded = functional.pixel_unshuffle(torch.cat([blur, events.flatten(1, 2)], 1), _FOLD)
        shallow = self.head(channels_last(folded))
        features, found = self.into_blocks(shallow), []
        for block in self.blocks:
            features = block(features)
            found.append(features)
        change: Tensor = self.tail(shallow + self.join(torch.cat(found, 1)))
        return blur + change


class _DenseBlock(nn.Module):
    """Convolutions that each see what came in and what all before them gave, and a residual of it all."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_conv(_CHANNELS + i * _GROWTH, _GROWTH) for i in range(_CONVS))
        self.join = nn.Conv2d(_CHANNELS + _CONVS * _GROWTH, _CHANNELS, 1)

    def forward(self, features: Tensor) -> Tensor:
        seen = features
        for conv in self.convs:
            seen = torch.cat([seen, conv(seen).relu()], 1)
        change: Tensor = self.join(seen)
        return features + change


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


RELEASED = (
    ReleasedNetwork(
        name="red",
        make=RED,
        licence="none stated",
        names={
            r"^head\.": "SFENet1.",
            r"^into_blocks\.": "SFENet2.",
            r"^blocks\.(\d+)\.convs\.(\d)\.": r"RDBs.\1.convs.\2.conv.0.",
            r"^blocks\.(\d+)\.join\.": r"RDBs.\1.LFF.",
            r"^join\.": "GFF.",
            r"^tail\.": "UPNet.",
        },
    ),
)
