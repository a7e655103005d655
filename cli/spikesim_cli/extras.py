"""What a command says when the packages of an extra are not installed."""

from collections.abc import Iterator
from contextlib import contextmanager

from spikesim.errors import MissingExtraError

_SSDM = {"torch", "skimage", "lightning_fabric", "lightning_utilities", "tensorboard"}


@contextmanager
def needs_ssdm(command: str) -> Iterator[None]:
    """Around the imports of a command: name the extra [ssdm] where one of its packages is missing.

    Raises:
        MissingExtraError: One is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _SSDM:
            raise
        raise MissingExtraError(f"`spikesim {command}` needs {package}; pip install 'spikesim[ssdm]'") from error
