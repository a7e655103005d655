"""`simulate`: a video to one spike file."""

from pathlib import Path

import click

from spikesim_cli.options import given, one_clip, synthesis_options


@click.command()
@click.argument("source", metavar="INPUT")
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--vth", type=float, help="Firing threshold, in full-scale light per readout.", show_default="the preset's"
)
@synthesis_options
@click.option(
    "--downscale",
    type=click.Choice(["bilinear", "area", "none"]),
    show_default="bilinear",
    help="How light comes to ¼ size; none keeps full size.",
)
@click.option("--start", type=click.IntRange(0), default=0, show_default=True, help="First frame.")
@click.option("--frames", type=click.IntRange(1), show_default="to the end", help="Number of frames.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def simulate(
    source: str,
    output: Path,
    vth: float | None,
    preset: str | None,
    interpolation: str | None,
    weights: str | None,
    device: str | None,
    tile: int | None,
    precision: str | None,
    factor: int | None,
    linear_light: bool,
    downscale: str | None,
    seed: int | None,
    start: int,
    frames: int | None,
    as_json: bool,
) -> None:
    """Simulate the spikes of INPUT, a video file, a folder of frames or demo:SCENE, into OUTPUT (.dat, .npz, .npy,
    .h5).

    \b
    Examples:
      spikesim simulate clip.mp4 clip.dat --vth 2
      spikesim simulate frames/ spikes.h5 --preset ideal --downscale none --frames 50
    """
    from spikesim_cli.console import Steps, messages, print_json
    from spikesim_datasets.clip_simulation import simulate_clip

    steps = Steps("readouts")
    with steps.shown():
        recording = simulate_clip(
            one_clip(source),
            output,
            start=start,
            on_readout=steps.advance,
            **given(
                v_th=vth,
                preset=preset,
                interpolation=interpolation,
                weights=weights,
                device=device,
                tile=tile,
                precision=precision,
                factor=factor,
                downscale=downscale,
                seed=seed,
                frames=frames,
                linear_light=linear_light,
            ),
        )
    if as_json:
        print_json({"output": output, "shape": recording.shape, "spikes_per_readout": recording.rate})
        return
    readouts, height, width = recording.shape
    messages.print(
        f"{output}: {readouts} readouts of {width}×{height}, {recording.rate:.4f} spikes per pixel and readout"
    )
