"""`train-ssdm`: the stages of S-SDM, or any other, on a dataset's blurry images and spikes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikesim_cli.extras import needs_ssdm
from spikesim_cli.options import (
    PATH,
    PLACE,
    ThresholdCommand,
    device_option,
    given,
    overwrite_option,
    thresholds_option,
)

if TYPE_CHECKING:
    from spikesim_cli.steps import Steps
    from spikesim_datasets.remote.url import Place
    from ssdm_models.training import StageProgress, StageResult

_ALL = "all"


class StageType(click.ParamType):
    """A stage that is registered, or all of the default run; names are known without importing torch."""

    name = "stage"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join(_stage_names())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        chosen: str = click.Choice(_stage_names()).convert(value, param, ctx)
        return chosen


class PrecisionType(click.Choice[str]):
    """A precision; what earlier versions called them is still read."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from ssdm_models.old_names import PRECISIONS

        return super().convert(PRECISIONS.get(value, value), param, ctx)


def _stage_names() -> list[str]:
    from ssdm_models.stages import STAGES

    return [_ALL, *STAGES]


@click.command(cls=ThresholdCommand)
@click.option(
    "--data", type=PLACE, default="data/gopro", show_default=True, help="Dataset: its folder, or its address elsewhere."
)
@click.option("--out", type=PATH, default="runs/ssdm", show_default=True, help="Folder of the run.")
@click.option("--stage", type=StageType(), default=_ALL, show_default=True, help="Stages to train.")
@thresholds_option
@click.option("--split", metavar="NAME", show_default="train", help="Split to train on.")
@click.option("--epochs", type=click.IntRange(1), show_default="1000, 70, 100", help="Passes over the samples.")
@click.option("--batch", type=click.IntRange(1), show_default="8", help="Samples per step, over all devices.")
@click.option("--accumulate", type=click.IntRange(1), show_default="1", help="Parts to divide a device's batch into.")
@click.option("--crop", type=click.IntRange(32), show_default="512", help="Side of the crops, pixels.")
@click.option("--lr", "learning_rate", type=float, show_default="3e-4, 3e-4, 1e-3", help="Highest learning rate.")
@click.option(
    "--schedule",
    type=click.Choice(["epoch", "batch", "constant"]),
    show_default="epoch",
    help="Cosine per epoch, cosine per batch as in the released code, or none.",
)
@click.option("--warm-up", type=click.IntRange(0), show_default="0", help="Epochs over which the rate rises.")
@click.option(
    "--ema", type=float, show_default="off", help="Save a running mean of the weights, with this decay per step."
)
@click.option("--clip", type=float, show_default="off", help="Scale larger gradients down to this norm.")
@click.option(
    "--precision",
    type=PrecisionType(["float32", "bfloat16", "float16"]),
    show_default="float32",
    help="Number format; half precision is used where it is safe.",
)
@click.option("--seed", type=click.IntRange(0), show_default="0", help="Seed of everything random.")
@click.option(
    "--perceptual",
    type=click.Choice(["lpips", "ms-ssim", "laplacian", "none"]),
    show_default="lpips",
    help="LDN's distance to the teacher; lpips needs weights, none leaves the teacher out.",
)
@click.option("--reblur", type=float, show_default="100", help="LDN's weight of the distance to the blurry image.")
@click.option(
    "--precompute-teacher/--no-precompute-teacher",
    default=None,
    help="Run LDN's teacher once on whole images instead of on every crop: faster, needs disk space.",
)
@click.option("--ahead/--no-ahead", default=None, hidden=True, help="Earlier name of --precompute-teacher.")
@click.option("--compat", type=click.Choice(["release"]), help="Follow the released code instead of the paper.")
@click.option(
    "--init",
    "initial",
    multiple=True,
    type=PATH,
    help="Checkpoint to start its stage from, one per stage. The authors' .pth files need --stage.",
)
@device_option
@click.option("--devices", type=click.IntRange(1), show_default="1", help="Number of devices, or CPU processes.")
@click.option("--workers", type=click.IntRange(0), show_default="2", help="Loader processes per device.")
@click.option("--max-minutes", type=click.FloatRange(0, min_open=True), help="Stop then; the next run continues.")
@overwrite_option("stages that were trained with other options, each given up when its training begins")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def train_ssdm(data: "Place", out: Path, stage: str, initial: tuple[Path, ...], as_json: bool, **choices: Any) -> None:
    """Train S-SDM without ground truth: BSN denoises short exposures of the spikes, SR upsamples them, and LDN learns
    to deblur from the teacher that both make.

    Finished stages are skipped; a stage that was stopped, in whatever way, continues where it was. The networks are
    written to OUT as bsn.safetensors, sr.safetensors and ldn.safetensors, logs and settings to a folder for each stage:
    metrics.csv, and images and curves for `tensorboard --logdir OUT`.

    Several thresholds train one network for all of them.

    \b
    Examples:
      spikesim train-ssdm --data data/gopro --out runs/ssdm --vth 1
      spikesim train-ssdm --data data/mine --vth 1 2 --perceptual ms-ssim --crop 384
      spikesim train-ssdm --data s3://bucket/data/gopro --out runs/ssdm
      spikesim train-ssdm --data recording/ --out runs/new --stage ldn --init runs/ssdm/ldn.safetensors
      spikesim train-ssdm --data recording/ --out runs/new --stage adaptation --vth 3
    """
    import logging

    from spikesim.addresses import command_line
    from spikesim_cli.console import messages, print_json

    # Several devices are processes of their own, from which only lines come out whole.
    shown = _bars() if choices["devices"] in (None, 1) else nullcontext(_print_line)
    with shown as on_step:
        with needs_ssdm("train-ssdm"):
            from ssdm_models.stages import STAGES
            from ssdm_models.training import train
        logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
        stages = STAGES.default if stage == _ALL else (stage,)
        results = train(
            data,
            out,
            stages,
            init=_by_stage(initial, stage),
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


def _by_stage(paths: tuple[Path, ...], stage: str) -> dict[str, Path]:
    """Checkpoints to begin with, by their stage."""
    from ssdm_models.checkpoint_file import is_ours
    from ssdm_models.checkpoints import read_card
    from ssdm_models.stages import STAGES

    found: dict[str, Path] = {}
    for path in paths:
        if is_ours(path):
            own = read_card(path).stage
            if stage != _ALL and STAGES[stage].adapts == own:
                own = stage
        elif stage == _ALL:
            raise click.UsageError(f"{path} does not say of which stage it is; give it with --stage")
        else:
            own = stage
        if own in found:
            raise click.UsageError(f"{found[own]} and {path} are both of the stage {own}; give one")
        if stage not in (_ALL, own):
            raise click.UsageError(f"{path} is of the stage {own}, which --stage {stage} does not train")
        found[own] = path
    return found


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
