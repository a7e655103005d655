"""`index`: rebuild the list of a dataset's shards."""

from pathlib import Path

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import PATH

_KEYS = {
    "shards[].path": "file of the shard, relative to PATH",
    "shards[].key": "key of its clip",
    "shards[].split": "its split",
    "shards[].samples": "its number of samples",
    "shards[].bytes": "size of its file, bytes",
    "shards[].sha256": "SHA-256 of its file",
    "samples": "number of samples of all shards",
    "bytes": "size of all shards, bytes",
}


@click.command()
@click.argument("path", type=PATH)
@json_option(JsonDocument(_KEYS))
def index(path: Path, as_json: bool) -> None:
    """Rebuild dataset.json of the dataset at PATH from its shards, whoever built them.

    Shards of other clips that were built by the same choices belong together; shards of another recipe are refused. A
    shard that has another checksum than dataset.json says is refused as well: `verify --repair` rebuilds it.

    \b
    Example:
      spikesim index data/gopro
    """
    from spikesim_cli.console import count, messages, print_json
    from spikesim_cli.steps import Steps
    from spikesim_datasets.indexing import rebuild_index
    from spikesim_report.words import size

    with Steps("shards").shown() as steps:
        entries = rebuild_index(path, steps.tell)
    samples, total = sum(entry.samples for entry in entries), sum(entry.bytes for entry in entries)
    if as_json:
        print_json({"shards": [entry.record() for entry in entries], "samples": samples, "bytes": total})
    messages.print(f"{path}: {count(len(entries), 'shard')}, {count(samples, 'sample')}, {size(total)}")
