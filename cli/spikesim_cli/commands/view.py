"""`view`: an image or a video of spikes."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import (
    PATH,
    PLACE,
    check_free,
    one_description,
    overwrite_option,
    part_options,
    refuse,
    refuse_read_options,
    size_options,
)

_KEYS = {
    "output": "the image or video",
    "kind": "what PATH is: spikes, shard, dataset, layout or source",
    "frames": "number of frames of the video, null of an image",
    "bytes": "size of the file, bytes",
    "rerun": "the recording for Rerun, null without --rerun",
}


@click.command()
@click.argument("path", type=PLACE)
@click.argument("output", type=PATH, required=False)
@click.option(
    "--as",
    "look",
    type=click.Choice(["spikes", "tfp", "tfi", "tfstp"]),
    show_default="tfp",
    help="How to render spikes.",
)
@click.option("--window", type=click.IntRange(1), show_default="21", help="Number of readouts averaged by a TFP.")
@click.option("--sample", type=int, show_default="0", help="Number of the sample in a dataset or shard.")
@click.option("--split", metavar="NAME", show_default="train", help="Split of a dataset.")
@click.option("--vth", type=float, help="Threshold of the spikes in a released layout that does not record it.")
@click.option(
    "--beside",
    type=PLACE,
    multiple=True,
    help="Show the streams of this spike file, shard or dataset beside those of PATH; may be given several times. "
    "Spike files must say their size themselves.",
)
@click.option("--rerun", type=PATH, metavar="FILE.rrd", help="Write a recording for the Rerun viewer, too.")
@click.option("--no-labels", is_flag=True, help="Leave captions out.")
@overwrite_option("OUTPUT if it is there")
@size_options
@part_options
@json_option(JsonDocument(_KEYS))
def view(
    path: Any,
    output: Path | None,
    look: str | None,
    window: int | None,
    beside: tuple[Any, ...],
    rerun: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Render the spikes in PATH, a spike file, a shard, a dataset or a folder in the layout of the S-SDM release, to
    OUTPUT: a .png image, or a .gif or .mp4 video; without OUTPUT, the image to the terminal. Datasets and shards may
    also be given by their address, s3://BUCKET/KEY or https://HOST/PLACE.

    The image of a spike file is a strip of several moments. The image of a sample shows blur and ground truth, and
    below them the spikes, TFP and TFI at every threshold. A video shows the readouts in order. Of a source (a video, a
    folder of frames, an image) it shows the frames as a build would take them. With --beside, streams of any sizes
    are shown at the same readouts.

    \b
    Examples:
      spikesim view recording.dat strip.png --height 250 --width 400 --as tfi
      spikesim view clip.dat part.mp4 --start 1000 --readouts 200
      spikesim view real.h5 both.mp4 --beside simulated.h5
      spikesim view data/gopro sample.png --split test --sample 3
      spikesim view data/gopro sample.mp4 --as spikes
      spikesim view https://host/data/gopro remote.png --sample 3
      spikesim view data/gopro --sample 3 --rerun sample.rrd
      spikesim view clip.mp4 frames.png
      spikesim view data/gopro --sample 3
    """
    from spikesim_cli.console import messages, print_json, results
    from spikesim_cli.shown_streams import read_all, streams_of
    from spikesim_cli.steps import Steps
    from spikesim_cli.terminal_image import print_image
    from spikesim_datasets import visualisation
    from spikesim_datasets.layouts.description import DESCRIPTION
    from spikesim_datasets.recognition import recognise
    from spikesim_datasets.rerun_file import write_rerun
    from spikesim_datasets.shards import Sample

    still = rerun is None if output is None else visualisation.is_still(output)
    kinds = {place: recognise(place) for place in (path, *beside)}
    kind, overwrite, labels = kinds[path], options.pop("overwrite"), not options.pop("no_labels")
    for written in (output, rerun):
        if written is not None:
            check_free(written, overwrite)
    if output is None:
        refuse("is about OUTPUT, and there is none", json=as_json, overwrite=overwrite and rerun is None)
        labels = False  # no letters are readable as letters
    _refuse_meaningless({*kinds.values()}, still and not beside, look=look, window=window, **options)
    if "source" in kinds.values():
        refuse("is about spikes, and a source has none", rerun=rerun, beside=beside)
    if kind != "layout" or (path / DESCRIPTION).is_file():
        refuse("goes with a folder in the released layout that does not record its threshold", vth=options["vth"])
    how: tuple[Any, int] = look or "tfp", window or 21
    with Steps("frames" if kind == "source" else "readouts").shown() as steps:
        if kind == "source":
            clip = one_description(path).clip
            sheet = partial(visualisation.clip_sheet, clip, labels=labels)
            video, length = visualisation.clip_video(clip, labels=labels), clip.n_frames
        else:
            found = read_all(path, beside, kinds, **options)
            streams = streams_of(found)
            first = options["start"] or 0
            length = min(map(len, streams.values()))
            sheet = partial(visualisation.streams_sheet, streams, *how, first=first, labels=labels)
            video = visualisation.streams_video(streams, *how, first=first, labels=labels)
            held = found[path]
            sample = held if isinstance(held, Sample) and not beside else None
            if sample is not None:
                sheet = partial(visualisation.sample_sheet, sample, how[1], labels=labels)
                video = visualisation.sample_video(sample, *how, labels=labels)
            if rerun is not None:
                write_rerun(rerun, streams, *how, sample=sample, first=first, on_progress=steps.tell)
        if output is None and rerun is None:
            print_image(results, sheet())
        elif output is not None and still:
            visualisation.write_image(output, sheet())
        elif output is not None:
            visualisation.write_animation(output, steps.counted(video, length))
            steps.reach(length, length)
    if as_json and output is not None:
        frames = None if still else length
        size = output.stat().st_size
        print_json({"output": output, "kind": kind, "frames": frames, "bytes": size, "rerun": rerun})
        return
    for written in (output, rerun):
        if written is not None:
            messages.print(f"wrote {written}")


def _refuse_meaningless(
    kinds: set[str],
    still: bool,
    look: str | None,
    window: int | None,
    sample: int | None,
    split: str | None,
    **options: Any,
) -> None:
    """Refuse options that mean nothing for what is shown.

    Args:
        kinds: What PATH and those beside it are.
        still: Whether the image of a sample is shown, which has all looks.
        options: Others.

    Raises:
        click.UsageError: One was given.
    """
    if kinds <= {"shard", "spikes", "source"}:
        refuse("goes with a dataset", split=split)
    if kinds <= {"spikes", "source"}:
        refuse("goes with a dataset or a shard", sample=sample)
    options.pop("vth")
    if "spikes" not in kinds:
        refuse_read_options(**options)
    elif kinds != {"spikes"}:
        names = ("start", "readouts")
        refuse("is for spike files, and a sample is shown beside", **{name: options[name] for name in names})
    if kinds == {"source"}:
        refuse("is about spikes, and a source has none", **{"as": look}, window=window)
    elif still and kinds != {"spikes"}:
        refuse("is for videos and for spike files; the image of a sample shows all", **{"as": look})
    elif look not in (None, "tfp"):
        refuse(f"is of the mean that a TFP is, and --as {look} shows none", window=window)
