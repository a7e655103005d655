"""`info`: the content of a file or folder."""

from pathlib import Path
from typing import Any

import click

from spikesim_cli.options import PLACE, read_options, refuse_read_options, size_options


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
    from spikesim import read_spikes
    from spikesim_cli.console import print_json, print_table
    from spikesim_datasets.recognition import recognise
    from spikesim_report.records import dataset_record, layout_record, shard_record, stream_record
    from spikesim_report.words import words_of

    kind = recognise(path)
    if kind != "spikes":
        refuse_read_options(**options)
    match kind:
        case "source":
            _tell_source(path, as_json)
            return
        case "spikes":
            record = stream_record(read_spikes(path, **read_options(path, **options)))
        case "shard":
            record = shard_record(path)
        case "dataset":
            record = dataset_record(path)
        case "layout":
            record = layout_record(path)
    if as_json:
        print_json({"kind": kind, "path": path, **record})
        return
    print_table(("", str(path)), [("kind", kind), *words_of(record)])


def _tell_source(path: Path, as_json: bool) -> None:
    """Of one clip all there is to say, of several a line each."""
    from spikesim_cli.console import print_json, print_table, results
    from spikesim_datasets.source_description import describe_sources
    from spikesim_report.words import words_of

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
