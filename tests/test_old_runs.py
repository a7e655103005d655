"""Runs of earlier versions: records with other names are read as those of today, and go on to the same weights."""

import json
import shutil
from pathlib import Path

import pytest
import training_data
from checkpoint_data import rewrite_card
from training_data import SHORT, STEPS, assert_same

from spikesim.errors import InputFileError, InvalidValueError, OutputError
from ssdm_models import checkpoints
from ssdm_models.ldn import LDN
from ssdm_models.old_names import PRECISIONS, rename_teacher_targets, renamed_settings
from ssdm_models.trained_networks import load_deblurring
from ssdm_models.training import loop as loop_module
from ssdm_models.training import make_config, train_stage
from ssdm_models.training.state import load_state

data, taught, run = training_data.data, training_data.taught, training_data.run

OPTIONS = {**SHORT, "epochs": 2, "v_th": (1, 2), "ema": 0.9, "precompute_teacher": True, "precision": "bfloat16"}
OLD = {name: value for name, value in OPTIONS.items() if name != "precompute_teacher"}
OLD |= {"ahead": True, "precision": "bf16-mixed"}


def age(run: Path) -> None:
    """Make a run one of an earlier version."""
    path = run / "ldn" / "config.json"
    record = json.loads(path.read_text())
    config = record["config"]
    assert (config.pop("precompute_teacher"), config["precision"]) == (True, "bfloat16")
    assert config.pop("clip") == config.pop("rate_floor") == 0
    assert (config.pop("schedule_part"), config.pop("square_decay")) == (1, 0.999)
    record["config"] = {**config, "ahead": True, "precision": "bf16-mixed"}
    path.write_text(json.dumps(record))
    (run / "ldn" / "teacher_targets").rename(run / "ldn" / "lessons")
    if (run / "ldn.safetensors").exists():
        rewrite_card(run / "ldn.safetensors", lambda card: {**card, "arguments": {"readouts": 21}})


@pytest.mark.long
@pytest.mark.parametrize("options", [OPTIONS, OLD], ids=["new names", "old names"])
def test_an_old_run_goes_on_to_the_same_weights(data, run, tmp_path, monkeypatch, options):
    shutil.copytree(run, tmp_path / "whole")
    train_stage("ldn", data, tmp_path / "whole", **OPTIONS)
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_SAVES", 0)

    def stop(progress):
        if (progress.stage, progress.steps) == ("ldn", STEPS + 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_stage("ldn", data, run, on_step=stop, **OPTIONS)
    age(run)
    assert load_state(run / "ldn" / "state.pt").steps == STEPS + 1
    made = {path.name: path.stat().st_mtime_ns for path in (run / "ldn" / "lessons" / "vth1").rglob("*.h5")}
    steps = []
    train_stage(
        "ldn", data, run, on_step=lambda step: steps.append(step.steps) if step.stage == "ldn" else None, **options
    )
    assert steps == [STEPS + 2, 2 * STEPS]
    assert_same(run / "ldn.safetensors", tmp_path / "whole" / "ldn.safetensors")
    kept = (run / "ldn" / "teacher_targets" / "vth1").rglob("*.h5")
    assert {path.name: path.stat().st_mtime_ns for path in kept} == made != {}
    assert not (run / "ldn" / "lessons").exists()


def test_a_finished_old_run_is_finished_and_not_another(data, run):
    train_stage("ldn", data, run, **OPTIONS)
    age(run)
    for options in (OPTIONS, OLD):
        assert train_stage("ldn", data, run, on_step=lambda _: pytest.fail("a step"), **options).kept
    with pytest.raises(OutputError, match=r"\(precision bfloat16, not float32\)"):
        train_stage("ldn", data, run, **{**OPTIONS, "precision": "float32"})
    with pytest.raises(OutputError, match=r"\(precompute_teacher True, not False\)"):
        train_stage("ldn", data, run, **{**OPTIONS, "precompute_teacher": False})


SR = {"crop": 32, "batch": 2, "workers": 0, "device": "cpu"}
OTHERS = {"epochs": 2, "schedule": "constant", "flip": False}  # than the stage has by itself


def stop_at(last):
    def stop(progress):
        if progress.steps == last:
            raise KeyboardInterrupt

    return stop


@pytest.fixture
def begun(data, tmp_path, monkeypatch) -> Path:
    """A run that was stopped in its second step."""
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_SAVES", 0)
    with pytest.raises(KeyboardInterrupt):
        train_stage("sr", data, tmp_path / "run", on_step=stop_at(2), **OTHERS, **SR)
    return tmp_path / "run"


def test_a_run_of_an_earlier_version_goes_on_as_it_was_begun(data, tmp_path, begun):
    """Though its stage has other settings by itself today, and however often it is stopped."""
    path = begun / "sr" / "config.json"
    record = json.loads(path.read_text())
    assert record["config"].pop("rate_floor") == 0
    path.write_text(json.dumps(record))
    with pytest.raises(OutputError, match=r"\(learning_rate 0.0003, not 0.1\)"):
        train_stage("sr", data, begun, learning_rate=0.1, **SR)
    for last in (3, 4):
        with pytest.raises(KeyboardInterrupt):
            train_stage("sr", data, begun, on_step=stop_at(last), **SR)
    assert json.loads(path.read_text())["config"] == record["config"]
    train_stage("sr", data, begun, **SR)
    train_stage("sr", data, tmp_path / "whole", **OTHERS, **SR)
    assert_same(begun / "sr.safetensors", tmp_path / "whole" / "sr.safetensors")
    assert train_stage("sr", data, begun, **SR).kept
    totals = []

    def stop(progress):
        totals.append(progress.total)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):  # with --overwrite it is what the stage is today
        train_stage("sr", data, begun, overwrite=True, on_step=stop, **SR)
    assert totals == [70 * STEPS]
    assert json.loads(path.read_text())["config"]["rate_floor"] == 0


def test_of_a_run_of_today_other_settings_are_another_training(data, begun):
    with pytest.raises(OutputError, match=r"\(epochs 2, not 70; flip False, not True; schedule constant, not epoch\)"):
        train_stage("sr", data, begun, **SR)


def test_old_checkpoints_are_read(tmp_path):
    path = tmp_path / "ldn.safetensors"
    checkpoints.save(path, LDN(5), v_th=(1, 2), loss="laplacian")
    rewrite_card(path, lambda card: {**card, "arguments": {"readouts": 5}})
    assert checkpoints.read_card(path).arguments == {"length": 5}
    assert checkpoints.load(path, "ldn", length=5).length == load_deblurring(path).deblurring.length == 5
    rewrite_card(path, lambda card: {**card, "arguments": {"readouts": 5, "length": 5}})
    with pytest.raises(InputFileError, match="is damaged: 'readouts' is what earlier versions called 'length'"):
        checkpoints.load(path)


def test_old_settings_are_those_of_today():
    assert renamed_settings({"ahead": True, "epochs": 3}) == {"precompute_teacher": True, "epochs": 3}
    assert PRECISIONS == {"32-true": "float32", "bf16-mixed": "bfloat16", "16-mixed": "float16"}
    for old, name in PRECISIONS.items():
        assert renamed_settings({"precision": old}) == renamed_settings({"precision": name}) == {"precision": name}
        assert make_config("ldn", precision=old, ahead=True) == make_config(
            "ldn", precision=name, precompute_teacher=True
        )
    with pytest.raises(InvalidValueError, match="'ahead' is what earlier versions called 'precompute_teacher'; give"):
        make_config("ldn", ahead=True, precompute_teacher=False)


def test_teacher_targets_are_renamed_where_there_are_none_of_today(tmp_path):
    new = tmp_path / "teacher_targets"
    rename_teacher_targets(new)
    assert not new.exists()
    (tmp_path / "lessons" / "vth1").mkdir(parents=True)
    rename_teacher_targets(new)
    assert (new / "vth1").is_dir()
    (tmp_path / "lessons").mkdir()
    rename_teacher_targets(new)
    assert (new / "vth1").is_dir()
    assert (tmp_path / "lessons").is_dir()
