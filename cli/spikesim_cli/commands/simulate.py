"""`simulate`: a video to one spike file."""

from pathlib import Path
from typing import Any

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import (
    PATH,
    check_free,
    given,
    one_clip,
    optics_of,
    overwrite_option,
    reading_of,
    refuse,
    sensor_of,
    spec_of,
    stretch_of,
    stretch_options,
    synthesis_options,
)

_KEYS = {
    "output": "the spike file",
    "shape": "number of readouts, and height and width in pixels",
    "spikes_per_readout": "mean number of spikes per pixel and readout",
}


@click.command()
@click.argument("source", metavar="INPUT")
@click.argument("output", type=PATH)
@click.option(
    "--vth", type=float, help="Firing threshold, in full-scale light per readout.", show_default="the sensor's"
)
@synthesis_options
@stretch_options
@overwrite_option("OUTPUT if it is there")
@json_option(JsonDocument(_KEYS))
def simulate(source: str, output: Path, vth: float | None, overwrite: bool, as_json: bool, **options: Any) -> None:
    """Simulate the spikes of INPUT, a video file, a folder of frames, photo:FILE or demo:SCENE, into OUTPUT (.dat,
    .npz, .npy, .h5).

    \b
    Examples:
      spikesim simulate clip.mp4 clip.dat --vth 2
      spikesim simulate frames/ spikes.h5 --preset ideal --ratio 1 --frames 50
    """
    check_free(output, overwrite)
    if options["interpolation"] == "none":
        refuse("makes no readouts with --interp none, which takes every frame as one", factor=options["factor"])
    from dataclasses import replace

    from spikesim_cli.console import messages, print_json
    from spikesim_cli.steps import Steps
    from spikesim_datasets.camera_choice import chosen_camera
    from spikesim_datasets.clip_simulation import simulate_clip
    from spikesim_datasets.interpolation import InterpolatorSpec
    from spikesim_datasets.interpolation.kinds import find_kind

    camera = replace(chosen_camera(**sensor_of(options)), **given(v_th=vth))
    reading, seed = reading_of(options), given(seed=options.pop("seed"))
    sensor = seed | given(device=options["device"])
    if "device" in find_kind(options["interpolation"] or InterpolatorSpec.name).refuses:
        options["device"] = None  # which is the sensor's alone
    interpolation, optics, stretch = spec_of(options), optics_of(options), stretch_of(options)
    steps = Steps("readouts")
    with steps.shown():
        recording = simulate_clip(
            one_clip(source, reading, **seed),
            output,
            camera,
            interpolation,
            optics,
            stretch=stretch,
            on_progress=steps.tell,
            **sensor,
        )
    if as_json:
        print_json({"output": output, "shape": recording.shape, "spikes_per_readout": recording.rate})
        return
    readouts, height, width = recording.shape
    messages.print(
        f"{output}: {readouts} readouts of {width}×{height}, {recording.rate:.4f} spikes per pixel and readout"
    )
