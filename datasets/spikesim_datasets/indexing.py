"""`dataset.json` rebuilt from the shards that lie in a folder, whoever built them."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from spikesim.brief import shortened
from spikesim.checks import require_path
from spikesim.errors import InputFileError
from spikesim.files import checksum
from spikesim.hdf5 import looked_through
from spikesim.locks import locked
from spikesim.threads import available_cores
from spikesim_datasets.planning import difference
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.shards.index import (
    INDEX,
    Index,
    ShardEntry,
    index_locked,
    put_index,
    read_whole_index,
    shard_files,
)
from spikesim_datasets.shards.reader import ShardReader

_HEAL = (
    f"`spikesim verify --repair` rebuilds it from its source; or remove {INDEX}, and the shards are taken as they are"
)

_OF_BUILDS = "choices", "provenance", "command", "calibrations"
"""What the recipe of an index has of the shards; what else it has, as of a conversion, stays."""


def rebuild_index(path: Path | str, on_progress: OnProgress | None = None) -> list[ShardEntry]:
    """Write the index of a dataset from its shards, which any number of builders may have made by the same choices.

    The recipe in the index holds their choices, and their provenance and command where all shards have the same one.
    How each clip was made stands in the index as well. Builders by the same choices may be at work meanwhile: what they
    finish later they list themselves.

    Args:
        path: Folder of the dataset.
        on_progress: Told of shards.

    Returns:
        The entries written, by path.

    Raises:
        InvalidValueError: `path` is no path.
        InputFileError: There are no shards; one is damaged, was made by other choices than the first or from another
            clip of the same name, or holds a sample that another holds; one that the index lists is missing or has
            another checksum; or the index is damaged. The index is as it was.
        OutputError: A process that does something else writes the dataset, or the index cannot be written.
    """
    root, tell = require_path(path), teller(on_progress)
    if not (files := shard_files(root)):
        raise InputFileError(f"there is no dataset at {root}: it holds no shards")
    with ShardReader(files[0]) as shard:
        choices = shard.recipe.get("choices")
    with locked(root, choices), index_locked(root):
        before = read_whole_index(root)
        index = index_of_shards(root, before, tell)
        put_index(root, index)
    return list(index.entries)


def index_of_shards(root: Path, before: Index | None, tell: OnProgress) -> Index:
    """The index that the shards under a dataset give, whose index this process keeps for itself.

    Args:
        root: The dataset.
        before: Its index.
        tell: Told of shards.

    Raises:
        InputFileError: As for `rebuild_index`.
    """
    files = shard_files(root)
    listed = {root / entry.path: entry for entry in (before.entries if before else ())}
    for file in sorted(listed.keys() - files):
        raise InputFileError(f"{root / INDEX} lists {listed[file].path}, which is missing; {_HEAL}")
    tally = Tally([(file.relative_to(root).as_posix(), 1) for file in files], 0, tell)
    together = _Together(root)
    entries = []
    hashing = ThreadPoolExecutor(available_cores())  # others, while a shard is opened
    try:
        for number, (file, sha256) in enumerate(zip(looked_through(files), hashing.map(checksum, files), strict=True)):
            if (entry := listed.get(file)) is not None and entry.sha256 not in ("", sha256):
                raise InputFileError(
                    f"{file} has another checksum than {INDEX} says: it is damaged, or was replaced; {_HEAL}"
                )
            entries.append(together.add(file, sha256))
            tally.step(number)
    finally:
        hashing.shutdown(cancel_futures=True)
    kept = {name: value for name, value in (before.recipe if before else {}).items() if name not in _OF_BUILDS}
    return Index(common_recipe(entry.recipe or {} for entry in entries) | kept, tuple(entries))


def common_recipe(recipes: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """What the recipes of all shards have in common of what is not about their clips."""
    first, *others = recipes
    same = (name for name in _OF_BUILDS if name in first and all(first[name] == other.get(name) for other in others))
    return {name: first[name] for name in same}


class _Together:
    """Shards as they are looked at one after the other, to see that they belong together."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._first: tuple[Path, dict[str, Any]] | None = None
        self._clips: dict[str, tuple[Path, Any]] = {}
        self._samples: dict[tuple[str, int], Path] = {}

    def add(self, file: Path, sha256: str) -> ShardEntry:
        """The entry of a shard.

        Raises:
            InputFileError: It is no whole shard, or does not belong to those before it.
        """
        with ShardReader(file) as shard:
            key, recipe, windows = shard.key, shard.recipe, shard.windows
            place = file.relative_to(self._root).as_posix()
            entry = ShardEntry(place, shard.split, shard.name, len(shard), file.stat().st_size, sha256, recipe)
        choices = {"choices": recipe.get("choices") or {}}
        first, same = self._first = self._first or (file, choices)
        if choices != same:
            raise InputFileError(
                f"{file} was built with another recipe than {first} ({shortened(difference(same, choices))}); a "
                "dataset has one: move the shards of the other to a folder of their own"
            )
        clip = recipe.get("clip")
        other, known = self._clips.setdefault(key, (file, clip))
        if clip != known:
            raise InputFileError(
                f"{file} was built from another clip than {other}, though both are called {key!r}; remove the shards "
                "of one, or build one under another name"
            )
        for window in windows:
            if (other := self._samples.setdefault((key, window), file)) != file:
                raise InputFileError(f"{file} holds window {window} of {key}, which {other} holds as well; remove one")
        return entry
