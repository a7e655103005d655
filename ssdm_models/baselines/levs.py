"""LEVS: four networks that make of a blurry image the seven frames of a video, from the middle one outwards."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim.checks import require_flag
from ssdm_models.baselines.image_sizes import require_multiples
from ssdm_models.baselines.released_network import ReleasedNetwork
from ssdm_models.tensor_checks import require_tensor

_MULTIPLE = 20  # pixels; cells are 4×4 in the first network and 5×5 in the others


class LEVS(nn.Module):
    """Seven frames of one blurry image: the middle one, 4, then 3 and 5, then 2 and 6, then 1 and 7.

    Each network is given the blurry image and what earlier ones made of it. In which direction time runs the image does
    not say. The published number of parameters is that of `middle` alone.

    Attributes:
        title: What messages call the network.
        middle: The network of frame 4.
        third: That of frame 3.
        fifth: That of frame 5.
        second_and_sixth: That of frames 2 and 6.
        first_and_seventh: That of frames 1 and 7.

    Source:
        Jin et al., "Learning to Extract a Video Sequence from a Single Motion-Blurred Image", CVPR 2018.
    """

    title = "LEVS"

    def __init__(self) -> None:
        super().__init__()
        alike = [(1, 1)]
        growing, shrinking = [(1, 2), (2, 4), (4, 8)], [(8, 4), (4, 2), (2, 1)]
        self.middle = _FrameNetwork(4, [144], [3 * alike, growing, shrinking, 3 * alike], _Residual(64, 64, 1, 1), 64)
        self.third, self.fifth = (_side_network(4) for _ in range(2))
        self.second_and_sixth, self.first_and_seventh = (_side_network(2) for _ in range(2))

    def forward(self, blur: Tensor) -> Tensor:
        """The frames in the order of time, or against it.

        Args:
            blur: Blurry images (N, 3, H, W), RGB in [0, 1], H and W multiples of 20.

        Returns:
            Frames 1 to 7, (N, 7, 3, H, W), RGB, not clipped.

        Raises:
            InvalidValueError: The images are of other shapes.
        """
        (middle,), (third, fifth), (second, sixth), (first, seventh) = self.stages(blur)
        return torch.stack([first, second, third, middle, fifth, sixth, seventh], 1)

    def stages(self, blur: Tensor, apart: bool = False) -> Iterator[tuple[Tensor, ...]]:
        """The frames as they are made, (N, 3, H, W) each: 4; 3 and 5; 2 and 6; 1 and 7.

        Training goes the same way, stage by stage; one that ends early computes nothing of the later ones.

        Args:
            blur: Blurry images, as for `forward`.
            apart: Whether later stages take frames of earlier ones as given: no gradient goes from one stage to
                another, so that each is trained by its own frames alone, as if those before it were frozen.

        Raises:
            InvalidValueError: As for `forward`, or `apart` is no flag.
        """
        require_tensor(blur, "blur", "N 3 H W", like=self.middle.output.weight)
        require_multiples(self.title, blur, _MULTIPLE)
        return self._stages(blur, require_flag(apart, "apart"))

    def _stages(self, blur: Tensor, apart: bool) -> Iterator[tuple[Tensor, ...]]:
        def handed_on(frame: Tensor) -> Tensor:
            return frame.detach() if apart else frame

        middle = self.middle(blur)
        yield (middle,)
        middle = handed_on(middle)
        third = self.third(blur, middle, middle)
        fifth = self.fifth(blur, third, middle)
        yield third, fifth
        third, fifth = map(handed_on, (third, fifth))
        second, sixth = (self.second_and_sixth(blur, middle, inner) for inner in (third, fifth))
        yield second, sixth
        second, sixth = map(handed_on, (second, sixth))
        yield (
            self.first_and_seventh(blur, third, second),
            self.first_and_seventh(blur, fifth, sixth),
        )


class _FrameNetwork(nn.Module):
    """A frame from images (N, 3, H, W), each; it differs from the last of them by what the network adds.

    Most of it sees one colour at a time, cut into cells of s×s pixels, a channel for each place in them.

    Args:
        cell: The s.
        stems: Channels that are made of each image.
        stages: Dilations of the residual blocks, stage by stage; what leaves a stage is a part of the frame.
        refinement: What sees the three colours together.
        width: Its channels.
    """

    def __init__(
        self,
        cell: int,
        stems: Sequence[int],
        stages: Sequence[Sequence[tuple[int, int]]],
        refinement: nn.Module,
        width: int,
    ) -> None:
        super().__init__()
        self.cell = cell
        channels = sum(stems)
        self.stems = nn.ModuleList(nn.Conv2d(cell**2, stem, 5, padding=2, bias=False) for stem in stems)
        self.stages = nn.ModuleList(
            nn.Sequential(*(_Residual(channels, channels, *dilations) for dilations in stage)) for stage in stages
        )
        self.exits = nn.ModuleList(_Block(channels, cell**2, 1) for _ in stages)
        self.colours = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.refinement = refinement
        self.norm = nn.InstanceNorm2d(width, affine=True)
        self.output = nn.Conv2d(width, 3, 3, padding=1, bias=False)

    def forward(self, *images: Tensor) -> Tensor:
        cells = [functional.pixel_unshuffle(image.flatten(0, 1)[:, None], self.cell) for image in images]
        features = torch.cat([stem(part) for stem, part in zip(self.stems, cells, strict=True)], 1)
        frame = cells[-1]
        for stage, leave in zip(self.stages, self.exits, strict=True):
            features = stage(features)
            frame = frame + leave(features)
        joined = functional.pixel_shuffle(frame, self.cell).view_as(images[-1])
        return images[-1] + self.output(self.norm(self.refinement(self.colours(joined))).relu())


def _side_network(alike: int) -> _FrameNetwork:
    """The network of a frame beside the middle, from the blurry image and two frames, the nearest last.

    Args:
        alike: How many blocks without dilation are before and after the dilated ones.
    """
    plain = alike * [(1, 1)]
    dilated = [(1, 2), (4, 8), (8, 4), (2, 1)]
    return _FrameNetwork(5, [64, 32, 32], [plain, dilated, plain], _Block(32, 32, 1), 32)


class _Block(nn.Module):
    """A 1×1 convolution, and 3×3 ones of given dilations in a row; all after a norm and a ReLU of their own."""

    def __init__(self, inputs: int, outputs: int, *dilations: int) -> None:
        super().__init__()
        self.pointwise = nn.Sequential(*_layers(inputs, outputs, 1, 1))
        self.local = nn.Sequential()
        for dilation in dilations:
            self.local.extend(_layers(outputs if self.local else inputs, outputs, 3, dilation))

    def forward(self, features: Tensor) -> Tensor:
        summed: Tensor = self.pointwise(features) + self.local(features)
        return summed


class _Residual(_Block):
    """The same, added to what it is given."""

    def forward(self, features: Tensor) -> Tensor:
        return features + super().forward(features)


def _layers(inputs: int, outputs: int, kernel: int, dilation: int) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    return [
        nn.InstanceNorm2d(inputs, affine=True),
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation, bias=False),
    ]


RELEASED = (
    ReleasedNetwork(
        "levs",
        LEVS,
        licence="none stated; not to be redistributed",
        names={
            r"^middle": "levs_center",
            r"^third": "levs_f35.generateFrame3",
            r"^fifth": "levs_f35.generateFrame5",
            r"^second_and_sixth": "levs_f26.generateFrame2_6",
            r"^first_and_seventh": "levs_f17.generateFrame1_7",
            r"\.stems\.0": ".conv1_B",
            r"\.stems\.([12])": r".conv1_S\1",
            **{rf"\.stages\.{stage}": f".LocalGrad{stage + 1}" for stage in range(4)},
            **{rf"\.exits\.{stage}": f".fuse{stage + 1}.0" for stage in range(4)},
            r"\.colours": ".conv2",
            r"\.refinement": ".GlobalGrad.0",
            r"\.norm": ".norm3",
            r"\.output": ".conv3",
            r"\.pointwise\.0": ".norm1",
            r"\.pointwise\.2": ".conv1",
            r"\.local\.0": ".norm2",
            r"\.local\.2": ".conv2",
            r"\.local\.3": ".norm4",
            r"\.local\.5": ".conv4",
        },
        parts=("levs_center", "levs_f35", "levs_f26", "levs_f17"),
    ),
)
