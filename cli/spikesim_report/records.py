"""What there is to say of a file or folder, as JSON values: what `info --json` prints, and reports show."""

from pathlib import Path
from typing import Any

from spikesim import SpikeStream
from spikesim.errors import InputFileError
from spikesim_datasets.folders import entries_of
from spikesim_datasets.remote.url import Place
from spikesim_datasets.shards.index import list_shards
from spikesim_datasets.shards.reader import ShardReader

Record = dict[str, Any]


def dataset_record(path: Place) -> Record:
    """What there is to say of a dataset.

    Raises:
        InputFileError: It holds no shards, or is damaged.
    """
    entries = list_shards(path)
    if not entries:
        raise InputFileError(f"{path} holds no shards")
    record: Record = {"shards": len(entries), "clips": len({entry.key for entry in entries})}
    for split in sorted({entry.split for entry in entries}):
        record[f"{split}_samples"] = sum(entry.samples for entry in entries if entry.split == split)
    record["bytes"] = sum(entry.bytes for entry in entries)
    with ShardReader(path / entries[0].path) as shard:
        return record | _form(shard)


def shard_record(path: Place) -> Record:
    """What there is to say of a shard.

    Raises:
        InputFileError: It is damaged.
    """
    with ShardReader(path) as shard:
        return {"clip": shard.key, "samples": len(shard), "windows": list(shard.windows), **_form(shard)}


def layout_record(path: Path) -> Record:
    """What there is to say of a folder in the released layout, or of recordings."""
    from spikesim_datasets.layouts import SPIKES, recorded_pairs
    from spikesim_datasets.layouts.recorded_clips import is_recorded

    record: Record = {}
    for folder in entries_of(path, f"*/{SPIKES}"):
        record[f"{folder.parent.name}_samples"] = len(entries_of(folder, "*/*.dat"))
    if not any(record.values()) and is_recorded(path):
        pairs = recorded_pairs(path)
        record = {"clips": len({name.rpartition("/")[0] for name in pairs}), "recordings": len(pairs)}
    return record


def stream_record(stream: SpikeStream) -> Record:
    """What there is to say of the spikes in a file."""
    readouts, height, width = stream.shape
    return {
        "readouts": readouts,
        "height": height,
        "width": width,
        "spikes_per_pixel_and_readout": stream.rate,
        "camera": None if stream.camera is None else str(stream.camera),
    }


def _form(shard: ShardReader) -> Record:
    """What all shards of a dataset have alike."""
    readouts, height, width = shard.shape
    camera = next(iter(shard.cameras.values()))
    return {
        "blur": [height, width],
        "readouts": readouts,
        "exposure": list(shard.exposure),
        "ground_truth_at": list(shard.sharp_readouts),
        "thresholds": list(shard.cameras),
        "further_fields": list(shard.extra),
        "reset": None if camera is None else camera.reset,
        "noise": None if camera is None else [str(term) for term in camera.noise],
        "choices": shard.recipe.get("choices", {}),
    }
