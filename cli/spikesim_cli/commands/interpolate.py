"""`interpolate`: the frames between frames, on disk, or how good they are."""

from dataclasses import asdict
from functools import partial
from itertools import accumulate
from statistics import fmean
from typing import TYPE_CHECKING, Any

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import (
    INTERPOLATORS,
    check_free,
    check_reading,
    given,
    network_of,
    network_options,
    one_clip,
    overwrite_option,
    reading_of,
    reading_options,
    refuse,
    stretch_of,
    stretch_options,
)

if TYPE_CHECKING:
    from spikesim_datasets.comparison import Comparison
    from spikesim_datasets.sources import Reading

_WRITTEN = {
    "output": "the folder or video",
    "frames": "number of frames in it",
    "kept": "number of frames that were there already",
    "cuts": "frames of INPUT that begin a new scene",
    "fast": "frames of INPUT to which motion was too fast to be followed",
}
_CHECKED = {
    "[].clip": "key of the clip",
    "[].name": "its name",
    "[].triples": "number of triples of frames that were compared",
    "[].cuts": "number of triples left out because they lie across a scene cut",
    "[].scores[].interpolator": "the interpolator",
    "[].scores[].psnr": "mean PSNR over the triples, dB; equal frames count as 100",
    "[].scores[].least_psnr": "PSNR of the worst triple, dB",
    "[].scores[].ssim": "mean SSIM over the triples, at most 1",
    "[].scores[].least_ssim": "SSIM of the worst triple",
    "[].scores[].seconds": "time that a frame takes alone, seconds, the median",
}
_TITLE = "Frames made at t = 1/2: PSNR in dB, SSIM, milliseconds a frame"


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="INPUT... [OUTPUT]")
@click.option(
    "--interp",
    "interpolations",
    multiple=True,
    show_default="flow; flow and linear with --check",
    help=f"What makes the frames: {INTERPOLATORS}; with --check give several.",
)
@network_options
@reading_options
@click.option("--factor", type=click.IntRange(1), show_default="8", help="Frames from one of INPUT to the next.")
@stretch_options
@click.option("--fps", type=click.IntRange(1), show_default="30", help="Frames per second that a video is shown at.")
@overwrite_option("a video, or frames in a folder that were made otherwise")
@click.option("--check", is_flag=True, help="Compare interpolators on INPUT, and write nothing.")
@click.option(
    "--every",
    type=click.IntRange(1),
    show_default="14, more in clips that would have over 25",
    help="With --check: frames from one triple to the next.",
)
@json_option(JsonDocument(_WRITTEN, "frames that are written"), JsonDocument(_CHECKED, "--check"))
def interpolate(
    paths: tuple[str, ...],
    interpolations: tuple[str, ...],
    check: bool,
    every: int | None,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write the frames of INPUT, a video file, a folder of frames, photo:FILE or demo:SCENE, and those between them to
    OUTPUT, a folder or a video (.mp4, .mov, .mkv). Of photo:FILE those between are exact and not interpolated.

    A folder gets 000123.png for frame 123 and 000123_000.png ... for those up to the next, and OUTPUT.json beside it
    says how they were made; run again after an interruption to finish it. `build OUTPUT --interp none` reads it.

    With --check there is no OUTPUT: of triples of every INPUT's frames the middle one is made from its neighbours and
    compared with the truth (PSNR, SSIM), for each interpolator given.

    \b
    Examples:
      spikesim interpolate clip.mp4 frames/ --factor 8
      spikesim interpolate clip.mp4 slow.mp4 --interp rife --weights flownet.pkl
      spikesim interpolate --check clip.mp4 other.mp4 --interp flow --interp linear
    """
    network, reading = network_of(options), reading_of(options)
    writing = given(**options, overwrite=overwrite or None)
    if check:
        if writing:
            raise click.UsageError(f"--check writes no frames; leave out {', '.join(f'--{name}' for name in writing)}")
        _check(paths, reading, interpolations or ("flow", "linear"), network, every, as_json)
        return
    if len(paths) != 2:
        raise click.UsageError(f"give INPUT and OUTPUT, or --check and inputs alone; got {len(paths)} paths")
    if every is not None:
        raise click.UsageError("--every goes with --check")
    if len(interpolations) > 1:
        raise click.UsageError("frames are made by one --interp; --check compares several")
    interpolation = given(name=next(iter(interpolations), None)) | network
    _write(paths, reading, interpolation, overwrite, as_json, options)


def _write(
    paths: tuple[str, ...],
    reading: "Reading",
    interpolation: dict[str, Any],
    overwrite: bool,
    as_json: bool,
    options: dict[str, Any],
) -> None:
    from spikesim.checks import require_path
    from spikesim_cli.console import messages, print_json, tell_diagnostics
    from spikesim_cli.steps import Steps
    from spikesim_datasets.clip_interpolation import interpolate_clip
    from spikesim_datasets.interpolation import InterpolatorSpec
    from spikesim_datasets.videos import CONTAINERS

    source, output = paths[0], require_path(paths[1], "OUTPUT")
    check_free(output, overwrite)
    if output.suffix.lower() not in CONTAINERS:
        refuse("is of videos, and OUTPUT is a folder", fps=options["fps"])
    clip, stretch = one_clip(source, reading), stretch_of(options)
    steps = Steps("frames")
    with steps.shown():
        made = interpolate_clip(
            clip,
            output,
            InterpolatorSpec(**interpolation),
            stretch,
            overwrite=overwrite,
            on_progress=steps.tell,
            **given(**options),
        )
    tell_diagnostics(clip.name, made.diagnostics, "what lies before them is a mixture of two scenes")
    if as_json:
        found = {"cuts": made.diagnostics.cuts, "fast": made.diagnostics.fast}
        print_json({"output": output, "frames": made.frames, "kept": made.kept, **found})
        return
    kept = f", {made.kept} of them kept" if made.kept else ""
    messages.print(f"{output}: {made.frames} frames of {clip.width}×{clip.height}{kept}")


def _check(
    paths: tuple[str, ...],
    reading: "Reading",
    names: tuple[str, ...],
    network: dict[str, Any],
    every: int | None,
    as_json: bool,
) -> None:
    from spikesim_cli.console import count, messages, print_json
    from spikesim_cli.steps import Steps
    from spikesim_datasets.comparison import compare, specs_to_compare, triples
    from spikesim_datasets.sources import open_clips

    clips = [clip for path in paths for clip in open_clips([path], reading=reading)]
    check_reading(reading, clips)
    interpolators = [spec.make() for spec in specs_to_compare(tuple(dict.fromkeys(names)), **network)]
    counts = [len(triples(clip, every)) for clip in clips]
    total = sum(counts)
    steps = Steps("triples")
    with steps.shown():
        compared = [
            compare(clip, interpolators, every=every, on_progress=partial(steps.tell_part, before, total))
            for clip, before in zip(clips, accumulate(counts, initial=0), strict=False)
        ]
    for comparison in compared:
        if not comparison.scores:
            left_out = count(comparison.cuts, "triple")
            messages.print(f"{comparison.name}: nothing to compare, {left_out} across scene cuts left out")
    if as_json:
        print_json([asdict(comparison) for comparison in compared])
        return
    _show(compared)


def _show(compared: "list[Comparison]") -> None:
    """The table, with means and the worst of all where there are several clips."""
    from spikesim_cli.console import print_table

    scores = [(comparison, score) for comparison in compared for score in comparison.scores]
    rows: list[tuple[Any, ...]] = [
        (
            comparison.name, score.interpolator, score.psnr, score.least_psnr, score.ssim, score.least_ssim,
            round(1e3 * score.seconds, 1), f"{comparison.triples}" + f", {comparison.cuts} cut" * bool(comparison.cuts),
        )
        for comparison, score in scores
    ]  # fmt: skip
    if len(compared) > 1:
        for name in dict.fromkeys(score.interpolator for _, score in scores):
            own = [score for _, score in scores if score.interpolator == name]
            rows.append((
                "all", name, fmean(score.psnr for score in own), min(score.least_psnr for score in own),
                fmean(score.ssim for score in own), min(score.least_ssim for score in own),
                round(1e3 * fmean(score.seconds for score in own), 1), "",
            ))  # fmt: skip
    print_table(("clip", "interp", "PSNR", "worst", "SSIM", "worst", "ms", "triples"), rows, _TITLE)
