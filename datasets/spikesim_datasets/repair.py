"""Damaged and missing shards of a dataset rebuilt from their sources, bit for bit, and no others."""

import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from glob import escape
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

from spikesim.brief import Brief, shortened
from spikesim.checks import require_instance, require_list, require_path, require_whole
from spikesim.errors import InputFileError, InvalidValueError, SpikesimError
from spikesim.locks import locked
from spikesim.threads import available_cores
from spikesim_datasets.indexing import index_of_shards
from spikesim_datasets.keys import check_place
from spikesim_datasets.planning import ShardJob, difference, plan_build
from spikesim_datasets.processes import in_order
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.recipe import Recipe
from spikesim_datasets.shard_work import Setting, make_shard, remove_leftovers
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
from spikesim_datasets.shards.verification import ShardCheck, verify_shard
from spikesim_datasets.sources import reopen
from spikesim_datasets.sources.clip import refuse_output_in_source
from spikesim_datasets.work_pools import done_alone

Task = tuple[ShardJob, dict[str, Any]]
"""A shard to make, and what to write into its recipe beside what the plan gives."""

_PLANNED = "clip", "choices", "origin"
"""What the recipe of a shard has from its plan and its clip."""

_NAME = re.compile(r"(?P<key>.+)\.[0-9]{3,}\.h5")


@dataclass(frozen=True, repr=False)
class RepairReport(Brief):
    """What a repair did.

    Attributes:
        repaired: Shards that were rebuilt, by path.
        changed: Those of them whose files are not the ones that the index listed, though their samples are: other
            versions of programs wrote them, or another command. The index lists the new ones.
        left: What is still wrong, by path of the shard.
        indexed: Whether the index, which was missing, was rebuilt.
    """

    repaired: tuple[str, ...]
    changed: tuple[str, ...]
    left: dict[str, str]
    indexed: bool


def repair_dataset(
    path: Path | str,
    checks: Sequence[ShardCheck],
    *,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> RepairReport:
    """Rebuild the shards that verification found damaged, missing or foreign, each from the source it was made of.

        report = repair_dataset("data/gopro", list(verify_dataset("data/gopro")))

    How a shard was made stands in the index, or else in the whole shards of its clip. What was found whole is neither
    read again nor changed. A damaged file stays until its replacement is whole. A file that the index does not list is
    replaced where a shard of the dataset has its name, and left otherwise. A missing index is rebuilt when all shards
    are whole, as by `indexing.rebuild_index`.

    Args:
        path: Folder of the dataset.
        checks: What `verify_dataset` found of its shards.
        workers: Processes, one shard each at a time; None means one for each core. Several are started with `spawn`, so
            a script that calls this keeps its own work under `if __name__ == "__main__"`.
        on_progress: Told of shards that are rebuilt.

    Returns:
        What was done. What cannot be repaired, as where a source has changed, is no error.

    Raises:
        InvalidValueError: `checks` are no `ShardCheck`s, or `workers` is no whole number of at least 1.
        InputFileError: There is no dataset; or its index is damaged or, where it was missing, cannot be rebuilt.
        OutputError: A process that does something else writes the dataset, it cannot be written, or a worker was
            killed.
    """
    root, tell = require_path(path), teller(on_progress)
    found = [require_instance(each, "each of checks", ShardCheck) for each in require_list(checks, "checks", "checks")]
    workers = available_cores() if workers is None else require_whole(workers, "workers", 1, unit="processes")
    damaged = {check.path for check in found if check.problem}
    choices = _choices(root, read_whole_index(root), damaged)
    with locked(root, choices), index_locked(root):
        index = read_whole_index(root)
        if _choices(root, index, damaged) != choices:
            raise InputFileError(f"{root} has been built again since it was verified; verify it again")
        listed = {entry.path: entry for entry in index.entries} if index else {}
        again = (verify_shard(root, root / p, listed.get(p), has_index=index is not None) for p in sorted(damaged))
        left = {check.path: check.problem for check in again if check.problem}  # others may have been repaired since
        plans = _Plans(root, index, choices, damaged)
        tasks: dict[str, Task] = {}
        for place, problem in left.items():
            try:
                tasks[place] = plans.task(place)
            except SpikesimError as error:
                left[place] = f"{problem}. It was not repaired: {error}"
        made: dict[str, ShardEntry | None] = {}
        try:
            with closing(_rebuilt(root, plans, tasks, workers, tell)) as results:
                for place, result in results:
                    if isinstance(result, str):
                        left[place] += f". It was not repaired: {result}"
                    else:
                        made[place] = result
                        del left[place]
        finally:  # what an interrupted repair has finished is listed as well
            if index is not None:
                _update(root, index, made)
        indexed = index is None and not left
        if indexed:
            put_index(root, index_of_shards(root, None, teller(None)))
    changed = (p for p, entry in made.items() if entry and p in listed and listed[p].sha256 not in ("", entry.sha256))
    return RepairReport(tuple(made), tuple(changed), left, indexed)


def _choices(root: Path, index: Index | None, damaged: set[str]) -> Any:
    """The choices that a dataset was made by, as its index says or else a shard, a whole one before a damaged one."""
    if index is not None:
        return index.recipe.get("choices")
    files = shard_files(root)
    if not files:
        raise InputFileError(f"there is no dataset at {root}: no shards, and no {INDEX}")
    recipes = _recipes_in(sorted(files, key=lambda file: file.relative_to(root).as_posix() in damaged))
    return next(recipes, {}).get("choices")


def _recipes_in(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """What those of some shards say of how they were made that can be opened."""
    for file in files:
        try:
            with ShardReader(file) as shard:
                recipe = shard.recipe
        except SpikesimError:
            continue
        yield recipe


class _Plans:
    """How the shards of a dataset are made again."""

    def __init__(self, root: Path, index: Index | None, choices: Any, damaged: set[str]) -> None:
        self._root, self._choices, self._damaged = root, choices, damaged
        self._index_recipe = index.recipe if index else {}
        self._has_index = index is not None
        known = [(entry, entry.recipe) for entry in (index.entries if index else ()) if entry.recipe is not None]
        self._of_shards = {entry.path: recipe for entry, recipe in known}
        self._of_clips = {entry.key: recipe for entry, recipe in reversed(known)}
        self._jobs: dict[str, dict[Path, ShardJob] | SpikesimError] = {}

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe of the dataset, resolved for this machine.

        Raises:
            SpikesimError: It cannot be, or gives other choices here.
        """
        if self._choices is None:
            raise InvalidValueError("the dataset does not say by which choices it was made; build it again")
        recipe = Recipe.from_choices(self._choices, self._calibrations()).resolve()
        if recipe.choices() != self._choices:
            differing = shortened(difference({"choices": self._choices}, {"choices": recipe.choices()}))
            raise InvalidValueError(f"this installation would make other samples ({differing})")
        return recipe

    def _calibrations(self) -> Any:
        """Where the calibrations of the cameras lie, as the index says or else a shard."""
        # Each shard says it where one does: without an index one is asked, a whole one before a damaged one.
        files = sorted(shard_files(self._root), key=lambda file: self._place(file) in self._damaged)
        others = islice(_recipes_in(files), 0 if self._has_index else 1)
        records = chain([self._index_recipe], self._of_shards.values(), others)
        return next((record["calibrations"] for record in records if "calibrations" in record), None)

    def _place(self, file: Path) -> str:
        return file.relative_to(self._root).as_posix()

    def task(self, place: str) -> Task:
        """What makes the shard at a place.

        Raises:
            SpikesimError: Nobody knows, or it cannot be made here and now.
        """
        file = self._root / check_place(place)
        if file.resolve() != self._root.resolve() / place or (file.exists() and not file.is_file()):
            raise InvalidValueError("it is no file or lies behind a link, and such are never replaced; remove it")
        made_by = self._made_by(place)
        if made_by.get("choices") != self._choices:
            raise InvalidValueError("it was made by other choices than the dataset")
        jobs = self._jobs_of(made_by)
        if file not in jobs:
            raise InvalidValueError("no shard of its clip has this name")
        # The rest is taken over, so that the file becomes what it was.
        return jobs[file], {name: value for name, value in made_by.items() if name not in _PLANNED}

    def _made_by(self, place: str) -> dict[str, Any]:
        """What the recipe of a shard says, or is to say where no shard of this name is listed."""
        name = _NAME.fullmatch(place)
        key = name["key"] if name else place
        if said := self._of_shards.get(place) or self._of_clips.get(key):
            return said
        others = sorted(self._root.glob(f"{escape(key)}.*.h5"))
        asked = [file for file in others if self._place(file) not in self._damaged]
        if not self._has_index:  # no checksum contradicts what a damaged file says
            asked.append(self._root / place)
        for recipe in _recipes_in(asked):
            return recipe
        raise InvalidValueError(
            f"neither {INDEX} nor another shard of its clip says how it was made; remove it, and run the build again, "
            "which makes missing shards"
        )

    def _jobs_of(self, made_by: dict[str, Any]) -> dict[Path, ShardJob]:
        """The shards of a clip by their paths; its source is opened once, also where that fails."""
        clip = json.dumps([made_by.get(name) for name in ("clip", "origin")])
        if clip not in self._jobs:
            try:
                self._jobs[clip] = self._plan(made_by)
            except SpikesimError as error:
                self._jobs[clip] = error
        jobs = self._jobs[clip]
        if isinstance(jobs, SpikesimError):
            raise jobs
        return jobs

    def _plan(self, made_by: dict[str, Any]) -> dict[Path, ShardJob]:
        if "origin" not in made_by:
            raise InvalidValueError(
                "it is not recorded where its clip came from, as in datasets of earlier versions and of clips of other "
                "packages; remove it, and run the build again, which makes missing shards"
            )
        recipe, clip = self.recipe, reopen(made_by["origin"])
        identity = {"clip": {"key": clip.key, **clip.fingerprint()}, "choices": self._choices}
        if made_by.get("clip") != identity["clip"]:
            raise InputFileError(f"the source has changed ({shortened(difference(made_by, identity))})")
        refuse_output_in_source({self._root}, [clip])
        return {job.path: job for job in plan_build([clip], self._root, recipe).jobs}


def _rebuilt(
    root: Path, plans: _Plans, tasks: Mapping[str, Task], workers: int, tell: OnProgress
) -> Generator[tuple[str, ShardEntry | str | None], None, None]:
    """Rebuild shards: the path of each with its entry, None where cuts leave no sample for it, or why it failed."""
    if not tasks:
        return
    folders = {job.path.parent for job, _ in tasks.values()}
    tally = Tally([(place, 1) for place in tasks], 0, tell)
    work = partial(_rebuild, root, plans.recipe, workers > 1 and len(tasks) > 1)
    try:
        remove_leftovers(folders)
        with closing(in_order(work, list(tasks.values()), workers, tally.finish)) as results:
            yield from zip(tasks, results, strict=True)
    finally:
        remove_leftovers(folders)


def _rebuild(root: Path, recipe: Recipe, is_worker: bool, task: Task) -> ShardEntry | str | None:
    job, record = task
    # What is damaged goes when the new one is whole; where there is nothing, another builder may be quicker.
    before = partial(job.path.unlink, missing_ok=True) if job.path.exists() else None
    work = partial(make_shard, job, Setting(root, recipe, record), before=before)
    try:
        entry, _ = done_alone(work) if is_worker else work()
    except SpikesimError as error:
        return str(error)
    return entry


def _update(root: Path, index: Index, made: Mapping[str, ShardEntry | None]) -> None:
    """List the shards that were rebuilt, where their lines are others."""
    entries = {**{entry.path: entry for entry in index.entries}, **made}
    there = sorted(filter(None, entries.values()), key=lambda entry: PurePosixPath(entry.path))
    if there != list(index.entries):
        put_index(root, Index(index.recipe, tuple(there)))
