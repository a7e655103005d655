"""The network in the box: weights that come with the package."""

from importlib.resources import as_file, files

from ssdm_models.trained_networks import TrainedNetwork, load_deblurring

_FILE = files("ssdm_models") / "weights" / "multi_exposure.safetensors"


def load_shipped() -> TrainedNetwork:
    """The multi-exposure network that comes with the package, float32, on the CPU, ready to deblur.

    Raises:
        InputFileError: The installation is damaged.
    """
    with as_file(_FILE) as path:
        return load_deblurring(path)
