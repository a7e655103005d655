"""What commands that train have in common: options, and how a training is shown and told of."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikesim_cli.extras import needs_ssdm
from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import F, device_option, given, overwrite_option, thresholds_option, together

if TYPE_CHECKING:
    from spikesim_cli.steps import Steps
    from ssdm_models.training import StageProgress, StageResult


_KEYS = {
    "[].stage": "name of the stage; those that were not begun are missing",
    "[].checkpoint": "file of its network, null while it is not finished",
    "[].steps": "steps that are done",
    "[].total": "all steps of the stage",
    "[].loss": "mean loss of the last epoch, null before the first is finished",
    "[].kept": "whether it was finished before, and nothing was to be done",
}


class PrecisionType(click.Choice[str]):
    """A precision; what earlier versions called them is still read."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from ssdm_models.old_names import PRECISIONS

        return super().convert(PRECISIONS.get(value, value), param, ctx)


def training_options(epochs: str, batch: str, learning_rate: str, schedule: str, crop: str) -> Callable[[F], F]:
    """The options of every training.

    Args:
        epochs, batch, learning_rate, schedule, crop: Their defaults, in words.
    """
    return together(
        thresholds_option,
        click.option("--split", metavar="NAME", show_default="train", help="Split to train on."),
        click.option("--epochs", type=click.IntRange(1), show_default=epochs, help="Passes over the samples."),
        click.option("--batch", type=click.IntRange(1), show_default=batch, help="Samples per step, over all devices."),
        click.option(
            "--accumulate", type=click.IntRange(1), show_default="1", help="Parts to divide a device's batch into."
        ),
        click.option("--crop", type=click.IntRange(32), show_default=crop, help="Side of the crops, pixels."),
        click.option("--lr", "learning_rate", type=float, show_default=learning_rate, help="Highest learning rate."),
        click.option(
            "--schedule",
            type=click.Choice(["epoch", "batch", "linear", "halved", "constant"]),
            show_default=schedule,
            help="Cosine per epoch, cosine per batch as in the released code, a line, halved each quarter, or none.",
        ),
        click.option("--warm-up", type=click.IntRange(0), show_default="0", help="Epochs over which the rate rises."),
        click.option(
            "--ema",
            type=float,
            show_default="off",
            help="Save a running mean of the weights, with this decay per step.",
        ),
        click.option("--clip", type=float, show_default="off", help="Scale larger gradients down to this norm."),
        click.option(
            "--precision",
            type=PrecisionType(["float32", "bfloat16", "float16"]),
            show_default="float32",
            help="Number format; half precision is used where it is safe.",
        ),
        click.option("--seed", type=click.IntRange(0), show_default="0", help="Seed of everything random."),
    )


execution_options = together(
    device_option,
    click.option("--devices", type=click.IntRange(1), show_default="1", help="Number of devices, or CPU processes."),
    click.option("--workers", type=click.IntRange(0), show_default="2", help="Loader processes per device."),
    click.option("--max-minutes", type=click.FloatRange(0, min_open=True), help="Stop then; the next run continues."),
    overwrite_option("stages that were trained with other options, each given up when its training begins"),
    json_option(JsonDocument(_KEYS)),
)
"""Where a stage is trained, and what becomes of another training in the folder."""


def run_training(
    command: str, data: Any, out: Path, stages: Sequence[str], as_json: bool, choices: dict[str, Any]
) -> None:
    """Train stages, show how far they are, and tell what came of them.

    Args:
        command: Name of the command.
        data, out, stages: As for `ssdm_models.training.train`.
        as_json: Whether the result is printed as JSON.
        choices: Further arguments of `train`; None where an option was not given.
    """
    import logging

    from spikesim.addresses import command_line
    from spikesim_cli.console import messages, print_json

    # Several devices are processes of their own, from which only lines come out whole.
    shown = _bars() if choices["devices"] in (None, 1) else nullcontext(_print_line)
    with shown as on_step:
        with needs_ssdm(command):
            from ssdm_models.training import train
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        results = train(
            data,
            out,
            stages,
            on_step=on_step,
            command=command_line("spikesim"),
            **given(v_th=choices.pop("vth"), **choices),
        )
    if as_json:
        print_json([asdict(result) for result in results])
        return
    for result in results:
        messages.print(_told(result))
    for name in stages[len(results) :]:
        messages.print(f"{name}: not begun; run the command again to go on")


def _told(result: "StageResult") -> str:
    if result.checkpoint is None:
        return f"{result.stage}: stopped after {result.steps} of {result.total} steps; run the command again to go on"
    loss = "" if result.loss is None else f", loss {result.loss:.4g}"
    return f"{result.stage}: {result.checkpoint}, {result.total} steps{loss}{', finished before' * result.kept}"


@contextmanager
def _bars() -> "Iterator[Callable[[StageProgress], None]]":
    """Show progress, a bar for each stage."""
    from spikesim_cli.steps import Steps

    bars: dict[str, Steps] = {}
    with ExitStack() as stack:
        stack.enter_context(Steps("preparing").shown())

        def show(progress: "StageProgress") -> None:
            if progress.stage not in bars:
                stack.close()
                bars[progress.stage] = stack.enter_context(Steps(progress.stage).shown())
            bars[progress.stage].reach(progress.steps, progress.total, _note(progress))

        yield show


def _print_line(progress: "StageProgress") -> None:
    """Show progress now and then."""
    _line(progress.stage).reach(progress.steps, progress.total, _note(progress))


@cache
def _line(stage: str) -> "Steps":
    from spikesim_cli.steps import Steps

    return Steps(stage, live=False)


def _note(progress: "StageProgress") -> str:
    means = progress.means
    if not means:
        return ""
    waiting = means["data_seconds"] / (means["data_seconds"] + means["step_seconds"])
    return f"loss {means['loss']:.4g}, {waiting:.0%} of the time waiting for data"
