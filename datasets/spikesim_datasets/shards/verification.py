"""Reading everything of a dataset to find what is damaged."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from spikesim.checks import require_path, require_whole
from spikesim.errors import InputFileError, SpikesimError
from spikesim.files import checksum
from spikesim.threads import available_cores
from spikesim_datasets.processes import in_order
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.shards.dataset import check_bytes, check_entry
from spikesim_datasets.shards.index import INDEX, ShardEntry, describe_shard, read_index, shard_files
from spikesim_datasets.shards.reader import ShardReader

_WORTH_A_PROCESS = 1 << 30  # bytes: reading so many takes twice as long as starting a process that does it


@dataclass(frozen=True)
class ShardCheck:
    """What was found of one shard.

    Attributes:
        path: Relative to the dataset.
        samples: Samples read.
        bytes: Size of the file.
        problem: What is wrong, empty where nothing is.
    """

    path: str
    samples: int
    bytes: int
    problem: str


def verify_dataset(
    path: Path | str, on_progress: OnProgress | None = None, workers: int | None = None
) -> Generator[ShardCheck, None, None]:
    """Read every sample of every shard and compare every file with its checksum in the index.

    Args:
        path: Folder of the dataset.
        on_progress: Told of shards.
        workers: Processes, one shard each at a time; None takes as many as are worth their start, one for each core at
            most. Several are started with `spawn`, so a script that calls this keeps its own work under `if __name__ ==
            "__main__"`.

    Returns:
        What is found of each shard, by path, the same for any number of workers.

    Raises:
        InvalidValueError: `path` is no path, or `workers` no whole number of at least 1.
        InputFileError: There is nothing to verify, or the index is damaged.
        OutputError: A worker was killed.
    """
    root, tell = require_path(path), teller(on_progress)
    if workers is not None:
        workers = require_whole(workers, "workers", 1, unit="processes")
    entries = read_index(root) if root.is_dir() else None
    files = shard_files(root)
    if not entries and not files:
        raise InputFileError(f"there is no dataset at {root}: no shards, listed in {INDEX} or not")
    listed = {root / entry.path: entry for entry in entries or []}
    found = sorted({*listed, *files})
    if workers is None:
        size = sum(file.stat().st_size for file in files if file.is_file())
        workers = min(available_cores(), 1 + size // _WORTH_A_PROCESS)
    tally = Tally([(file.relative_to(root).as_posix(), 1) for file in found], 0, tell)
    # What an index says of clips takes no part, and would be sent once for each shard.
    shards = [(file, entry and replace(entry, recipe=None)) for file, entry in ((f, listed.get(f)) for f in found)]
    yield from in_order(partial(_verify, root, entries is not None), shards, workers, tally.finish)


def verify_shard(root: Path, file: Path, entry: ShardEntry | None, *, has_index: bool) -> ShardCheck:
    """Read every sample of a shard and compare it with its line in the index.

    Args:
        root: The dataset.
        file: The shard.
        entry: Its line.
        has_index: Whether there is an index.
    """
    name = file.relative_to(root).as_posix()
    samples = size = 0
    try:
        if entry is None and has_index:
            raise InputFileError(f"{file} is not listed in {INDEX}; `spikesim index` lists it")
        if entry is not None:
            check_entry(root, entry)
            # Before HDF5 sees them: it does not survive all damaged bytes.
            check_bytes(file, entry, checksum(file))
            if describe_shard(root, file, entry.sha256) != entry:
                raise InputFileError(
                    f"{file} is not the shard that {INDEX} describes; `spikesim verify --repair` rebuilds it"
                )
        size = file.stat().st_size
        with ShardReader(file) as shard:
            for sample in range(len(shard)):
                shard.sample(sample)
                samples += 1
    except SpikesimError as error:
        return ShardCheck(name, samples, size, str(error))
    return ShardCheck(name, samples, size, "")


def _verify(root: Path, has_index: bool, shard: tuple[Path, ShardEntry | None]) -> ShardCheck:
    return verify_shard(root, *shard, has_index=has_index)
