"""LEVS, Motion-ETR and BiT: they see blurry images alone."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from spikesim_datasets.optics import SCALE
from ssdm_models.baselines.baseline import Seen, SequenceBaseline
from ssdm_models.baselines.bit import BiT
from ssdm_models.baselines.image_sizes import repeated
from ssdm_models.baselines.levs import LEVS
from ssdm_models.baselines.motion_etr import MotionETR, reblur
from ssdm_models.losses import MultiScaleSSIM
from ssdm_models.stream_view import StreamView

_ANCHORS = 0.5  # weight of the first and the last frame
_WEIGHTS = {"ms_ssim": 0.1, "variation": 0.002, "length": 2e-5}  # of what Motion-ETR minimises; the rest counts once


class ImageBaseline(SequenceBaseline):
    """A published network that sees no spikes: its frames are the same at every threshold.

    Attributes:
        multiple: Of which the sides of images must be; rows and columns at the bottom and the right are repeated.
    """

    sees_spikes = False
    knows_direction = False
    multiple: int = 1

    def represent(self, spikes: StreamView, times: Sequence[int]) -> Seen:
        return {}

    def frames_of(self, blur: Tensor) -> Tensor:
        """The frames (N, 7, 3, H, W) of blurry images whose sides it takes."""
        frames: Tensor = self.network(blur)
        return frames

    def shown(self, blur: Tensor, seen: Seen) -> Tensor:
        height, width = blur.shape[2:]
        return self.frames_of(repeated(blur, self.multiple))[..., :height, :width]

    def compute_nowhere(self, height: int, width: int) -> None:
        self(torch.empty((1, 3, SCALE * height, SCALE * width), device="meta"), {})


class LEVSBaseline(ImageBaseline):
    """LEVS; trained by the mean absolute difference of the middle frame, and of the sums and the absolute differences
    of pairs of frames, which are blind to the direction of time.

    Its four stages are trained side by side, each by its own frames alone: what it is given of earlier ones it takes as
    if these were frozen.

    Source:
        Jin et al., "Learning to Extract a Video Sequence from a Single Motion-Blurred Image", CVPR 2018.
    """

    title = "LEVS"
    network: LEVS
    released = "levs"
    multiple = 20

    def __init__(self) -> None:
        super().__init__()
        self.network = LEVS()

    def losses(self, blur: Tensor, seen: Seen, sharp: Tensor) -> dict[str, Tensor]:
        height, width = (side // self.multiple * self.multiple for side in blur.shape[2:])
        blur, sharp = blur[..., :height, :width], sharp[..., :height, :width]
        (shown,), *pairs = self.network.stages(blur, apart=True)
        middle = self.frames // 2
        losses = {"middle": functional.l1_loss(shown.float(), sharp[:, middle])}
        for distance, (before, after) in enumerate(pairs, 1):
            pair, true = (before.float(), after.float()), (sharp[:, middle - distance], sharp[:, middle + distance])
            sums = functional.l1_loss((pair[0] + pair[1]).abs(), (true[0] + true[1]).abs())
            apart = functional.l1_loss((pair[0] - pair[1]).abs(), (true[0] - true[1]).abs())
            losses[f"pair_{distance}"] = sums + apart
        return {"loss": torch.stack([*losses.values()]).sum(), **losses}


class MotionETRBaseline(ImageBaseline):
    """Motion-ETR, at seven times on each pixel's way.

    Both stages of its authors' training are minimised side by side. The first teaches the offsets O by the true image S
    of the middle, warped along them, and the blurry image B; the second is the deblurred image, whose gradient reaches
    the offsets as well, as theirs does:

        MSE(f(B, O), S) + MSE(reblur(S, O), B) + 0.1 · (1 − MS-SSIM(reblur(S, O), B))
            + 0.002 · (mean |∂x O| + mean |∂y O|) + 2e-5 · mean O²

    Source:
        Zhang et al., "Exposure Trajectory Recovery from Motion Blur", IEEE TPAMI 2021.
    """

    title = "Motion-ETR"
    network: MotionETR
    released = "motion_etr"
    multiple = 8

    def __init__(self) -> None:
        super().__init__()
        self.network = MotionETR()

    def frames_of(self, blur: Tensor) -> Tensor:
        half = self.frames // 2
        frames: Tensor = self.network.frames_at(blur, [number / half - 1 for number in range(self.frames)])
        return frames

    def losses(self, blur: Tensor, seen: Seen, sharp: Tensor) -> dict[str, Tensor]:
        true, offsets = sharp[:, self.frames // 2], self.network.offsets(blur)
        blurred = reblur(true, offsets)
        parts = {
            "sharp": functional.mse_loss(self.network.deblurred(blur, offsets).float(), true),
            "reblur": functional.mse_loss(blurred, blur),
            "ms_ssim": MultiScaleSSIM().to(blur.device)(blurred, blur),
            "variation": offsets.diff(dim=-1).abs().mean() + offsets.diff(dim=-2).abs().mean(),
            "length": offsets.square().mean(),
        }
        return {"loss": torch.stack([_WEIGHTS.get(name, 1) * part for name, part in parts.items()]).sum(), **parts}


class BiTBaseline(ImageBaseline):
    """BiT of three blurry images that follow each other, whose colours its authors have in the order BGR.

    Trained by the mean absolute difference of a frame, drawn for each sample, and, by half, of the first and the last
    one.

    Source:
        Zhong et al., "Blur Interpolation Transformer for Real-World Motion from Blur", CVPR 2023.
    """

    title = "BiT"
    network: BiT
    released = "bit"
    knows_direction = True
    sees_neighbours = True

    def __init__(self) -> None:
        super().__init__()
        self.network = BiT()

    def represent(self, spikes: StreamView, times: Sequence[int]) -> Seen:
        before, after = spikes.neighbours
        return {"before": before[None], "after": after[None]}

    def shown(self, blur: Tensor, seen: Seen) -> Tensor:
        times = torch.linspace(0, 1, self.frames, device=blur.device)
        frames: Tensor = self.network(self._blurs(blur, seen), times)
        return frames.flip(2)

    def losses(self, blur: Tensor, seen: Seen, sharp: Tensor) -> dict[str, Tensor]:
        times = torch.linspace(0, 1, self.frames, device=blur.device)
        which = torch.randint(self.frames, (len(blur),))
        shown = self.network.with_anchors(self._blurs(blur, seen), times[which][:, None])
        true = sharp.flip(2)
        frame = functional.l1_loss(shown.frames[:, 0].float(), true[torch.arange(len(blur)), which])
        anchors = functional.l1_loss(shown.anchors.float(), true[:, None, [0, -1]].expand_as(shown.anchors))
        return {"loss": frame + _ANCHORS * anchors, "frame": frame, "anchors": anchors}

    def compute_nowhere(self, height: int, width: int) -> None:
        blur = torch.empty((1, 3, SCALE * height, SCALE * width), device="meta")
        self(blur, {"before": blur, "after": blur})

    def _blurs(self, blur: Tensor, seen: Seen) -> Tensor:
        return torch.stack([self.part(seen, "before"), blur, self.part(seen, "after")], 1).flip(2)


class BiTPlusPlusBaseline(BiTBaseline):
    """BiT++, which looks in both directions of time; trained as BiT, by what both directions show first and last.

    Its authors begin with a trained BiT, of which all but the head is the same.

    Source:
        Zhong et al., "Blur Interpolation Transformer for Real-World Motion from Blur", CVPR 2023.
    """

    title = "BiT++"
    released = "bitpp"

    def __init__(self) -> None:
        super().__init__()
        self.network = BiT(both_directions=True)

    def grow(self, other: BiTBaseline) -> None:
        """Take over the weights of a BiT; the head, which has twice the inputs, stays as it is."""
        for name, part in self.network.named_children():
            if name != "head":
                part.load_state_dict(other.network.get_submodule(name).state_dict())
