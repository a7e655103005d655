"""What the student minimises: a perceptual distance to the teacher, and the distance of its mean to the blurry image.

Perceptual losses have names. `lpips` is the paper's and needs weights that others trained; `ms-ssim` and `laplacian`
need none.
"""

from collections.abc import Callable

from spikesim.checks import require_choice
from ssdm_models.losses.laplacian import LaplacianPyramid
from ssdm_models.losses.lpips import LPIPS
from ssdm_models.losses.ms_ssim import MultiScaleSSIM
from ssdm_models.losses.perceptual import PerceptualLoss
from ssdm_models.losses.reblur import reblur_loss

__all__ = [
    "LPIPS",
    "PERCEPTUAL",
    "LaplacianPyramid",
    "MultiScaleSSIM",
    "PerceptualLoss",
    "make_perceptual",
    "reblur_loss",
]

PERCEPTUAL: dict[str, Callable[[], PerceptualLoss]] = {
    "lpips": LPIPS,
    "ms-ssim": MultiScaleSSIM,
    "laplacian": LaplacianPyramid,
}
"""Perceptual losses by name."""


def make_perceptual(name: str) -> PerceptualLoss:
    """Make a perceptual loss.

    Args:
        name: One of `PERCEPTUAL`.

    Returns:
        The loss, a module.

    Raises:
        InvalidValueError: There is no such loss.
        MissingExtraError: `lpips` is not installed.
        InputFileError: The weights that `lpips` needs are missing.
    """
    return PERCEPTUAL[require_choice(name, "perceptual loss", PERCEPTUAL)]()
