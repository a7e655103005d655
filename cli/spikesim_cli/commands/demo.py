"""`demo`: build, verify, render and deblur a dataset of built-in scenes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import PATH

if TYPE_CHECKING:
    from ssdm_models.deblurrer import Deblurrer

_THRESHOLDS = (1.0, 2.0, 4.0)
_FRAMES = 42  # two windows a scene
_KEYS = {
    "dataset": "folder of the dataset",
    "built": "number of shards made",
    "kept": "number of shards that were finished before",
    "samples": "number of samples",
    "bytes": "size of the shards, bytes",
    "images": "an image of each sample, and one of deblurred frames",
    "video": "a video of the first sample",
    "report": "a report of the dataset, null without the extra [report]",
    "agreement[].clip": "key of a clip",
    "agreement[].window": "number of the window of a sample",
    "agreement[].v_th": "threshold of the spikes",
    "agreement[].spikes_per_pixel_and_readout": "mean of the TFP of the whole exposure",
    "agreement[].tfp_blur_correlation": "correlation of that TFP with the grey blurry image",
    "agreement[].tfp_sharp_correlation": "correlation of a TFP of 21 readouts with the grey middle frame",
}

_COLUMNS = [key.partition("[].")[2] for key in _KEYS if key.startswith("agreement")]


@click.command()
@click.option("--out", type=PATH, default="demo", show_default=True, help="Folder to write.")
@click.option("--workers", type=click.IntRange(1), show_default="one per core", help="Number of processes.")
@json_option(JsonDocument(_KEYS))
def demo(out: Path, workers: int | None, as_json: bool) -> None:
    """Build, verify, render and deblur a small dataset of built-in 1280×720 scenes at V_th 1, 2 and 4.

    \b
    Example:
      spikesim demo --out demo
    """
    from spikesim.errors import InputFileError, MissingExtraError
    from spikesim_cli.console import messages, print_json, print_table
    from spikesim_cli.steps import Steps
    from spikesim_datasets import visualisation
    from spikesim_datasets.build import build_clips
    from spikesim_datasets.recipe import make_recipe
    from spikesim_datasets.scenes import SCENES
    from spikesim_datasets.shards import open_dataset, verify_dataset
    from spikesim_datasets.sources import DemoClip
    from spikesim_report.page_file import write_page
    from spikesim_report.reports import page_of
    from spikesim_report.words import size
    from ssdm_models import load_deblurrer

    clips = [DemoClip("train", name, name, _FRAMES) for name in SCENES]
    dataset = out / "dataset"
    steps = Steps("readouts")
    with steps.shown():
        report = build_clips(
            clips,
            dataset,
            make_recipe(_THRESHOLDS, shard_samples=1),
            workers=workers,
            on_progress=steps.tell,
            command="spikesim demo",
        )
    messages.print(f"built {report.built} shards, kept {report.kept}: {report.samples} samples, {size(report.bytes)}")
    with Steps("shards").shown() as steps:
        for check in verify_dataset(dataset, steps.tell):
            if check.problem:
                raise InputFileError(check.problem)
    messages.print("verified: every shard is whole")

    samples = open_dataset(dataset, "train")
    images: list[Path] = []
    rows: list[tuple[Any, ...]] = []
    firsts: dict[str, Any] = {}
    for number in range(len(samples)):
        sample = samples[number]
        image = out / f"{sample.name}_{sample.window}.png"
        visualisation.write_image(image, visualisation.sample_sheet(sample, window=21))
        images.append(image)
        rows += [(sample.key, sample.window, *row) for row in _agreement(sample)]
        firsts.setdefault(sample.key, sample)
    if not as_json:
        print_table(
            ("clip", "window", "V_th", "spikes a readout", "TFP-blur correlation", "TFP-sharp correlation"),
            rows,
            title="TFP of the exposure and grey blur; TFP of 21 readouts and grey middle frame",
        )
    video, deblurred_image = out / "first.mp4", out / "deblurred.png"
    visualisation.write_animation(video, visualisation.sample_video(samples[0], "spikes", window=21))
    deblurrer = load_deblurrer()
    deblurred = [_deblurred(deblurrer, sample) for sample in firsts.values()]
    visualisation.write_image(deblurred_image, visualisation.sheet(deblurred))
    images.append(deblurred_image)
    messages.print(f"the dataset, images and a video are in {out}")
    report_file: Path | None = None
    try:
        write_page(page_of([dataset]), out / "report.html")
        report_file = out / "report.html"
        messages.print(f"a report of the dataset, to open in a browser: {report_file}")
    except MissingExtraError as error:
        messages.print(str(error))
    if as_json:
        print_json(
            {
                "dataset": dataset,
                **{name: getattr(report, name) for name in ("built", "kept", "samples", "bytes")},
                "images": images,
                "video": video,
                "report": report_file,
                "agreement": [dict(zip(_COLUMNS, row, strict=True)) for row in rows],
            }
        )


def _deblurred(deblurrer: "Deblurrer", sample: Any) -> list[tuple[str, Any]]:
    """Panels of a sample: its blurry image, what the network in the box makes of it, and the truth."""
    middle = sum(sample.exposure) // 2
    panels = [(f"{sample.name}: blur", sample.blur)]
    for v_th in (_THRESHOLDS[0], _THRESHOLDS[-1]):
        (frame,) = deblurrer.frames(sample.blur, sample.spikes[v_th], [middle], sample.exposure)
        panels.append((f"deblurred, V_th {v_th:g}", frame))
    return [*panels, ("sharp", sample.sharp[sample.sharp_readouts.index(middle)])]


def _agreement(sample: Any) -> list[tuple[float, ...]]:
    """For every threshold: spike rate, and correlation of the long and short TFP with blur and ground truth."""
    import numpy as np

    from spikesim import tfp
    from spikesim_datasets.optics import Optics

    start, stop = sample.exposure
    middle = sum(sample.exposure) // 2
    blur = Optics("area").light(sample.blur).ravel()
    sharp = Optics("area").light(sample.sharp[0]).ravel()
    rows: list[tuple[float, ...]] = []
    for v_th, stream in sample.spikes.items():
        long, short = tfp(stream, middle, stop - start).ravel(), tfp(stream, middle, 21).ravel()
        rows.append(
            (v_th, float(long.mean()), float(np.corrcoef(long, blur)[0, 1]), float(np.corrcoef(short, sharp)[0, 1]))
        )
    return rows
