"""The command that evaluates."""

import re
import shutil
import subprocess
import sys
from functools import partial
from inspect import signature
from pathlib import Path
from typing import get_args

import click
import commands
import evaluation_data
import pytest
from commands import Run, assert_refused, command

from ssdm_models import evaluation
from ssdm_models.evaluation.rows import read_rows
from ssdm_models.evaluation.tables import Form

data, trained, run = evaluation_data.data, evaluation_data.run, commands.run


@pytest.fixture
def evaluate(run: Run) -> Run:
    return partial(run, "eval-ssdm")


def test_the_command_prints_tables(
    evaluate: Run, data: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bare = evaluate("--data", data, "--single", "--limit", 1, "--vth", 1, "--pretrained")
    assert bare.code == 0, bare.err
    assert "there is no run folder" in bare.err
    assert "pretrained" not in evaluate("--data", data, "--single", "--limit", 1, "--vth", 1).out
    assert {"blur", "SDM", "pretrained", "TFP", "TFI", "TFSTP", "bilinear"} <= set(bare.out.split())
    shutil.copytree(trained, tmp_path / "runs" / "ssdm")
    whole = evaluate("--data", data, "--limit", 1, "--vth", 1, 2.5, "--table", "markdown", "--out", "out")
    assert whole.code == 0, whole.err
    kept = read_rows(tmp_path / "out" / "samples.csv")
    assert {row.method for row in kept} >= {"LDN", "teacher", "BSN", "SR"}
    assert {row.v_th for row in kept} == {None, 1.0, 2.5}
    assert whole.out.count("| V_th | method |") == 5
    assert len(re.findall(r"^\| 2\.5 \| LDN \|", whole.out, re.MULTILINE)) == 2
    ablation = evaluate(
        "--data", data, "--limit", 1, "--ablation", "--vth", 1, "--table", "latex", "--run", "runs/ssdm"
    )
    assert ablation.code == 0, ablation.err
    assert "+ SR (teacher) & " in ablation.out
    assert ablation.out.count(r"\begin{table}") == 3


def test_the_command_prints_json_alone(
    evaluate: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    record = evaluate("--data", data, "--single", "--limit", 1, "--vth", "1", "--json", "--device", "cpu").json
    assert (record["split"], record["samples"], record["times"]["single"]) == ("test", 1, [68])
    assert {(f["method"], f["v_th"]) for f in record["summary"]} >= {("blur", None), ("SDM", 1.0)}


def test_the_command_refuses_bad_input_in_one_line(evaluate: Run, data: Path, trained: Path, tmp_path: Path) -> None:
    for arguments, what in (
        (("--data", tmp_path / "none"), "there is no dataset"),
        (("--data", data, "--vth", 4), "it has 1, 2.5"),
        (("--data", data, "--run", tmp_path / "none"), "there is no run folder"),
        (("--data", data, "--checkpoint", trained / "sr.safetensors"), "not the LDN of 'ldn'"),
        (("--data", data, "--json", "--table", "latex"), "--json and --table"),
    ):
        assert_refused(evaluate(*arguments), what)


def test_shown_defaults_and_choices_are_those_of_the_library() -> None:
    options = {str(option.name): option for option in command("eval-ssdm").params if isinstance(option, click.Option)}
    calls = (evaluation.evaluate, evaluation.Request)
    defaults = {name: given.default for call in calls for name, given in signature(call).parameters.items()}
    assert [options[name].show_default for name in ("split", "device")] == [
        defaults[name] for name in ("split", "device")
    ]
    assert [defaults[name] for name in ("v_th", "runs", "limit", "out", "sequence", "pretrained", "overwrite")] == [
        (), (), None, None, True, False, False,
    ]  # fmt: skip
    assert [options[name].show_default for name in ("vth", "limit", "out")] == [
        "all that every shard has",
        "all",
        "nowhere",
    ]
    assert tuple(options["table"].type.choices) == get_args(Form)  # type: ignore[attr-defined]


@pytest.mark.parametrize("missing", ["torch", "skimage"])
def test_a_missing_extra_is_named(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "sys.argv = ['spikesim', 'eval-ssdm']\nfrom spikesim_cli.main import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2
    said = rf"^Error: `spikesim eval-ssdm` needs {missing}.*; pip install 'spikesim\[ssdm\]'\n$"
    assert re.search(said, result.stderr, re.MULTILINE)
    assert result.stderr.count("Error") == 1
