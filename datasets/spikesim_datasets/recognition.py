"""Telling what a path holds: a dataset, a shard, a folder in the released layout, or a spike file."""

import os
from pathlib import Path
from typing import Literal

from spikesim.checks import require_path
from spikesim.errors import InputFileError
from spikesim.hdf5 import open_hdf5
from spikesim.input_files import require_file
from spikesim_datasets.folders import contents
from spikesim_datasets.layouts import SPIKES
from spikesim_datasets.shards.index import INDEX, shard_files
from spikesim_datasets.shards.schema import SHARD_SCHEMA

Kind = Literal["dataset", "shard", "layout", "spikes"]


def recognise(path: Path | str) -> Kind:
    """What a path holds; a file that is no shard is taken for a spike file.

    Raises:
        InputFileError: It does not exist, or is a folder of neither kind.
    """
    path = require_path(path)
    if not os.path.lexists(path):
        raise InputFileError(f"{path} does not exist")
    if not path.is_dir():
        require_file(path)
        return "shard" if path.suffix.lower() == ".h5" and _is_shard(path) else "spikes"
    if contents(path, f"*/{SPIKES}"):
        return "layout"
    if (path / INDEX).is_file() or shard_files(path):
        return "dataset"
    if any(path.glob("*/spike_full")):
        raise InputFileError(
            f"{path} holds spike_full alone, spikes of the images' own size; spikes of a quarter of it "
            f"(SPLIT/{SPIKES}/) are read"
        )
    raise InputFileError(
        f"{path} is a folder without shards ({INDEX}, SPLIT/CLIP.000.h5) and not in the released "
        f"layout (SPLIT/{SPIKES}/)"
    )


def _is_shard(path: Path) -> bool:
    try:
        with open_hdf5(path) as file:
            return str(file.attrs.get("schema", "")).partition("/")[0] == SHARD_SCHEMA.partition("/")[0]
    except OSError:
        return False
