"""Shards to folders of images and spikes, and back."""

import json
from pathlib import Path

from spikesim.checks import require_number, require_path
from spikesim.errors import InputFileError, OutputError
from spikesim.files import atomic_path
from spikesim_datasets.layouts.description import DESCRIPTION, LAYOUT_SCHEMA, LayoutShard, describe, spike_folders
from spikesim_datasets.layouts.layout_reader import LayoutReader
from spikesim_datasets.layouts.sample_files import write_field
from spikesim_datasets.shards import ShardReader, ShardWriter
from spikesim_datasets.shards.fields import FIELDS
from spikesim_datasets.shards.index import shard_files, write_index


def shards_to_layout(dataset: Path | str, out: Path | str, v_th: float | None = None) -> int:
    """Write a dataset in the released layout.

    Args:
        dataset: Folder of the dataset.
        out: Folder to write; it must not exist yet, or be empty.
        v_th: The only threshold to write; None writes all. The release's loader reads one.

    Returns:
        The number of samples.

    Raises:
        InputFileError: There is no dataset or it is damaged.
        InvalidValueError: The recipe of a shard does not say how its clip is cut into exposures, or a shard has no
            spikes of the threshold.
        OutputError: `out` holds something, or cannot be written.
    """
    dataset, out = require_path(dataset, "dataset"), require_path(out, "out")
    v_th = None if v_th is None else require_number(v_th, "v_th")
    files = shard_files(dataset)
    if not files:
        raise InputFileError(f"{dataset} holds no shards to convert")
    _refuse_full(out)
    shards: list[LayoutShard] = []
    for file in files:
        with ShardReader(file) as reader:
            shard = LayoutShard(
                file.relative_to(dataset).as_posix(),
                reader.split,
                reader.name,
                reader.windows,
                spike_folders(reader.cameras, v_th),
                reader.sharp_readouts,
                reader.compression,
                reader.recipe,
                reader.extra,
            )
            folders = {v_th: folder for folder, (v_th, _) in shard.cameras.items()}
            for number in range(len(reader)):
                sample = reader.sample(number)
                for field in FIELDS.values():
                    write_field(field, sample, shard.files(out, sample.window), folders)
        shards.append(shard)
    record = {"schema": LAYOUT_SCHEMA, "shards": [shard.record() for shard in shards]}
    with atomic_path(out / DESCRIPTION) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return sum(len(shard.windows) for shard in shards)


def layout_to_shards(layout: Path | str, out: Path | str, v_th: float | None = None, preset: str | None = None) -> int:
    """Read a folder in the released layout into shards.

    Args:
        layout: Its root, which holds `train` or `test` or both.
        out: Folder of the dataset to write; it must not exist yet, or be empty.
        v_th: Threshold of `spike_data`, needed where the layout does not say.
        preset: Camera preset of the sensor, where the layout does not say; None leaves it unknown.

    Returns:
        The number of samples.

    Raises:
        InputFileError: The layout is incomplete or damaged.
        InvalidValueError: The threshold is not known, or contradicts what the layout says; or there is no such preset,
            or the layout says its sensors itself.
        OutputError: `out` holds something, or cannot be written.
    """
    layout, out = require_path(layout, "layout"), require_path(out, "out")
    shards = describe(layout, v_th, preset)
    _refuse_full(out)
    for shard in shards:
        with ShardWriter(out / shard.path, shard.recipe, shard.compression) as writer:
            clip = LayoutReader(layout, shard)
            for number in range(len(clip)):
                writer.append(clip.sample(number))
    choices = [shard.recipe.get("choices") for shard in shards]
    write_index(out, {"choices": choices[0]} if all(choice == choices[0] for choice in choices) else {})
    return sum(len(shard.windows) for shard in shards)


def _refuse_full(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists already and is not an empty folder; choose another")
