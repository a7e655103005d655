"""Training: every stage learns, goes on exactly where it stopped, and shares its batches without a change."""

import csv
import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
import training_data
from training_data import SHORT, STEPS, assert_same, losses, weights, write_moving

from spikesim.errors import InvalidValueError
from spikesim_datasets.exposure import ExposurePlan
from ssdm_models import checkpoints
from ssdm_models.edsr import EDSR
from ssdm_models.evaluation import evaluate
from ssdm_models.stages import STAGES
from ssdm_models.training import loop as loop_module
from ssdm_models.training import train, train_stage
from ssdm_models.training.state import load_state

data, taught, run = training_data.data, training_data.taught, training_data.run


# Learning


def test_every_stage_learns_and_is_kept(data, tmp_path):
    run = tmp_path / "run"
    seen = []
    results = train(data, run, epochs=6, v_th=(1, 2), on_step=seen.append, **SHORT)
    assert [result.stage for result in results] == ["bsn", "sr", "ldn"]
    for result in results:
        assert result.checkpoint == run / f"{result.stage}.safetensors"
        assert (result.steps, result.total, result.kept) == (6 * STEPS, 6 * STEPS, False)
        fallen = losses(run, result.stage)
        assert len(fallen) == 6
        assert np.mean(fallen[-2:]) < 0.7 * fallen[0]
        assert result.loss == fallen[-1]
        card = checkpoints.read_card(result.checkpoint)
        assert (card.stage, card.v_th, card.metrics["epochs"]) == (result.stage, (1.0, 2.0), 6)
        assert len(card.data) == 64
    assert checkpoints.read_card(run / "ldn.safetensors").loss == "laplacian + 100 reblur"
    assert [progress.steps for progress in seen] == 3 * list(range(1, 6 * STEPS + 1))
    assert {progress.stage for progress in seen} == set(STAGES.default)
    recorded = json.loads((run / "ldn" / "config.json").read_text())
    assert (recorded["config"]["crop"], recorded["config"]["v_th"]) == (32, [1.0, 2.0])
    assert recorded["source"] == str(data.resolve())


@pytest.mark.parametrize(
    "plan", [ExposurePlan(frames=5, padding=4), ExposurePlan(frames=33, factor=1, gap=8, padding=10)]
)
def test_other_exposures_are_learnt_from_and_compared(plan, tmp_path):
    """33 readouts in streams of 41, whose ends LDN has no room to show; and 33 of a period of 41."""
    root, run = tmp_path / "data", tmp_path / "run"
    sharp = plan.sharp_readouts("sequence")
    write_moving(root, {"train/a": 2, "test/b": 1}, v_th=(1.0,), size=(44, 64), sharp=sharp, plan=plan)
    for precompute in (False, True):
        results = train(root, run / str(precompute), epochs=1, precompute_teacher=precompute, **SHORT)
        assert [result.steps for result in results] == [1, 1, 1]
    compared = evaluate(root, runs=[run / "True"])
    shown = tuple(time for time in sharp if 10 <= time <= plan.stream_length - 11)
    sequence = {"sequence": shown} if len(shown) > 1 else {}
    assert compared.times == {"single": (sum(plan.exposure) // 2,), **sequence, "exposure": (None,)}
    assert any("is left out" in note for note in compared.notes) == (shown != sharp)
    assert {row.readout for row in compared.rows if row.method == "LDN"} == {*shown}


def test_an_exposure_that_a_student_has_no_room_to_show_is_refused_before_its_teacher_is_trained(tmp_path):
    plan = ExposurePlan(frames=2, padding=4)  # 17 readouts
    write_moving(tmp_path / "data", {"train/a": 1}, v_th=(1.0,), size=(44, 64), sharp=(8,), plan=plan)
    with pytest.raises(InvalidValueError, match=r"a window of 21 readouts around any of .* 4\.\.12 .* 0\.\.16; build"):
        train(tmp_path / "data", tmp_path / "run", epochs=1, **SHORT)
    assert not (tmp_path / "run" / "bsn.safetensors").exists()


def test_a_finished_training_is_not_repeated(data, taught):
    before = (taught / "bsn.safetensors").stat().st_mtime_ns
    (result,) = train(data, taught, ["bsn"], epochs=1, on_step=lambda _: pytest.fail("a step"), **SHORT)
    assert result.kept
    assert (result.steps, result.total) == (STEPS, STEPS)
    assert (taught / "bsn.safetensors").stat().st_mtime_ns == before


def test_the_same_again_is_the_same(data, taught, tmp_path):
    train_stage("bsn", data, tmp_path, epochs=1, **SHORT)
    assert_same(tmp_path / "bsn.safetensors", taught / "bsn.safetensors")
    train_stage("bsn", data, tmp_path / "other", epochs=1, seed=1, **SHORT)
    with pytest.raises(AssertionError):
        assert_same(tmp_path / "other" / "bsn.safetensors", taught / "bsn.safetensors")


def test_workers_change_nothing(data, taught, tmp_path):
    train_stage("sr", data, tmp_path, epochs=1, **{**SHORT, "workers": 2})
    assert_same(tmp_path / "sr.safetensors", taught / "sr.safetensors")


def test_logs_tell_of_losses_rates_times_and_images(data, run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train_stage("ldn", data, run, epochs=2, **SHORT)
    with (run / "ldn" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = ["learning_rate", "loss", "reblur", "perceptual", "data_seconds", "step_seconds", "seconds"]
    assert list(rows[0]) == ["epoch", "step", *names]
    assert [(row["epoch"], row["step"]) for row in rows] == [("1", "3"), ("2", "6")]
    assert [float(row["learning_rate"]) for row in rows] == [1e-3, 5e-4]
    for row in rows:
        assert float(row["loss"]) == pytest.approx(float(row["perceptual"]) + 100 * float(row["reblur"]), rel=1e-5)
        assert float(row["data_seconds"]) > 0
        assert float(row["step_seconds"]) > 0
    events = EventAccumulator(str(run / "ldn"))
    events.Reload()
    assert set(names) <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("loss")] == [3, 6]
    assert set(events.Tags()["images"]) == {"blur", "teacher", "ldn"}


def test_a_mean_of_the_weights_is_saved_where_it_is_wanted(data, tmp_path):
    kept = {}
    for ema in (0.0, 0.5):
        run = tmp_path / str(ema)
        train_stage("sr", data, run, epochs=1, ema=ema, **SHORT)
        kept[ema] = weights(run / "sr.safetensors")["head.weight"]
        state = load_state(run / "sr" / "state.pt")
        # What is trained is the same; only what is saved is not.
        torch.testing.assert_close(
            state.network["head.weight"], weights(tmp_path / "0.0" / "sr.safetensors")["head.weight"]
        )
    begun = EDSR_START()["head.weight"]
    assert (kept[0.5] - begun).norm() < (kept[0.0] - begun).norm()
    assert not torch.equal(kept[0.5], begun)


def test_decays_and_rates_are_those_of_the_optimiser(data, tmp_path):
    """At the last of three epochs, a line has fallen to a third; without others, the optimiser is Adam."""
    settings = {"square_decay": 0.5, "weight_decay": 0.25, "schedule": "linear", "learning_rate": 3e-4}
    for name, given, expected in (
        ("given", settings, ([0.9, 0.5], 0.25, 1e-4)),
        ("none", {"schedule": "constant"}, ([0.9, 0.999], 0, 3e-4)),
    ):
        train_stage("sr", data, tmp_path / name, epochs=3, **given, **SHORT)
        (group,) = load_state(tmp_path / name / "sr" / "state.pt").optimizer["param_groups"]
        assert (list(group["betas"]), group["weight_decay"]) == expected[:2]
        assert group["lr"] == pytest.approx(expected[2])


@pytest.mark.parametrize("accumulate", [1, 2])
def test_large_gradients_are_scaled_down_where_it_is_wanted(data, tmp_path, accumulate):
    """Adam divides by the size of a gradient, unless that is next to nothing: then the weights stay."""
    moved = {}
    for clip in (0.0, 1e3, 1e-12):
        run = tmp_path / str(clip)
        train_stage("sr", data, run, epochs=1, clip=clip, accumulate=accumulate, **SHORT)
        moved[clip] = weights(run / "sr.safetensors")["head.weight"] - EDSR_START()["head.weight"]
    torch.testing.assert_close(moved[1e3], moved[0.0], rtol=0, atol=0)
    assert moved[1e-12].abs().max() < 1e-2 * moved[0.0].abs().max()


def EDSR_START() -> dict[str, torch.Tensor]:  # noqa: N802
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return dict(EDSR().named_parameters())


def test_without_a_teacher_the_blurry_images_alone_are_learnt_from(data, tmp_path):
    result = train_stage("ldn", data, tmp_path, epochs=10, **{**SHORT, "perceptual": "none"})
    assert checkpoints.read_card(result.checkpoint).loss == "100 reblur"
    fallen = losses(tmp_path, "ldn")
    assert np.mean(fallen[-3:]) < 0.7 * np.mean(fallen[:3])


def test_training_leaves_no_trace_in_the_random_numbers_of_others(data, tmp_path):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train_stage("bsn", data, tmp_path, epochs=1, **SHORT)
    assert torch.equal(torch.get_rng_state(), before)


# Going on


KILLED = """
import os, signal, sys
from pathlib import Path
from ssdm_models.training import train_stage

def step(progress):
    if progress.steps == {die}:
        os.kill(os.getpid(), signal.SIGKILL)

train_stage({stage!r}, {data!r}, {run!r}, epochs=2, on_step=step, **{options!r})
"""


@pytest.mark.long
@pytest.mark.parametrize("stage", ["bsn", "sr", "ldn"])
def test_two_epochs_are_one_and_a_kill_and_one(data, taught, run, tmp_path, stage):
    """The kill comes in the second epoch: two steps are lost, and made again."""
    options = {**SHORT, "batch": 3, "ema": 0.9, "v_th": (1, 2)}  # two steps an epoch: 4 in all
    whole = tmp_path / "whole"
    whole.mkdir()
    for teacher in ("bsn", "sr"):
        if stage == "ldn":
            (whole / f"{teacher}.safetensors").write_bytes((run / f"{teacher}.safetensors").read_bytes())
        else:
            (run / f"{teacher}.safetensors").unlink()
    train_stage(stage, data, whole, epochs=2, **options)
    script = KILLED.format(die=3, stage=stage, data=str(data), run=str(run), options=options)
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert load_state(run / stage / "state.pt").steps == 2
    assert not (run / f"{stage}.safetensors").exists()
    steps = []
    train_stage(stage, data, run, epochs=2, on_step=lambda progress: steps.append(progress.steps), **options)
    assert steps == [3, 4]
    assert_same(run / f"{stage}.safetensors", whole / f"{stage}.safetensors")
    assert losses(run, stage) == losses(whole, stage)


def test_it_goes_on_in_the_middle_of_an_epoch(data, taught, tmp_path, monkeypatch):
    monkeypatch.setattr(loop_module, "_SECONDS_BETWEEN_SAVES", 0)

    def stop(progress):
        if progress.steps == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_stage("bsn", data, tmp_path, epochs=1, on_step=stop, **SHORT)
    assert load_state(tmp_path / "bsn" / "state.pt").steps == 1
    train_stage("bsn", data, tmp_path, epochs=1, **SHORT)
    assert_same(tmp_path / "bsn.safetensors", taught / "bsn.safetensors")
    assert losses(tmp_path, "bsn") == losses(taught, "bsn")


def test_the_time_ends_a_training_that_the_next_run_finishes(data, taught, tmp_path, monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(loop_module.time, "monotonic", lambda: float(next(clock)))
    results = train(data, tmp_path, ["bsn", "sr"], epochs=1, max_minutes=8 / 60, **SHORT)
    assert [(result.stage, result.checkpoint) for result in results] == [("bsn", None)]
    assert 0 < results[0].steps < STEPS
    monkeypatch.undo()
    assert len(train(data, tmp_path, ["bsn", "sr"], epochs=1, **SHORT)) == 2
    assert_same(tmp_path / "bsn.safetensors", taught / "bsn.safetensors")


# Several devices


@pytest.mark.long
def test_two_processes_train_as_one(data, taught, tmp_path):
    """Their gradients are sums in another order, which Adam's first steps make much of: 1e-4 of weights about 0.05."""
    train_stage("sr", data, tmp_path / "one", epochs=1, **SHORT)
    train_stage("sr", data, tmp_path / "two", epochs=1, **{**SHORT, "devices": 2})
    assert_same(tmp_path / "one" / "sr.safetensors", tmp_path / "two" / "sr.safetensors", 1e-4)
    np.testing.assert_allclose(losses(tmp_path / "one", "sr"), losses(tmp_path / "two", "sr"), rtol=1e-4)


def test_parts_of_a_batch_train_as_the_whole(data, tmp_path):
    train_stage("sr", data, tmp_path / "one", epochs=1, **{**SHORT, "batch": 4})
    train_stage("sr", data, tmp_path / "two", epochs=1, **{**SHORT, "batch": 4, "accumulate": 2})
    assert_same(tmp_path / "one" / "sr.safetensors", tmp_path / "two" / "sr.safetensors", 1e-4)


def test_a_batch_that_devices_cannot_share(data, tmp_path):
    with pytest.raises(
        InvalidValueError, match=r"a batch of 3 cannot be cut into equal parts for 2 devices.* a multiple of 2"
    ):
        train_stage("sr", data, tmp_path, epochs=1, **{**SHORT, "batch": 3, "devices": 2})
