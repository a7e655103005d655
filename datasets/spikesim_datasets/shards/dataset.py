"""A dataset: the samples of all shards of a split, in one sequence."""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cached_property, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

from spikesim.brief import brief_object
from spikesim.checks import require_callable, require_instance, require_list, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import known_checksum
from spikesim.input_files import require_file
from spikesim_datasets.remote.remote_file import known_version
from spikesim_datasets.remote.url import Place, Url, require_place
from spikesim_datasets.shards.index import INDEX, ShardEntry, fetch_index, list_shards, read_index, shard_files
from spikesim_datasets.shards.reader import ShardReader
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.shards.sample_reader import SampleReader

_REBUILD = "remove it and build the dataset again, or have `spikesim verify --repair` do so"
_COPY = "copy the dataset there again"


class Dataset(Sequence[Sample]):
    """The samples of a split; `dataset[i]` reads a whole one. `locate` tells where it lies, for reading part of it.

    Args:
        open_shard: How to read what lies at a path.

    Raises:
        InvalidValueError: There are no entries, or an argument is of another kind.
        InputFileError: The first shard is missing or damaged.

    Attributes:
        root: The folder, or its address elsewhere.
        split: The split.
        entries: Its shards, by path.
        thresholds: Thresholds that every shard has, ascending.
        exposure: (start, stop) of the exposures in the streams.
        ratio: How many pixels of the images one of the spikes is wide and high.
    """

    def __init__(
        self,
        root: Place,
        split: str,
        entries: Sequence[ShardEntry],
        open_shard: Callable[[Any], SampleReader] = ShardReader,
    ) -> None:
        self.root, self.split = require_place(root, "root"), require_instance(split, "split", str)
        listed = require_list(entries, "entries", "entries of an index")
        self.entries = tuple(require_instance(entry, "each of entries", ShardEntry) for entry in listed)
        if not self.entries:
            raise InvalidValueError("a dataset has a shard at least, got no entries")
        self.open_shard = require_callable(open_shard, "open_shard")
        self._stops = list(accumulate(entry.samples for entry in self.entries))
        with closing(open_shard(self.root / self.entries[0].path)) as shard:
            self.thresholds, self.exposure, self.ratio = tuple(shard.cameras), shard.exposure, shard.ratio
            self._choices, self._first_extra = shard.recipe.get("choices"), shard.extra

    def __len__(self) -> int:
        return self._stops[-1]

    def __repr__(self) -> str:
        described = {"root": self.root, "split": self.split, "samples": len(self), "shards": len(self.entries)}
        return brief_object(self, described | {"thresholds": self.thresholds})

    @cached_property
    def extra(self) -> tuple[str, ...]:
        """Optional fields that every shard has. Where the first has some, the others are opened to see."""
        names = self._first_extra
        for _, extra in self._opened if names else ():
            names = tuple(name for name in names if name in extra)
        return names

    @property
    def image_sizes(self) -> list[tuple[int, int]]:
        """Height and width of the images of each of `entries`, whose shards are opened to see."""
        return [size for size, _ in self._opened]

    @cached_property
    def _opened(self) -> list[tuple[tuple[int, int], tuple[str, ...]]]:
        """Size of the images and optional fields of each shard."""
        seen = []
        for entry in self.entries:
            with closing(self.open_shard(self.root / entry.path)) as shard:
                seen.append((shard.shape[1:], shard.extra))
        return seen

    @property
    def choices(self) -> dict[str, Any]:
        """What the first shard says of how the samples were made, as JSON values; empty where it says nothing."""
        return self._choices or {}

    @property
    def fingerprint(self) -> str:
        """Hash of what the samples are: how they were made, their clips and numbers; not of where they lie."""
        clips = [(entry.key, entry.samples) for entry in self.entries]
        described = json.dumps([self._choices, self.split, clips], sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()

    def locate(self, index: int) -> tuple[Place, int]:
        """The shard that holds sample `index`, and the sample's number in it.

        Args:
            index: Number of a sample, from 0; a negative one counts from the end.

        Raises:
            InvalidValueError: It is no whole number.
            IndexError: There are fewer samples.
        """
        index = require_whole(index, "index")
        if not -len(self) <= index < len(self):
            raise IndexError(f"the {self.split} split has {len(self)} samples, there is no sample {index}")
        index %= len(self)
        shard = bisect_right(self._stops, index)
        before = self._stops[shard - 1] if shard else 0
        return self.root / self.entries[shard].path, index - before

    def __getitem__(self, index: int) -> Sample:  # type: ignore[override]
        path, sample = self.locate(index)
        with closing(self.open_shard(path)) as shard:
            return shard.sample(sample)


def open_dataset(path: Place | str, split: str) -> Dataset:
    """The samples of a dataset's split.

    Of a dataset that lies elsewhere the index is fetched, and of shards what is asked for: a missing one shows when it
    is opened, and their checksums, which are those of whole files, are not compared.

    Args:
        path: Folder of the dataset, or its address: `s3://BUCKET/KEY`, `https://HOST/PLACE`.
        split: `train` or `test`.

    Raises:
        InputFileError: The folder is missing or holds no shards, a shard is missing, of another size than its index
            says, or of another schema, or what lies elsewhere cannot be fetched.
        InvalidValueError: The dataset has no such split.
        MissingExtraError: It lies elsewhere, and the extra `remote` is not installed.
    """
    root = require_place(path)
    if isinstance(root, Url):
        known_version.cache_clear()  # who opens a dataset again is to see what it is now
        chosen = of_split(root, fetch_index(root), split)
        return Dataset(root, split, chosen, partial(_open_elsewhere, _by_place(root, chosen)))
    if not root.is_dir():
        raise InputFileError(f"there is no dataset at {root}; `spikesim build-gopro` or `spikesim build` makes one")
    entries = list_shards(root)
    if not entries:
        raise InputFileError(f"{root} holds no shards; `spikesim build-gopro` or `spikesim build` makes a dataset")
    chosen = of_split(root, entries, split)
    for entry in chosen:
        check_entry(root, entry)
    return Dataset(root, split, chosen, partial(_open_listed, _by_place(root, chosen)))


def _by_place(root: Place, entries: Sequence[ShardEntry]) -> dict[Place, ShardEntry]:
    return {root / entry.path: entry for entry in entries}


def _open_listed(entries: Mapping[Place, ShardEntry], path: Path) -> ShardReader:
    """A shard that an index lists, whose bytes are compared with it before they are taken for a shard."""
    entry = entries[path]
    check_bytes(path, entry, known_checksum(path))
    return _open_counted(path, entry, _REBUILD)


def _open_elsewhere(entries: Mapping[Place, ShardEntry], url: Url) -> ShardReader:
    """A shard that an index lists, whose size is compared with it."""
    entry = entries[url]
    if (size := known_version(url).size) != entry.bytes:
        raise InputFileError(f"{url} has {size} bytes, {INDEX} says {entry.bytes}; {_COPY}")
    return _open_counted(url, entry, _COPY)


def _open_counted(path: Place, entry: ShardEntry, advice: str) -> ShardReader:
    """A shard that has as many samples as an index says."""
    shard = ShardReader(path)
    if len(shard) != entry.samples:
        shard.close()
        raise InputFileError(f"{path} has {len(shard)} samples, {INDEX} says {entry.samples}; {advice}")
    return shard


def of_split(root: Place, entries: Sequence[ShardEntry], split: str) -> list[ShardEntry]:
    """The entries of a split.

    Raises:
        InvalidValueError: There is none.
    """
    require_instance(split, "split", str)
    chosen = [entry for entry in entries if entry.split == split]
    if not chosen:
        raise InvalidValueError(
            f"{root} has no samples of the split {split!r}; it has {', '.join(sorted({e.split for e in entries}))}"
        )
    return chosen


def check_entry(root: Path, entry: ShardEntry) -> None:
    """Check that a listed shard is there in its listed size.

    Raises:
        InputFileError: It is not.
    """
    file = root / entry.path
    if not file.exists():
        raise InputFileError(
            f"{root / INDEX} lists {entry.path}, which is missing; build the dataset again to fill it in, or have "
            "`spikesim verify --repair` do so"
        )
    if (size := require_file(file).st_size) != entry.bytes:
        raise InputFileError(f"{file} has {size} bytes, {INDEX} says {entry.bytes}; {_REBUILD}")


def shards_to_convert(root: Path) -> list[Path]:
    """The shards of a dataset, of which those that its index lists are seen to be there in their sizes.

    Raises:
        InputFileError: There are none, one is missing or of another size, or the index is damaged.
    """
    for entry in read_index(root) or []:
        check_entry(root, entry)
    if not (files := shard_files(root)):
        raise InputFileError(f"{root} holds no shards to convert")
    return files


def check_bytes(file: Path, entry: ShardEntry, sha256: str) -> None:
    """Check that the checksum of a listed shard is the listed one, where that is known.

    Raises:
        InputFileError: It is another.
    """
    if entry.sha256 not in ("", sha256):
        raise InputFileError(
            f"{file} has other bytes than when it was built (its checksum differs from {INDEX}); {_REBUILD}"
        )
