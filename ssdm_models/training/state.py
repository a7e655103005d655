"""All that a stage in training must know to go on as if it had never stopped."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from spikesim.checks import require_instance, require_mapping, require_number, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import atomic_path
from spikesim_datasets.torch_tools.torch_files import load_torch_file

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
        InputFileError: The file is damaged, or holds something else.
    """
    try:
        state = State(**load_torch_file(path))
        _check(state)
        return state
    except InputFileError:
        raise
    except OSError as error:
        raise InputFileError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # a damaged pickle fails in any way
        raise _damaged(path, error) from error


@torch.no_grad()
def restore(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> State:
    """Read a state, and put what it holds of a network and an optimiser into these.

    Raises:
        InputFileError: As for `load_state`, or it is of another network.
    """
    state = load_state(path)
    held = network.state_dict()
    try:
        _require_like(state.network, held, "network")
        if state.mean is not None:
            _require_like(state.mean, dict(network.named_parameters()), "mean")
        for name, value in held.items():
            value.copy_(state.network[name])
        optimizer.load_state_dict(state.optimizer)
    except Exception as error:  # torch says in many ways that an optimiser had other parameters
        raise _damaged(path, error) from error
    return state


def _check(state: State) -> None:
    """Check that what a file holds is a state.

    Raises:
        InvalidValueError: It is none.
    """
    for name, tensors in (("network", state.network), ("mean", state.mean)):
        if tensors is None and name == "mean":
            continue
        held = require_mapping(tensors, name, "tensors by name").items()
        if not held or not all(isinstance(key, str) and isinstance(value, Tensor) for key, value in held):
            raise InvalidValueError(f"{name} must hold tensors by name")
    if not {"state", "param_groups"} <= require_mapping(state.optimizer, "optimizer", "what it keeps").keys():
        raise InvalidValueError("optimizer must hold a state and param_groups")
    require_whole(state.steps, "steps", 0)
    require_number(state.seconds, "seconds", 0)
    for numbers in [state.sums, *require_instance(state.history, "history", list)]:
        held = require_mapping(numbers, "each of sums and history", "numbers by name").items()
        if not all(isinstance(key, str) and isinstance(value, int | float) for key, value in held):
            raise InvalidValueError("sums and history must hold numbers by name")
    if not all({"step", "loss"} <= row.keys() for row in state.history):
        raise InvalidValueError("each row of the history must hold a step and a loss")


def _require_like(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor], name: str) -> None:
    """Check that tensors have the names and the shapes of others.

    Raises:
        InvalidValueError: They do not.
    """
    shapes, wanted = ({key: value.shape for key, value in held.items()} for held in (tensors, expected))
    if shapes != wanted:
        raise InvalidValueError(f"its {name} has other tensors than the network that is trained")


def _damaged(path: Path, problem: Exception) -> InputFileError:
    return InputFileError(f"{path} is damaged ({problem}); remove it to begin this stage again")


@torch.no_grad()
def follow(mean: dict[str, Tensor], network: nn.Module, decay: float) -> None:
    """Move the running mean of the weights towards the present ones."""
    for name, weights in network.named_parameters():
        mean[name].lerp_(weights, 1 - decay)
