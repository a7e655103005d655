"""The published methods that S-SDM is compared with, a module each: networks in pure torch, for CPU and CUDA alike.

Bare networks are called like their modules. `baseline` and what begins with it in its imports keep their authors'
conventions around them: what they are shown of spikes, which times they show, what they minimise.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from spikesim.checks import require_choice

if TYPE_CHECKING:
    from torch import nn

    from spikesim_datasets.torch_tools.state_dicts import Weights
    from ssdm_models.baselines.released_network import ReleasedNetwork

_MODULES = ("red", "trmd", "san", "spkdeblurnet", "refid", "dasr", "levs", "motion_etr", "bit")


def load_released(name: str, weights: "Weights") -> "nn.Module":
    """Load the bare network of a baseline with the weights that its authors released, as they are.

    Args:
        name: Such as `red`, `trmd_rgb` or `bitpp`; see `released_names`.
        weights: The file, of which tensors alone are read and nothing is run; or what it holds.

    Returns:
        The network, float32, ready to be evaluated, with their order of colours.

    Raises:
        InvalidValueError: There is no baseline of this name.
        InputFileError: The file is missing, damaged or none of tensors alone, or the tensors are another network's.
    """
    found = _released()
    return found[require_choice(name, "name", found)].load(weights)


def released_names() -> dict[str, str]:
    """The names that `load_released` knows, each with the licence of its authors' code and weights."""
    return {name: released.licence for name, released in _released().items()}


@cache
def _released() -> "dict[str, ReleasedNetwork]":
    modules = (import_module(f"ssdm_models.baselines.{module}") for module in _MODULES)
    return {released.name: released for module in modules for released in module.RELEASED}
