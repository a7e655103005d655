"""Reading weights that others wrote: tensors alone, into networks whose names are ours."""

import os
import pickle
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from spikesim.checks import require_path
from spikesim.errors import InputFileError
from spikesim.input_files import require_file

Weights = str | os.PathLike[str] | Mapping[str, Any]
"""A file, or what it holds."""

_SHOWN = 3  # names in a message
# Before names, in whatever order a network was wrapped; parts of a network are compiled as well.
_WRAPPERS = re.compile(r"^(module\.|_orig_mod\.)+|(?<=\.)_orig_mod\.")


class _Ignored:
    """What is read instead of the numpy scalars that training left beside the weights: nothing of numpy is called."""

    def __new__(cls, *arguments: object) -> "_Ignored":
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass


_IGNORED: list[Any] = [
    type(name, (_Ignored,), {"__module__": module})
    for module, name in (("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"), ("numpy", "dtype"))
]


class Slot(NamedTuple):
    """A parameter or a buffer of a network, and what its authors call it.

    Args:
        name: Our name.
        released: Names under which the released file holds it; of several, all hold the same values.
        shape: Its shape there.
    """

    name: str
    released: tuple[str, ...]
    shape: tuple[int, ...]


def read_tensors(weights: Weights, entry: str | None = None) -> dict[str, Tensor]:
    """The tensors of a released file or of a training checkpoint by name.

    Tensors may lie under a key, such as `state_dict`, `model` or `params`, or under none, beside other things. What
    `DataParallel` and `torch.compile` put before names, `module.` and `_orig_mod.`, is left out.

    Args:
        weights: The file, or what it holds.
        entry: Key under which the network's training checkpoints have them, whatever else is there.

    Raises:
        InputFileError: The file cannot be read, is damaged, or holds more than tensors, numbers and names; or it holds
            tensors under several keys, or of several names that become one.
    """
    held = weights if isinstance(weights, Mapping) else _parsed(require_path(weights, "the weights"))
    if entry is not None and isinstance(held.get(entry), Mapping):
        held = held[entry]
    found = _named_tensors(held) or _tensors_beside_others(held)
    if len(found) > 1:
        raise InputFileError(
            f"{origin_of(weights)} holds tensors under {' and under '.join(found)}, and which are the network's is not "
            "clear; give a file that holds one of them alone"
        )
    if not found:
        others = [str(name) for name, value in held.items() if not isinstance(value, Tensor)]
        raise InputFileError(
            f"{origin_of(weights)} must hold tensors by name, but {some(others) if others else 'nothing'} is in it; "
            "give a file of the network's weights"
        )
    (named,) = found.values()
    tensors: dict[str, Tensor] = {}
    for name, value in named.items():
        if (bare := _WRAPPERS.sub("", name)) in tensors:
            raise InputFileError(
                f"{origin_of(weights)} holds {bare} several times, once as {name}, and which is the network's is not "
                "clear; give a file that holds it once"
            )
        tensors[bare] = value
    return tensors


def _named_tensors(held: Mapping[Any, Any], depth: int = 2) -> dict[str, Mapping[str, Tensor]]:
    """What holds tensors by name and nothing else: all of it, or what lies under keys of it, by those keys.

    What lies deeper than two keys is the memory of an optimiser.
    """
    if held and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in held.items()):
        return {"": held}
    nested = {name: value for name, value in held.items() if isinstance(name, str) and isinstance(value, Mapping)}
    return {
        f"{name}.{deeper}".rstrip("."): tensors
        for name, value in (nested if depth else {}).items()
        for deeper, tensors in _named_tensors(value, depth - 1).items()
    }


def _tensors_beside_others(held: Mapping[Any, Any]) -> dict[str, Mapping[str, Tensor]]:
    """The tensors that lie beside the epoch and the like and under no key, if there are any."""
    tensors = {name: value for name, value in held.items() if isinstance(name, str) and isinstance(value, Tensor)}
    return {"": tensors} if tensors else {}


def origin_of(weights: Weights) -> str:
    """What to call weights in a message."""
    return "the state dict" if isinstance(weights, Mapping) else f"the weights file {os.fspath(weights)}"


def _parsed(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """What `torch.save` wrote, read without calling anything it names."""
    require_file(path)
    try:
        with Path(path).open("rb") as file, torch.serialization.safe_globals(_IGNORED):
            held = torch.load(file, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputFileError(f"cannot read {origin_of(path)}: {error.strerror}") from error
    except Exception as error:  # on bytes that are no checkpoint, all kinds are raised
        called = re.search(r"GLOBAL (\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if called:
            raise InputFileError(
                f"{origin_of(path)} holds more than tensors: to load it, {called[1]} would have to be called, and "
                "nothing from a download is ever run; get the file from the network's authors"
            ) from error
        raise InputFileError(
            f"{origin_of(path)} is truncated, damaged or no such file at all (a web page, perhaps); download it again"
        ) from error
    if not isinstance(held, Mapping):
        raise InputFileError(f"{origin_of(path)} must hold tensors by name, but holds a {type(held).__name__}")
    return held


def fill(network: nn.Module, slots: Iterable[Slot], tensors: Mapping[str, Tensor], weights: Weights) -> None:
    """Give a network that has no memory yet (device `meta`) its parameters and buffers, in the types it has them in.

    Args:
        network: The network; its `title` names it in messages.
        slots: All its parameters, and buffers that are kept.
        tensors: The released tensors by name.
        weights: Where they are from.

    Raises:
        InputFileError: Tensors are missing or too many, have other shapes, differ where they are one, or hold values
            that are no numbers.
    """
    slots = list(slots)
    expected = {name: slot.shape for slot in slots for name in slot.released}

    def refuse(problem: str, names: Collection[str]) -> None:
        if names:
            raise InputFileError(
                f"{origin_of(weights)} does not fit {network.title}: it {problem} {some(sorted(names))}; "
                "give a file of this network's weights"
            )

    refuse("lacks", expected.keys() - tensors.keys())
    refuse("has, too many,", tensors.keys() - expected.keys())
    shapes = {name: tuple(tensors[name].shape) for name in expected}
    other = [f"{name} {shapes[name]}, not {shape}" for name, shape in expected.items() if shapes[name] != shape]
    refuse("has of other shapes", other)
    refuse("has values that are no numbers in", [name for name in expected if not tensors[name].isfinite().all()])
    state, empty = {}, network.state_dict()
    for name, (first, *others), _ in slots:
        refuse(
            f"must have the values of {first} in", [n for n in others if not torch.equal(tensors[n], tensors[first])]
        )
        state[name] = tensors[first].to(empty[name].dtype, copy=True).reshape(empty[name].shape)
    network.load_state_dict(state, assign=True)


def some(names: Collection[str]) -> str:
    """The first few of many names, and how many there are."""
    shown = ", ".join(list(names)[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
