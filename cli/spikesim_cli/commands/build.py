"""`build-gopro` and `build`: video to shards."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import (
    PATH,
    ThresholdCommand,
    check_reading,
    given,
    optics_of,
    overwrite_option,
    parse_numbers,
    reading_of,
    refuse,
    sensor_of,
    spec_of,
    stretch_options,
    synthesis_options,
    thresholds_option,
    together,
)

if TYPE_CHECKING:
    from spikesim_datasets.exposure import ExposurePlan, Window
    from spikesim_datasets.recipe import Recipe
    from spikesim_datasets.rig import Rig
    from spikesim_datasets.shards.diagnostics import Diagnostics
    from spikesim_datasets.sources import Clip


_BUILT = {
    "out": "folder of the dataset",
    "built": "number of shards made",
    "kept": "number of shards that were finished before",
    "samples": "number of samples in all these",
    "skipped.{clip}": "number of frames of a clip that is too short for one window",
    "diagnostics.{clip}.cuts": "frames of a clip that begin a new scene",
    "diagnostics.{clip}.fast": "frames of a clip to which motion was too fast to be followed",
    "diagnostics.{clip}.left_out": "windows of a clip that were left out because of a cut",
    "bytes": "size of the dataset's shards, or of those of the part, bytes",
    "readouts": "number of readouts that this build made",
    "seconds": "time it took, seconds",
}
_PLANNED = {
    "exposure.factor": "readouts from one frame to the next",
    "exposure.frames": "frames that an exposure covers",
    "exposure.gap": "readouts between exposures",
    "exposure.padding": "readouts of a stream before its exposure, and after it",
    "exposure.readouts": "readouts of an exposure",
    "exposure.period": "readouts from one exposure to the next",
    "exposure.stream_length": "readouts of a stream",
    "exposure.span": "readouts of the stream that are exposed: the first, and the one after the last",
    "windows.{clip}[].index": "number of a window of a clip",
    "windows.{clip}[].first_frame": "frame of the clip that begins its exposure",
    "windows.{clip}[].first_readout": "readout of the clip that begins its exposure",
    "clips.{clip}": "number of samples of a clip",
    "skipped.{clip}": "number of frames of a clip that is too short for one window",
    "samples": "number of all samples",
    "build.shards": "number of shards that would be built",
    "build.samples": "number of samples in them",
    "keep.shards": "number of shards that would be kept",
    "keep.samples": "number of samples in them",
    "bytes_at_most": "size of what would be built, uncompressed, bytes",
    "seconds": "time it would take, seconds",
}


def _gpus(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    return parse_numbers((value,), int, "GPUs as --gpus 0,1") if value is not None else None


def _part(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    number, slash, parts = value.partition("/")
    if not (slash and number.isdecimal() and parts.isdecimal() and 1 <= int(number) <= int(parts)):
        raise click.BadParameter(f"{value!r} is no part; write the second of three as 2/3")
    return int(number), int(parts)


_build_options = together(
    thresholds_option,
    synthesis_options,
    click.option(
        "--cuts",
        type=click.Choice(["keep", "skip"]),
        show_default="keep",
        help="Whether windows across a scene cut are kept or skipped.",
    ),
    click.option(
        "--sharp",
        type=click.Choice(["middle", "sequence", "none"]),
        show_default="middle for train, sequence for test",
        help="Ground truth to keep: the middle raw frame, every second one, or none.",
    ),
    click.option(
        "--exposure",
        metavar="NAME",
        show_default="ssdm",
        help="A published exposure: ssdm, gopro7, gopro11, gopro13, spkdeblurnet. What follows changes it.",
    ),
    click.option(
        "--exposure-frames",
        type=click.IntRange(1),
        show_default="13",
        help="Raw frames that an exposure covers: 13 with 8 readouts from one to the next are 97 readouts.",
    ),
    click.option(
        "--gap",
        type=click.IntRange(0),
        show_default="7, less than a raw frame",
        help="Readouts between exposures that belong to none.",
    ),
    click.option(
        "--padding",
        type=click.IntRange(0),
        show_default="20",
        help="Readouts of a stream before its exposure, and after it.",
    ),
    stretch_options,
    click.option(
        "--light", is_flag=True, default=None, help="Keep the light of every readout, for training with drawn sensors."
    ),
    click.option(
        "--flow",
        is_flag=True,
        help="Keep the optical flow between sharp frames: exact of photo: and demo:SCENE#N, else the interpolator's "
        "estimate; with --sharp sequence.",
    ),
    click.option(
        "--misalign",
        metavar="RIG",
        help="Misalign the spike camera: beam-splitter, binocular, a .toml file of a rig, or a homography H.txt.",
    ),
    click.option(
        "--misalign-per",
        type=click.Choice(["clip", "sample"]),
        show_default="clip, or that of RIG",
        help="What gets a misalignment of its own.",
    ),
    click.option("--shard-samples", type=click.IntRange(1), show_default="8", help="Most samples in a shard."),
    click.option(
        "--compression",
        type=click.Choice(["zstd", "gzip", "none"]),
        show_default="zstd",
        help="Of images; gzip and none need no plugin to read.",
    ),
    click.option("--workers", type=click.IntRange(1), show_default="one a core", help="Processes."),
    click.option(
        "--gpus",
        callback=_gpus,
        metavar="N,N,...",
        help="GPUs for interpolation by a network, with a process on each: 0,1, or 0,0,1,1 for two on each.",
    ),
    click.option(
        "--scheduler",
        metavar="ADDRESS",
        help="Have the workers of a Dask scheduler do the work: tcp://HOST:PORT, its .json file, or local:N.",
    ),
    click.option(
        "--part",
        callback=_part,
        metavar="I/N",
        help="Make the I-th of N parts of the shards and no index, as one of several jobs; then `spikesim index`.",
    ),
    overwrite_option("shards that another recipe made"),
    click.option(
        "--dry-run", is_flag=True, help="Print what would be built and kept, its size and time; build nothing."
    ),
    json_option(JsonDocument(_BUILT, "a build"), JsonDocument(_PLANNED, "--dry-run")),
)


@click.command(cls=ThresholdCommand)
@click.option("--root", type=PATH, default="GOPRO", show_default=True, help="The GOPRO_Large_all tree.")
@click.option("--out", type=PATH, default="data/gopro", show_default=True, help="Folder of the dataset.")
@_build_options
def build_gopro(root: Path, out: Path, **options: Any) -> None:
    """Build a spike dataset from GOPRO: 97-frame blurs, ¼-size spikes at every threshold, sharp ground truth.

    Running again after an interruption finishes the work. The source is never written to.

    \b
    Examples:
      spikesim build-gopro --root /data/GOPRO_Large_all --out data/gopro --dry-run
      spikesim build-gopro --vth 1 2 4
    """
    from spikesim_datasets.sources import open_gopro

    reading = reading_of(options)
    clips = open_gopro(root, reading)
    check_reading(reading, clips)
    _build(clips, out, **options)


@click.command(cls=ThresholdCommand)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--out", type=PATH, required=True, help="Folder of the dataset.")
@click.option(
    "--split", type=click.Choice(["train", "test"]), default="train", show_default=True, help="Split of the clips."
)
@click.option(
    "--side",
    type=click.IntRange(1),
    metavar="PIXELS",
    help="Side of square frames of photo: that show a part of one of 1280×720, as crops do.",
)
@click.option(
    "--glob",
    "pattern",
    metavar="PATTERN",
    help="Where in a SOURCE that is a folder clips lie, at any depth: '*/*', '**/images'.",
)
@_build_options
def build(
    sources: tuple[str, ...], out: Path, split: str, side: int | None, pattern: str | None, **options: Any
) -> None:
    """Build a spike dataset from any SOURCE: a video file, a folder of frames, a folder of those, still photos, or a
    built-in scene.

    photo:PATH is one clip for each photo (a file, or all of a folder), seen by a shaking camera; photo:PATH#N is N
    random clips of them, rendered exactly at every readout. demo:SCENE is a built-in scene, demo:SCENE#N are N random
    variants of it.

    \b
    Examples:
      spikesim build clip.mp4 frames/ --out data/mine --vth 1 2
      spikesim build 'photo:photos#200' --out data/photos --sharp sequence --flow
      spikesim build long.mp4 --out data/minute --start 3000 --frames 1440
      spikesim build X4K1000FPS/train --out data/x4k --glob '*/*'
      spikesim build demo:street --out data/street
    """
    from spikesim_datasets.sources import open_clips

    reading = reading_of(options)
    clips = open_clips(sources, split, **given(seed=options["seed"], side=side, pattern=pattern), reading=reading)  # type: ignore[arg-type]
    check_reading(reading, clips)
    _build(clips, out, **options)


def _build(
    clips: "list[Clip]",
    out: Path,
    *,
    part: tuple[int, int] | None,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    from contextlib import nullcontext
    from dataclasses import asdict

    from spikesim.addresses import command_line
    from spikesim_cli.console import (
        count,
        duration,
        messages,
        print_json,
        tell_diagnostics,
        tell_licence,
    )
    from spikesim_cli.steps import Steps
    from spikesim_datasets.build import build_clips
    from spikesim_datasets.cluster import open_scheduler
    from spikesim_datasets.recipe import make_recipe
    from spikesim_datasets.sources import excerpt
    from spikesim_report.words import size

    workers, gpus, scheduler = (choices.pop(name) for name in ("workers", "gpus", "scheduler"))
    if scheduler is not None:
        refuse(
            "is of processes of this machine, and those of a --scheduler are started elsewhere",
            workers=workers,
            gpus=gpus,
        )
    if gpus is not None:
        refuse("is the number of --gpus", workers=workers)

    excerpted = given(start=choices.pop("start"), frames=choices.pop("frames"))
    clips = [excerpt(clip, **excerpted) for clip in clips]
    interpolation, optics, plan = spec_of(choices), optics_of(choices), _plan_of(choices)
    sensor = given(v_th=choices.pop("vth")) | sensor_of(choices)
    made = {"interpolation": interpolation, "optics": optics, "plan": plan, "misalign": _rig_of(choices)}
    recipe = make_recipe(**sensor, **given(**made, **choices)).resolve()
    if dry_run:
        refuse("is of builds, and --dry-run makes none", part=part, scheduler=scheduler, gpus=gpus)
        _estimate(clips, out, recipe, workers, overwrite, as_json)
        return
    tell_licence(recipe.choices()["interpolation"])
    steps = Steps("readouts")
    with nullcontext(gpus or workers) if scheduler is None else open_scheduler(scheduler) as by, steps.shown():
        report = build_clips(
            clips,
            out,
            recipe,
            workers=by,
            part=part,
            overwrite=overwrite,
            on_progress=steps.tell,
            command=command_line("spikesim"),
        )
    _tell_skipped(report.skipped)
    for key, diagnostics in report.diagnostics.items():
        tell_diagnostics(key, diagnostics, _at_cuts(diagnostics))
    if as_json:
        print_json(asdict(report))
        return
    speed = f", {report.readouts / report.seconds:.1f} readouts/s" if report.built else ""
    messages.print(
        f"{out}: {count(report.samples, 'sample')}, {size(report.bytes)}; {report.built} shards built, "
        f"{report.kept} kept, {len(report.skipped)} clips skipped, in {duration(report.seconds)}{speed}"
    )


def _plan_of(choices: dict[str, Any]) -> "ExposurePlan":
    """The exposures that options ask for, which are taken out."""
    from spikesim_datasets.exposure import ExposurePlan

    named = {"name": choices.pop("exposure"), "frames": choices.pop("exposure_frames")}
    return ExposurePlan.preset(**given(**named, **{name: choices.pop(name) for name in ("factor", "gap", "padding")}))


def _rig_of(choices: dict[str, Any]) -> "Rig | None":
    """The rig that options ask for, which are taken out."""
    from dataclasses import replace

    from spikesim_datasets.rig import Rig

    named, per = choices.pop("misalign"), choices.pop("misalign_per")
    if named is None:
        refuse("is of a rig, and there is no --misalign", misalign_per=per)
        return None
    return replace(Rig.of(named), **given(per=per))


def _estimate(
    clips: "list[Clip]", out: Path, recipe: "Recipe", workers: int | None, overwrite: bool, as_json: bool
) -> None:
    """What `--dry-run` prints: what a run would build and keep."""
    from dataclasses import asdict, replace

    from spikesim.threads import available_cores
    from spikesim_cli.console import count, duration, messages, print_json, print_table
    from spikesim_datasets.planning import (
        finished_jobs,
        plan_build,
        readouts_of,
        seconds_per_readout,
        uncompressed_bytes,
    )
    from spikesim_report.words import size

    plan = plan_build(clips, out, recipe)
    finished, _ = finished_jobs(plan, out, recipe, overwrite=overwrite)
    kept = {job.path: samples for job, samples, _ in finished}
    waiting = replace(plan, jobs=tuple(job for job in plan.jobs if job.path not in kept))
    workers, seconds = min(workers or available_cores(), len(waiting.jobs)), 0.0
    if waiting.jobs:
        messages.print("measuring the speed on the first clip ...")
        readouts = sum(readouts_of(job, recipe.watched) for job in waiting.jobs)
        seconds = readouts * seconds_per_readout(waiting.jobs[0].clip, recipe) / workers
    samples = {job.clip.key: [0, 0] for job in plan.jobs}  # to build, and kept
    windows: dict[str, list[Window]] = {key: [] for key in samples}
    for job in plan.jobs:
        samples[job.clip.key][job.path in kept] += kept.get(job.path, len(job.windows))
        windows[job.clip.key] += job.windows
    exposure = recipe.plan
    total = uncompressed_bytes(waiting.jobs, recipe)
    if as_json:
        print_json(
            {
                "exposure": {
                    **asdict(exposure),
                    "readouts": exposure.readouts,
                    "period": exposure.period,
                    "stream_length": exposure.stream_length,
                    "span": exposure.exposure,
                },
                "windows": {key: [asdict(window) for window in found] for key, found in windows.items()},
                "clips": {key: sum(both) for key, both in samples.items()},
                "skipped": plan.skipped,
                "samples": sum(map(sum, samples.values())),
                "build": {"shards": len(waiting.jobs), "samples": waiting.samples()},
                "keep": {"shards": len(kept), "samples": sum(kept.values())},
                "bytes_at_most": total,
                "seconds": seconds,
            }
        )
        return
    by_key = {clip.key: clip for clip in clips}
    rows = [
        (
            key,
            by_key[key].n_frames,
            f"{by_key[key].width}×{by_key[key].height}",
            f"{windows[key][0].first_readout}..{windows[key][-1].first_readout + exposure.readouts - 1}",
            *both,
        )
        for key, both in samples.items()
    ]
    print_table(("clip", "frames", "size", "exposed readouts", "to build", "kept"), rows, "Samples")
    start, stop = exposure.exposure
    messages.print(
        f"exposures of {count(exposure.readouts, 'readout')} begin every {exposure.period}, in streams of "
        f"{exposure.stream_length}, whose readouts {start}..{stop - 1} they are"
    )
    _tell_skipped(plan.skipped)
    build = f"would build {count(waiting.samples(), 'sample')} in {count(len(waiting.jobs), 'shard')}"
    if waiting.jobs:
        build += (
            f", at most {size(total)} (images shrink when compressed), about {duration(seconds)} with "
            f"{count(workers, 'worker')}"
        )
    messages.print(f"{build}, and keep {count(len(kept), 'shard')}; nothing was built")


def _at_cuts(diagnostics: "Diagnostics") -> str:
    from spikesim_cli.console import count

    if diagnostics.left_out:
        return f"skipped {count(len(diagnostics.left_out), 'window')} across them"
    return "--cuts skip leaves out the windows across them"


def _tell_skipped(skipped: dict[str, int]) -> None:
    from spikesim_cli.console import messages

    for key, frames in skipped.items():
        messages.print(f"skipped {key}: {frames} frames are too few for one window")
