"""Weights that anyone can rebuild from the names and shapes of a network's parameters alone."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]

GAINS = {"ldn": 1.0, "edsr": 1.0, "bsn": 1.4, "xvfi": 0.7, "rife": 0.5}

# Parameters of EDSR that are never trained: the mean of natural images, taken off and put back.
FIXED = {"sub_mean.weight": 1.0, "sub_mean.bias": -0.446, "add_mean.weight": 1.0, "add_mean.bias": 0.446}


def released_shapes(shared: Path, network: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a released file's tensors."""
    return {name: tuple(shape) for name, shape in _tables(shared)[network]}


def golden_weights(shared: Path, network: str) -> dict[str, Tensor]:
    """The tensors that the golden outputs of a network were made with, under their released names."""
    return rebuilt(released_shapes(shared, network), network.split("_")[0], _tables(shared)["xvfi_ties"])


def rebuilt(shapes: Shapes, network: str, ties: Mapping[str, str]) -> dict[str, Tensor]:
    """Random tensors, each drawn from its own name.

    Args:
        shapes: Names and shapes.
        network: A key of `GAINS`.
        ties: Names that are one tensor with another, and that other.
    """
    return {name: _drawn(ties.get(name, name), shape, GAINS[network]) for name, shape in shapes.items()}


def _drawn(name: str, shape: tuple[int, ...], gain: float) -> Tensor:
    if name in FIXED:
        return torch.full(shape, FIXED[name])
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if name.endswith("beta"):
        values = 1 + np.float32(0.05) * values
    elif len(shape) >= 2:
        values = values * np.float32(gain / np.sqrt(np.prod(shape[1:])))
    else:
        values = np.float32(0.05) * values
    return torch.from_numpy(values)


def _tables(shared: Path) -> dict:
    return json.loads((shared / "golden" / "state_dicts.json").read_text())
