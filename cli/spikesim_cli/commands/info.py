"""`info`: the content of a file or folder."""

from pathlib import Path
from typing import Any

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import PLACE, read_options, refuse_read_options, size_options

_FORM = {
    "blur": "height and width of the blurry images, pixels",
    "readouts": "readouts of each stream",
    "exposure": "readouts of the stream that are exposed: the first, and the one after the last",
    "ground_truth_at": "readouts of the stream that there are sharp frames of",
    "thresholds": "thresholds of the streams",
    "further_fields": "names of what each sample holds beside, such as light or flow",
    "reset": "what a spike leaves of the charge: modulo, subtract or zero; null where the sensor is not known",
    "noise": "noise terms of the sensor, in words; null where the sensor is not known",
    "choices.*": "what the build was asked for, as `Recipe.choices()` gives it",
}
_SOURCE = {
    "kind": "video, frames, stack or image",
    "clip": "name of the clip",
    "frames": "number of frames",
    "frame": "height and width of a frame as it is shown, pixels",
    "rate": "frames a second, null where nothing tells",
    "even": "whether frames are evenly apart in time, null where their times are not told",
    "timing": "the same in words",
    "orientation": "how pixels are turned to be upright",
    "colours.matrix": "matrix by which a video is coded",
    "colours.transfer": "what its values mean",
    "colours.range": "full or limited",
    "colours.assumed": "names of those of the three that the file does not say",
    "interlaced": "whether a frame is two half images",
    "pixel_shape": "how many times as wide as high pixels are to be shown",
    "other_streams": "number of other videos in the file, which are not taken; only where there are any",
    "windows": "number of windows that a build makes of it by default",
    "refused": "why a build refuses it, null if it does not",
}
_PATH_GIVEN = "PATH"
_DOCUMENTS = (
    JsonDocument(
        {
            "kind": "dataset",
            "path": _PATH_GIVEN,
            "shards": "number of shards",
            "clips": "number of clips",
            "{split}_samples": "number of samples of a split",
            "bytes": "size of all shards, bytes",
            **_FORM,
        },
        "a dataset",
    ),
    JsonDocument(
        {
            "kind": "shard",
            "path": _PATH_GIVEN,
            "clip": "key of the clip",
            "samples": "number of samples",
            "windows": "numbers of the windows that samples are of",
            **_FORM,
        },
        "a shard",
    ),
    JsonDocument(
        {
            "kind": "layout",
            "path": _PATH_GIVEN,
            "{split}_samples": "number of samples of a split, in the layout of the S-SDM release",
            "clips": "number of clips, of recordings",
            "recordings": "number of recordings: images that have spikes",
        },
        "a folder in the layout of the S-SDM release, or of recordings",
    ),
    JsonDocument(
        {
            "kind": "spikes",
            "path": _PATH_GIVEN,
            "readouts": "number of readouts",
            "height": "height, pixels",
            "width": "width, pixels",
            "spikes_per_pixel_and_readout": "mean number of spikes per pixel and readout",
            "camera": "the sensor in words, null where the file does not say",
        },
        "a spike file",
    ),
    JsonDocument({"path": _PATH_GIVEN, **_SOURCE}, "a source of one clip"),
    JsonDocument(
        {"kind": "clips", "path": _PATH_GIVEN, **{f"clips[].{key}": meaning for key, meaning in _SOURCE.items()}},
        "a source of several clips",
    ),
)


@click.command()
@click.argument("path", type=PLACE)
@size_options
@json_option(*_DOCUMENTS)
def info(path: Any, as_json: bool, **options: Any) -> None:
    """Describe PATH: a dataset, a shard, a spike file, or a source: a video, a folder of frames or an image. Datasets
    and shards may also be given by their address, s3://BUCKET/KEY or https://HOST/PLACE.

    Of a source it says size, frames, rate and timing, orientation, colours, and how many windows a build makes of it
    by default; also where a build would refuse it, and why.

    \b
    Examples:
      spikesim info data/gopro
      spikesim info https://host/data/gopro
      spikesim info clip.mp4
      spikesim info recording.dat --height 250 --width 400
    """
    from spikesim import read_spikes
    from spikesim_cli.console import print_json, print_table
    from spikesim_datasets.recognition import recognise
    from spikesim_report.records import dataset_record, layout_record, shard_record, stream_record
    from spikesim_report.words import words_of

    kind = recognise(path)
    if kind != "spikes":
        refuse_read_options(**options)
    match kind:
        case "source":
            _tell_source(path, as_json)
            return
        case "spikes":
            record = stream_record(read_spikes(path, **read_options(path, **options)))
        case "shard":
            record = shard_record(path)
        case "dataset":
            record = dataset_record(path)
        case "layout":
            record = layout_record(path)
    if as_json:
        print_json({"kind": kind, "path": path, **record})
        return
    print_table(("", str(path)), [("kind", kind), *words_of(record)])


def _tell_source(path: Path, as_json: bool) -> None:
    """Of one clip all there is to say, of several a line each."""
    from spikesim_cli.console import print_json, print_table, results
    from spikesim_datasets.source_description import describe_sources
    from spikesim_report.words import words_of

    described = describe_sources(path)
    records = [description.record() for description in described]
    if len(records) == 1:
        (record,) = records
        if as_json:
            print_json({"path": path, **record})
            return
        print_table(("", str(path)), words_of(record))
        return
    if as_json:
        print_json({"kind": "clips", "path": path, "clips": records})
        return
    rows = [
        (
            record["clip"],
            record["frames"],
            "×".join(map(str, record["frame"][::-1])),
            "?" if record["rate"] is None else f"{record['rate']:.5g}",
            record["windows"],
            "takes it" if record["refused"] is None else "refuses it",
        )
        for record in records
    ]
    print_table(("clip", "frames", "size", "per second", "windows", "a build"), rows)
    for record in records:
        if record["refused"] is not None:
            results.print(record["refused"], soft_wrap=True)
