"""PSNR and SSIM by the protocols of the field, each under a name that is printed beside the figures."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from spikesim.checks import require_array, require_choice
from spikesim.errors import InvalidValueError

Protocol = Literal["ssdm", "standard"]


class _Protocol(NamedTuple):
    """Range of the images, and options of scikit-image's SSIM."""

    low: float
    high: float
    smallest: int
    ssim: Mapping[str, Any]


_PROTOCOLS = {
    "ssdm": _Protocol(-1, 1, 7, {"win_size": 7}),
    "standard": _Protocol(0, 1, 11, {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}),
}


def psnr(prediction: np.ndarray, target: np.ndarray, protocol: Protocol = "ssdm") -> float:
    """Peak signal-to-noise ratio over all pixels and channels.

        PSNR = 10 log10(range² / mean((prediction − target)²))

    Both protocols give the same figure: `ssdm` doubles the errors and the range. (The release lets the range be guessed
    from the prediction, which loses 6.02 dB where all of it is at least 0.5; here the range is fixed.)

    Args:
        prediction: (H, W, C) in [0, 1].
        target: Of the same shape, in [0, 1].
        protocol: `ssdm` compares in [−1, 1] with range 2, `standard` in [0, 1] with range 1.

    Returns:
        dB; infinity where both images are the same.

    Raises:
        InvalidValueError: The shapes differ, values lie outside [0, 1], or there is no such protocol.
    """
    chosen, prediction, target = _checked(prediction, target, protocol)
    with np.errstate(divide="ignore"):
        return float(peak_signal_noise_ratio(target, prediction, data_range=chosen.high - chosen.low))


def ssim(prediction: np.ndarray, target: np.ndarray, protocol: Protocol = "ssdm") -> float:
    """Structural similarity, the mean over pixels and channels.

    Args:
        prediction: (H, W, C) in [0, 1], at least 7 (`ssdm`) or 11 (`standard`) pixels high and wide.
        target: Of the same shape, in [0, 1].
        protocol: `ssdm` is the release's: images in [−1, 1], range 2, uniform 7×7 window, sample covariance. `standard`
            is the paper's of SSIM: images in [0, 1], range 1, Gaussian 11×11 window of σ 1.5.

    Returns:
        −1 to 1; 1 where both images are the same.

    Raises:
        InvalidValueError: The shapes differ, the images are too small, values lie outside [0, 1], or there is no such
            protocol.

    Source:
        Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", TIP 2004.
    """
    chosen, prediction, target = _checked(prediction, target, protocol)
    if min(prediction.shape[:2]) < chosen.smallest:
        raise InvalidValueError(
            f"SSIM by the protocol {protocol!r} needs at least {chosen.smallest} pixels a side, got {prediction.shape}"
        )
    options = {"data_range": chosen.high - chosen.low, "channel_axis": -1, **chosen.ssim}
    return float(structural_similarity(target, prediction, **options))


def _checked(
    prediction: np.ndarray, target: np.ndarray, protocol: Protocol
) -> tuple[_Protocol, np.ndarray, np.ndarray]:
    """The protocol, and both images in its range, float64."""
    chosen = _PROTOCOLS[require_choice(protocol, "protocol", get_args(Protocol))]
    prediction, target = require_array(prediction, "prediction"), require_array(target, "target")
    if prediction.shape != target.shape or prediction.ndim != 3:
        raise InvalidValueError(
            f"prediction and target must be (H, W, C) of one shape, got {prediction.shape} and {target.shape}"
        )
    for name, image in (("prediction", prediction), ("target", target)):
        if image.dtype.kind == "c":
            raise InvalidValueError(f"{name} must be an array of real numbers, got {image.dtype}")
        if not (image.size and image.min() >= 0 and image.max() <= 1):  # false of NaN as well
            raise InvalidValueError(f"{name} must lie in [0, 1], clip it; got {_extent(image)}")
    low, high, *_ = chosen
    scaled = [low + (high - low) * image.astype(np.float64) for image in (prediction, target)]
    return chosen, scaled[0], scaled[1]


def _extent(image: np.ndarray) -> str:
    return f"{image.min()}..{image.max()}" if image.size else "no pixels"
