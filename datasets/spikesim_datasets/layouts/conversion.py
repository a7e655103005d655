"""Shards to folders of images and spikes, and back; a conversion that was cut off is finished by beginning it again."""

import json
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from spikesim import SpikeCamera
from spikesim.checks import require_number, require_path
from spikesim.files import atomic_path
from spikesim.locks import locked
from spikesim_datasets.camera_choice import chosen_camera
from spikesim_datasets.layouts.description import (
    DESCRIPTION,
    LAYOUT_SCHEMA,
    LayoutShard,
    refuse_doubled,
    spike_folders,
)
from spikesim_datasets.layouts.layout_reader import LayoutReader
from spikesim_datasets.layouts.sample_files import write_field
from spikesim_datasets.layouts.shard_descriptions import describe
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.shards import ShardReader, ShardWriter
from spikesim_datasets.shards.dataset import shards_to_convert
from spikesim_datasets.shards.fields import FIELDS
from spikesim_datasets.shards.index import INDEX, index_shards, read_index
from spikesim_datasets.unfinished import Conversion


def shards_to_layout(
    dataset: Path | str, out: Path | str, v_th: float | None = None, *, on_progress: OnProgress | None = None
) -> int:
    """Write a dataset in the released layout.

    Samples that are there already are kept, so that running again after an interruption finishes the work, and makes
    what was removed since.

    Args:
        dataset: Folder of the dataset.
        out: Folder to write; it must not exist yet, be empty, or hold this conversion, whole or not.
        v_th: The only threshold to write; None writes all. The release's loader reads one.
        on_progress: Told of samples, first of those kept.

    Returns:
        The number of samples.

    Raises:
        InputFileError: There is no dataset or it is damaged.
        InvalidValueError: The recipe of a shard does not say how its clip is cut into exposures, or a shard has no
            spikes of the threshold, or two shards would be the same files of the layout.
        OutputError: `out` holds something else, another process writes it, or it cannot be written.
    """
    dataset, out = require_path(dataset, "dataset"), require_path(out, "out")
    v_th, tell = None if v_th is None else require_number(v_th, "v_th"), teller(on_progress)
    files = shards_to_convert(dataset)
    shards = [_described(dataset, file, v_th) for file in files]
    refuse_doubled(shards)
    conversion = Conversion.of(dataset, files, [shard.record() for shard in shards])
    with locked(out):
        whole = conversion.begin(out, DESCRIPTION)
        missing = [_missing(shard, out) for shard in shards]
        tally = _tally(shards, [len(numbers) for numbers in missing], tell)
        for place, (file, shard) in enumerate(zip(files, shards, strict=True)):
            if missing[place]:
                _write_samples(file, shard, out, missing[place], partial(tally.step, place))
        if not whole:
            record = {
                "schema": LAYOUT_SCHEMA,
                "recipe": conversion.recipe,
                "shards": [shard.record() for shard in shards],
            }
            with atomic_path(out / DESCRIPTION) as temporary:
                temporary.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return sum(len(shard.windows) for shard in shards)


def layout_to_shards(
    layout: Path | str,
    out: Path | str,
    v_th: float | None = None,
    preset: str | None = None,
    *,
    camera: SpikeCamera | str | os.PathLike[str] | None = None,
    on_progress: OnProgress | None = None,
) -> int:
    """Read a folder in the released layout into shards.

    Shards that are there already are kept, so that running again after an interruption finishes the work, and makes
    what was removed since.

    Args:
        layout: Its root, which holds `train` or `test` or both.
        out: Folder of the dataset to write; it must not exist yet, be empty, or hold this conversion, whole or not.
        v_th: Threshold of `spike_data`, needed where neither the layout nor `camera` says it.
        preset: Camera preset of the sensor, where the layout does not say; None leaves it unknown.
        camera: The sensor itself instead, or a file for `SpikeCamera.load`.
        on_progress: Told of samples, first of those kept.

    Returns:
        The number of samples.

    Raises:
        InputFileError: The layout is incomplete or damaged, or the file of the camera is.
        InvalidValueError: The threshold is not known, or contradicts what the layout says; or there is no such preset,
            or the layout says its sensors itself, or preset and camera are given.
        OutputError: `out` holds something else, another process writes it, or it cannot be written.
    """
    layout, out, tell = require_path(layout, "layout"), require_path(out, "out"), teller(on_progress)
    sensor = None if preset is None and camera is None else chosen_camera(preset, camera)
    if sensor is not None and preset is None and v_th is None:
        v_th = sensor.v_th  # which that of a preset is not meant to be
    shards = describe(layout, v_th, sensor)
    files = (path for shard in shards for window in shard.windows for path in shard.sample_paths(layout, window))
    conversion = Conversion.of(layout, files, [shard.record() for shard in shards])
    with locked(out):
        whole = conversion.begin(out, INDEX)
        waiting = {shard.path for shard in shards if not (out / shard.path).is_file()}
        # Of what stays, the checksums that were taken when it was written.
        known = [entry for entry in read_index(out) or [] if entry.path not in waiting] if whole else []
        tally = _tally(shards, [len(shard.windows) if shard.path in waiting else 0 for shard in shards], tell)
        for place, shard in enumerate(shards):
            if shard.path in waiting:
                with ShardWriter(out / shard.path, shard.recipe, shard.compression) as writer:
                    clip = LayoutReader(layout, shard)
                    for number in range(len(clip)):
                        writer.append(clip.sample(number))
                        tally.step(place)
        if waiting or not whole:
            choices = [shard.recipe.get("choices") for shard in shards]
            same = {"choices": choices[0]} if all(choice == choices[0] for choice in choices) else {}
            index_shards(out, {**same, **conversion.recipe}, known)
    return sum(len(shard.windows) for shard in shards)


def _described(dataset: Path, file: Path, v_th: float | None) -> LayoutShard:
    """What a layout says of a shard."""
    with ShardReader(file) as reader:
        return LayoutShard(
            file.relative_to(dataset).as_posix(),
            reader.split,
            reader.name,
            reader.windows,
            spike_folders(reader.cameras, v_th),
            reader.sharp_readouts,
            reader.compression,
            reader.recipe,
            reader.extra,
            reader.ratio,
        )


def _tally(shards: Sequence[LayoutShard], missing: Sequence[int], tell: OnProgress) -> Tally:
    """Counts samples, of which so many are missing of each shard."""
    kept = sum(len(shard.windows) for shard in shards) - sum(missing)
    return Tally([(shard.key, number) for shard, number in zip(shards, missing, strict=True)], kept, tell)


def _missing(shard: LayoutShard, out: Path) -> list[int]:
    """The numbers of a shard's samples that lack some of their files."""
    paths = [shard.sample_paths(out, window) for window in shard.windows]
    return [number for number, of_sample in enumerate(paths) if not all(path.is_file() for path in of_sample)]


def _write_samples(
    file: Path, shard: LayoutShard, out: Path, numbers: Sequence[int], on_sample: Callable[[], None]
) -> None:
    """Write some samples of a shard."""
    folders = {v_th: folder for folder, (v_th, _) in shard.cameras.items()}
    with ShardReader(file) as reader:
        for number in numbers:
            sample = reader.sample(number)
            for field in FIELDS.values():
                write_field(field, sample, shard.files(out, shard.windows[number]), folders)
            on_sample()
