"""Frames between frames: from the rate of a video to the rate of a spike camera."""

import os

from spikesim.errors import InvalidValueError, MissingExtraError
from spikesim_datasets.interpolation.base import AlreadyDense, Interpolator
from spikesim_datasets.interpolation.flow import FlowInterpolator
from spikesim_datasets.interpolation.linear import LinearInterpolator
from spikesim_datasets.interpolation.networks.weights import RELEASES
from spikesim_datasets.interpolation.plugins import make_plugin, plugin_names

__all__ = ["Interpolator", "make_interpolator"]

SCRIPT = "torchscript:"
"""Before the file of an exported network, in the name of an interpolator."""

_DEVICES = "auto", "cpu", "cuda"
_PRECISIONS = "float32", "bfloat16", "float16"

_WITHOUT_WEIGHTS = {kind.name: kind for kind in (FlowInterpolator, LinearInterpolator, AlreadyDense)}


def make_interpolator(
    name: str,
    weights: str | os.PathLike[str] | None = None,
    device: str = "auto",
    tile: int | None = None,
    precision: str = "float32",
) -> Interpolator:
    """Make an interpolator by name.

    Args:
        name: `flow` follows the motion by optical flow, `rife` and `xvfi` are networks with the weights their authors
            published, `linear` cross-fades, `none` takes every frame as a readout. `torchscript:MODEL.pt` is an
            exported network (see `networks.torchscript.ScriptedNetwork`), any other name an interpolator that an
            installed package offers (see `plugins.GROUP`).
        weights: File of a network's weights, or its folder or name; None looks for the published name where
            `networks.weights.find_weights` says. The others have none.
        device: `auto`, `cpu` or `cuda`, where a network runs; the others run on the CPU.
        tile: Side of the tiles that a network computes large frames in, at least 64 pixels; None computes them in one
            piece, which is faster and takes more memory.
        precision: What a network's convolutions compute in: `float32`, `bfloat16`, or, on a GPU, `float16`.

    Raises:
        InvalidValueError: The name, the device, the tile or the precision is not one of these, the interpolator has no
            use for it, or there is no CUDA device.
        InputFileError: The weights are not found, damaged or those of another network.
        MissingExtraError: A network needs torch, which is not installed.
    """
    if device not in _DEVICES:
        raise InvalidValueError(f"device must be one of {', '.join(_DEVICES)}, got {device!r}")
    if precision not in _PRECISIONS:
        raise InvalidValueError(f"precision must be one of {', '.join(_PRECISIONS)}, got {precision!r}")
    if name in RELEASES or name.startswith(SCRIPT):
        try:
            from spikesim_datasets.interpolation.networks.interpolator import make_network_interpolator
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise MissingExtraError(f"interpolator {name!r} needs torch; pip install 'spikesim[ssdm]'") from error
        return make_network_interpolator(name, weights, device, tile, precision)
    if name not in _WITHOUT_WEIGHTS:
        if name in (others := plugin_names()):
            return make_plugin(name, weights, device, tile, precision)
        names = ", ".join((*_WITHOUT_WEIGHTS, *RELEASES, f"{SCRIPT}MODEL.pt", *others))
        raise InvalidValueError(f"interpolator must be one of {names}, got {name!r}")
    if weights is not None:
        raise InvalidValueError(f"interpolator {name!r} has no weights, got {os.fspath(weights)!r}; leave weights out")
    if device == "cuda":
        raise InvalidValueError(f"interpolator {name!r} runs on the CPU only, got device 'cuda'; use 'auto' or 'cpu'")
    if tile is not None:
        raise InvalidValueError(f"interpolator {name!r} does not work in tiles, got tile {tile}; leave tile out")
    if precision != "float32":
        raise InvalidValueError(
            f"interpolator {name!r} is no network, got precision {precision!r}; leave precision out"
        )
    return _WITHOUT_WEIGHTS[name]()
