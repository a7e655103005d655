"""`verify`: read everything of a dataset, a training or a spike file, and compare what has checksums with them."""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import PATH, read_options, refuse_read_options, size_options

if TYPE_CHECKING:
    from spikesim_cli.steps import Steps

_OF_TORCH = (".pth", ".pt", ".pkl")
"""Names of files that `torch.save` wrote."""

_BYTES, _PROBLEM = "size of the file, bytes", "what is wrong, empty where nothing is"
_DAMAGED = "number of them that are damaged or missing"
_SHARDS = {
    "shards[].path": "file of the shard, relative to PATH",
    "shards[].samples": "number of samples that were read",
    "shards[].bytes": _BYTES,
    "shards[].problem": _PROBLEM,
    "damaged": _DAMAGED,
}
_REPAIRED = {
    **_SHARDS,
    "damaged": "number of shards that are still damaged or missing",
    "repaired": "shards that were rebuilt, by path",
    "changed": "those of them whose files have other bytes than the index listed",
    "left.{shard}": "what is still wrong with a shard",
    "indexed": "whether dataset.json, which was missing, was rebuilt",
}
_DOCUMENTS = (
    JsonDocument(_SHARDS, "a dataset"),
    JsonDocument(_REPAIRED, "a dataset with --repair"),
    JsonDocument(
        {
            "clips[].path": "folder of the clip, relative to PATH",
            "clips[].samples": "number of samples that were read",
            "clips[].bytes": "size of its files, bytes",
            "clips[].problem": _PROBLEM,
            "damaged": _DAMAGED,
        },
        "a folder in the layout of the S-SDM release",
    ),
    JsonDocument(
        {
            "files[].path": "the file, relative to PATH",
            "files[].bytes": _BYTES,
            "files[].problem": _PROBLEM,
            "damaged": _DAMAGED,
        },
        "the folder of a training",
    ),
    JsonDocument(
        {
            "path": "the file",
            "bytes": _BYTES,
            "compared": "whether it has a checksum, to which it was compared",
            "damaged": "0; a damaged file is refused",
        },
        "a file",
    ),
)


@click.command()
@click.argument("path", type=PATH)
@size_options
@click.option(
    "--workers", type=click.IntRange(1), show_default="as many as are worth it", help="Processes, of a dataset."
)
@click.option("--repair", is_flag=True, help="Rebuild what is damaged or missing of a dataset from its sources.")
@json_option(*_DOCUMENTS)
def verify(path: Path, workers: int | None, repair: bool, as_json: bool, **options: Any) -> None:
    """Read every sample of the dataset at PATH and compare every shard with its checksum.

    PATH may also be a folder in the layout of the S-SDM release, the folder of a training, a checkpoint of spikesim or
    of torch (.pth, .pt, .pkl), a shard, or a spike file. They are read whole, and compared with a checksum where they
    have one; of a checkpoint of torch, every value must be a finite number. The exit code is 2 if anything is damaged
    or missing.

    With --repair, shards of a dataset that are damaged, missing or foreign are rebuilt from the sources that they were
    built from, where these have not changed. The exit code is 2 if anything is left.

    \b
    Examples:
      spikesim verify data/gopro
      spikesim verify data/gopro --repair
      spikesim verify runs/ssdm
      spikesim verify recording.dat --height 250 --width 400
      spikesim verify DeblurNet_100.pth
    """
    from contextlib import closing
    from dataclasses import asdict

    from spikesim.errors import InputFileError
    from spikesim_cli.console import messages, print_json
    from spikesim_cli.steps import Steps
    from spikesim_report.words import size

    if path.is_file():
        _refuse_of_datasets(workers, repair)
        _verify_file(path, as_json, **options)
        return
    refuse_read_options(**options)
    checks = []
    with Steps("parts").shown() as steps:
        parts, found = _checks(path, steps, workers, repair)
        with closing(found):
            for check in found:
                checks.append(check)
                if check.problem:
                    messages.print(check.problem, style="red")
    damaged = [check for check in checks if check.problem]
    if repair:
        _repair(path, checks, workers, as_json)
        return
    if as_json:
        print_json({parts: [asdict(check) for check in checks], "damaged": len(damaged)})
    if damaged:
        raise InputFileError(f"{len(damaged)} of {len(checks)} {parts} of {path} are damaged or missing")
    samples = sum(getattr(check, "samples", 0) for check in checks)
    messages.print(
        f"{path}: {len(checks)} {parts}, {f'{samples} samples, ' if samples else ''}"
        f"{size(sum(check.bytes for check in checks))}, all whole"
    )


def _checks(path: Path, steps: "Steps", workers: int | None, repair: bool) -> tuple[str, Generator[Any, None, None]]:
    """What the parts of a folder are called, and what is found of each."""
    from spikesim_cli.extras import needs_ssdm
    from spikesim_datasets.layouts import is_layout, verify_layout
    from spikesim_datasets.shards import verify_dataset

    if is_layout(path):
        _refuse_of_datasets(workers, repair)
        return "clips", verify_layout(path, steps.tell)
    if path.is_dir() and (any(path.glob("*.safetensors")) or any(path.glob("*/config.json"))):
        _refuse_of_datasets(workers, repair)
        with needs_ssdm("verify"):
            from ssdm_models.training.run_verification import verify_run
        return "files", verify_run(path)
    return "shards", verify_dataset(path, steps.tell, workers)


def _refuse_of_datasets(workers: int | None, repair: bool) -> None:
    from spikesim.errors import InvalidValueError

    if repair or workers is not None:
        raise InvalidValueError("--repair and --workers are for datasets of shards; leave them out")


def _repair(path: Path, checks: list[Any], workers: int | None, as_json: bool) -> None:
    """Rebuild what was found damaged, and tell."""
    from dataclasses import asdict

    from spikesim.errors import InputFileError
    from spikesim_cli.console import count, messages, print_json
    from spikesim_cli.steps import Steps
    from spikesim_datasets.repair import repair_dataset

    with Steps("shards rebuilt").shown() as steps:
        report = repair_dataset(path, checks, workers=workers, on_progress=steps.tell)
    for place in report.repaired:
        other = place in report.changed
        messages.print(f"rebuilt {place}" + (", in other bytes: dataset.json lists the new checksum" if other else ""))
    for problem in report.left.values():
        messages.print(problem, style="red")
    if report.indexed:
        messages.print(f"rebuilt {path / 'dataset.json'}")
    if as_json:
        print_json({"shards": [asdict(check) for check in checks], "damaged": len(report.left), **asdict(report)})
    if report.left:
        raise InputFileError(f"{len(report.left)} of {len(checks)} shards of {path} are still damaged or missing")
    messages.print(f"{path}: {count(len(checks), 'shard')}, {len(report.repaired)} rebuilt, all whole")


def _verify_file(path: Path, as_json: bool, **options: Any) -> None:
    from spikesim_cli.console import messages, print_json
    from spikesim_report.words import size

    compared, what = _read_whole(path, **options)
    known = "equal to its checksum" if compared else "read whole; it has no checksum to compare it with"
    if as_json:
        print_json({"path": path, "bytes": path.stat().st_size, "compared": compared, "damaged": 0})
    messages.print(f"{path}: {what}, {size(path.stat().st_size)}, {known}")


def _read_whole(path: Path, **options: Any) -> tuple[bool, str]:
    """Read a file to its end: whether its checksum was compared, and what is in it."""
    from spikesim import read_spikes
    from spikesim.errors import InvalidValueError
    from spikesim.formats import require_format
    from spikesim_cli.console import count
    from spikesim_cli.extras import needs_ssdm
    from spikesim_cli.steps import Steps
    from spikesim_datasets.recognition import recognise
    from spikesim_datasets.shards import ShardReader
    from spikesim_report.words import size

    if path.suffix.lower() == ".safetensors":
        refuse_read_options(**options)
        with needs_ssdm("verify"):
            from ssdm_models import checkpoint_file, checkpoints
        return checkpoint_file.has_checksum(path), type(checkpoints.load(path)).__name__
    if path.suffix.lower() in _OF_TORCH:
        refuse_read_options(**options)
        with needs_ssdm("verify"):
            from spikesim_datasets.torch_tools.tensor_verification import verify_tensors
            from spikesim_datasets.torch_tools.torch_files import has_checksums
        tensors = verify_tensors(path)
        return has_checksums(path), count(tensors, "tensor")
    match recognise(path):
        case "shard":
            refuse_read_options(**options)
            with ShardReader(path) as shard:
                with Steps("samples").shown() as steps:
                    for number in steps.counted(range(len(shard)), len(shard)):
                        shard.sample(number)
                    steps.reach(len(shard), len(shard))
                return shard.has_checksums, count(len(shard), "sample")
        case "spikes":
            with Steps("files").shown() as steps:
                steps.reach(0, 1, size(path.stat().st_size))
                stream = read_spikes(path, **read_options(path, **options))
                steps.reach(1, 1)
            return require_format(path).has_checksum(path), count(len(stream), "readout")
    raise InvalidValueError(
        f"{path} is no dataset, training, checkpoint, shard or spike file; there is nothing to verify"
    )
