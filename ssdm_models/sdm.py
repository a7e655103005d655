"""The spike-guided deblurring model: a blurry image and two spike counts give the sharp image."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

from spikesim.checks import require_array
from spikesim.errors import InvalidValueError
from ssdm_models.tensor_checks import require_one_device

Image = TypeVar("Image", Tensor, np.ndarray)


def deblur(blur: Image, long_exposure: Image, short_exposure: Image) -> Image:
    """Carry a blurry image over to a short window of its exposure.

        L = B · (N' / N) · (T / T') = B · short / long,   0 where N = 0

    The threshold is in both counts and cancels, and so does any gain. Noise-free spikes of a static pixel of rate r
    hold N = rT + e, N' = rT' + e' spikes with |e|, |e'| < 1, so that

        |L − B| = B · |e'/T' − e/T| · T/N < B · (1/T' + 1/T) · T/N,

    and L = B where both windows are one.

    Args:
        blur: Blurry image B (..., H, W) in [0, 1], any number of channels.
        long_exposure: Spikes per readout N/T in the T readouts of the exposure, of a shape that broadcasts to the
            blurry image's: one channel serves all. Any unit, the same in both.
        short_exposure: Spikes per readout N'/T' in the T' readouts of the short window, likewise.

    Returns:
        The sharp image L (..., H, W), not clipped.

    Raises:
        InvalidValueError: The three are not all tensors or all arrays, or the exposures do not fit the image.

    Source:
        Chen et al., "SpikeReveal", NeurIPS 2024, Eq. 8.
    """
    exposures = {"long_exposure": long_exposure, "short_exposure": short_exposure}
    _check({"blur": blur, **exposures})
    for name, exposure in exposures.items():
        if not _broadcasts(tuple(exposure.shape), tuple(blur.shape)):
            raise InvalidValueError(
                f"{name} {tuple(exposure.shape)} does not fit the blurry image {tuple(blur.shape)}; upsample it to the "
                "image's height and width, with one channel or as many as the image has"
            )
    dark = long_exposure == 0
    return blur * (~dark * short_exposure / (long_exposure + dark))


def _check(images: Mapping[str, Any]) -> None:
    """Refuse what is neither tensors on one device nor arrays of real numbers, all of them."""
    if all(isinstance(image, Tensor) for image in images.values()):
        require_one_device(**images)
        return
    for name, image in images.items():
        if not isinstance(image, np.ndarray) or require_array(image, name).dtype.kind == "c":
            kind = getattr(image, "dtype", type(image).__name__)
            raise InvalidValueError(
                f"{', '.join(images)} must all be tensors or arrays of real numbers, {name} is {kind}"
            )


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False
