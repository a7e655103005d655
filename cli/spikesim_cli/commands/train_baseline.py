"""`train-baseline`: published networks, supervised by a dataset's ground truth."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikesim_cli.options import PATH, PLACE, ThresholdCommand
from spikesim_cli.training import execution_options, run_training, training_options

if TYPE_CHECKING:
    from spikesim_datasets.remote.url import Place

BASELINES = ("spkdeblurnet", "red", "trmd", "refid", "levs", "motion_etr", "bit", "bitpp", "dasr")
"""The stages that are trained by this command."""


@click.command(cls=ThresholdCommand)
@click.argument("name", type=click.Choice(BASELINES), metavar="NAME")
@click.option(
    "--data", type=PLACE, default="data/gopro", show_default=True, help="Dataset: its folder, or its address elsewhere."
)
@click.option("--out", type=PATH, default="runs/baselines", show_default=True, help="Folder of the run.")
@click.option("--small", is_flag=True, default=None, help="A small training that two cores finish, of a small network.")
@training_options(**dict.fromkeys(["epochs", "batch", "learning_rate", "schedule", "crop"], "its authors'"))
@click.option("--weight-decay", type=float, show_default="its authors'", help="That AdamW takes off the weights.")
@click.option("--init", type=PATH, help="Checkpoint to start from; bitpp starts from one of bit.")
@execution_options
def train_baseline(name: str, data: "Place", out: Path, init: Path | None, as_json: bool, **choices: Any) -> None:
    """Train a published network by the sharp frames of a dataset: NAME is spkdeblurnet, red, trmd, refid, levs,
    motion_etr, bit, bitpp, or dasr, which upsamples what red, trmd and refid show at a quarter of the size.

    Settings are those of its authors where they are not given. A training that was stopped, in whatever way, continues
    where it was. The network is written to OUT as NAME.safetensors. Networks that show seven frames at once need
    datasets built with --sharp sequence.

    \b
    Examples:
      spikesim train-baseline spkdeblurnet --data data/gopro --vth 1
      spikesim train-baseline bitpp --data data/gopro --vth 1 --init runs/baselines/bit.safetensors
      spikesim train-baseline red --data data/mine --vth 1 --small --max-minutes 60
    """
    chosen = {**choices, "init": None if init is None else {name: init}}
    run_training("train-baseline", data, out, (name,), as_json, chosen)
