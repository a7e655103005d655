"""`train-ssdm`: the stages of S-SDM, or any other, on a dataset's blurry images and spikes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikesim_cli.extras import needs_ssdm
from spikesim_cli.options import PATH, PLACE, ThresholdCommand
from spikesim_cli.training import execution_options, run_training, training_options

if TYPE_CHECKING:
    from spikesim_datasets.remote.url import Place

_ALL = "all"


class StageType(click.ParamType):
    """A stage that is registered, or all of the default run; names are known without importing torch."""

    name = "stage"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join(_stage_names())}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        chosen: str = click.Choice(_stage_names()).convert(value, param, ctx)
        return chosen


def _stage_names() -> list[str]:
    from ssdm_models.stages import STAGES

    return [_ALL, *STAGES]


@click.command(cls=ThresholdCommand)
@click.option(
    "--data", type=PLACE, default="data/gopro", show_default=True, help="Dataset: its folder, or its address elsewhere."
)
@click.option("--out", type=PATH, default="runs/ssdm", show_default=True, help="Folder of the run.")
@click.option("--stage", type=StageType(), default=_ALL, show_default=True, help="Stages to train.")
@training_options(epochs="1000, 70, 100", batch="8", learning_rate="3e-4, 3e-4, 1e-3", schedule="epoch", crop="512")
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
@execution_options
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
      spikesim train-ssdm --data data/mine --out runs/mine --vth 1 2 --perceptual ms-ssim --crop 384
      spikesim train-ssdm --data s3://bucket/data/gopro --out runs/ssdm
      spikesim train-ssdm --data recording/ --out runs/new --stage bsn --init runs/ssdm/bsn.safetensors
      spikesim train-ssdm --data recording/ --out runs/new --stage adaptation --vth 3
    """
    with needs_ssdm("train-ssdm"):
        from ssdm_models.stages import STAGES
    stages = STAGES.default if stage == _ALL else (stage,)
    run_training("train-ssdm", data, out, stages, as_json, {**choices, "init": _by_stage(initial, stage)})


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
