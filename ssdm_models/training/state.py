"""All that a stage in training must know to go on as if it had never stopped."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spikesim.errors import InputFileError
from spikesim.files import atomic_path
from spikesim.input_files import require_file

STATE = "state.pt"
"""Of a stage, in its folder."""


@dataclass
class State:
    """Progress of a stage. Learning rates, batches and random numbers follow from the number of steps.

    Attributes:
        steps: Steps done.
        network, mean: Parameters and buffers by name, and the parameters' running mean; None where none is wanted.
        optimizer: Its state.
        sums: Sums over the steps of the epoch that is not yet finished, by name.
        history: A row of means for each finished epoch.
        seconds: Time spent so far.
    """

    network: dict[str, Tensor]
    mean: dict[str, Tensor] | None
    optimizer: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0


def save_state(path: Path, state: State) -> None:
    """Write a state; one that is there is replaced once the new one is whole.

    Raises:
        OutputError: The disk is full or not writable; the state that was there is untouched.
    """
    # torch's own writer, on a full disk, raises what nothing else does; memory has room.
    buffer = io.BytesIO()
    torch.save(vars(state), buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def load_state(path: Path) -> State:
    """Read a state; tensors alone are read, no code is run.

    Raises:
        InputFileError: The file is damaged.
    """
    require_file(path)
    try:
        return State(**torch.load(path, map_location="cpu", weights_only=True))
    except OSError as error:
        raise InputFileError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle fails in any way
        raise InputFileError(f"{path} is damaged ({error}); remove it to begin this stage again") from error


@torch.no_grad()
def follow(mean: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    """Move the running mean of the weights towards the present ones."""
    for name, weights in network.named_parameters():
        mean[name].lerp_(weights, 1 - decay)
