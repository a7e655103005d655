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
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.torch_tools.torch_files import load_torch_file

Weights = str | os.PathLike[str] | Mapping[str, Any]
"""A file, or what it holds."""

_SHOWN = 3  # names in a message
_LONGEST = 120  # letters of each
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
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
    held = weights if isinstance(weights, Mapping) else read_held(require_path(weights, "the weights"))
    if entry is not None and isinstance(held.get(entry), Mapping):
        held = held[entry]
    found = _named_tensors(held) or _tensors_beside_others(held)
    if len(found) > 1:
        raise InputFileError(
            f"{origin_of(weights)} holds tensors under {some(found, ' and under ')}, and which are the network's is "
            "not clear; give a file that holds one of them alone"
        )
    if not found:
        # Of other names only what they are: a tuple may say more than there is memory for.
        names = [name for name, value in held.items() if not isinstance(value, Tensor)]
        others = [str(name) if isinstance(name, str | int) else f"a {type(name).__name__}" for name in names]
        raise InputFileError(
            f"{origin_of(weights)} must hold tensors by name, but {some(others) if others else 'nothing'} is in it; "
            "give a file of the network's weights"
        )
    (named,) = found.values()
    tensors: dict[str, Tensor] = {}
    for name, value in named.items():
        if (bare := _WRAPPERS.sub("", name)) in tensors:
            raise InputFileError(
                f"{origin_of(weights)} holds {_short(bare)} several times, once as {_short(name)}, and which is the "
                "network's is not clear; give a file that holds it once"
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


def read_held(path: str | os.PathLike[str]) -> Mapping[Any, Any]:
    """What `torch.save` wrote, read without calling anything it names.

    Raises:
        InputFileError: It cannot be read, is damaged, holds what would have to be called, or not several things by
            name.
    """
    try:
        held = load_torch_file(Path(path), _IGNORED)
    except InputFileError:
        raise
    except InvalidValueError as error:
        raise InputFileError(f"{origin_of(path)} is not read: {error}") from error
    except OSError as error:
        raise InputFileError(f"cannot read {origin_of(path)}: {error.strerror}") from error
    except Exception as error:  # on bytes that are no checkpoint, all kinds are raised
        called = re.search(r"GLOBAL (\S+)", str(error)) if isinstance(error, pickle.UnpicklingError) else None
        if called:
            raise InputFileError(
                f"{origin_of(path)} holds more than tensors: to load it, {_short(called[1])} would have to be called, "
                "and nothing from a download is ever run; get the file from the network's authors"
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
        InputFileError: Tensors are missing or too many, are of other kinds or shapes, differ where they are one, or
            hold values that are no numbers.
    """
    slots, empty = list(slots), network.state_dict()
    expected = {name: slot.shape for slot in slots for name in slot.released}

    def refuse(problem: str, names: Collection[str]) -> None:
        if names:
            raise InputFileError(
                f"{origin_of(weights)} does not fit {network.title}: it {problem} {some(sorted(names))}; "
                "give a file of this network's weights"
            )

    refuse("lacks", expected.keys() - tensors.keys())
    refuse("has, too many,", tensors.keys() - expected.keys())
    kinds = {name: _strange(tensors[name], empty[slot.name]) for slot in slots for name in slot.released}
    refuse("has not as plain numbers", [f"{name} ({kind})" for name, kind in kinds.items() if kind])
    shapes = {name: tuple(tensors[name].shape) for name in expected}
    other = [f"{name} {shapes[name]}, not {shape}" for name, shape in expected.items() if shapes[name] != shape]
    refuse("has of other shapes", other)
    refuse("has values that are no numbers in", [name for name in expected if not tensors[name].isfinite().all()])
    state = {}
    for name, (first, *others), _ in slots:
        refuse(
            f"must have the values of {first} in", [n for n in others if not torch.equal(tensors[n], tensors[first])]
        )
        state[name] = tensors[first].to(empty[name].dtype, copy=True).reshape(empty[name].shape)
    network.load_state_dict(state, assign=True)


def _strange(value: Tensor, empty: Tensor) -> str:
    """What a tensor is that cannot be the values of a parameter or a buffer; empty where it can."""
    if value.is_nested or value.layout is not torch.strided:
        return "nested" if value.is_nested else str(value.layout)
    if value.is_meta:
        return "without values"
    fits = value.dtype in _FLOATS if empty.is_floating_point() else value.dtype == empty.dtype
    return "" if fits else str(value.dtype)


def some(names: Collection[str], between: str = ", ") -> str:
    """The first few of many names, and how many there are."""
    shown = between.join(map(_short, list(names)[:_SHOWN]))
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


def _short(name: str) -> str:
    """A name for a message: files may hold any."""
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}…"
