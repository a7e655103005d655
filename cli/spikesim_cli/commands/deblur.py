"""`deblur`: one blurry image and its spikes to a sharp sequence."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import (
    PATH,
    NumbersCommand,
    check_free,
    device_option,
    given,
    overwrite_option,
    parse_numbers,
    read_options,
    refuse,
    size_options,
)

if TYPE_CHECKING:
    from spikesim import SpikeStream
    from spikesim_datasets.alignment import Alignment
    from ssdm_models.recordings import BlurryRecording, Deblurred


_RECORDING = {
    "output": "the folder, video or image that was written",
    "files": "all files that were written, or were there already",
    "readouts": "readouts of the stream that the frames show, in their order",
    "kept": "number of frames that were there already",
    "width": "width of the frames, pixels",
    "height": "height of the frames, pixels",
    "alignment.homography": "3×3 matrix of pixels of BLUR to those of the frames; with --align or --crop",
    "alignment.crop": "left, top, width and height of the part of BLUR that was used, pixels; null is all of it",
}
_DOCUMENTS = (
    JsonDocument(_RECORDING, "one image and its spikes"),
    JsonDocument(
        {"output": "OUT", **{f"recordings[].{key}": meaning for key, meaning in _RECORDING.items()}}, "folders"
    ),
)


class _TimesCommand(NumbersCommand):
    numbers = "--at"


def _times(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[int, ...] | None:
    return parse_numbers(values, int, "readouts as --at 20 68 116")


@click.command(cls=_TimesCommand)
@click.argument("blur", type=PATH)
@click.argument("spikes", type=PATH)
@click.argument("output", metavar="OUT", type=PATH)
@click.option(
    "--checkpoint",
    type=PATH,
    show_default="the network that comes with spikesim",
    help="Another network, such as an LDN: from train-ssdm (.safetensors), or as released by its authors (.pth).",
)
@click.option(
    "--exposure",
    nargs=2,
    type=int,
    metavar="START STOP",
    show_default="20 117 in a stream of 137 readouts",
    help="Readouts during which BLUR was exposed: the first, and the one after the last.",
)
@click.option(
    "--frames",
    type=click.IntRange(1),
    show_default="7; 1 for a .png",
    help="Number of frames, spread evenly over the exposure; a single one is its middle.",
)
@click.option(
    "--at", multiple=True, callback=_times, metavar="READOUT...", help="The readouts to show, whatever the exposure."
)
@click.option("--fps", type=click.IntRange(1), show_default="10", help="Frames per second that a video is shown at.")
@click.option(
    "--tile",
    type=click.IntRange(64),
    show_default="512 for images of over 3 megapixels, else none",
    help="Side of the tiles to compute in, pixels: smaller ones take less memory.",
)
@click.option(
    "--align",
    type=PATH,
    metavar="H.txt",
    help="3×3 homography, as numpy.savetxt writes it, of pixels of BLUR to those of an image of 4 times SPIKES' size.",
)
@click.option(
    "--crop",
    nargs=4,
    type=int,
    metavar="X Y W H",
    help="Part of BLUR to use, in pixels: left, top, width and height. Without --align it is 4 times SPIKES' size.",
)
@device_option
@overwrite_option("a file, or frames in a folder that were made of something else")
@size_options
@json_option(*_DOCUMENTS)
def deblur(blur: Path, spikes: Path, output: Path, checkpoint: Path | None, as_json: bool, **options: Any) -> None:
    """Deblur the image BLUR (PNG, JPEG, ...) with the SPIKES (.dat, .h5, .npz, .npy) of its exposure.

    SPIKES are a quarter of BLUR in width and height; a .dat that does not know its size is taken so. BLUR of a camera
    that is not aligned with that of SPIKES is cropped (--crop) or warped (--align) first. OUT is a folder, which gets
    000068.png for readout 68; a video (.mp4, .mov, .mkv, .gif); or one .png, the middle of the exposure.

    BLUR and SPIKES may also be folders of images and .dat files of equal names, or both the same folder of such or of
    clip folders that hold such; OUT then gets a folder for each, as OUT/CLIP/000001.

    \b
    Examples:
      spikesim deblur blur.png spikes.dat sharp/
      spikesim deblur blur.png spikes.h5 video.mp4 --checkpoint DeblurNet_100.pth --exposure 40 240 --frames 50
      spikesim deblur blur.png spikes.npz two/ --checkpoint runs/ssdm/ldn.safetensors --at 30 90
      spikesim deblur blur.jpg spikes.dat aligned/ --align H.txt --height 250 --width 400
      spikesim deblur recordings recordings sharp/
    """
    if options["at"] is not None and options["frames"] is not None:
        raise click.UsageError("--at says the readouts themselves; leave out --frames")
    for source in (blur, spikes, checkpoint, options["align"]):
        if source is not None and output.resolve() == source.resolve():
            raise click.UsageError(f"OUT would replace {source}; choose another name")
    check_free(output, options["overwrite"])
    from spikesim_cli.console import messages, print_json
    from spikesim_cli.steps import Steps
    from spikesim_datasets.videos import CONTAINERS

    if output.suffix.lower() not in (*CONTAINERS, ".gif"):
        refuse("is of videos, and OUT is none", fps=options["fps"])
    if blur.is_dir() and not spikes.is_dir():
        raise click.UsageError(f"BLUR is a folder and SPIKES is none; give two folders, or {blur} twice")
    many = blur.is_dir()
    recordings = _recordings(blur, spikes, output) if many else {output: (blur, spikes)}
    records = []
    with Steps("recordings" if many else "frames").shown() as steps:
        from ssdm_models import load_deblurrer
        from ssdm_models.recordings import FRAME_OPTIONS, deblur_recording, read_recording, taken_threshold

        shown = given(**{name: options.pop(name) for name in FRAME_OPTIONS})
        device, overwrite = given(device=options.pop("device")), options.pop("overwrite")
        alignment = _alignment(options.pop("align"), options.pop("crop"))
        deblurrer = None
        for place, (image, stream) in recordings.items():
            recording = read_recording(image, stream, alignment, **read_options(stream, **options))
            if deblurrer is None:
                deblurrer = load_deblurrer(checkpoint, **device)
                if checkpoint is None:
                    by = "" if deblurrer.engine == "torch" else f", computed by {deblurrer.engine}"
                    messages.print(f"with {deblurrer.title} that comes with spikesim{by}; --checkpoint takes another")
            if many:
                messages.print(f"{image} with {stream}:")
            _tell_threshold(recording.spikes, taken_threshold(recording, shown.get("exposure")), deblurrer.v_th)
            tell = None if many else steps.tell
            made = deblur_recording(deblurrer, recording, place, overwrite=overwrite, on_progress=tell, **shown)
            records.append(_record(place, made, recording))
            if many:
                steps.reach(len(records), len(recordings))
    if as_json:
        print_json({"output": output, "recordings": records} if many else records[0])
        return
    for record in records:
        _tell_made(record)


def _recordings(blur: Path, spikes: Path, output: Path) -> dict[Path, tuple[Path, Path]]:
    """The pairs in folders, each with the folder that its frames are written to."""
    from spikesim_datasets.layouts import recorded_pairs
    from spikesim_datasets.sources import FRAME_SUFFIXES, VIDEO_SUFFIXES

    if output.suffix.lower() in (*FRAME_SUFFIXES, *VIDEO_SUFFIXES, ".gif"):
        raise click.UsageError(f"BLUR and SPIKES are folders, so OUT is one as well, for all recordings; got {output}")
    pairs = recorded_pairs(spikes, None if blur.resolve() == spikes.resolve() else blur)
    return {output / name: pair for name, pair in pairs.items()}


def _record(output: Path, made: "Deblurred", recording: "BlurryRecording") -> dict[str, Any]:
    """What was written of a recording."""
    record = {"output": output, "files": made.files, "readouts": made.times, "kept": made.kept}
    height, width, _ = recording.blur.shape
    aligned = {} if recording.alignment is None else {"alignment": recording.alignment.record()}
    return {**record, "width": width, "height": height, **aligned}


def _tell_made(record: dict[str, Any]) -> None:
    """Say what was written of a recording."""
    from spikesim_cli.console import count, messages

    times = record["readouts"]
    kept = f", {record['kept']} of them kept" if record["kept"] else ""
    readouts = f"readouts {times[0]} to {times[-1]}" if len(times) > 1 else f"readout {times[0]}"
    size = f"{record['width']}×{record['height']}"
    messages.print(f"{record['output']}: {count(len(times), 'frame')} of {size}, at {readouts}{kept}")


def _alignment(align: Path | None, crop: tuple[int, int, int, int] | None) -> "Alignment | None":
    """What `--align` and `--crop` say; None where neither is given."""
    from spikesim_datasets.alignment import Alignment

    if align is not None:
        return Alignment.load(align, crop)
    return None if crop is None else Alignment(crop=crop)


def _tell_threshold(spikes: "SpikeStream", taken: float | None, trained: tuple[float, ...]) -> None:
    """Say which threshold spikes are taken to have, and whether the network has seen such; else frames are often of no
    use."""
    from spikesim_cli.console import messages

    said = None if spikes.camera is None else spikes.camera.v_th
    source = "their file does not say" if said is None else f"their file says {said:g}"
    if taken is None:
        messages.print(f"there are no spikes in the exposure, which would tell their threshold; {source}")
    else:
        messages.print(f"the spikes are taken to be of V_th {taken:.2g}, by the light of both; {source}")
    # What is measured is not exact.
    v_th, slack = (taken, 1.25) if said is None else (said, 1)
    if v_th is not None and trained and not min(trained) / slack <= v_th <= max(trained) * slack:
        thresholds = " to ".join(f"{each:g}" for each in dict.fromkeys((min(trained), max(trained))))
        messages.print(f"the network was trained on V_th {thresholds}, not on {v_th:.2g}: look at the result")
