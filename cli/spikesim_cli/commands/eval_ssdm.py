"""`eval-ssdm`: tables of what each method makes of a split."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from spikesim_cli.extras import needs_ssdm
from spikesim_cli.json_option import JsonDocument, json_option
from spikesim_cli.options import (
    PATH,
    PLACE,
    ThresholdCommand,
    device_option,
    given,
    overwrite_option,
    parse_thresholds,
    refuse,
)

Named = tuple[tuple[str, Path | None], ...]
"""Methods by name, with their files."""

if TYPE_CHECKING:
    from spikesim_datasets.remote.url import Place
    from ssdm_models.evaluation import Results

_RUN = Path("runs/ssdm")

_INTERVAL = {
    "mean": "mean over samples; of a sequence, first over its frames",
    "low": "lower end of its 95 % bootstrap interval",
    "high": "upper end",
    "samples": "number of samples",
}
_KEYS = {
    "data": "the dataset",
    "split": "its split",
    "samples": "number of samples",
    "times.{frames}": "readouts that are compared: of single, sequence or exposure; null is the whole exposure",
    "size": "height and width of the images that multiplications are counted for, pixels",
    "device": "what computed, in words",
    "notes": "what was left out, and why",
    "methods[].label": "name of a method",
    "methods[].domain": "what its images are compared with",
    "methods[].parameters": "parameters of the network that it is called after",
    "methods[].all_parameters": "parameters of all its networks, each counted once",
    "methods[].macs": "multiplications with weights for one frame",
    "methods[].student": "whether it is a network that learned from a teacher",
    "methods[].loss": "what its last network minimised, empty where that is not known",
    "methods[].weights": "SHA-256 of its files",
    "methods[].seconds": "time that a frame takes, seconds, the median of all",
    "summary[].domain": "what the images are compared with",
    "summary[].frames": "single, sequence or exposure",
    "summary[].v_th": "threshold of the spikes, null where none were looked at",
    "summary[].method": "label of the method",
    **{
        f"summary[].metrics.{{metric}}.{key}": f"{meaning}; psnr in dB, null is infinite" if key == "mean" else meaning
        for key, meaning in _INTERVAL.items()
    },
    "differences[].domain": "what the images are compared with",
    "differences[].better": "label of a method",
    "differences[].worse": "label of the one that it is compared with, on the same samples",
    "differences[].frames": "single, sequence or exposure",
    "differences[].v_th": "threshold of the spikes",
    **{f"differences[].metrics.{{metric}}.{key}": meaning for key, meaning in _INTERVAL.items()},
}


def _methods(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> "Named":
    found = []
    for value in values:
        name, equals, path = value.partition("=")
        if not name or (equals and not path):
            raise click.BadParameter(f"{value!r} names no method; write NAME=FILE, or NAME of an installed package's")
        found.append((name, Path(path) if equals else None))
    return tuple(found)


@click.command(cls=ThresholdCommand)
@click.option(
    "--data",
    type=PLACE,
    default="data/gopro",
    show_default=True,
    help="Folder of a dataset, or one in the layout of the S-SDM release; or the address of a dataset elsewhere.",
)
@click.option(
    "--run",
    "runs",
    multiple=True,
    type=PATH,
    show_default=f"{_RUN} if it is there",
    help="Folder of trained networks; from further ones the networks that deblur are compared.",
)
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=PATH,
    help="Another network that deblurs, .safetensors or as released by its authors; its row is named after the file.",
)
@click.option(
    "--method",
    "methods",
    multiple=True,
    callback=_methods,
    metavar="NAME[=FILE]",
    help="A published network: its stage and its file, ours or its authors'; that of dasr upsamples for others.",
)
@click.option("--pretrained", is_flag=True, help="Compare the network that comes with spikesim as well.")
@click.option(
    "--vth",
    multiple=True,
    callback=parse_thresholds,
    metavar="V_TH...",
    show_default="all that every shard has",
    help="Thresholds of the spikes.",
)
@click.option("--split", metavar="NAME", show_default="test", help="Split of the dataset.")
@click.option("--single", is_flag=True, help="Compare the middle frame alone, and no sequences.")
@click.option("--limit", type=click.IntRange(1), show_default="all", help="Number of samples, evenly spread.")
@click.option("--ablation", is_flag=True, help="Print the rows of the paper's ablations, of single frames.")
@click.option("--table1", is_flag=True, help="Print the paper's Table 1, sequences, with the paper's figures beside.")
@click.option("--table2", is_flag=True, help="Print the paper's Table 2: the students of the teacher, single frames.")
@device_option
@click.option(
    "--out",
    type=PATH,
    show_default="nowhere",
    help="Folder for samples.csv and evaluation.json; an interrupted evaluation continues from there.",
)
@overwrite_option("another evaluation in --out, which is given up at once")
@click.option("--table", type=click.Choice(["markdown", "latex"]), help="Print tables for a document.")
@json_option(JsonDocument(_KEYS))
def eval_ssdm(data: "Place", single: bool, table: str | None, as_json: bool, **options: Any) -> None:
    """Compare blur, TFP, TFI, TFSTP, SDM and the networks of S-SDM with the ground truth: PSNR, SSIM by the
    protocols ssdm and standard, LPIPS and LIQE where they are installed, and the cost of each.

    \b
    Examples:
      spikesim eval-ssdm --vth 1 2 4 --out results/gopro
      spikesim eval-ssdm --data data/mine --pretrained --checkpoint DeblurNet_100.pth --single --table markdown
      spikesim eval-ssdm --ablation --run runs/ssdm --run runs/lambda_10
    """
    from spikesim_cli.console import messages
    from spikesim_cli.steps import Steps

    if as_json and table:
        raise click.UsageError("--json and --table both print the result; give one of them")
    which = [name for name in ("ablation", "table1", "table2") if options.pop(name)]
    if len(which) > 1:
        raise click.UsageError(f"--{' and --'.join(which)} both print the result; give one of them")
    if which == ["table1"]:
        refuse("leaves sequences out, which --table1 is of", single=single)
    sequence = not single and which in ([], ["table1"])
    if options["out"] is None:
        refuse("goes with --out, and nothing is written", overwrite=options["overwrite"])
    runs = options.pop("runs") or ((_RUN,) if _RUN.is_dir() else ())
    asked = given(v_th=options.pop("vth"), runs=runs, sequence=sequence, **options)
    with Steps("images").shown() as steps:
        with needs_ssdm("eval-ssdm"):
            from ssdm_models.evaluation import evaluate
        results = evaluate(data, on_progress=steps.tell, **asked)
    for note in results.notes:
        messages.print(note)
    _print(results, *which, form=table, as_json=as_json)


def _print(results: "Results", which: str = "all", *, form: Any, as_json: bool) -> None:
    from spikesim_cli.console import print_json, print_table
    from spikesim_cli.terminal_text import printable_lines
    from ssdm_models.evaluation.ablation import ablation_tables
    from ssdm_models.evaluation.paper_tables import table_1, table_2
    from ssdm_models.evaluation.tables import tables

    if as_json:
        print_json(results.record())
        return
    chosen = {"all": tables, "ablation": ablation_tables, "table1": table_1, "table2": table_2}[which]
    for table in chosen(results):
        if form:
            print(printable_lines(table.text(form)), end="\n\n")
        else:
            print_table(table.columns, list(table.rows), table.title, table.quoted)
