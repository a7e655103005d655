"""Options that several commands share."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from spikesim_datasets.interpolation import InterpolatorSpec
    from spikesim_datasets.optics import Optics
    from spikesim_datasets.source_description import SourceDescription
    from spikesim_datasets.sources import Clip, Reading
    from spikesim_datasets.synthesis import Stretch

F = TypeVar("F", bound=Callable[..., Any])
N = TypeVar("N", int, float)

_NUMBER = r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?"
_KINDS: dict[type, str] = {int: "whole number", float: "number"}
_NUMBERS = re.compile(rf"{_NUMBER}(,{_NUMBER})*", re.IGNORECASE)


class NumbersCommand(click.Command):
    """A command with an option that takes several numbers: `--vth 1 2 4`, `--vth 1,2,4` and `--vth 1 --vth 2`."""

    numbers: str
    """The option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        collecting = False
        for argument, following in pairwise([*args, ""]):
            if collecting and _NUMBERS.fullmatch(argument):
                spread.append(f"{self.numbers}={argument}")
            elif argument == self.numbers and _NUMBERS.fullmatch(following):
                collecting = True
            else:
                collecting = argument.startswith(f"{self.numbers}=")
                spread.append(argument)
        return super().parse_args(ctx, spread)


class ThresholdCommand(NumbersCommand):
    """A command whose `--vth` takes several values."""

    numbers = "--vth"


def parse_numbers(values: tuple[str, ...], kind: type[N], example: str) -> tuple[N, ...] | None:
    """What was given to an option of a `NumbersCommand`, None where it was not.

    Raises:
        click.BadParameter: One is no number of this kind; the message shows the example.
    """
    found: list[N] = []
    for part in ",".join(values).split(",") if values else ():
        try:
            found.append(kind(part))
        except ValueError:
            raise click.BadParameter(f"{part!r} is no {_KINDS[kind]}; give {example}") from None
    return tuple(found) or None


def parse_thresholds(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[float, ...] | None:
    """What `--vth` of a `ThresholdCommand` holds, as numbers; None where it was not given."""
    return parse_numbers(values, float, "thresholds as --vth 1 2 4")


class PathType(click.Path):
    """A path on this machine; or also the address of a dataset elsewhere, for what only reads one.

    Args:
        elsewhere: Whether addresses are taken.
    """

    def __init__(self, elsewhere: bool = False) -> None:
        super().__init__()
        self.elsewhere = elsewhere

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from spikesim.checks import require_path
        from spikesim_datasets.remote.url import require_place

        require = require_place if self.elsewhere else require_path
        if isinstance(param, click.Option):
            return require(value, param.opts[0])
        return require(value, "path" if param is None else param.human_readable_name)


PATH, PLACE = PathType(), PathType(elsewhere=True)


def together(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    """Several options as one; the help lists them in this order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def thresholds_option(function: F) -> F:
    """`--vth`, one or several; for a `ThresholdCommand`."""
    return click.option(
        "--vth",
        multiple=True,
        callback=parse_thresholds,
        metavar="V_TH...",
        show_default="1, or that of --camera",
        help="Firing thresholds, in full-scale light per readout; each gets a stream of its own.",
    )(function)


INTERPOLATORS = (
    "flow, linear, rife (MIT), xvfi (weights for research and education only), torchscript:MODEL.pt, a plug-in"
)
"""What `--interp` takes, but none."""


class _Device(click.ParamType):
    """A device to compute on, by its name."""

    name = "device"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from spikesim.checks import parse_device

        return parse_device(value)

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return "[auto|cpu|cuda|cuda:N]"


device_option = click.option("--device", type=_Device(), show_default="auto", help="Device to compute on.")

network_options = together(
    click.option("--weights", help="File of a network's weights.", show_default="looked up by its published name"),
    device_option,
    click.option(
        "--tile",
        type=click.IntRange(64),
        show_default="none",
        help="Side in pixels of the tiles a network divides large frames into: less memory, more time.",
    ),
    click.option(
        "--precision",
        type=click.Choice(["float32", "bfloat16", "float16"]),
        show_default="float32",
        help="Number format of a network's convolutions.",
    ),
)


def network_of(options: dict[str, Any]) -> dict[str, Any]:
    """Takes what was given of `network_options` out of the options of a command."""
    return given(**{name: options.pop(name) for name in ("weights", "device", "tile", "precision")})


def spec_of(options: dict[str, Any]) -> "InterpolatorSpec":
    """Takes `--interp` and `network_options` out of the options of a command."""
    from spikesim_datasets.interpolation import InterpolatorSpec

    return InterpolatorSpec(**given(name=options.pop("interpolation")), **network_of(options))


def optics_of(options: dict[str, Any]) -> "Optics":
    """Takes `--downscale`, `--response`, `--linear-light` and `--ratio` out of the options of a command."""
    from spikesim_datasets.optics import Optics

    ratio, response = options.pop("ratio"), options.pop("response")
    if linear := options.pop("linear_light"):
        refuse("is gamma2.2 by --linear-light", response=response)
    response = "gamma2.2" if linear else response
    return Optics(**given(downscale=options.pop("downscale"), response=response, ratio=ratio and int(ratio)))


stretch_options = together(
    click.option("--start", type=click.IntRange(0), show_default="0", help="First frame."),
    click.option("--frames", type=click.IntRange(1), show_default="to the end", help="Number of frames."),
)
"""Which frames of a clip; with `--factor`, `stretch_of` reads them."""


def stretch_of(options: dict[str, Any]) -> "Stretch":
    """Takes `--start`, `--frames` and `--factor` out of the options of a command."""
    from spikesim_datasets.synthesis import Stretch

    return Stretch(**given(**{name: options.pop(name) for name in ("start", "frames", "factor")}))


reading_options = together(
    click.option(
        "--timing",
        type=click.Choice(["refuse", "resample", "ignore"]),
        show_default="refuse",
        help="Videos with frames not evenly apart: resample makes readouts at true times, ignore takes them as even.",
    ),
    click.option(
        "--numbering",
        type=click.Choice(["refuse", "ignore"]),
        show_default="refuse",
        help="Folders of frames whose numbers have gaps, are uneven, twice there, of several series, or negative.",
    ),
    click.option(
        "--interlacing", type=click.Choice(["refuse", "ignore"]), show_default="refuse", help="Interlaced videos."
    ),
    click.option(
        "--pixels",
        type=click.Choice(["refuse", "ignore"]),
        show_default="refuse",
        help="Videos whose pixels are not to be shown as squares.",
    ),
    click.option(
        "--matrix",
        type=click.Choice(["auto", "bt601", "bt709", "bt2020"]),
        show_default="as a video says",
        help="How the colours of a video are coded; not of RGB and grey.",
    ),
    click.option(
        "--transfer",
        type=click.Choice(["auto", "sdr", "pq", "hlg", "linear"]),
        show_default="as a video says",
        help="What the values of a video mean; all but sdr are converted.",
    ),
)
"""How sources are read that are not plain; `reading_of` reads them."""


def reading_of(options: dict[str, Any]) -> "Reading":
    """Takes `reading_options` out of the options of a command."""
    from dataclasses import fields

    from spikesim_datasets.sources import Reading

    return Reading(**given(**{field.name: options.pop(field.name) for field in fields(Reading)}))


def check_reading(reading: "Reading", clips: "list[Clip]") -> None:
    """Refuse `reading_options` that are about none of the clips that are read.

    Raises:
        click.UsageError: One was given.
    """
    from spikesim_datasets.sources.relevance import without_effect

    for name, about in without_effect(reading, clips).items():
        refuse(f"is for {about}, and none of the sources is such", **{name: True})


camera_option = click.option(
    "--camera",
    type=PATH,
    metavar="FILE",
    help="Sensor instead of --preset: a .toml file that describes one, or what `spikesim calibrate` wrote.",
)
"""`--camera`, for commands that have `--preset`; `sensor_of` reads both."""


def sensor_of(options: dict[str, Any]) -> dict[str, Any]:
    """Takes what was given of `--preset` and `--camera` out of the options of a command.

    Raises:
        click.UsageError: Both were.
    """
    preset, camera = options.pop("preset"), options.pop("camera")
    if camera is not None:
        refuse("says which sensor is meant, and so does --camera", preset=preset)
    return given(preset=preset, camera=camera)


synthesis_options = together(
    click.option(
        "--preset",
        show_default="ssdm",
        help="Sensor: ideal, ssdm, spikingsim, spikezoo, spikecv, scsim, rsir or realistic.",
    ),
    camera_option,
    click.option(
        "--interp",
        "interpolation",
        show_default="flow",
        help=f"What makes the readouts between frames: {INTERPOLATORS}, or none for a source interpolated already.",
    ),
    network_options,
    reading_options,
    click.option("--factor", type=click.IntRange(1), show_default="8", help="Readouts from one frame to the next."),
    click.option(
        "--ratio",
        type=click.Choice(["1", "2", "4", "8"]),
        show_default="4",
        help="Pixels of a frame that one of the spike camera is wide and high; 1 is full size.",
    ),
    click.option(
        "--downscale",
        type=click.Choice(["bilinear", "area"]),
        show_default="bilinear",
        help="How light comes to the size of the spikes.",
    ),
    click.option(
        "--response",
        metavar="NAME",
        show_default="linear",
        help="Light that the codes of frames stand for: linear, gamma2.2, srgb, or sigmoid:FILE with two numbers.",
    ),
    click.option("--linear-light", is_flag=True, help="The same as --response gamma2.2."),
    click.option("--seed", type=click.IntRange(0), show_default="0", help="Seed of all noise, and of random clips."),
)
"""How frames become light and light becomes spikes. What is not given is None, and the library's default holds."""


def one_clip(source: str, reading: "Reading", seed: int | None = None) -> "Clip":
    """The clip of an INPUT that is to hold one."""
    from spikesim_datasets.sources import open_clips

    clips = open_clips([source], reading=reading, **given(seed=seed))
    check_reading(reading, clips)
    if len(clips) != 1:
        raise click.BadParameter(f"INPUT holds {len(clips)} clips; give one of them")
    return clips[0]


def one_description(path: Path) -> "SourceDescription":
    """What the one clip of a source that is a path says of itself."""
    from spikesim_datasets.source_description import describe_sources

    described = describe_sources(path)
    if len(described) != 1:
        raise click.BadParameter(f"{path} holds {len(described)} clips; give one of them")
    return described[0]


def given(**options: Any) -> dict[str, Any]:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def overwrite_option(what: str) -> Callable[[F], F]:
    """`--overwrite`, without which nothing that is there is replaced; a file's commands call `check_free`.

    Args:
        what: What it replaces.
    """
    return click.option("--overwrite", is_flag=True, help=f"Replace {what}.")


def check_free(output: Path, overwrite: bool) -> None:
    """Refuse a file that is there already, before any work.

    Raises:
        OutputError: It is there, and is not to be replaced, or is a pipe or a device.
    """
    from spikesim.errors import OutputError

    if output.exists() and not output.is_dir() and not output.is_file():
        raise OutputError(f"{output} is a pipe or a device, and no file to write; choose another name")
    if not overwrite and output.exists() and not output.is_dir():
        raise OutputError(f"{output} exists already; choose another name, or give --overwrite to replace it")


def refuse(why: str, **options: Any) -> None:
    """Refuse options that were given where they have no meaning, instead of leaving them without effect.

    Args:
        why: What follows their names in the message.
        options: By their names; None, False and an empty tuple are those of options that were not given.

    Raises:
        click.UsageError: One was given.
    """
    flags = [
        f"--{name.replace('_', '-')}"
        for name, value in options.items()
        if not (value is None or value is False or value == ())
    ]
    if flags:
        raise click.UsageError(f"{', '.join(flags)} {why}; leave it out")


size_options = together(
    click.option("--height", type=click.IntRange(1), help="Height of the spikes, for .dat files."),
    click.option("--width", type=click.IntRange(1), help="Width of the spikes, for .dat files."),
    click.option("--header-columns", type=click.IntRange(0), help="Extra columns of a .dat at the right of each row."),
    click.option("--no-flip", is_flag=True, help="The .dat begins with the top row of the image."),
    click.option("--key", metavar="NAME", help="Which array of a .npz with several holds the spikes."),
    click.option("--axes", type=click.Choice(["THW", "HWT", "TWH", "WHT"]), help="Axis order of a dense array."),
)
"""What a spike file may not say of itself."""


part_options = together(
    click.option("--start", type=click.IntRange(0), show_default="0", help="First readout of a spike file."),
    click.option(
        "--readouts", type=click.IntRange(1), show_default="to the end", help="Number of readouts of a spike file."
    ),
)
"""Which readouts of a spike file, for commands that have `size_options` too."""


def read_options(
    path: Path, no_flip: bool, start: int | None = None, readouts: int | None = None, **options: Any
) -> dict[str, Any]:
    """The keywords of `spikesim.read_spikes` that `size_options` and `part_options` stand for.

    Raises:
        click.UsageError: One was given that has no meaning for the format of the spike file.
    """
    from spikesim.formats import FORMATS, options_of

    if (extension := path.suffix.lower()) in FORMATS:
        known = {"height", "width", *options_of(FORMATS[extension], "read")}
        others = {name: value for name, value in options.items() if name not in known}
        refuse(f"has no meaning for {extension} files", no_flip=no_flip and "flip" not in known, **others)
    stop = None if readouts is None else (start or 0) + readouts
    return given(flip=False if no_flip else None, start=start, stop=stop, **options)


def refuse_read_options(**options: Any) -> None:
    """Refuse `size_options` and `part_options` for what is no spike file.

    Raises:
        click.UsageError: One was given.
    """
    refuse("is for spike files, which say less of themselves", **options)
