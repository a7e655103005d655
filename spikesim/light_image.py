"""Spikes per readout as an image to look at."""

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.checks import require_array, require_instance
from spikesim.errors import InvalidValueError


def as_light(rate: np.ndarray, camera: SpikeCamera | None = None) -> np.ndarray:
    """Spikes per readout as an image of the light that they stand for.

    Args:
        rate: Spikes per readout, such as a TFP, (H, W).
        camera: Whose they are: light is the rate times v_th/gain, and full light is white. Where it is not known, the
            brightest hundredth of the pixels is.

    Returns:
        Grey uint8 (H, W).

    Raises:
        InvalidValueError: The rates are no image of finite real numbers, or the camera is none.
    """
    rate = require_array(rate, "rate")
    if rate.ndim != 2 or not rate.size or rate.dtype.kind == "c" or not np.isfinite(rate).all():
        raise InvalidValueError(f"rate must be an image (H, W) of finite real numbers, got {rate.dtype} {rate.shape}")
    rate = rate.astype(np.float32, copy=False)
    if camera is not None:
        require_instance(camera, "camera", SpikeCamera)
        rate = rate * np.float32(camera.v_th / camera.gain)
    else:
        rate = rate / max(float(np.quantile(rate, 0.99)), 1e-6)
    return np.rint(np.clip(rate, 0, 1) * 255).astype(np.uint8)
