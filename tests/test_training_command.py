"""The command that trains: what it says, what it leaves, and what it refuses in one line."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import commands
import pytest
import torch
import toy_stage
from commands import Run, assert_refused, command
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_data import assert_same, write_moving

from ssdm_models import checkpoints
from ssdm_models.bsn import BSN
from ssdm_models.ldn import LDN
from ssdm_models.stages import STAGES

SHORT = ("--crop", 32, "--batch", 2, "--epochs", 1, "--workers", 0, "--device", "cpu", "--perceptual", "laplacian")

run, toy = commands.run, toy_stage.toy


@pytest.fixture
def train(run: Run) -> Run:
    return partial(run, "train-ssdm")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_moving(root, {"train/a": 3})
    return root


def test_one_command_trains_all_and_does_nothing_when_it_has(train, data, tmp_path):
    out = tmp_path / "run"
    first = train("--data", data, "--out", out, "--vth", 1, 2, *SHORT)
    assert first.code == 0, first.err
    assert not first.out
    for stage in ("bsn", "sr", "ldn"):
        assert f"{stage}: 2 of 2, loss " in first.err
        assert f"{stage}: {out / stage}.safetensors, 2 steps, loss " in first.err
        assert checkpoints.read_card(out / f"{stage}.safetensors").v_th == (1.0, 2.0)
        events = EventAccumulator(str(out / stage))
        events.Reload()
        assert "loss" in events.Tags()["scalars"]
    again = train("--data", data, "--out", out, "--vth", "1,2", *SHORT, "--json")
    assert again.code == 0, again.err
    told = again.json
    assert [(stage["stage"], stage["steps"], stage["kept"]) for stage in told] == [
        (name, 2, True) for name in ("bsn", "sr", "ldn")
    ]
    assert_refused(train("--data", data, "--out", out, "--vth", 1, *SHORT), "another training", "v_th", "--overwrite")
    replaced = train("--data", data, "--out", out, "--stage", "sr", "--vth", 1, "--overwrite", *SHORT)
    assert replaced.code == 0, replaced.err
    assert checkpoints.read_card(out / "sr.safetensors").v_th == (1.0,)


def test_the_time_that_is_over_is_told(train, data, tmp_path):
    result = train("--data", data, "--out", tmp_path / "run", "--max-minutes", 1e-6, *SHORT)
    assert result.code == 0, result.err
    assert "bsn: not begun; run the command again to go on" in result.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--vth", 3), "no spikes of threshold 3 in the split 'train'; it has 1, 2"),
        (("--split", "test"), "no samples of the split 'test'; it has train"),
        (("--crop", 50), "crop must be a positive multiple of 32"),
        (("--crop", 256), "is larger than the images"),
        (("--lr", -1), "learning_rate must be a positive finite number, got -1"),
        (("--ema", 1), "ema must lie in [0, 1), got 1"),
        (("--accumulate", 3), "accumulate must divide the batch"),
        (("--devices", 3), "cannot be cut into equal parts for 3 devices"),
        (("--device", "tpu"), "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'tpu'"),
        (
            ("--device", "cuda:0", "--devices", 2),
            "2 devices were asked for, but 'cuda:0' is one; take 'cuda' for several",
        ),
        (("--precision", "float16"), "precision 'float16' is for GPUs; on a CPU take 'float32', or 'bfloat16'"),
        (("--stage", "ldn"), "train the stage bsn first"),
        (("--init", "missing.safetensors"), "missing.safetensors: No such file"),
        (("--init", "old.pth"), "give it with --stage"),
        (("--stage", "bsn", "--init", "old.pth"), "old.pth"),
    ],
)
def test_bad_input_is_refused_in_one_line(train, data, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.pth").write_bytes(b"PK and no more")
    assert_refused(train("--data", data, "--out", "run", *SHORT, *options), said)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(train, data, tmp_path):
    result = train("--data", data, "--out", tmp_path / "run", *SHORT, "--device", "cuda")
    assert_refused(result, "device 'cuda' was asked for", "finds 0 CUDA devices here")


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        ("--precision bfloat16", "precision", "bfloat16"),
        ("--precision bf16-mixed", "precision", "bfloat16"),
        ("--precision 32-true", "precision", "float32"),
        ("--precision 16-mixed", "precision", "float16"),
        ("--precompute-teacher", "precompute_teacher", True),
        ("--no-precompute-teacher", "precompute_teacher", False),
        ("--ahead", "ahead", True),
        ("--no-ahead", "ahead", False),
        ("--device cuda:1", "device", "cuda:1"),
        ("--stage ldn", "stage", "ldn"),
        ("", "stage", "all"),
    ],
)
def test_options_are_read_by_their_names_of_today_and_of_before(words, name, value):
    with command("train-ssdm").make_context("train-ssdm", words.split()) as context:
        assert context.params[name] == value


def test_help_shows_the_names_of_today(train, toy):
    shown = " ".join(train("--help").out.split())
    assert f"[all|{'|'.join(STAGES)}]" in shown
    assert "[float32|bfloat16|float16]" in shown
    assert "--precompute-teacher" in shown
    assert "ahead" not in shown
    assert "mixed" not in shown


def test_a_stage_that_is_registered_is_trained_by_its_name(train, data, tmp_path, toy):
    result = train("--data", data, "--out", tmp_path, "--stage", "toy", *SHORT)
    assert result.code == 0, result.err
    assert f"toy: {tmp_path / 'toy'}.safetensors, 2 steps, loss " in result.err
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["toy.safetensors"]
    refused = train("--data", data, "--out", tmp_path, "--stage", "gan")
    assert_refused(refused, f"'gan' is not one of 'all', {', '.join(map(repr, STAGES))}")


def test_old_options_train_as_new_ones(train, data, tmp_path):
    for name, words in (
        ("new", ("--precompute-teacher", "--precision", "bfloat16")),
        ("old", ("--ahead", "--precision", "bf16-mixed")),
    ):
        done = train("--data", data, "--out", tmp_path / name, *SHORT, *words)
        assert done.code == 0, done.err
        assert (tmp_path / name / "ldn" / "teacher_targets" / "vth1").is_dir()
    assert_same(tmp_path / "new" / "ldn.safetensors", tmp_path / "old" / "ldn.safetensors")
    again = train("--data", data, "--out", tmp_path / "new", *SHORT, "--ahead", "--precision", "bf16-mixed", "--json")
    assert [stage["kept"] for stage in again.json] == [True] * 3
    assert_refused(
        train("--data", data, "--out", tmp_path / "new", *SHORT, "--ahead", "--no-precompute-teacher"),
        "'ahead' is what earlier versions called 'precompute_teacher'",
    )


def test_datasets_that_are_none(train, tmp_path):
    assert_refused(train("--data", tmp_path / "nowhere", "--out", tmp_path / "run"), "there is no dataset at")
    root = tmp_path / "old" / "train"
    root.mkdir(parents=True)
    (root / "a.000.h5").write_bytes(b"no shard")
    assert_refused(train("--data", tmp_path / "old", "--out", tmp_path / "run"), "a.000.h5")


def test_checkpoints_to_begin_with_go_to_their_stage(train, data, tmp_path):
    torch.manual_seed(1)
    for name, network in (("bsn", BSN()), ("ldn", LDN())):
        checkpoints.save(tmp_path / f"{name}.safetensors", network)
    both = [option for name in ("bsn", "ldn") for option in ("--init", tmp_path / f"{name}.safetensors")]
    result = train("--data", data, "--out", tmp_path / "run", *both, *SHORT)
    assert result.code == 0, result.err
    for name, begun in (("bsn", True), ("sr", False), ("ldn", True)):
        recorded = json.loads((tmp_path / "run" / name / "config.json").read_text())
        assert ("init" in recorded["networks"]) is begun
        assert recorded["command"].startswith("spikesim")
    assert_refused(
        train(
            "--data",
            data,
            "--out",
            tmp_path / "two",
            *both,
            "--init",
            tmp_path / "ldn.safetensors",
            *SHORT,
        ),
        "are both of the stage ldn",
    )
    assert_refused(
        train("--data", data, "--out", tmp_path / "two", "--stage", "sr", *both, *SHORT),
        "is of the stage bsn, which --stage sr does not train",
    )


def test_a_loss_that_is_no_number_is_an_error_of_one_line(train, data, tmp_path):
    result = train(
        "--data",
        data,
        "--out",
        tmp_path,
        "--stage",
        "sr",
        *SHORT,
        "--epochs",
        3,
        "--lr",
        1e30,
        "--schedule",
        "constant",
    )
    assert_refused(result, "the loss of stage sr is", "failed.pt", "lower the learning rate")


@pytest.mark.long
def test_two_processes_train_by_the_command(data, tmp_path):
    """Through the installed entry point, since processes of its own import it again."""
    options = ["--data", data, "--out", tmp_path, "--stage", "sr", *SHORT, "--devices", 2, "--workers", 1]
    script = "from spikesim_cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "train-ssdm", *map(str, options)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "sr: 2 of 2, loss " in done.stderr
    assert (tmp_path / "sr.safetensors").is_file()
