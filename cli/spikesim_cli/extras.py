"""Commands whose dependencies are an extra say so."""

from collections.abc import Iterator
from contextlib import contextmanager

from spikesim.errors import MissingExtraError

_SSDM = ("torch", "safetensors", "skimage", "lightning_fabric", "lightning_utilities", "tensorboard", "filelock")


@contextmanager
def needs_ssdm() -> Iterator[None]:
    """Tell of imports in the `with` block that fail because the extra `ssdm` is not installed.

    Raises:
        MissingExtraError: One of its packages is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _SSDM:
            raise
        raise MissingExtraError(f"this command needs {error.name}; pip install 'spikesim[ssdm]'") from error
