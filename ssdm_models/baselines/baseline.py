"""Published networks as networks that deblur: what they see, which times they show, what their authors minimise."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from spikesim.checks import require_instance
from spikesim.errors import InvalidValueError
from spikesim_datasets.torch_tools.state_dicts import Weights
from ssdm_models.baselines import load_released
from ssdm_models.deblurring_network import DeblurringNetwork, Renderer
from ssdm_models.readout_spans import require_exposure, require_times
from ssdm_models.stream_view import StreamView

Seen = Mapping[str, Tensor]
"""What a network is shown of spikes, by name, with a first axis for samples."""


class Baseline(DeblurringNetwork, ABC):
    """A published network, `network`, around which its authors' conventions are kept.

    Its authors show it spikes as they come, so that a network that was trained at one threshold sees half as many at
    twice the threshold. With `normalised` it is shown them times `StreamView.scale`, in the unit of light.

    Attributes:
        network: The bare network.
        normalised: Whether it is shown normalised spikes.
        frames: How many times it shows at once.
        sees_spikes: Whether it sees spikes at all.
        sees_neighbours: Whether it sees the blurry images before and after.
        knows_direction: Whether it can tell the first frame from the last, which one blurry image does not say.
        released: What `baselines.load_released` calls the weights of its authors, where they can be used here; else
            empty.
    """

    network: nn.Module
    normalised = False
    frames: int = 1
    sees_spikes = True
    sees_neighbours = False
    knows_direction = True
    released: str = ""

    @classmethod
    def of_released(cls, weights: Weights) -> Self:
        """The network with the weights that its authors released.

        Raises:
            InputFileError: The file is missing, damaged, or holds others.
        """
        found = cls()
        found.network = load_released(cls.released, weights)
        return found

    @abstractmethod
    def represent(self, spikes: StreamView, times: Sequence[int]) -> Seen:
        """What is shown of a stream for some times: one sample, whose first axis has the length 1.

        Raises:
            InvalidValueError: The times cannot be shown of this stream.
        """

    @abstractmethod
    def losses(self, blur: Tensor, seen: Seen, sharp: Tensor) -> dict[str, Tensor]:
        """What is minimised, `loss`, and the parts of it.

        Args:
            blur: Blurry images (N, 3, H, W), RGB in [0, 1].
            seen: What `represent` gives of their streams.
            sharp: The true images (N, S, 3, H, W) of the times.
        """

    @abstractmethod
    def middle(self, blur: Tensor, seen: Seen) -> Tensor:
        """The frame in the middle of the times as the network itself shows it, (N, 3, ...), not clipped.

        Args:
            blur, seen: As for `losses`.
        """

    @abstractmethod
    def training_times(self, exposure: tuple[int, int], known: Sequence[int], choice: int) -> list[int]:
        """The times of one sample that are trained at.

        Args:
            exposure: Of the blurry image in the stream.
            known: Readouts of the ground truth.
            choice: A random number ≥ 0.

        Raises:
            InvalidValueError: There is no ground truth at a time that is needed.
        """

    @abstractmethod
    def compute_nowhere(self, height: int, width: int) -> None:
        """Compute the frames of tensors without memory, for spikes (height, width), so that its cost can be counted."""

    def part(self, seen: Seen, name: str) -> Tensor:
        """One of the parts of what the network is shown.

        Raises:
            InvalidValueError: There is none of this name.
        """
        if name not in seen:
            raise InvalidValueError(
                f"{self.title} must be shown {name!r}, got {', '.join(map(repr, seen)) or 'nothing'}; give what its "
                "represent() makes of the stream"
            )
        return seen[name]

    def light(self, spikes: StreamView) -> Tensor:
        """What spikes are multiplied with, (1, 1, 1)."""
        return spikes.scale if self.normalised else torch.ones_like(spikes.scale)


class TimeBaseline(Baseline):
    """A published network that shows one time, of a window of `length` readouts around it."""

    def prepare(self, spikes: StreamView, time: int) -> Seen:
        return self.represent(spikes, [time])

    def middle(self, blur: Tensor, seen: Seen) -> Tensor:
        shown: Tensor = self(blur, seen)
        return shown

    def training_times(self, exposure: tuple[int, int], known: Sequence[int], choice: int) -> list[int]:
        times = require_times(known, "known", 1)
        return [times[choice % len(times)]]


class _Wanted(NamedTuple):
    """One of the frames of a stream."""

    spikes: StreamView
    number: int


class SequenceBaseline(Baseline):
    """A published network that shows `frames` of an exposure at once, evenly from its first readout to its last."""

    frames = 7

    @abstractmethod
    def shown(self, blur: Tensor, seen: Seen) -> Tensor:
        """The images of all its times, (N, `frames`, 3, ...), not clipped, of which `finished` makes the sharp ones.

        Args:
            blur: Blurry images (N, 3, H, W), RGB in [0, 1].
            seen: What `represent` gives of their streams.
        """

    def finished(self, frame: Tensor) -> Tensor:
        """The sharp image (N, 3, H, W) of one of them."""
        return frame

    def forward(self, blur: Tensor, seen: Seen) -> Tensor:
        """The sharp images of all its times, (N, `frames`, 3, H, W), not clipped; see `shown`."""
        return torch.stack([self.finished(frame) for frame in self.shown(blur, seen).unbind(1)], 1)

    def middle(self, blur: Tensor, seen: Seen) -> Tensor:
        return self.finished(self.shown(blur, seen)[:, self.frames // 2])

    def shown_times(self, exposure: tuple[int, int]) -> list[int]:
        """The readouts that it shows: 20, 36, ..., 116 of an exposure of 97 readouts from 20 on."""
        start, stop = require_exposure(exposure)
        return [round(time) for time in np.linspace(start, stop - 1, self.frames)]

    def prepare(self, spikes: StreamView, time: int) -> _Wanted:
        times = self.shown_times(require_instance(spikes, "spikes", StreamView).exposure)  # type: ignore[type-abstract]
        if time not in times:
            raise InvalidValueError(
                f"{self.title} shows the readouts {', '.join(map(str, times))} of this exposure, not {time}; ask for "
                "some of these"
            )
        return _Wanted(spikes, times.index(time))

    def renderer(self, blur: Tensor) -> Renderer:
        made: list[Tensor] = []

        def render(wanted: Any) -> Tensor:
            spikes, number = cast(_Wanted, wanted)
            if not made:
                made.append(self.shown(blur, self.represent(spikes, self.shown_times(spikes.exposure))))
            return self.finished(made[0][:, number])

        return render

    def training_times(self, exposure: tuple[int, int], known: Sequence[int], choice: int) -> list[int]:
        times = self.shown_times(exposure)
        if missing := [time for time in times if time not in known]:
            raise InvalidValueError(
                f"{self.title} learns from the truth at the readouts {', '.join(map(str, times))}, and there is none "
                f"at {', '.join(map(str, missing))}; build the dataset with --sharp sequence, of the usual exposure"
            )
        return times
