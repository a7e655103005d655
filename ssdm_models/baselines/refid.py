"""REFID: sharp frames of a blurry image, each from its own events and from those of all other frames."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from spikesim.checks import require_flag, require_whole
from ssdm_models.baselines.image_sizes import require_multiples, require_same_place
from ssdm_models.baselines.refid_parts import (
    Decoder,
    EventEncoder,
    ImageEncoder,
    ResidualBlock,
    conv3x3,
    halving,
    leaky,
)
from ssdm_models.baselines.released_network import ReleasedNetwork
from ssdm_models.baselines.without_autocast import without_autocast
from ssdm_models.memory_format import channels_last
from ssdm_models.tensor_checks import require_tensor

_BINS = 2  # of events, before and after a frame's time
_LEVELS = (32, 64, 128)  # channels that each level takes; it gives twice as many, at half the size
_FUSED = 1  # the level where attention mixes image and events
_COARSEST = 2 * _LEVELS[-1]
_STEP = 1 << len(_LEVELS)  # pixels of the image along a side of one of the coarsest level

States = Sequence[Tensor | None]
"""What each level hands from frame to frame, None before the first."""


class REFID(nn.Module):
    """Recurrent event-based frame interpolation with ad-hoc deblurring: one network for both.

    A pass from the last frame to the first encodes the events of each with what it made of those of the frame after.
    A second pass, from the first to the last, does so with those of the frame before, sees the states of the first
    pass, and decodes. In both, the image's features join the events'.

    Of the released parameters these take no part, and are never trained: the second gate of each attention, the
    convolution that an attention stands in for, and the last reduction of the pass backward.

    Args:
        image_channels: Of the blurry image and the bins of events beside it: 9 for one image and seven frames; 26 in
            the released network, for two images.
        frame_states: Whether each frame sees the states that the pass backward had at its own time, as in the paper; in
            the released network all frames see those of the first.

    Attributes:
        title: What messages call the network.

    Raises:
        InvalidValueError: An argument is no such number or flag.

    Source:
        Sun et al., "Event-Based Frame Interpolation with Ad-hoc Deblurring", CVPR 2023.
    """

    title = "REFID"

    def __init__(self, image_channels: int = 9, frame_states: bool = True) -> None:
        super().__init__()
        self.image_channels = require_whole(image_channels, "image_channels", 1)
        self.frame_states = require_flag(frame_states, "frame_states")
        self.event_head = nn.Conv2d(_BINS, _LEVELS[0], 5, padding=2)
        self.image_head = nn.Conv2d(self.image_channels, _LEVELS[0], 5, padding=2)
        self.image_encoders = nn.ModuleList(map(ImageEncoder, _LEVELS))
        self.backward_encoders, self.forward_encoders = (
            nn.ModuleList(EventEncoder(channels, level == _FUSED) for level, channels in enumerate(_LEVELS))
            for _ in range(2)
        )
        self.joins = nn.ModuleList(nn.Conv2d(4 * channels, 2 * channels, 1) for channels in _LEVELS)
        self.backward_downs, self.forward_downs = (
            nn.ModuleList(halving(2 * channels) for channels in _LEVELS) for _ in range(2)
        )
        self.backward_downs[-1].requires_grad_(False)
        self.blocks = nn.ModuleList(ResidualBlock(_COARSEST) for _ in range(2))
        self.decoders = nn.ModuleList(map(Decoder, reversed(_LEVELS)))
        self.output = conv3x3(_LEVELS[0], 3)

    def forward(self, image: Tensor, event: Tensor) -> Tensor:
        """The sharp frames.

        Args:
            image: Blurry images, RGB in [0, 1], and bins of events (N, `image_channels`, H, W), H and W multiples
                of 8.
            event: Of each frame the bins of events before and after its time (N, T, 2, H, W).

        Returns:
            Sharp frames (N, T, 3, H, W), RGB, not clipped.

        Raises:
            InvalidValueError: They are no such tensors, there is no frame, or H or W is no multiple of 8.
        """
        require_tensor(image, "image", f"N {self.image_channels} H W", like=self.output.weight)
        require_tensor(event, "event", f"N T {_BINS} H W", like=self.output.weight)
        require_same_place(image=image, event=event)
        require_multiples(self.title, image, _STEP)
        frames = require_whole(event.shape[1], "the number of frames in event", 1)
        shown = coarsest = leaky(self.image_head(channels_last(image)))
        images: States = [None]  # nothing of the image joins the events where they come in
        for encoder in self.image_encoders:
            coarsest = encoder(coarsest)
            images = [*images, coarsest]
        events = [leaky(self.event_head(channels_last(event[:, time]))) for time in range(frames)]
        states: States = [None] * len(_LEVELS)
        decoded: States = [None] * len(_LEVELS)
        sharp = []
        for features, later in zip(events, self._states_backward(events, images), strict=True):
            states, coarser = self._encoded(features, images, states, later)
            decoded = self._decoded(coarser, coarsest, decoded)
            with without_autocast(image.device):  # an image: half precision has too few levels for it
                sharp.append(self.output((decoded[-1] + shown).to(self.output.weight.dtype)))
        return torch.stack(sharp, 1)

    def _states_backward(self, events: Sequence[Tensor], images: Sequence[Tensor | None]) -> list[list[Tensor]]:
        """The states of the pass backward that each frame sees, by level."""
        found: list[list[Tensor]] = []
        states: States = [None] * len(_LEVELS)
        for features in reversed(events):
            made: list[Tensor] = []
            for level, encoder in enumerate(self.backward_encoders):
                if level:
                    features = self.backward_downs[level - 1](features)
                features = encoder(features, images[level], states[level])
                made.append(features)
            states = made
            found = [made, *found] if self.frame_states else [made]  # the others need not be kept
        return found if self.frame_states else found * len(events)

    def _encoded(
        self, features: Tensor, images: Sequence[Tensor | None], states: States, later: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The states of the pass forward after a frame, and what each level gives to the coarser one."""
        made, coarser = [], []
        for level, encoder in enumerate(self.forward_encoders):
            state = encoder(features, images[level], states[level])
            features = self.forward_downs[level](leaky(self.joins[level](torch.cat([state, later[level]], 1))))
            made.append(state)
            coarser.append(features)
        return made, coarser

    def _decoded(self, coarser: Sequence[Tensor], image: Tensor, states: States) -> list[Tensor]:
        """What each level of the decoder gives, from coarse to fine: its states as well."""
        features = coarser[-1] + image
        for block in self.blocks:
            features = block(features).relu()
        made = []
        for decoder, skipped, state in zip(self.decoders, reversed(coarser), states, strict=True):
            features = decoder(features + skipped, state)
            made.append(features)
        return made


RELEASED = (
    ReleasedNetwork(
        name="refid",
        make=partial(REFID, image_channels=26, frame_states=False),
        licence="Apache-2.0, headed EFNet",
        names={
            r"^event_head\.": "head.conv2d.",
            r"^image_head\.": "head_img.conv2d.",
            r"^image_encoders\.(\d)\.shortcut\.": r"img_encoders.\1.identity.",
            r"^image_encoders\.(\d)\.first\.": r"img_encoders.\1.conv_1.",
            r"^image_encoders\.(\d)\.second\.": r"img_encoders.\1.conv_2.",
            r"^image_encoders\.": "img_encoders.",
            r"^joins\.(\d)\.": r"encoders_forward.\1.fuse_two_dir.conv2d.",
            r"^(backward|forward)_downs\.(\d)\.": r"encoders_\1.\2.down.",
            r"^(backward|forward)_encoders\.": r"encoders_\1.",
            r"^(encoders_\w+\.\d)\.widen\.": r"\1.conv.conv2d.",
            r"^(encoders_\w+\.\d)\.recurrence\.": r"\1.recurrent_block.recurrence.",
            r"\.recurrence\.join\.": ".forward_trunk.main.0.",
            r"\.recurrence\.block\.": ".forward_trunk.main.2.0.",
            r"\.first\.": ".conv1.",
            r"\.second\.": ".conv2.",
            r"\.attention\.image_branch\.0\.": ".atten_fuse.norm1.",
            r"\.attention\.image_branch\.(\d)\.": r".atten_fuse.conv\1.",
            r"\.attention\.event_branch\.0\.": ".atten_fuse.norm1_e.",
            r"\.attention\.event_branch\.(\d)\.": r".atten_fuse.conv\1_e.",
            r"\.attention\.gate\.": ".atten_fuse.se_1.",
            r"\.attention\.unused_gate\.": ".atten_fuse.se_2.",
            r"\.attention\.mix\.": ".atten_fuse.conv3.",
            r"\.attention\.scale$": ".atten_fuse.beta",
            r"\.attention\.widen\.": ".atten_fuse.conv_y_side.",
            r"\.attention\.refine\.0\.": ".atten_fuse.norm2.",
            r"\.attention\.refine\.1\.": ".atten_fuse.conv4.",
            r"\.attention\.refine\.3\.": ".atten_fuse.conv5.",
            r"\.attention\.refine_scale$": ".atten_fuse.gamma",
            r"^blocks\.": "resblocks.",
            r"^(decoders\.\d)\.up\.": r"\1.transposed_conv2d.",
            r"^(decoders\.\d)\.recurrence\.": r"\1.",
            r"^output\.": "pred.conv2d.",
        },
    ),
)
