"""The units that a build divides its work into: whole shards, and pieces of a shard where too few shards are left."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial, reduce
from heapq import heapreplace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from spikesim.errors import OutputError
from spikesim.files import checksum, remove_stale_temporaries, temporary_beside
from spikesim.locks import locked
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.planning import ShardJob, difference, readouts_of
from spikesim_datasets.recipe import Recipe
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.index import ShardEntry, describe_shard
from spikesim_datasets.shards.reader import ShardReader
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.shards.writer import ShardWriter
from spikesim_datasets.sources import origin_of
from spikesim_datasets.synthesis import synthesise
from spikesim_datasets.work_pools import WorkPool

Made = tuple[ShardEntry | None, Diagnostics]
"""What came of a shard: its line of the index, None where cuts left no sample for it, and what was found."""


@dataclass(frozen=True)
class Setting:
    """What all units of a build have in common.

    Attributes:
        out: Folder of the dataset.
        recipe: How everything is made.
        record: What else is written into the recipes of shards, as JSON values.
    """

    out: Path
    recipe: Recipe
    record: dict[str, Any]


@dataclass(frozen=True)
class DividedShard:
    """A shard to make, and what of it is made at a time.

    Attributes:
        job: The shard.
        units: It alone, or pieces of it: each has some of its windows, in order, and is a file of its own.
    """

    job: ShardJob
    units: tuple[ShardJob, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it is made in one go."""
        return len(self.units) == 1


def divided(jobs: Sequence[ShardJob], workers: int, plan: ExposurePlan) -> list[DividedShard]:
    """Divide shards so that no worker is idle long while others finish.

    The last shards are made in as many pieces as there are workers: those that would be left when all workers have had
    as many whole ones, or one for each worker, or none, whichever ends first by the number of readouts. Streams of
    neighbouring windows overlap: where a shard is cut in two, the readouts that both pieces need are made twice, the
    windows are not.

    Args:
        jobs: Shards to make, in this order.
        workers: How many units are made at a time.
        plan: How clips are cut into windows.
    """
    # Between streams that do not overlap there are frames that only a whole shard looks at, for cuts.
    if workers < 2 or plan.stream_length < plan.period:
        return [DividedShard(job, (job,)) for job in jobs]
    ways = []
    for number in sorted({0, len(jobs) % workers, min(len(jobs), workers)}):
        whole = len(jobs) - number
        ways.append(
            [*(DividedShard(job, (job,)) for job in jobs[:whole])]
            + [DividedShard(job, _pieces(job, workers)) for job in jobs[whole:]]
        )
    return min(ways, key=lambda shards: _readouts_until_end(shards, workers, plan))


def _readouts_until_end(shards: Sequence[DividedShard], workers: int, plan: ExposurePlan) -> int:
    """How many readouts the busiest worker makes, if whoever is free takes the next unit."""
    busy = [0] * workers
    for shard in shards:
        for unit in shard.units:
            heapreplace(busy, busy[0] + readouts_of(unit, plan))
    return max(busy)


def _pieces(job: ShardJob, most: int) -> tuple[ShardJob, ...]:
    if (number := min(len(job.windows), most)) < 2:
        return (job,)
    bounds = [len(job.windows) * i // number for i in range(number + 1)]
    return tuple(
        replace(job, windows=job.windows[start:stop], path=temporary_beside(job.path))
        for start, stop in pairwise(bounds)
    )


def make_shards(
    shards: Sequence[DividedShard],
    pool: WorkPool,
    place: int,
    setting: Setting,
    before: Callable[[], None] | None = None,
) -> Iterator[tuple[ShardJob, Made]]:
    """Make shards, in any order; what was made in pieces is joined when the last of them is there.

    Args:
        shards: What to make.
        pool: Where.
        place: Of the first unit among those that are counted; the others follow.
        setting: For all of them.
        before: As for `make_shard`.

    Raises:
        InvalidValueError, InputFileError, OutputError: As for `make_shard`.
    """
    for shard in shards:
        for unit in shard.units:
            make = partial(make_shard, before=before) if shard.is_whole else make_piece
            pool.submit((shard, unit), partial(make, unit, setting), place)
            place += 1
    found: dict[Path, list[Diagnostics]] = {}
    for (shard, unit), made in pool.results():
        if unit is None or shard.is_whole:
            yield shard.job, made
            continue
        in_pieces = found.setdefault(shard.job.path, [])
        in_pieces.append(made)
        if len(in_pieces) == len(shard.units):
            whole = reduce(Diagnostics.merge, found.pop(shard.job.path))
            pool.submit((shard, None), partial(join_pieces, shard, whole, setting, before))


def make_shard(
    job: ShardJob,
    setting: Setting,
    on_readout: Callable[[], None] | None = None,
    before: Callable[[], None] | None = None,
) -> Made:
    """Make one shard, unless another builder has; it depends on nothing but the arguments.

    Args:
        job: What to make.
        setting: Of the build.
        on_readout: As for `synthesis.synthesise`.
        before: Removes what the shard replaces, which may have its name; called when it is whole.

    Raises:
        InvalidValueError: The interpolator describes itself otherwise in this process than where the job was planned.
        InputFileError: A frame is damaged.
        OutputError: The shard cannot be written, or the folder is another recipe's by now.
    """
    # A worker may outlive the build that has locked the folder, and another recipe may have it by now.
    with locked(setting.out, job.identity["choices"]):
        diagnostics = Diagnostics()
        if before is not None or not job.path.exists():  # else another builder has been quicker
            samples = _synthesised(job, setting.recipe, diagnostics, on_readout)
            _write(job, samples, setting, diagnostics, before)
        return _found(job, setting.out, diagnostics)


def make_piece(
    piece: ShardJob,
    setting: Setting,
    on_readout: Callable[[], None] | None = None,
) -> Diagnostics:
    """Make a piece of a shard: a shard of some of its windows, or no file where cuts leave no sample for it.

    Args:
        piece: What to make.
        setting, on_readout: As for `make_shard`.

    Returns:
        What was found of the clip.

    Raises:
        InvalidValueError, InputFileError, OutputError: As for `make_shard`.
    """
    with locked(setting.out, piece.identity["choices"]):
        diagnostics = Diagnostics()
        samples = _synthesised(piece, setting.recipe, diagnostics, on_readout)
        _write(piece, samples, setting, diagnostics, None)
        return diagnostics


def join_pieces(
    shard: DividedShard, diagnostics: Diagnostics, setting: Setting, before: Callable[[], None] | None = None
) -> Made:
    """Make a shard of its pieces, which are gone then.

    Args:
        shard: The shard and its pieces.
        diagnostics: What was found of the clip in all of them.
        setting, before: As for `make_shard`.

    Raises:
        InputFileError: A piece is damaged.
        OutputError: As for `make_shard`.
    """
    job = shard.job
    with locked(setting.out, job.identity["choices"]):
        if before is not None or not job.path.exists():
            with ExitStack() as stack:
                pieces = [stack.enter_context(ShardReader(unit.path)) for unit in shard.units if unit.path.exists()]
                samples = (piece.sample(number) for piece in pieces for number in range(len(piece)))
                _write(job, samples, setting, diagnostics, before)
        remove_pieces([shard])
        return _found(job, setting.out, diagnostics)


def remove_pieces(shards: Sequence[DividedShard]) -> None:
    """Remove what was made of shards in pieces and was not joined."""
    for shard in shards:
        if not shard.is_whole:
            for unit in shard.units:
                unit.path.unlink(missing_ok=True)


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Remove what killed builders left half-written in the folders of shards."""
    for folder in folders:
        remove_stale_temporaries(folder)


def _synthesised(
    job: ShardJob, recipe: Recipe, diagnostics: Diagnostics, on_readout: Callable[[], None] | None
) -> Iterator[Sample]:
    # Pinned to what the shard's recipe will say, whatever this machine has.
    interpolator = recipe.interpolation.pin(job.identity["choices"]["interpolation"]).make()
    return synthesise(job.clip, job.windows, recipe, interpolator, diagnostics, on_readout)


def _write(
    job: ShardJob,
    samples: Iterator[Sample],
    setting: Setting,
    diagnostics: Diagnostics,
    before: Callable[[], None] | None,
) -> None:
    """Write a shard, unless there is no sample for it or another is quicker; diagnostics are whole after the last."""
    if (first := next(samples, None)) is not None:
        origin = origin_of(job.clip)
        recorded = {**job.identity, **({"origin": origin} if origin else {}), **setting.record}
        with ShardWriter(job.path, recorded, setting.recipe.compression, replace=False, before=before) as writer:
            for sample in chain([first], samples):
                writer.append(sample)
            writer.note(diagnostics)
    elif before is not None:
        before()


def _found(job: ShardJob, out: Path, diagnostics: Diagnostics) -> Made:
    """What is there of a shard now."""
    if not job.path.exists():
        return None, diagnostics
    with ShardReader(job.path) as shard:
        if not job.is_in(shard):
            differing = difference(shard.recipe, job.identity)
            raise OutputError(f"{job.path} has been built meanwhile, {differing}; choose another folder")
        diagnostics = shard.diagnostics
    return describe_shard(out, job.path, checksum(job.path)), diagnostics
