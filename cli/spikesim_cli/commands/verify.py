"""`verify`: read a whole dataset and compare its checksums."""

from pathlib import Path

import click


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(path: Path, as_json: bool) -> None:
    """Read every sample of the dataset at PATH and compare every shard with its checksum.

    PATH may also be a folder in the layout of the S-SDM release, whose samples are read; it has no checksums. The exit
    code is 2 if a shard is damaged or missing.

    \b
    Example:
      spikesim verify data/gopro
    """
    from dataclasses import asdict

    from spikesim.errors import InputFileError
    from spikesim_cli.console import messages, print_json, size
    from spikesim_cli.steps import Steps
    from spikesim_datasets.layouts import is_layout, verify_layout
    from spikesim_datasets.shards import verify_dataset

    checks = []
    foreign = is_layout(path)
    with Steps("samples" if foreign else "shards").shown() as steps:
        for check in verify_layout(path, steps.tell) if foreign else verify_dataset(path, steps.tell):
            checks.append(check)
            if check.problem:
                messages.print(check.problem, style="red")
    parts = "clips" if foreign else "shards"
    damaged = [check for check in checks if check.problem]
    if as_json:
        print_json({"shards": [asdict(check) for check in checks], "damaged": len(damaged)})
    if damaged:
        raise InputFileError(f"{len(damaged)} of {len(checks)} {parts} of {path} are damaged or missing")
    total = sum(check.bytes for check in checks)
    messages.print(
        f"{path}: {len(checks)} {parts}, {sum(check.samples for check in checks)} samples, {size(total)}, all whole"
    )
