"""The packages that reports are made with."""

from importlib.util import find_spec

from spikesim.errors import MissingExtraError


def require_extra() -> None:
    """See that the extra [report] is installed, before any work.

    Raises:
        MissingExtraError: It is not.
    """
    for package in ("matplotlib", "jinja2", "tensorboard"):
        if find_spec(package) is None:
            raise MissingExtraError(f"reports need {package}; pip install 'spikesim[report]'")
