"""Any interpolation network that was exported as TorchScript."""

import os
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikesim.checks import require_instance
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.input_files import require_file
from spikesim_datasets.interpolation.networks.network import InterpolationNetwork


class ScriptedNetwork(InterpolationNetwork[Tensor, tuple[Tensor, Tensor]]):
    """A TorchScript module that maps (frame0, frame1, t) to a frame.

    Frames are float32 (1,3,H,W), RGB in [0,1], of any size: what the network needs of padding it does itself. t is a
    number if the module says so, else a tensor (1,1,1,1).

    Args:
        module: The module.
        title: Its name.

    Raises:
        InvalidValueError: The module is no TorchScript, or does not take three arguments.
    """

    def __init__(self, module: torch.jit.ScriptModule, title: str) -> None:
        super().__init__()
        require_instance(module, "module", torch.jit.ScriptModule, "load_script loads one")
        self.title = require_instance(title, "title", str)
        self._module = module
        arguments = module.forward.schema.arguments[1:]  # type: ignore[attr-defined]  # of a script it has one
        if len(arguments) != 3:
            raise InvalidValueError(
                f"{title} must take three arguments, frame0, frame1 and t, it takes {len(arguments)}: "
                f"{', '.join(argument.name for argument in arguments)}"
            )
        self._takes_number = isinstance(arguments[2].type, torch.FloatType)
        # A module without parameters says nothing of where it is; a buffer of ours moves with it.
        self.register_buffer("_place", torch.zeros(()))

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._place.device  # type: ignore[return-value]

    def encode(self, frames: Tensor) -> Tensor:
        """The frames themselves: a foreign network does not say what depends on one alone."""
        return frames

    def relate(self, encoded0: Tensor, encoded1: Tensor) -> tuple[Tensor, Tensor]:
        """The two frames, each of the shape that `encode` took.

        Args:
            encoded0, encoded1: Frames at times 0 and 1, float (N,3,H,W), RGB in [0,1].
        """
        return encoded0, encoded1

    def render(self, pair: tuple[Tensor, Tensor], times: Tensor) -> Tensor:
        """The frames of a pair at times, one call for each; see `InterpolationNetwork.render` for the shapes.

        Args:
            pair: The two frames, (N,3,H,W) each.
            times: (K,1,1,1), each in [0, 1].
        """
        return torch.cat([self._called(*pair, t) for t in times.flatten()])

    def bytes_needed(self, height: int, width: int) -> int:
        """At least the frames: what the network itself needs is not known."""
        return 3 * 4 * 3 * height * width

    def _called(self, frame0: Tensor, frame1: Tensor, t: Tensor) -> Tensor:
        try:
            frame: Any = self._module(frame0, frame1, float(t) if self._takes_number else t.reshape(1, 1, 1, 1))
        except torch.jit.Error as error:
            reason = str(error).strip().splitlines()[-1]
            raise InvalidValueError(f"{self.title} fails on frames {tuple(frame0.shape)}: {reason}") from error
        if not isinstance(frame, Tensor) or frame.shape != frame0.shape or not frame.is_floating_point():
            found = f"{frame.dtype} {tuple(frame.shape)}" if isinstance(frame, Tensor) else type(frame).__name__
            raise InvalidValueError(
                f"{self.title} must give a float frame {tuple(frame0.shape)} as it got, it gave {found}"
            )
        return frame


def load_script(path: str | os.PathLike[str]) -> ScriptedNetwork:
    """Load an exported network.

    TorchScript is a program: take it from those you trust.

    Args:
        path: File that `torch.jit.save` wrote.

    Raises:
        InputFileError: It is missing, no regular file, or no TorchScript.
        InvalidValueError: It takes other arguments.
    """
    path = Path(path)
    if not os.path.lexists(path):
        raise InputFileError(f"there is no TorchScript file {path}; torch.jit.save writes one")
    require_file(path)
    try:
        with warnings.catch_warnings():
            # torch would rather have networks exported otherwise; whoever runs one cannot help it.
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(path, map_location="cpu")
    except Exception as error:  # on other files, all kinds are raised
        raise InputFileError(
            f"{path} is no TorchScript file, or a damaged one; export the network with torch.jit.script or "
            "torch.jit.trace and torch.jit.save"
        ) from error
    module.eval()
    return ScriptedNetwork(module, f"TorchScript {path.name}")
