"""What computes networks that deblur: torch where it is installed, and else OpenCV."""

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ssdm_models.deblurrer import Deblurrer


def load_deblurrer(path: str | os.PathLike[str] | None = None, device: str = "auto") -> "Deblurrer":
    """A trained network, ready to deblur: computed by torch, or where that is not installed, by OpenCV.

        deblurrer = load_deblurrer()
        frames = deblurrer.frames(blur, stream, times=[68], exposure=(20, 117))

    OpenCV computes the multi-exposure network alone, on the processor, with the frames that torch gives but for
    rounding.

    Args:
        path: A checkpoint of ours or a file that the authors of a network released; None takes the network that comes
            with the package.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        InputFileError: The file is missing, damaged, or holds no network that deblurs.
        InvalidValueError: There is no such device.
        MissingExtraError: torch is not installed, and the network or the device needs it.
    """
    from spikesim.checks import parse_device
    from spikesim.errors import MissingExtraError
    from ssdm_models.shipped import SHIPPED

    path = SHIPPED if path is None else path
    if find_spec("torch") is None:
        if parse_device(device) not in ("auto", "cpu"):
            raise MissingExtraError(f"device {device!r} needs torch; pip install 'spikesim[ssdm]'")
        from ssdm_models.without_torch.opencv_deblurrer import OpenCVDeblurrer

        return OpenCVDeblurrer(path)
    from spikesim.gpu.devices import find_device
    from ssdm_models.deblur import TorchDeblurrer
    from ssdm_models.trained_networks import load_deblurring

    where, trained = find_device(device), load_deblurring(path)
    return TorchDeblurrer(trained.deblurring.to(where), trained.v_th)
