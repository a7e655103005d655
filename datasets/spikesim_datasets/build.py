"""Building a dataset: every clip to shards, in parallel, resumable after any interruption."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

from spikesim import thread_limit
from spikesim.brief import Brief
from spikesim.checks import (
    require_flag,
    require_instance,
    require_list,
    require_path,
    require_whole,
)
from spikesim.errors import OutputError, SlowPrecisionWarning, UnlockedWarning
from spikesim.files import checksum, remove_stale_temporaries
from spikesim.input_files import require_file
from spikesim.locks import locked
from spikesim.threads import available_cores
from spikesim_datasets.interpolation.networks.weights import UnknownWeightsWarning
from spikesim_datasets.planning import ShardJob, difference, finished_jobs, plan_build, readouts_of
from spikesim_datasets.processes import count_up, shared_counts, uninterrupted, worker_processes
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.recipe import Recipe, make_recipe, provenance
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.index import INDEX, ShardEntry, describe_shard, index_locked, index_shards, read_index
from spikesim_datasets.shards.reader import ShardReader
from spikesim_datasets.shards.writer import ShardWriter
from spikesim_datasets.sources import Clip, Split, open_clips, origin_of
from spikesim_datasets.sources.clip import refuse_output_in_source
from spikesim_datasets.synthesis import synthesise

Made = tuple[ShardEntry | None, Diagnostics]
"""What came of a shard."""

_LOOK = 0.5  # seconds between looks at how far workers are


@dataclass(frozen=True, repr=False)
class BuildReport(Brief):
    """What a build did.

    Attributes:
        out: Folder of the dataset.
        built, kept: Shards made since this build began, by it or another of the same recipe, and found finished.
        samples: Samples of all these.
        skipped: Keys of clips too short for one window, with their numbers of frames.
        diagnostics: What was found of clips with scene cuts or motion too fast to follow, by key.
        bytes: Size of the dataset's shards.
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
    v_th: Sequence[float] = (1.0,),
    *,
    split: Split = "train",
    workers: int | None = None,
    overwrite: bool = False,
    **choices: Any,
) -> BuildReport:
    """Turn videos into a dataset of blurry images, ground truth and spikes at every threshold.

        build_dataset("clip.mp4", "data/clip", v_th=(1, 2, 4), seed=7)

    Args:
        source: One source or several, as for `sources.open_clips`.
        out, workers, overwrite: As for `build_clips`.
        v_th: Thresholds; each gets a stream of its own in every sample.
        split: Split of the clips.
        **choices: Further arguments of `recipe.make_recipe`: preset, interpolation, downscale, seed, ...; the seed is
            that of random clips, too.

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
    workers: int | None = None,
    overwrite: bool = False,
    executor: Executor | None = None,
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
        workers: Processes, one shard each at a time; None means one for each core. Several are started with `spawn`, so
            a script that calls this keeps its own work under `if __name__ == "__main__"`.
        overwrite: Replace shards in `out` that another recipe made; all of them go when the first new one is whole.
        executor: Where to run the shards instead: any `concurrent.futures.Executor` whose workers see the same files,
            such as a Dask client's `get_executor()`.
        on_progress: Told of readouts, first of those of shards that are kept; where an `executor` makes them, of those
            of a whole shard at a time.
        command: What to record as the command line.

    Raises:
        InvalidValueError: A clip's size is no multiple of 4, two have one key, none has a whole window, or a source
            would be written to.
        InputFileError: A frame is damaged.
        OutputError: `out` holds shards of another recipe, is being written by another process, or cannot be written.
            Finished shards stay.
    """
    began = time.perf_counter()
    clips, out = require_list(clips, "clips", "clips"), require_path(out, "out")
    if workers is not None:
        workers = require_whole(workers, "workers", 1, unit="processes")
    overwrite = require_flag(overwrite, "overwrite")
    if executor is not None:
        require_instance(executor, "executor", Executor)
    tell = teller(on_progress)
    require_instance(command, "command", str)
    recipe = require_instance(recipe, "recipe", Recipe, "make_recipe makes one").resolve()
    plan = plan_build(clips, out, recipe)
    folders = {out, *(job.path.parent for job in plan.jobs)}
    refuse_output_in_source(folders, clips)
    # Others may build by the same recipe into the same folder. Each plans, and writes the index, while none else does.
    with locked(out, recipe.choices()):
        with index_locked(out):
            listed = read_index(out) or []
            kept, replaced = finished_jobs(plan, out, recipe, overwrite=overwrite)
            kept_paths = {job.path for job, _, _ in kept}
            waiting = [job for job in plan.jobs if job.path not in kept_paths]
            unchanged = _entries_that_stay(listed, out, {*replaced, *(job.path for job in waiting)})
            # An index that lists others too goes: were this build killed, old checksums would stay beside new shards.
            remove_old = partial(_remove_old, out, {path: _version(path) for path in replaced})
            if len(unchanged) < len(listed) and not replaced:
                (out / INDEX).unlink()
        if not waiting:
            remove_old()
        tally = Tally(
            [(job.clip.key, readouts_of(job, recipe.plan)) for job in waiting],
            sum(readouts_of(job, recipe.plan) for job, _, _ in kept),
            tell,
        )
        entries: list[ShardEntry] = []
        diagnostics: dict[str, Diagnostics] = {}
        for job, _, found in kept:
            diagnostics[job.clip.key] = found.merge(diagnostics.get(job.clip.key, Diagnostics()))
        record = {"provenance": provenance(), "command": command}
        try:
            _remove_leftovers(folders)
            making = [partial(make_shard, job, out, recipe, record) for job in waiting]
            numbers = range(len(waiting))
            # What is replaced goes when the first new shard is whole, which is therefore made before all others.
            first = numbers[: 1 if replaced else 0]
            for number in first:
                making[number] = partial(making[number], before=remove_old)
            for part in (first, numbers[len(first) :]):
                for number, (entry, found) in _run(
                    {number: making[number] for number in part},
                    min(workers or available_cores(), len(part)),
                    executor,
                    tally,
                ):
                    entries += [entry] if entry else []
                    key = waiting[number].clip.key
                    diagnostics[key] = found.merge(diagnostics.get(key, Diagnostics()))
                    tally.finish(number)
        finally:
            _remove_leftovers(folders)
        index = index_shards(out, {"choices": recipe.choices(), **record}, [*entries, *unchanged])
    return BuildReport(
        out,
        len(entries),
        len(kept),
        sum(entry.samples for entry in entries) + sum(samples for _, samples, _ in kept),
        plan.skipped,
        {key: found for key, found in sorted(diagnostics.items()) if found.cuts or found.fast},
        sum(entry.bytes for entry in index),
        sum(readouts_of(job, recipe.plan) for job in waiting),
        time.perf_counter() - began,
    )


def make_shard(
    job: ShardJob,
    out: Path,
    recipe: Recipe,
    record: dict[str, Any],
    on_readout: Callable[[], None] | None = None,
    before: Callable[[], None] | None = None,
) -> Made:
    """Make one shard, unless another builder has; the unit of work, which depends on nothing but its arguments.

    Args:
        job: What to make.
        out: Folder of the dataset.
        recipe: How.
        record: What else to write into the shard's recipe.
        on_readout: As for `synthesis.synthesise`.
        before: Removes what the shard replaces, which may have its name; called when it is whole.

    Returns:
        The shard's line of the index, None where cuts left no sample for a shard; and what was found of the clip.

    Raises:
        InvalidValueError: The interpolator describes itself otherwise in this process than where the job was planned.
        InputFileError: A frame is damaged.
        OutputError: The shard cannot be written, or the folder is another recipe's by now.
    """
    # A worker may outlive the build that has locked the folder, and another recipe may have it by now.
    with locked(out, job.identity["choices"]):
        if before is not None or not job.path.exists():  # else another builder has been quicker
            diagnostics = _write_shard(job, recipe, record, on_readout, before)
            if not job.path.exists():
                return None, diagnostics
        with ShardReader(job.path) as shard:
            if not job.is_in(shard):
                differing = difference(shard.recipe, job.identity)
                raise OutputError(f"{job.path} has been built meanwhile, {differing}; choose another folder")
            diagnostics = shard.diagnostics
        return describe_shard(out, job.path, checksum(job.path)), diagnostics


def _write_shard(
    job: ShardJob,
    recipe: Recipe,
    record: dict[str, Any],
    on_readout: Callable[[], None] | None,
    before: Callable[[], None] | None,
) -> Diagnostics:
    """Write a shard, unless cuts leave no sample for it or another is quicker."""
    diagnostics = Diagnostics()
    # Pinned to what the shard's recipe will say, whatever this machine has.
    interpolator = recipe.interpolation.pin(job.identity["choices"]["interpolation"]).make()
    samples = synthesise(job.clip, job.windows, recipe, interpolator, diagnostics, on_readout)
    first = next(samples, None)
    if first is not None:
        origin = origin_of(job.clip)
        recorded = {**job.identity, **({"origin": origin} if origin else {}), **record}
        with ShardWriter(job.path, recorded, recipe.compression, replace=False, before=before) as writer:
            for sample in chain([first], samples):
                writer.append(sample)
            writer.note(diagnostics)
    elif before is not None:
        before()
    return diagnostics


def _run(
    making: Mapping[int, Callable[..., Made]], workers: int, executor: Executor | None, tally: Tally
) -> Iterator[tuple[int, Made]]:
    """Make the shards, in any order: the number of each, and what came of it."""
    if executor is None and workers <= 1:
        for number, make in making.items():
            yield number, make(partial(tally.step, number))
        return
    # Workers of another's executor may run on other machines.
    counts = shared_counts(max(making, default=-1) + 1) if executor is None else None
    with worker_processes(workers, counts) if executor is None else nullcontext(executor) as pool:
        futures: dict[Future[Made], int] = uninterrupted(
            lambda: {
                pool.submit(_make_alone, make, None if counts is None else number): number
                for number, make in making.items()
            }
        )
        waiting = set(futures)
        try:
            while waiting:
                finished, waiting = wait(waiting, None if counts is None else _LOOK, FIRST_COMPLETED)
                for number, count in enumerate(counts or ()):
                    tally.reach(number, count)
                for future in finished:
                    yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise OutputError(
                "a worker process was killed, perhaps for want of memory: run again with fewer workers, finished "
                'shards are kept (or this script does not keep its own work under `if __name__ == "__main__"`)'
            ) from error
        except BaseException:
            # Our own pool does so itself: one that breaks while others cancel ends with a traceback of its own.
            if executor is not None:
                for future in futures:
                    future.cancel()
            raise


def _make_alone(make: Callable[..., Made], place: int | None) -> Made:
    """Make a shard in a worker, and count its readouts there."""
    # The other cores have work of their own, and what there is to warn of the first process has told.
    with thread_limit(1), catch_warnings():
        for told in (UnknownWeightsWarning, SlowPrecisionWarning, UnlockedWarning):
            simplefilter("ignore", told)
        return make(None if place is None else partial(count_up, place))


def _remove_leftovers(folders: set[Path]) -> None:
    for folder in folders:
        remove_stale_temporaries(folder)


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
