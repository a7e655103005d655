"""Building a dataset: every clip to shards, in parallel, resumable after any interruption."""

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spikesim.brief import Brief
from spikesim.checks import (
    require_flag,
    require_instance,
    require_list,
    require_path,
    require_whole,
)
from spikesim.errors import InvalidValueError
from spikesim.input_files import require_file
from spikesim.locks import locked
from spikesim.threads import available_cores
from spikesim_datasets.build_state import BuildLook, warn_of_space
from spikesim_datasets.planning import finished_jobs, plan_build, readouts_of, uncompressed_bytes
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.recipe import Recipe, make_recipe, provenance
from spikesim_datasets.shard_work import Setting, divided, make_shards, remove_leftovers, remove_pieces
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.index import INDEX, ShardEntry, index_locked, index_shards, read_index, shard_files
from spikesim_datasets.sources import Clip, Split, open_clips
from spikesim_datasets.sources.clip import refuse_output_in_source
from spikesim_datasets.work_pools import PoolExecutor, work_pool

_FIRST_GPU = "cuda", "cuda:0"
"""The devices that a worker which sees one GPU alone can have."""


@dataclass(frozen=True, repr=False)
class BuildReport(Brief):
    """What a build did.

    Attributes:
        out: Folder of the dataset.
        built, kept: Shards made since this build began, by it or another of the same recipe, and found finished.
        samples: Samples of all these.
        skipped: Keys of clips too short for one window, with their numbers of frames.
        diagnostics: What was found of clips with scene cuts or motion too fast to follow, by key.
        bytes: Size of the dataset's shards, or those of the part that was built.
        readouts: Readouts made by this build: frames interpolated, averaged and sensed, each counted once.
        seconds: How long it took.
    """

    out: Path
    built: int
    kept: int
    samples: int
    skipped: dict[str, int]
    diagnostics: dict[str, Diagnostics]
    bytes: int
    readouts: int
    seconds: float


def build_dataset(
    source: str | Path | Sequence[str | Path],
    out: str | Path,
    v_th: Sequence[float] | None = None,
    *,
    split: Split = "train",
    workers: int | Sequence[int] | Executor | None = None,
    overwrite: bool = False,
    **choices: Any,
) -> BuildReport:
    """Turn videos into a dataset of blurry images, ground truth and spikes at every threshold.

        build_dataset("clip.mp4", "data/clip", v_th=(1, 2, 4), seed=7)

    Args:
        source: One source or several, as for `sources.open_clips`.
        out, workers, overwrite: As for `build_clips`.
        v_th: Thresholds, as for `recipe.make_recipe`; each gets a stream of its own in every sample.
        split: Split of the clips.
        **choices: Further arguments of `recipe.make_recipe`: preset, camera, interpolation, downscale, seed, ...; the
            seed is that of random clips, too.

    Raises:
        InputFileError: A source is missing or damaged.
        InvalidValueError, OutputError: As for `build_clips`; or a choice is meaningless.
    """
    recipe = make_recipe(v_th, **choices)
    clips = open_clips([source] if isinstance(source, str | Path) else source, split, recipe.seed)
    return build_clips(clips, out, recipe, workers=workers, overwrite=overwrite)


def build_clips(
    clips: Sequence[Clip],
    out: str | Path,
    recipe: Recipe,
    *,
    workers: int | Sequence[int] | Executor | None = None,
    part: tuple[int, int] | None = None,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    command: str = "",
) -> BuildReport:
    """Build a dataset from clips by a recipe.

    Shards that are there already and have the same recipe are kept, so that running again after an interruption
    finishes the work. Equal clips and recipes give equal arrays, whatever the workers. Several builds by one recipe may
    run at once, on several machines too; one by another recipe is refused meanwhile.

    Args:
        clips: What to build from, such as `sources.open_gopro` gives; their sources are never written to.
        out: Folder of the dataset.
        recipe: How.
        workers: Processes; None means one for each core. Several are started with `spawn`, so a script that calls this
            keeps its own work under `if __name__ == "__main__"`. Or numbers of GPUs, for interpolation by a network: a
            process for each, which sees no other. Or who does the work instead: the workers of a Dask scheduler
            (`cluster.open_scheduler`), or any `concurrent.futures.Executor` whose workers see the same files.
        part: Make the i-th of n parts of the shards, (i, n) with 1 ≤ i ≤ n, and no index: parts may be made at the same
            time, in any order. When all are there, a build without part, or `shards.write_index`, writes the index.
        overwrite: Replace shards in `out` that another recipe made; all of them go when the first new one is whole.
        on_progress: Told of readouts, first of those of shards that are kept; where an executor does the work that is
            not Dask's, of those of a whole shard at a time.
        command: What to record as the command line.

    Returns:
        What was built and what was kept.

    Raises:
        InvalidValueError: A clip's size is no multiple of 4, two have one key, none has a whole window, a source would
            be written to, or a part is none or to overwrite.
        InputFileError: A frame is damaged.
        OutputError: `out` holds shards of another recipe, is being written by another process, or cannot be written.
            Finished shards stay.
        ClusterError: A scheduler, or its workers, are gone. Finished shards stay.
    """
    began = time.perf_counter()
    clips, out = require_list(clips, "clips", "clips"), require_path(out, "out")
    if isinstance(workers, Sequence) and not isinstance(workers, str):
        workers = _require_gpus(workers)
    elif workers is not None and not isinstance(workers, Executor):
        workers = require_whole(workers, "workers", 1, unit="processes")
    number, parts = (1, 1) if part is None else _require_part(part)
    if require_flag(overwrite, "overwrite") and part is not None:
        raise InvalidValueError(
            "parts that overwrite would remove each other's shards; choose another folder, or overwrite without part"
        )
    tell = teller(on_progress)
    require_instance(command, "command", str)
    recipe = require_instance(recipe, "recipe", Recipe, "make_recipe makes one").resolve()
    if isinstance(workers, tuple) and recipe.interpolation.device not in _FIRST_GPU:
        raise InvalidValueError(
            f"GPUs are for interpolation by a network on the device 'cuda', got {recipe.interpolation.name!r} on "
            f"{recipe.interpolation.device!r}; leave the GPUs out"
        )
    plan = plan_build(clips, out, recipe)
    folders = {out, *(job.path.parent for job in plan.jobs)}
    refuse_output_in_source(folders, clips)
    # Others may build by the same recipe into the same folder. Each plans, and writes the index, while none else does.
    with locked(out, recipe.choices()):
        with index_locked(out):
            listed = read_index(out) or []
            kept, replaced = finished_jobs(plan, out, recipe, overwrite=overwrite)
            ours = {job.path for job in plan.jobs[number - 1 :: parts]}
            kept = [found for found in kept if found[0].path in ours]
            missing = ours - {job.path for job, _, _ in kept}
            waiting = [job for job in plan.jobs if job.path in missing]
            unchanged = _entries_that_stay(listed, out, {*replaced, *(job.path for job in waiting)})
            # An index that lists others too goes: were this build killed, old checksums would stay beside new shards.
            remove_old = partial(_remove_old, out, {path: _version(path) for path in replaced})
            if len(unchanged) < len(listed) and not replaced:
                (out / INDEX).unlink()
        if replaced and not waiting:
            remove_old()
        most = _most_at_a_time(workers)
        # What is replaced goes when the first new shard is whole, which is therefore made before all others.
        head = 1 if replaced else 0
        goes = [divided(jobs, most, recipe.watched) for jobs in (waiting[:head], waiting[head:])]
        units = [unit for shards in goes for shard in shards for unit in shard.units]
        warn_of_space(out, uncompressed_bytes(waiting, recipe))
        there = sum(samples for _, samples, _ in kept)
        look = BuildLook(
            out, there + sum(len(job.windows) for job in waiting), there, partial(_most_at_a_time, workers)
        )
        tally = Tally(
            [(unit.clip.key, readouts_of(unit, recipe.watched)) for unit in units],
            sum(readouts_of(job, recipe.watched) for job, _, _ in kept),
            tell,
            look,
        )
        entries: list[ShardEntry] = []
        diagnostics: dict[str, Diagnostics] = {}
        for job, _, found in kept:
            diagnostics[job.clip.key] = found.merge(diagnostics.get(job.clip.key, Diagnostics()))
        record: dict[str, Any] = {"provenance": provenance(), "command": command}
        if calibrations := recipe.calibrations():
            record["calibrations"] = calibrations
        setting = Setting(out, recipe, record)
        try:
            remove_leftovers(folders)
            place = 0
            for shards, before in zip(goes, (remove_old, None), strict=True):
                if not shards:
                    continue
                counted = sum(len(shard.units) for shard in shards)
                with work_pool(_at_most(workers, min(most, counted)), len(units), tally) as pool:
                    for job, (entry, found) in make_shards(shards, pool, place, setting, before):
                        entries += [entry] if entry else []
                        look.add(len(job.windows))
                        diagnostics[job.clip.key] = found.merge(diagnostics.get(job.clip.key, Diagnostics()))
                place += counted
        finally:
            for shards in goes:
                remove_pieces(shards)
            remove_leftovers(folders)
        if part is None:
            index_shards(out, {"choices": recipe.choices(), **record}, [*entries, *unchanged])
    return BuildReport(
        out,
        len(entries),
        len(kept),
        sum(entry.samples for entry in entries) + there,
        plan.skipped,
        {key: found for key, found in sorted(diagnostics.items()) if found.cuts or found.fast},
        sum(file.stat().st_size for file in (shard_files(out) if part is None else ours) if file.exists()),
        sum(readouts_of(job, recipe.watched) for job in waiting),
        time.perf_counter() - began,
    )


def _most_at_a_time(workers: int | Sequence[int] | Executor | None) -> int:
    """How many units are made at a time, as far as that is known; 1 leaves shards undivided."""
    match workers:
        case PoolExecutor():
            return workers.workers
        case Executor():
            return 1
        case int():
            return workers
        case None:
            return available_cores()
    return len(workers)


def _at_most(workers: int | Sequence[int] | Executor | None, most: int) -> int | Sequence[int] | Executor:
    """Who does the work, no more processes than units."""
    if isinstance(workers, Executor):
        return workers
    return workers[:most] if isinstance(workers, tuple) else most


def _require_gpus(numbers: Sequence[int]) -> tuple[int, ...]:
    if not numbers:
        raise InvalidValueError("give at least one GPU, or leave them out")
    return tuple(require_whole(number, "each of the GPUs", 0) for number in numbers)


def _require_part(part: Any) -> tuple[int, int]:
    """Which part of how many."""
    try:
        number, parts = part
    except (TypeError, ValueError) as error:
        raise InvalidValueError(
            f"part must be two numbers, such as (1, 3) for the first of three, got {part!r}"
        ) from error
    if (number := require_whole(number, "part", 1)) > (parts := require_whole(parts, "number of parts", 1)):
        raise InvalidValueError(f"there is no part {number} of {parts}; parts are 1 to {parts}")
    return number, parts


def _entries_that_stay(listed: Sequence[ShardEntry], out: Path, others: set[Path]) -> list[ShardEntry]:
    """The index's entries of shards that this build neither makes nor replaces."""
    return [entry for entry in listed if out / entry.path not in others and (out / entry.path).exists()]


def _version(path: Path) -> tuple[int, ...]:
    """What tells a shard from another of its name, on every machine that sees it."""
    found = require_file(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _remove_old(out: Path, versions: dict[Path, tuple[int, ...]]) -> None:
    """Remove the index and the shards that are replaced, those that another builder has not replaced already."""
    with index_locked(out):
        (out / INDEX).unlink(missing_ok=True)
        for path, version in versions.items():
            if path.exists() and _version(path) == version:
                path.unlink()
