"""`dataset.json`: the list of a dataset's shards with their sizes and checksums. It can be rebuilt from the shards."""

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any, Self

from spikesim.brief import Brief
from spikesim.checks import require_instance, require_list, require_path, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import atomic_path, checksum, is_checksum
from spikesim.input_files import MOST_JSON_BYTES, is_of_json_size, parse_json, read_json
from spikesim.locks import locked
from spikesim_datasets.folders import entries_of
from spikesim_datasets.keys import Keyed, check_clip, check_place, parse_key
from spikesim_datasets.remote.url import Place, Url
from spikesim_datasets.shards.reader import ShardReader
from spikesim_datasets.shards.recipes import group_recipes, ungroup_recipes
from spikesim_datasets.shards.schema import check_recipe
from spikesim_datasets.unfinished import OF_DATASET, refuse_unfinished

INDEX = OF_DATASET
INDEX_SCHEMA = "spikesim.dataset/1"

_INDEX_LOCK = ".spikesim-index.lock"
_MOST = 1 << 48  # samples or bytes: sums of them stay lengths of sequences


@dataclass(frozen=True)
class ShardEntry(Keyed):
    """One line of the index.

    Attributes:
        path: Of the shard, relative to the dataset, with forward slashes.
        split, name: Of its clip.
        samples: Number of samples.
        bytes: Size of the file.
        sha256: Of the file; empty where it was not computed.
        recipe: What the shard says of how it was made, as far as that is known; the same for all shards that one build
            made of one clip. No part of the line: an index says it once for all of them, see `recipes`.

    Raises:
        InvalidValueError: No shard of a dataset has such a path, or a value is not as above.
    """

    path: str
    split: str
    name: str
    samples: int
    bytes: int
    sha256: str
    recipe: dict[str, Any] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_place(self.path)
        check_clip(self.split, self.name)
        for name, least in (("samples", 1), ("bytes", 0)):
            self._set(name, require_whole(getattr(self, name), f"{name} of {self.path}", least, _MOST))
        if require_instance(self.sha256, f"sha256 of {self.path}", str) and not is_checksum(self.sha256):
            raise InvalidValueError(
                f"sha256 of {self.path} must be empty or 64 hexadecimal digits, got {self.sha256!r}"
            )

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @classmethod
    def from_record(cls, key: str, split: str, **entry: Any) -> Self:
        """The entry of what the index holds of it.

        Raises:
            InvalidValueError: Key and split contradict each other.
            TypeError: There is too little or too much of it.
        """
        split, name = parse_key(key, split)
        return cls(split=split, name=name, **entry)

    def record(self) -> dict[str, Any]:
        """What the index holds of it, as JSON values."""
        return {
            "path": self.path,
            "key": self.key,
            "split": self.split,
            "samples": self.samples,
            "bytes": self.bytes,
            "sha256": self.sha256,
        }


@dataclass(frozen=True, repr=False)
class Index(Brief):
    """What an index says.

    Attributes:
        recipe: How the dataset was made, as JSON values.
        entries: Its shards, by path.
    """

    recipe: dict[str, Any]
    entries: tuple[ShardEntry, ...]

    def text(self) -> str:
        """The content of its file.

        How the clips were made is left out where the file would be larger than readers take, who can do without.

        Raises:
            InvalidValueError: The recipe holds more than JSON values.
        """
        splits = sorted({entry.split for entry in self.entries})
        record = {
            "schema": INDEX_SCHEMA,
            "samples": {split: sum(each.samples for each in self.entries if each.split == split) for split in splits},
            "recipe": self.recipe,
            "shards": [entry.record() for entry in self.entries],
        }
        builds = group_recipes({entry.path: (entry.key, entry.recipe) for entry in self.entries})
        try:
            text = json.dumps({**record, **({"builds": builds} if builds else {})}, indent=1)
            text = text if is_of_json_size(text) else json.dumps(record, indent=1)
        except (TypeError, ValueError) as error:
            raise InvalidValueError(f"recipe must hold JSON values alone ({error})") from error
        return text + "\n"


def shard_files(root: Path) -> list[Path]:
    """The shards that lie under a dataset, listed or not, by name."""
    return entries_of(root, "*/**/*.h5")


def describe_shard(root: Path, path: Path, sha256: str) -> ShardEntry:
    """The index line of a shard.

    Args:
        root: The dataset.
        path: The shard.
        sha256: Its checksum.

    Raises:
        InputFileError: It is no whole shard.
    """
    with ShardReader(path) as shard:
        place, size = path.relative_to(root).as_posix(), path.stat().st_size
        return ShardEntry(place, shard.split, shard.name, len(shard), size, sha256, shard.recipe)


def list_shards(root: Place) -> list[ShardEntry]:
    """The shards of a dataset: what its index says, or, where it has none, what the shards say, without checksums.

    Raises:
        InputFileError: The index or a shard is damaged; or the dataset lies elsewhere and its index cannot be fetched.
        MissingExtraError: It lies elsewhere, and the extra `remote` is not installed.
    """
    if isinstance(root, Url):
        return fetch_index(root)
    entries = read_index(root)
    return [describe_shard(root, path, sha256="") for path in shard_files(root)] if entries is None else entries


def read_index(root: Path | str) -> list[ShardEntry] | None:
    """The entries of a dataset's index; None where it has none.

    Raises:
        InputFileError: The index is damaged or of another schema, or the dataset a conversion that was not finished.
    """
    index = read_whole_index(root)
    return None if index is None else list(index.entries)


def read_whole_index(root: Path | str) -> Index | None:
    """All that the index of a dataset says; None where it has none.

    Raises:
        InputFileError: As for `read_index`.
    """
    root = require_path(root, "root")
    refuse_unfinished(root)
    path = root / INDEX
    if not os.path.lexists(path):  # a link that leads nowhere is there, and wrong
        return None
    return _index_in(path, lambda: read_json(path))


def fetch_index(root: Url) -> list[ShardEntry]:
    """The entries of the index of a dataset that lies elsewhere, where nothing else tells which shards there are.

    Raises:
        InputFileError: As for `read_index`; or it is missing or cannot be fetched.
        MissingExtraError: The extra `remote` is not installed.
    """
    from spikesim_datasets.remote.transport import fetch_whole  # which takes long to import

    place = root / INDEX
    text = fetch_whole(place, MOST_JSON_BYTES)
    return list(_index_in(place, lambda: parse_json(text.decode())).entries)


def _index_in(path: Place, read: Callable[[], Any]) -> Index:
    """What an index says.

    Args:
        path: Where it lies.
        read: Gives the value in it.

    Raises:
        InputFileError: It is damaged or of another schema.
    """
    try:
        record = read()
        schema = record["schema"]
        if schema == INDEX_SCHEMA:
            entries = [ShardEntry.from_record(**entry) for entry in record["shards"]]
            _refuse_doubled(entries)
            recipes = ungroup_recipes(record.get("builds", []), {entry.path: entry.key for entry in entries})
            found = (replace(entry, recipe=recipes.get(entry.path)) for entry in entries)
            return Index(check_recipe(record.get("recipe", {})), tuple(found))
    except (ValueError, KeyError, TypeError, InputFileError) as error:
        advice = (
            "remove it: the shards can be read without, and `spikesim index` writes a new one"
            if isinstance(path, Path)
            else "copy the dataset there again"
        )
        raise InputFileError(f"{path} is no index of a dataset ({error!r}); {advice}") from error
    raise InputFileError(f"{path} has the schema {schema!r}, expected {INDEX_SCHEMA!r}")


def _refuse_doubled(entries: Sequence[ShardEntry]) -> None:
    for path, times in Counter(entry.path for entry in entries).items():
        if times > 1:
            raise InvalidValueError(f"it lists {path} more than once")


def write_index(root: Path | str, recipe: dict[str, Any], known: Sequence[ShardEntry] = ()) -> list[ShardEntry]:
    """Write the index of all shards under a dataset.

    Args:
        root: The dataset.
        recipe: How it was made, as JSON values.
        known: Entries that are right already; a shard of the same path and size is not read again.

    Returns:
        The entries written, by path.

    Raises:
        InvalidValueError: A value is of another type, or the recipe holds more than JSON values.
        InputFileError: A shard is damaged, or the dataset a conversion that was not finished.
        OutputError: Another process writes the dataset, or the index cannot be written.
    """
    root = require_path(root, "root")
    with locked(root):
        refuse_unfinished(root)
        return index_shards(root, recipe, known)


def index_shards(root: Path, recipe: dict[str, Any], known: Sequence[ShardEntry] = ()) -> list[ShardEntry]:
    """Write the index of a dataset that this process has locked, perhaps with others; see `write_index`."""
    known = [require_instance(entry, "each of known", ShardEntry) for entry in require_list(known, "known", "entries")]
    require_instance(recipe, "recipe", dict)
    with index_locked(root):
        listed = _listed_now(root)
        # Of a shard that was repaired since it was known, the checksum may be another.
        right = (entry for entry in known if listed.get(entry.path, entry.sha256) == entry.sha256)
        by_place = {(entry.path, entry.bytes): entry for entry in right}
        entries = []
        for path in shard_files(root):
            place = (path.relative_to(root).as_posix(), path.stat().st_size)
            entries.append(by_place.get(place) or describe_shard(root, path, checksum(path)))
        put_index(root, Index(recipe, tuple(entries)))
    return entries


def put_index(root: Path, index: Index) -> None:
    """Write the index of a dataset, which this process keeps for itself alone.

    Raises:
        InvalidValueError: The recipe holds more than JSON values.
        OutputError: It cannot be written.
    """
    text = index.text()
    with atomic_path(root / INDEX) as temporary:
        temporary.write_text(text, "utf-8")


def _listed_now(root: Path) -> dict[str, str]:
    """Checksums by path, of an index that can be read."""
    try:
        return {entry.path: entry.sha256 for entry in read_index(root) or []}
    except InputFileError:  # a conversion that is about to be whole, or what is replaced because it is damaged
        return {}


def index_locked(root: Path) -> AbstractContextManager[None]:
    """Keep the index for this process alone: builders that share a dataset wait for each other."""
    return locked(root, name=_INDEX_LOCK, patience=inf)
