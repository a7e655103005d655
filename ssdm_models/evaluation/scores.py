"""How near an image comes to the true one: by both protocols, and by learned measures where these are available."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from spikesim.errors import InputFileError, MissingExtraError
from spikesim.threads import allowed_threads
from ssdm_models.losses import PerceptualLoss, make_perceptual
from ssdm_models.metrics import Protocol, psnr, ssim

METRICS = ("psnr", "ssim_ssdm", "ssim_standard", "lpips", "liqe")
"""Names of the figures. PSNR is the same by both protocols."""

LEARNED = ("lpips", "liqe")
"""Those that networks give, of colour images, and that need packages and weights which may be missing."""


@dataclass(frozen=True)
class Score:
    """Figures of one image.

    Attributes:
        psnr: dB, infinite for equal images.
        ssim_ssdm, ssim_standard: By the two protocols of `metrics`.
        lpips: Distance by VGG-16, less is better; None where it is not available, or for grey images.
        liqe: Quality without the true image, 1 to 5, more is better; None likewise.
    """

    psnr: float
    ssim_ssdm: float
    ssim_standard: float
    lpips: float | None
    liqe: float | None


class Scorer:
    """Scores images, several at once on the processor.

    Args:
        device: Where learned measures compute.

    Attributes:
        learned: Names of the learned measures that are available.
        notes: Why others cannot.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._lpips: PerceptualLoss | None = None
        self._liqe: Callable[[Tensor], Tensor] | None = None
        self.notes: list[str] = []
        try:
            self._lpips = make_perceptual("lpips").to(device)
        except (MissingExtraError, InputFileError) as error:
            self.notes.append(f"no LPIPS: {error}")
        try:
            self._liqe = _liqe(device)
        except MissingExtraError as error:
            self.notes.append(f"no LIQE: {error}")
        there = {"lpips": self._lpips, "liqe": self._liqe}
        self.learned = tuple(name for name in LEARNED if there[name] is not None)

    def score(self, images: Tensor, truth: np.ndarray) -> list[Score]:
        """The figures of several images.

        Args:
            images: (S, C, H, W) in [0, 1], on any device.
            truth: The true ones, likewise.
        """
        predicted = np.ascontiguousarray(images.movedim(1, -1).cpu().numpy())
        pairs = list(zip(predicted, np.ascontiguousarray(np.moveaxis(truth, 1, -1)), strict=True))
        calls = [partial(psnr, *pair) for pair in pairs]
        calls += [partial(ssim, *pair, protocol) for protocol in get_args(Protocol) for pair in pairs]
        with ThreadPoolExecutor(allowed_threads()) as pool:
            figures = np.reshape(list(pool.map(lambda call: call(), calls)), (-1, len(pairs))).T.tolist()
        return [
            Score(peak, by_ssdm, by_standard, *self._learned(image, true))
            for (peak, by_ssdm, by_standard), image, true in zip(figures, images, truth, strict=True)
        ]

    @torch.inference_mode()
    def _learned(self, image: Tensor, truth: np.ndarray) -> tuple[float | None, float | None]:
        if len(image) == 1:
            return None, None
        image = image[None].to(self._device)
        true = torch.from_numpy(truth[None]).to(self._device)
        return (
            None if self._lpips is None else float(self._lpips(image, true)),
            None if self._liqe is None else float(self._liqe(image)),
        )


def _liqe(device: torch.device) -> Callable[[Tensor], Tensor]:
    try:
        import pyiqa

        measure: Callable[[Tensor], Tensor] = pyiqa.create_metric("liqe", device=device)
    except (
        Exception
    ) as error:  # it fails in the ways of what it is made with, and of the network connection when weights are missing
        raise MissingExtraError(
            f"LIQE needs the package pyiqa and the weights that it fetches ({error}); pip install pyiqa, which brings "
            "opencv-python in place of opencv-python-headless"
        ) from error
    return measure
