"""`calibrate`: gain and dark current of a camera's pixels, from recordings."""

from pathlib import Path
from typing import Any

import click

from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import PATH, check_free, given, overwrite_option, read_options, size_options

_KEYS = {
    "calibration": "the calibration file",
    "pixels": "number of pixels",
    "blind_pixels": "number of pixels that never fired",
    "gain_std": "standard deviation of the gain of all others, whose median is 1",
    "dark_median": "median of the dark current, thresholds a readout",
    "flats[].path": "the recording",
    "flats[].drive": "what its light gives a pixel of gain 1, thresholds a readout",
    "flats[].misfit": "median of measured less fitted drive of the pixels, as a fraction of `drive`",
}


@click.command()
@click.argument("dark", type=PATH)
@click.argument("flats", metavar="FLAT...", nargs=-1, required=True, type=PATH)
@click.option("--out", required=True, type=PATH, help="Calibration file to write, .npz.")
@overwrite_option("the calibration file if it is there")
@click.option(
    "--level",
    "levels",
    multiple=True,
    type=float,
    help="Illuminance of a flat in any unit; give one per flat, in the same order.",
    show_default="unknown",
)
@click.option("--dead-time", type=float, help="Dead time of a pixel after a spike, in readouts.", show_default="0")
@click.option("--readout-hz", type=float, help="Readout rate of the recordings.", show_default="the file's, or unknown")
@size_options
@json_option(JsonDocument(_KEYS))
def calibrate(
    dark: Path,
    flats: tuple[Path, ...],
    out: Path,
    levels: tuple[float, ...],
    overwrite: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Measure the gain and dark current of a camera's pixels.

    DARK is a recording with the lens covered. Each FLAT is a recording of an evenly lit surface. Each should have at
    least 1000 readouts, better 4000.

    \b
    Example:
      spikesim calibrate dark.dat dim.dat bright.dat --height 250 --width 400 --level 150 --level 300 --out camera.npz
    """
    check_free(out, overwrite)
    import numpy as np

    from spikesim import read_spikes
    from spikesim.calibration import fit_calibration, write_calibration
    from spikesim_cli.console import print_json, print_table
    from spikesim_cli.steps import Steps

    of_the_sensor = given(dead_time=options.pop("dead_time"), readout_hz=options.pop("readout_hz"))
    with Steps("calibration").shown():
        streams = [read_spikes(path, **read_options(path, **options)) for path in (dark, *flats)]
        fit = fit_calibration(streams[0], streams[1:], levels=levels or None, **of_the_sensor)
        write_calibration(out, fit)
    live = fit.gain > 0
    record = {
        "pixels": fit.gain.size,
        "blind_pixels": int((~live).sum()),
        "gain_std": float(fit.gain[live].std()),
        "dark_median": float(np.median(fit.dark)),
        "flats": [
            {"path": path, "drive": level, "misfit": misfit}
            for path, level, misfit in zip(flats, fit.levels, fit.misfits, strict=True)
        ],
    }
    if as_json:
        print_json({"calibration": out, **record})
        return
    print_table(
        ("", str(out)),
        [
            ("pixels", record["pixels"]),
            ("blind pixels", record["blind_pixels"]),
            ("gain, standard deviation", record["gain_std"]),
            ("dark current, median [thresholds a readout]", record["dark_median"]),
            *(
                (f"{path}: drive [thresholds a readout], misfit", f"{level:.4g}, {misfit:+.3%}")
                for path, level, misfit in zip(flats, fit.levels, fit.misfits, strict=True)
            ),
        ],
    )
