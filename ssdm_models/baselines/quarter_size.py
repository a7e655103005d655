"""RED, TRMD and REFID: they see images at the size of the spikes, and DASR upsamples what they show."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from spikesim.errors import InvalidValueError
from spikesim_datasets.optics import SCALE
from ssdm_models.baselines.baseline import Seen, SequenceBaseline
from ssdm_models.baselines.image_sizes import repeated
from ssdm_models.baselines.red import RED
from ssdm_models.baselines.refid import REFID
from ssdm_models.baselines.representations import interval_events, sums_to_middle, voxel_grid
from ssdm_models.baselines.trmd import TRMD, seven_frames
from ssdm_models.stream_view import StreamView

_SMALL = 1e-6  # of a distance, where Charbonnier's turns from absolute to squared


class QuarterSizeBaseline(SequenceBaseline):
    """A published network of images at the size of the spikes.

    Images are reduced by the mean of each block, and its rows and columns at the bottom and the right repeated until
    the network takes the size.

    Attributes:
        upsampler: What makes its frames (N, 3, h, w) four times as large, in a tuple, for it is no part of the network;
            empty until one is given.
    """

    upsampler: tuple[nn.Module, ...] = ()

    @abstractmethod
    def small_frames(self, blur: Tensor, seen: Seen) -> Tensor:
        """The frames (N, 7, 3, h, w) at the size of the spikes, not clipped; blurry images are of that size, too."""

    def shown(self, blur: Tensor, seen: Seen) -> Tensor:
        self._upsampler()  # so that where there is none nothing is computed in vain
        return self.small_frames(reduced(blur), seen)

    def middle(self, blur: Tensor, seen: Seen) -> Tensor:
        return self.small_frames(reduced(blur), seen)[:, self.frames // 2]

    def finished(self, frame: Tensor) -> Tensor:
        large: Tensor = self._upsampler()(frame.clamp(0, 1))
        return large

    def _upsampler(self) -> nn.Module:
        if not self.upsampler:
            raise InvalidValueError(
                f"{self.title} shows frames of a quarter of the size, and there is no network that upsamples them; "
                "give one of the stage dasr beside it"
            )
        return self.upsampler[0]

    def losses(self, blur: Tensor, seen: Seen, sharp: Tensor) -> dict[str, Tensor]:
        shown = self.small_frames(reduced(blur), seen)
        return {"loss": functional.l1_loss(shown.float(), reduced(sharp))}

    @abstractmethod
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Of what it is shown of a sample, but for height and width."""

    def compute_nowhere(self, height: int, width: int) -> None:
        seen = {name: torch.empty((1, *shape, height, width), device="meta") for name, shape in self.shapes().items()}
        self.small_frames(torch.empty((1, 3, height, width), device="meta"), seen)


class REDBaseline(QuarterSizeBaseline):
    """RED, of each colour on its own with the same spikes; trained by the mean absolute difference of seven frames.

    Source:
        Xu et al., "Motion Deblurring with Real Events", ICCV 2021.
    """

    title = "RED"
    network: RED
    released = "red"

    def __init__(self) -> None:
        super().__init__()
        self.network = RED()

    def represent(self, spikes: StreamView, times: Sequence[int]) -> Seen:
        events = _on(spikes, interval_events(spikes.packed, times))
        events[:, :, :2] *= self.light(spikes)
        return {"events": events}

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"events": (self.frames - 1, 4)}

    def small_frames(self, blur: Tensor, seen: Seen) -> Tensor:
        events = self.part(seen, "events").repeat_interleave(3, 0)
        height, width = blur.shape[2:]
        grey, events = (repeated(part, 2) for part in (blur.flatten(0, 1)[:, None], events.flatten(1, 2)))
        frames: Tensor = self.network(grey, events.unflatten(1, (-1, 4)))
        return frames.unflatten(0, (-1, 3)).transpose(1, 2)[..., :height, :width]


class TRMDBaseline(QuarterSizeBaseline):
    """TRMD of colour images; trained by the squared distance of the residuals and of the middle frame.

    Source:
        Chen and Yu, "Motion Deblur by Learning Residual from Events", IEEE Transactions on Multimedia 2024.
    """

    title = "TRMD"
    network: TRMD
    released = "trmd_rgb"

    def __init__(self) -> None:
        super().__init__()
        self.network = TRMD()

    def represent(self, spikes: StreamView, times: Sequence[int]) -> Seen:
        return {"scer": _on(spikes, sums_to_middle(spikes.packed, times)) * self.light(spikes)}

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"scer": (self.frames - 1,)}

    def small_frames(self, blur: Tensor, seen: Seen) -> Tensor:
        height, width = blur.shape[2:]
        blur = repeated(blur, 16, 8)
        residuals = self.network.residuals(blur, repeated(self.part(seen, "scer"), 16, 8)).clamp(-1, 1)
        return seven_frames(blur, residuals)[..., :height, :width]

    def losses(self, blur: Tensor, seen: Seen, sharp: Tensor) -> dict[str, Tensor]:
        small, frames = reduced(blur), reduced(sharp)
        height, width = small.shape[2:]
        found = self.network.residuals(repeated(small, 16, 8), repeated(self.part(seen, "scer"), 16, 8))[
            ..., :height, :width
        ]
        middle = self.frames // 2
        true = torch.cat([frames[:, :middle], frames[:, middle + 1 :]], 1) - frames[:, middle : middle + 1]
        residual = functional.mse_loss(found.float(), true)
        shown = small - found.sum(1) / self.frames
        frame = functional.mse_loss(shown.float(), frames[:, middle])
        return {"loss": residual + frame, "residuals": residual, "middle": frame}


class REFIDBaseline(QuarterSizeBaseline):
    """REFID of a single blurry image; trained by Charbonnier's distance of seven frames.

    Its bins are divided by the readouts from one frame to the next: sums of spikes, of which a bright pixel has one a
    readout where events are few, would drown the image that they are beside.

    Source:
        Sun et al., "Event-Based Frame Interpolation with Ad-hoc Deblurring", CVPR 2023.
    """

    title = "REFID"
    network: REFID

    def __init__(self) -> None:
        super().__init__()
        self.network = REFID()

    def represent(self, spikes: StreamView, times: Sequence[int]) -> Seen:
        apart = (times[-1] - times[0]) / (len(times) - 1)
        return {"bins": _on(spikes, voxel_grid(spikes.packed, times)) / apart * self.light(spikes)}

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {"bins": (self.frames + 1,)}

    def small_frames(self, blur: Tensor, seen: Seen) -> Tensor:
        height, width = blur.shape[2:]
        blur, bins = repeated(blur, 8), repeated(self.part(seen, "bins"), 8)
        pairs = torch.stack([bins[:, :-1], bins[:, 1:]], 2)
        frames: Tensor = self.network(torch.cat([blur, bins[:, 1:-1]], 1), pairs)
        return frames[..., :height, :width]

    def losses(self, blur: Tensor, seen: Seen, sharp: Tensor) -> dict[str, Tensor]:
        apart = self.small_frames(reduced(blur), seen).float() - reduced(sharp)
        return {"loss": torch.sqrt(apart**2 + _SMALL**2).mean()}


def reduced(images: Tensor) -> Tensor:
    """Images (..., H, W) at a quarter of their size: the mean of each block."""
    height, width = images.shape[-2:]
    blocks = images.reshape(*images.shape[:-2], height // SCALE, SCALE, width // SCALE, SCALE)
    return blocks.mean((-3, -1))


def _on(spikes: StreamView, array: np.ndarray) -> Tensor:
    """An array of one sample, on the device of its image."""
    return torch.from_numpy(array)[None].to(spikes.scale.device)
