"""Reading everything of a dataset to find what is damaged."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spikesim.checks import require_path
from spikesim.errors import InputFileError, SpikesimError
from spikesim.files import checksum
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.shards.dataset import check_bytes, check_entry
from spikesim_datasets.shards.index import INDEX, ShardEntry, describe_shard, read_index, shard_files
from spikesim_datasets.shards.reader import ShardReader


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


def verify_dataset(path: Path | str, on_progress: OnProgress | None = None) -> Iterator[ShardCheck]:
    """Read every sample of every shard and compare every file with its checksum in the index.

    Args:
        path: Folder of the dataset.
        on_progress: Told of shards.

    Raises:
        InputFileError: There is nothing to verify, or the index is damaged.
    """
    root, tell = require_path(path), teller(on_progress)
    entries = read_index(root) if root.is_dir() else None
    files = shard_files(root)
    if not entries and not files:
        raise InputFileError(f"there is no dataset at {root}: no shards, listed in {INDEX} or not")
    listed = {root / entry.path: entry for entry in entries or []}
    found = sorted({*listed, *files})
    tally = Tally([(file.relative_to(root).as_posix(), 1) for file in found], 0, tell)
    for number, file in enumerate(found):
        check = _verify_shard(root, file, listed.get(file), has_index=entries is not None)
        tally.step(number)
        yield check


def _verify_shard(root: Path, file: Path, entry: ShardEntry | None, *, has_index: bool) -> ShardCheck:
    name = file.relative_to(root).as_posix()
    samples = size = 0
    try:
        if entry is None and has_index:
            raise InputFileError(f"{file} is not listed in {INDEX}; build the dataset again to list it")
        if entry is not None:
            check_entry(root, entry)
            # Before HDF5 sees them: it does not survive all damaged bytes.
            check_bytes(file, entry, checksum(file))
            if describe_shard(root, file, entry.sha256) != entry:
                raise InputFileError(
                    f"{file} is not the shard that {INDEX} describes; remove {INDEX} and build the dataset again"
                )
        size = file.stat().st_size
        with ShardReader(file) as shard:
            for sample in range(len(shard)):
                shard.sample(sample)
                samples += 1
    except SpikesimError as error:
        return ShardCheck(name, samples, size, str(error))
    return ShardCheck(name, samples, size, "")
