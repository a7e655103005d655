"""`convert`: between spike formats, and between shards and the released folder layout."""

from pathlib import Path
from typing import Any, get_args

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import (
    PATH,
    camera_option,
    check_free,
    overwrite_option,
    part_options,
    read_options,
    refuse,
    refuse_read_options,
    sensor_of,
    size_options,
)

_OF_FOLDERS = {
    "output": "the folder",
    "kind": "what PATH is: dataset or layout",
    "samples": "number of samples in the folder",
    "notes": "what the release's own loader does not read of a layout, or not as it is meant",
}
_OF_SPIKES = {
    "output": "the spike file",
    "kind": "what PATH is: spikes or shard",
    "readouts": "number of readouts in the file",
    "height": "height, pixels",
    "width": "width, pixels",
}


@click.command()
@click.argument("path", type=PATH)
@click.argument("output", type=PATH)
@click.option(
    "--vth",
    type=float,
    help="Threshold of the spikes in a released layout that does not record it, or the one to take from a shard or a "
    "dataset.",
)
@click.option(
    "--preset", help="Sensor of the spikes in a released layout that does not record it.", show_default="unknown"
)
@click.option(
    "--to",
    "tool",
    type=click.Choice(["ssdm", "spikezoo", "spikecv", "spk-gopro", "refid", "bit", "motion-etr"]),
    show_default="ssdm",
    help="Whose folders a dataset becomes: those of the S-SDM release, of Spike-Zoo, of SpikeCV, or what the authors' "
    "code of SpkDeblurNet, REFID, BiT or Motion-ETR reads.",
)
@camera_option
@click.option("--sample", type=int, show_default="0", help="Number of the sample in a shard.")
@overwrite_option("a spike file if it is there")
@size_options
@part_options
@json_option(JsonDocument(_OF_FOLDERS, "a folder"), JsonDocument(_OF_SPIKES, "a spike file"))
def convert(
    path: Path,
    output: Path,
    vth: float | None,
    tool: str | None,
    sample: int | None,
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Convert PATH to OUTPUT.

    A spike file (.dat, .npz, .npy, .h5) is converted to another format, a dataset of shards to a folder in the layout
    of the S-SDM release (blur_data, sharp_data, spike_data) or of another tool (--to), a folder of the release to a
    dataset, and a sample of a shard to a spike file. Run again a conversion of folders that was interrupted, to finish
    it.

    \b
    Examples:
      spikesim convert recording.dat recording.h5 --height 250 --width 400
      spikesim convert long.h5 part.npz --start 1000 --readouts 200
      spikesim convert data/gopro Spike-GOPRO
      spikesim convert data/gopro zoo --to spikezoo --vth 2
      spikesim convert data/gopro Spk-GoPro --to spk-gopro --vth 2
      spikesim convert Released-GOPRO data/released --vth 1 --preset ssdm
      spikesim convert data/gopro/train/GOPR0372_07_00.000.h5 one.dat --vth 1 --sample 2
    """
    from spikesim import read_spikes, write_spikes
    from spikesim.errors import InvalidValueError
    from spikesim_cli.console import messages, print_json
    from spikesim_cli.steps import Steps
    from spikesim_datasets.layouts import Tool, layout_to_shards, loader_notes, shards_to_layout, shards_to_tool
    from spikesim_datasets.recognition import recognise
    from spikesim_datasets.shards import ShardReader

    kind, sensor = recognise(path), sensor_of(options)
    if kind == "source":
        raise InvalidValueError(
            f"{path} holds no spikes; make a spike file of it with `spikesim simulate`, or a dataset with "
            "`spikesim build`"
        )
    if kind != "layout":
        refuse("goes with a released layout, which does not record its sensor", **sensor)
    if kind != "dataset":
        refuse("goes with a dataset", to=tool)
    if kind != "shard":
        refuse("goes with a shard", sample=sample)
    if kind == "spikes":
        refuse("goes with a dataset, a shard or a released layout", vth=vth)
    else:
        refuse_read_options(**options)
    if kind in ("dataset", "layout"):
        refuse("goes with spike files; give the name of a new folder", overwrite=overwrite)
    else:
        check_free(output, overwrite)
    notes: list[str] = []
    match kind:
        case "dataset" if tool in get_args(Tool):
            with Steps("samples").shown() as steps:
                made = shards_to_tool(path, output, tool, vth, on_progress=steps.tell)  # type: ignore[arg-type]
            said = f"samples for {tool}"
        case "dataset":
            with Steps("samples").shown() as steps:
                made = shards_to_layout(path, output, vth, on_progress=steps.tell)
            said, notes = "samples in the released layout", loader_notes(output)
        case "layout":
            with Steps("samples").shown() as steps:
                made = layout_to_shards(path, output, vth, **sensor, on_progress=steps.tell)
            said = "samples in shards"
        case "shard":
            with ShardReader(path) as shard:
                stream = shard.spikes(sample or 0, vth)
            write_spikes(output, stream)
            made, said = len(stream), "readouts"
        case "spikes":
            with Steps("readouts").shown() as steps:
                stream = read_spikes(path, **read_options(path, **options))
                steps.reach(0, len(stream))
                write_spikes(output, stream)
                steps.reach(len(stream), len(stream))
            made, said = len(stream), "readouts"
    if as_json:
        if kind in ("dataset", "layout"):
            print_json({"output": output, "kind": kind, "samples": made, "notes": notes})
        else:
            _, height, width = stream.shape
            print_json({"output": output, "kind": kind, "readouts": made, "height": height, "width": width})
        return
    messages.print(f"{output}: {made} {said}")
    for note in notes:
        messages.print(f"the release's own loader: {note}")
