"""`index`: rebuild the list of a dataset's shards."""

from pathlib import Path

import click

from spikesim_cli.options import PATH


@click.command()
@click.argument("path", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def index(path: Path, as_json: bool) -> None:
    """Rebuild dataset.json of the dataset at PATH from its shards, whoever built them.

    Shards of other clips that were built by the same choices belong together; shards of another recipe are refused. A
    shard that has another checksum than dataset.json says is refused as well: `spikesim verify --repair` rebuilds it.

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
