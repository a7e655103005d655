"""`info`: the content of a file or folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikesim_cli.options import PLACE, read_options, refuse_read_options, size_options

if TYPE_CHECKING:
    from spikesim_datasets.remote.url import Place


@click.command()
@click.argument("path", type=PLACE)
@size_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def info(path: Any, as_json: bool, **options: Any) -> None:
    """Describe PATH: a dataset, a shard, a spike file, or a source: a video, a folder of frames or an image. Datasets
    and shards may also be given by their address, s3://BUCKET/KEY or https://HOST/PLACE.

    Of a source it says size, frames, rate and timing, orientation, colours, and how many windows a build makes of it
    by default; also where a build would refuse it, and why.

    \b
    Examples:
      spikesim info data/gopro
      spikesim info https://host/data/gopro
      spikesim info clip.mp4
      spikesim info recording.dat --height 250 --width 400
    """
    from spikesim_cli.console import print_json, print_table
    from spikesim_cli.words import words_of
    from spikesim_datasets.recognition import recognise

    kind = recognise(path)
    if kind != "spikes":
        refuse_read_options(**options)
    if kind == "source":
        _tell_source(path, as_json)
        return
    record = (
        {"dataset": _dataset, "layout": _layout, "shard": _shard}[kind](path)
        if kind != "spikes"
        else _spikes(path, **options)
    )
    if as_json:
        print_json({"kind": kind, "path": path, **record})
        return
    print_table(("", str(path)), [("kind", kind), *words_of(record)])


def _tell_source(path: Path, as_json: bool) -> None:
    """Of one clip all there is to say, of several a line each."""
    from spikesim_cli.console import print_json, print_table, results
    from spikesim_cli.words import words_of
    from spikesim_datasets.source_description import describe_sources

    described = describe_sources(path)
    records = [description.record() for description in described]
    if len(records) == 1:
        (record,) = records
        if as_json:
            print_json({"path": path, **record})
            return
        print_table(("", str(path)), words_of(record))
        return
    if as_json:
        print_json({"kind": "clips", "path": path, "clips": records})
        return
    rows = [
        (
            record["clip"],
            record["frames"],
            "×".join(map(str, record["frame"][::-1])),
            "?" if record["rate"] is None else f"{record['rate']:.5g}",
            record["windows"],
            "takes it" if record["refused"] is None else "refuses it",
        )
        for record in records
    ]
    print_table(("clip", "frames", "size", "per second", "windows", "a build"), rows)
    for record in records:
        if record["refused"] is not None:
            results.print(record["refused"], soft_wrap=True)


def _dataset(path: "Place") -> dict[str, Any]:
    from spikesim.errors import InputFileError
    from spikesim_datasets.shards.index import list_shards
    from spikesim_datasets.shards.reader import ShardReader

    entries = list_shards(path)
    if not entries:
        raise InputFileError(f"{path} holds no shards")
    record: dict[str, Any] = {"shards": len(entries), "clips": len({entry.key for entry in entries})}
    for split in sorted({entry.split for entry in entries}):
        record[f"{split}_samples"] = sum(entry.samples for entry in entries if entry.split == split)
    record["bytes"] = sum(entry.bytes for entry in entries)
    with ShardReader(path / entries[0].path) as shard:
        return record | _form(shard)


def _shard(path: "Place") -> dict[str, Any]:
    from spikesim_datasets.shards.reader import ShardReader

    with ShardReader(path) as shard:
        return {"clip": shard.key, "samples": len(shard), "windows": list(shard.windows), **_form(shard)}


def _form(shard: Any) -> dict[str, Any]:
    readouts, height, width = shard.shape
    camera = next(iter(shard.cameras.values()))
    return {
        "blur": [height, width],
        "readouts": readouts,
        "exposure": list(shard.exposure),
        "ground_truth_at": list(shard.sharp_readouts),
        "thresholds": list(shard.cameras),
        "reset": None if camera is None else camera.reset,
        "noise": None if camera is None else [str(term) for term in camera.noise],
        "choices": shard.recipe.get("choices", {}),
    }


def _layout(path: Path) -> dict[str, Any]:
    from spikesim_datasets.folders import entries_of
    from spikesim_datasets.layouts import SPIKES, recorded_pairs
    from spikesim_datasets.layouts.recorded_clips import is_recorded

    record: dict[str, Any] = {}
    for folder in entries_of(path, f"*/{SPIKES}"):
        record[f"{folder.parent.name}_samples"] = len(entries_of(folder, "*/*.dat"))
    if not any(record.values()) and is_recorded(path):
        pairs = recorded_pairs(path)
        record = {"clips": len({name.rpartition("/")[0] for name in pairs}), "recordings": len(pairs)}
    return record


def _spikes(path: Path, **options: Any) -> dict[str, Any]:
    from spikesim import read_spikes

    stream = read_spikes(path, **read_options(path, **options))
    readouts, height, width = stream.shape
    return {
        "readouts": readouts,
        "height": height,
        "width": width,
        "spikes_per_pixel_and_readout": stream.rate,
        "camera": None if stream.camera is None else str(stream.camera),
    }
