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
    read_options,
    refuse,
    refuse_read_options,
    size_options,
)

_KEYS = {
    "output": "the image or video",
    "kind": "what PATH is: spikes, shard, dataset, layout or source",
    "frames": "number of frames of the video, null of an image",
    "bytes": "size of the file, bytes",
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
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Render the spikes in PATH, a spike file, a shard, a dataset or a folder in the layout of the S-SDM release, to
    OUTPUT: a .png image, or a .gif or .mp4 video; without OUTPUT, the image to the terminal. Datasets and shards may
    also be given by their address, s3://BUCKET/KEY or https://HOST/PLACE.

    The image of a spike file is a strip of several moments. The image of a sample shows blur and ground truth, and
    below them the spikes, TFP and TFI at every threshold. A video shows the readouts in order. Of a source (a video, a
    folder of frames, an image) it shows the frames as a build would take them.

    \b
    Examples:
      spikesim view recording.dat strip.png --height 250 --width 400 --as tfi
      spikesim view clip.dat part.mp4 --start 1000 --readouts 200
      spikesim view data/gopro sample.png --split test --sample 3
      spikesim view data/gopro sample.mp4 --as spikes
      spikesim view https://host/data/gopro sample.png --sample 3
      spikesim view clip.mp4 frames.png
      spikesim view data/gopro --sample 3
    """
    from spikesim import read_spikes
    from spikesim.errors import InvalidValueError
    from spikesim_cli.console import messages, print_json, results
    from spikesim_cli.steps import Steps
    from spikesim_cli.terminal_image import print_image
    from spikesim_datasets import visualisation
    from spikesim_datasets.layouts import open_layout
    from spikesim_datasets.layouts.description import DESCRIPTION
    from spikesim_datasets.recognition import recognise
    from spikesim_datasets.shards import ShardReader, open_dataset

    still = output is None or visualisation.is_still(output)
    kind = recognise(path)
    if output is None:
        refuse("is about OUTPUT, and there is none", overwrite=overwrite, json=as_json)
    else:
        check_free(output, overwrite)
    labels = not options.pop("no_labels") and output is not None  # no letters are readable as letters
    sample, split, vth = (options.pop(name) for name in ("sample", "split", "vth"))
    if kind != "layout" or (path / DESCRIPTION).is_file():
        refuse("goes with a folder in the released layout that does not record its threshold", vth=vth)
    if kind in ("shard", "spikes", "source"):
        refuse("goes with a dataset", split=split)
    if kind in ("spikes", "source"):
        refuse("goes with a dataset or a shard", sample=sample)
    if kind != "spikes":
        refuse_read_options(**options)
    if kind == "source":
        refuse("is about spikes, and a source has none", **{"as": look}, window=window)
    elif still and kind != "spikes":
        refuse("is for videos and for spike files; the image of a sample shows all", **{"as": look})
    elif look not in (None, "tfp"):
        refuse(f"is of the mean that a TFP is, and --as {look} shows none", window=window)
    sample, split, window = sample or 0, split or "train", window or 21
    how: tuple[Any, int] = look or "tfp", window
    with Steps("frames" if kind == "source" else "readouts").shown() as steps:
        if kind == "source":
            clip = one_description(path).clip
            sheet, video, length = (
                partial(visualisation.clip_sheet, clip, labels=labels),
                visualisation.clip_video(clip, labels=labels),
                clip.n_frames,
            )
        elif kind == "spikes":
            stream, first = read_spikes(path, **read_options(path, **options)), options["start"] or 0
            sheet = partial(visualisation.stream_sheet, stream, *how, first=first, labels=labels)
            video, length = visualisation.stream_video(stream, *how, first=first, labels=labels), len(stream)
        else:
            try:
                if kind == "shard":
                    with ShardReader(path) as shard:
                        whole = shard.sample(sample)
                else:
                    whole = (open_layout(path, split, vth) if kind == "layout" else open_dataset(path, split))[sample]
            except IndexError as error:
                raise InvalidValueError(f"{path}: {error}") from error
            sheet = partial(visualisation.sample_sheet, whole, window, labels=labels)
            video = visualisation.sample_video(whole, *how, labels=labels)
            length = len(next(iter(whole.spikes.values())))
        if output is None:
            print_image(results, sheet())
        elif still:
            visualisation.write_image(output, sheet())
        else:
            visualisation.write_animation(output, steps.counted(video, length))
            steps.reach(length, length)
    if output is None:
        return
    if as_json:
        frames = None if still else length
        print_json({"output": output, "kind": kind, "frames": frames, "bytes": output.stat().st_size})
        return
    messages.print(f"wrote {output}")
