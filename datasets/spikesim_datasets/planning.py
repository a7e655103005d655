"""What a build will make: the shards of every clip, what is there already, what is too short, and what it will cost."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikesim.brief import Brief
from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim.hdf5 import looked_through
from spikesim_datasets.camera_choice import check_calibration
from spikesim_datasets.exposure import ExposurePlan, Window
from spikesim_datasets.optics import check_ratio
from spikesim_datasets.readouts import raw_frames
from spikesim_datasets.recipe import Recipe
from spikesim_datasets.shards.axes import axis_lengths
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.fields import sample_bytes
from spikesim_datasets.shards.index import shard_files
from spikesim_datasets.shards.reader import ShardReader
from spikesim_datasets.shards.schema import threshold_name
from spikesim_datasets.sources import Clip
from spikesim_datasets.sources.clip import require_clip
from spikesim_datasets.synthesis import require_flow, synthesise

_OF_FILES = {"files", "bytes", "sha256", "photos"}
"""What fingerprints say of the files of clips."""


@dataclass(frozen=True, repr=False)
class ShardJob(Brief):
    """One shard to make.

    Attributes:
        clip: Source of its samples.
        windows: Their windows, consecutive.
        path: Of the shard.
        identity: What decides its arrays, as JSON values: equal identities mean equal arrays.
    """

    clip: Clip
    windows: tuple[Window, ...]
    path: Path
    identity: dict[str, Any]

    def is_in(self, shard: ShardReader) -> bool:
        """Whether a shard holds what this job makes."""
        windows = {*shard.windows, *shard.diagnostics.left_out}
        return _identity(shard.recipe) == self.identity and windows == {window.index for window in self.windows}


@dataclass(frozen=True, repr=False)
class BuildPlan(Brief):
    """All shards of a build.

    Attributes:
        jobs: Shards, by clip and window.
        skipped: Keys of clips too short for one window, with their numbers of frames.
    """

    jobs: tuple[ShardJob, ...]
    skipped: dict[str, int]

    def samples(self) -> int:
        """Samples of all shards."""
        return sum(len(job.windows) for job in self.jobs)


def plan_build(clips: Sequence[Clip], out: Path, recipe: Recipe) -> BuildPlan:
    """Cut clips into shards.

    Raises:
        InvalidValueError: A clip's size is no multiple of the ratio, or not that of a calibration, two have one key,
            none is long enough for one window, a misaligned camera may look past too much of one, or flow is wanted of
            a clip whose motion is neither known nor estimated, or of which fewer than two sharp frames are kept.
        InputFileError: A calibration is missing, damaged, or another than the one meant.
    """
    interpolator, choices = recipe.interpolation.make(), recipe.choices()
    jobs: list[ShardJob] = []
    skipped: dict[str, int] = {}
    keys: set[str] = set()
    for clip in map(require_clip, clips):
        if clip.key in keys:
            raise InvalidValueError(f"two clips would be called {clip.key!r} in the dataset; rename one")
        keys.add(clip.key)
        check_ratio(clip.height, clip.width, recipe.optics.ratio, clip.key)
        check_calibration(recipe.cameras, clip, recipe.optics.ratio)
        require_flow(clip, recipe, interpolator)
        if recipe.misalign is not None:
            recipe.misalign.check(clip.height, clip.width, clip.key)
        frames = raw_frames(clip, interpolator, recipe.plan)
        windows = recipe.watched.windows(frames)
        if not windows:
            skipped[clip.key] = clip.n_frames
            continue
        identity = {"clip": {"key": clip.key, **clip.fingerprint()}, "choices": choices}
        for part, first in enumerate(range(0, len(windows), recipe.shard_samples)):
            path = out / f"{clip.key}.{part:03d}.h5"
            jobs.append(ShardJob(clip, tuple(windows[first : first + recipe.shard_samples]), path, identity))
    if not jobs:
        needed, why = recipe.watched.frames_for_one_window, ""
        if interpolator.dense:
            needed = recipe.plan.clip_readouts(needed)
            why = f" where each is a readout, as the interpolation {interpolator.name!r} takes them"
        raise InvalidValueError(
            f"no clip is long enough: one window takes {needed} frames{why}, but "
            + (", ".join(f"{key} has {frames}" for key, frames in skipped.items()) or "there is no clip at all")
        )
    return BuildPlan(tuple(jobs), skipped)


def finished_jobs(
    plan: BuildPlan, out: Path, recipe: Recipe, *, overwrite: bool
) -> tuple[list[tuple[ShardJob, int, Diagnostics]], list[Path]]:
    """The jobs whose shards are there already, made by the same recipe from the same clips.

    Shards of other clips may lie beside them if their recipe's choices are the same: a dataset can be built in several
    goes.

    Args:
        plan: What is to be made.
        out: Folder of the dataset.
        recipe: The recipe.
        overwrite: Take shards of another recipe or another clip of the same name for such as are replaced, instead of
            refusing them.

    Returns:
        Each job, how many samples its shard holds, and what was found of the clip; and the shards to replace.

    Raises:
        OutputError: A shard of another recipe, or a file that is no whole shard, is in the way.
    """
    by_path = {job.path: job for job in plan.jobs}
    keys = {job.clip.key for job in plan.jobs} | plan.skipped.keys()
    finished: list[tuple[ShardJob, int, Diagnostics]] = []
    replaced: list[Path] = []
    for file in looked_through(shard_files(out)):
        try:
            with ShardReader(file) as shard:
                key, made_by, samples, diagnostics = shard.key, shard.recipe, len(shard), shard.diagnostics
                job = by_path.get(file)
                is_finished = job is not None and job.is_in(shard)
        except InputFileError as error:
            raise OutputError(f"{error}; remove it, or choose another folder") from error
        if job is not None and is_finished:
            finished.append((job, samples, diagnostics))
            continue
        if key not in keys and made_by.get("choices") == recipe.choices():
            continue
        if not overwrite:
            differing = difference(made_by, job.identity if job else {"choices": recipe.choices()})
            raise OutputError(
                f"{file} was built with another recipe ({differing}); choose another folder, or give --overwrite to "
                "rebuild its shards"
            )
        replaced.append(file)
    return finished, replaced


def readouts_of(job: ShardJob, plan: ExposurePlan) -> int:
    """Readouts of the clip that a job makes; streams of neighbouring windows overlap and share them."""
    return (len(job.windows) - 1) * min(plan.period, plan.stream_length) + plan.stream_length


def seconds_per_readout(clip: Clip, recipe: Recipe) -> float:
    """Seconds that one readout of a clip takes on one core, measured on its first two raw frames."""
    plan = ExposurePlan(frames=2, factor=recipe.plan.factor, gap=recipe.plan.factor - 1, padding=0)
    window = plan.windows(2)
    rig = recipe.misalign and replace(recipe.misalign, offset=0)
    recipe = replace(recipe.resolve(), plan=plan, sharp="none", flow=False, misalign=rig)
    interpolator = recipe.interpolation.make()
    for _ in range(2):  # the first go compiles
        start = time.perf_counter()
        list(synthesise(clip, window, recipe, interpolator))
        seconds = time.perf_counter() - start
    return seconds / plan.readouts


def uncompressed_bytes(jobs: Sequence[ShardJob], recipe: Recipe) -> int:
    """Size of all arrays of some shards; images shrink when compressed, spikes do not."""
    total = 0
    thresholds = [camera.v_th for camera in recipe.cameras]
    for job in jobs:
        sharp = len(recipe.plan.sharp_frames(recipe.sharp_of(job.clip.split)))
        lengths = axis_lengths(sharp, recipe.plan.stream_length, job.clip.height, job.clip.width, recipe.optics.ratio)
        total += len(job.windows) * sample_bytes(lengths, thresholds, recipe.extra)
    return total


def difference(made_by: dict[str, Any], wanted: dict[str, Any]) -> str:
    """Which parts of the recipe of a shard are not those that are wanted, in words.

    Args:
        made_by: The recipe in the shard.
        wanted: The identity of a job, or its choices alone.
    """
    old, new = made_by.get("choices") or {}, wanted["choices"]
    if old != new:
        return "; ".join(_change(name, old.get(name), new.get(name)) for name in _changed(old, new))
    if "clip" in wanted and made_by.get("clip") != wanted["clip"]:
        return f"from another clip of this name: {_clip_changes(made_by.get('clip') or {}, wanted['clip'])}"
    return "with other windows"


def _identity(made_by: dict[str, Any]) -> dict[str, Any]:
    return {name: made_by.get(name) for name in ("clip", "choices")}


def _changed(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [name for name in {**new, **old} if old.get(name) != new.get(name)]


def _clip_changes(old: Any, new: dict[str, Any]) -> str:
    """What tells two clips of one name apart; of files, whose checksums say nothing to people, that they differ."""
    if not isinstance(old, dict):
        return "its recipe says nothing of it"
    changed = _changed(old, new)
    words = ["its files are others"] if _OF_FILES & {*changed} else []
    for name in changed:
        if name == "excerpt":
            words.append(f"{_frames_of(old.get(name))} there, {_frames_of(new.get(name))} now")
        elif name not in _OF_FILES:
            words.append(_change(name, old.get(name), new.get(name)))
    return "; ".join(words)


def _frames_of(excerpt: Any) -> str:
    match excerpt:
        case {"start": int(start), "frames": int(frames)}:
            return f"frames {start}..{start + frames - 1}"
    return "all frames"


def _change(name: str, old: Any, new: Any) -> str:
    """How one choice differs; of cameras, whose noise fills lines, what matters."""
    if name != "cameras":
        return f"{name}: {old} there, {new} now"
    try:
        thresholds, wanted = ([camera["v_th"] for camera in cameras] for cameras in (old or [], new))
        if thresholds != wanted:
            return f"V_th: {_listed(thresholds)} there, {_listed(wanted)} now"
        pairs = list(zip(old, new, strict=True))
        fields = (field for field in new[0] if any(a.get(field) != b[field] for a, b in pairs))
        return f"cameras: another {', '.join(fields)}"
    except (TypeError, KeyError, ValueError, IndexError, AttributeError):  # a file of others may hold anything there
        return "cameras: others"


def _listed(thresholds: list[float]) -> str:
    return ", ".join(map(threshold_name, thresholds)) or "none"
