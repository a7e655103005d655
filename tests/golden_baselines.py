"""Weights and golden arrays of the published networks that S-SDM is compared with."""

import json
import runpy
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor


def released_shapes(shared: Path, network: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a released file's tensors."""
    return {name: tuple(shape) for name, shape in _tables(_folder(shared, network))[network]}


def golden_weights(shared: Path, network: str) -> dict[str, Tensor]:
    """The tensors that the golden outputs of a network were made with, under their released names."""
    folder = _folder(shared, network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves a file to be closed by whoever collects it
        weights: dict[str, Tensor] = runpy.run_path(str(folder / "fill.py"))["filled"](network, str(folder))
    return weights


def golden_arrays(shared: Path, network: str, file: str) -> dict[str, Tensor]:
    """The inputs and outputs in a file beside the tables of a network."""
    with np.load(_folder(shared, network) / f"{file}.npz") as held:
        return {name: torch.from_numpy(held[name]) for name in held.files if name != "seed"}


def assert_golden(output: Tensor, expected: Tensor) -> None:
    """Equal but for rounding, which is in proportion to the largest number."""
    torch.testing.assert_close(output, expected, rtol=0, atol=2e-5 * max(1.0, float(expected.abs().max())))


def _folder(shared: Path, network: str) -> Path:
    folders = (shared / "golden" / name for name in ("baselines", "baselines2"))
    (folder,) = (folder for folder in folders if network in _tables(folder))
    return folder


def _tables(folder: Path) -> dict:
    return json.loads((folder / "state_dicts.json").read_text())
