"""SpkDeblurNet and SAN: they show one time, of a window of readouts around it."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn import functional

from spikesim.checks import require_instance
from spikesim_datasets.optics import SCALE
from spikesim_datasets.torch_tools.state_dicts import Weights
from ssdm_models.baselines import load_released
from ssdm_models.baselines.baseline import Seen, TimeBaseline
from ssdm_models.baselines.representations import half_size_readouts, middle_tfi
from ssdm_models.baselines.san import SAN
from ssdm_models.baselines.spkdeblurnet import SpkDeblurNet
from ssdm_models.deblurring_network import Renderer
from ssdm_models.stream_view import StreamView
from ssdm_models.student import Student
from ssdm_models.tensor_checks import require_tensor

_RELEASED_LENGTH, _RELEASED_THRESHOLD = 56, 2.0
_GREY = (0.299, 0.587, 0.114)  # of Pillow, by which the authors turn the truth grey


class SpkDeblurNetBaseline(TimeBaseline):
    """SpkDeblurNet of spikes at a quarter of the image's size, whose pixels are repeated 2×2.

    Trained by the mean absolute difference of its sharp image, of the one from the blurry image alone, and of the grey
    one of the spikes.

    Args:
        length: How many readouts its window has.
        dim, blocks: As of `SpkDeblurNet`.

    Attributes:
        unit: What TFI is multiplied with, the threshold that the network was trained at.

    Source:
        Chen et al., "Enhancing Motion Deblurring in High-Speed Scenes with Spike Streams", NeurIPS 2023.
    """

    title = "SpkDeblurNet"
    network: SpkDeblurNet
    released = "spkdeblurnet"

    def __init__(self, length: int = 21, dim: int = 180, blocks: int = 6) -> None:
        super().__init__()
        self.network = SpkDeblurNet(length, dim, blocks)
        self.length, self.dim, self.blocks, self.unit = length, dim, blocks, 1.0

    @classmethod
    def of_released(cls, weights: Weights) -> Self:
        found = cls(_RELEASED_LENGTH)
        found.network = require_instance(load_released(cls.released, weights), "network", SpkDeblurNet)
        found.unit = _RELEASED_THRESHOLD
        return found

    def represent(self, spikes: StreamView, times: Sequence[int]) -> Seen:
        (time,) = times
        shown = {
            "spikes": half_size_readouts(spikes.packed, time, self.length, 4),
            "tfi": middle_tfi(spikes.packed, time, self.length)[None],
        }
        light = self.light(spikes)
        seen = {name: torch.from_numpy(array)[None].to(light.device) * light for name, array in shown.items()}
        return {**seen, "tfi": seen["tfi"] * self.unit}

    def compute_nowhere(self, height: int, width: int) -> None:
        seen = {"spikes": (self.length, 2 * height, 2 * width), "tfi": (1, height, width)}
        blur = torch.empty((1, 3, SCALE * height, SCALE * width), device="meta")
        self(blur, {name: torch.empty((1, *shape), device="meta") for name, shape in seen.items()})

    def forward(self, blur: Tensor, seen: Seen) -> Tensor:
        sharp: Tensor = self.network(blur, *self._parts(seen))
        return sharp

    def renderer(self, blur: Tensor) -> Renderer:
        encoded = self.network.encode_blur(blur)
        return lambda seen: self.network.fuse(encoded, *self._parts(seen)).sharp

    def losses(self, blur: Tensor, seen: Seen, sharp: Tensor) -> dict[str, Tensor]:
        shown, true = self.network.deblur(blur, *self._parts(seen)), sharp[:, 0]
        grey = (true * true.new_tensor(_GREY)[:, None, None]).sum(1, keepdim=True)
        parts = {
            "sharp": functional.l1_loss(shown.sharp.float(), true),
            "recon": functional.l1_loss(shown.recon.float(), grey),
            "quick": functional.l1_loss(shown.quick.float(), true),
        }
        return {"loss": torch.stack([*parts.values()]).sum(), **parts}

    def _parts(self, seen: Seen) -> tuple[Tensor, Tensor]:
        return self.part(seen, "spikes"), self.part(seen, "tfi")


class SANStudent(Student):
    """SAN, the scale-aware network of GEM, of the window of normalised spikes that LDN sees.

    Args:
        length: How many readouts its window has, odd: the wanted time is in the middle.

    Source:
        Zhang et al., "Generalizing Event-Based Motion Deblurring in Real-World Scenarios", ICCV 2023.
    """

    title = "SAN"

    def __init__(self, length: int = 21) -> None:
        super().__init__()
        self.length = length
        self.network = SAN(length)
        self.network.begin_with_blur()

    def forward(self, blur: Tensor, seen: Tensor) -> Tensor:
        """The sharp images (N, 3, H, W), not clipped, of blurry ones and windows (N, `length`, H/4, W/4)."""
        sharp: Tensor = self.network(blur, seen)
        return sharp

    def renderer(self, blur: Tensor) -> Renderer:
        encoded = self.network.encode_blur(blur)

        def render(seen: Any) -> Tensor:
            return blur * self.network.decode(encoded, self.network.encode_events(seen))

        return render

    def sequence(self, blur: Tensor, spikes: Tensor) -> Tensor:
        times = require_tensor(spikes, "spikes", "N S length h w").shape[1]
        render = self.renderer(blur)
        return torch.stack([render(spikes[:, number]) for number in range(times)], 1)
