"""Training: every stage learns, goes on exactly where it stopped, and shares its batches without a change."""

import csv
import json
import math
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from training_data import write_moving

from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim_datasets.layouts import shards_to_layout
from spikesim_datasets.samples import Draw, SpikeBlurDataset
from ssdm_models import checkpoints
from ssdm_models.bsn import BSN
from ssdm_models.checkpoints import STAGES
from ssdm_models.edsr import EDSR
from ssdm_models.ldn import LDN
from ssdm_models.teacher import Teacher
from ssdm_models.training import TrainingError, make_config, train, train_stage
from ssdm_models.training import loop as loop_module
from ssdm_models.training.draws import Draws
from ssdm_models.training.lessons import Lessons
from ssdm_models.training.state import load_state

SAMPLES = 5
SHORT = {"crop": 32, "batch": 2, "workers": 0, "device": "cpu", "perceptual": "laplacian"}
STEPS = 3  # of an epoch


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_moving(root, {"train/a": 3, "train/b": 2})
    return root


@pytest.fixture(scope="module")
def taught(data, tmp_path_factory) -> Path:
    """A run whose teacher is trained, for two steps."""
    run = tmp_path_factory.mktemp("runs") / "taught"
    train(data, run, ["bsn", "sr"], epochs=1, **SHORT)
    return run


@pytest.fixture
def run(taught, tmp_path) -> Path:
    """A folder with a teacher in it, but no record of its training."""
    folder = tmp_path / "run"
    folder.mkdir()
    for stage in ("bsn", "sr"):
        (folder / f"{stage}.safetensors").write_bytes((taught / f"{stage}.safetensors").read_bytes())
    return folder


def weights(path: Path) -> dict[str, torch.Tensor]:
    return dict(checkpoints.load(path).named_parameters())


def assert_same(first: Path, second: Path, tolerance: float = 0) -> None:
    ours, theirs = weights(first), weights(second)
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=0, atol=tolerance, msg=lambda text, n=name: f"{n}: {text}")


def losses(run: Path, stage: str) -> list[float]:
    with (run / stage / "metrics.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


# Order


SPLITS = st.tuples(st.integers(1, 30), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))


@given(SPLITS, st.integers(1, 3))
def test_devices_share_the_batches_of_one(split, accumulate):
    samples, size, devices, epochs, seed = split
    parts = devices * accumulate
    whole = list(Draws(samples, size * parts, epochs, seed))
    shares = [
        iter(Draws(samples, size * parts, epochs, seed, parts=parts, own=range(d * accumulate, (d + 1) * accumulate)))
        for d in range(devices)
    ]
    for batch in whole:
        together = [draw for share in shares for _ in range(accumulate) for draw in next(share)]
        assert together == batch
    assert all(next(share, None) is None for share in shares)


@given(SPLITS, st.data())
def test_what_was_drawn_before_does_not_matter(split, data):
    samples, batch, _, epochs, seed = split
    whole = list(Draws(samples, batch, epochs, seed))
    start = data.draw(st.integers(0, len(whole)))
    rest = Draws(samples, batch, epochs, seed, start=start)
    assert list(rest) == whole[start:]
    assert len(rest) == len(whole) - start


@given(SPLITS)
def test_every_epoch_sees_every_sample_in_an_order_of_its_own(split):
    samples, batch, _, epochs, seed = split
    draws = Draws(samples, batch, epochs, seed)
    drawn = list(draws)
    for epoch in range(epochs):
        seen = [draw.sample for step in drawn[epoch * draws.steps : (epoch + 1) * draws.steps] for draw in step]
        assert sorted(seen[:samples]) == list(range(samples))
        assert len(seen) < samples + batch
    assert len({draw.seed for step in drawn for draw in step}) == len(drawn) * batch


def test_orders_differ_by_epoch_and_seed():
    orders = [
        [draw.sample for step in list(Draws(50, 50, 2, seed))[epoch : epoch + 1] for draw in step]
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert all(first != second for i, first in enumerate(orders) for second in orders[:i])
    assert isinstance(next(iter(Draws(3, 2, 1, 0)))[0], Draw)


# Configuration


def test_the_paper_and_the_release():
    for stage, epochs, rate in (("bsn", 1000, 3e-4), ("sr", 70, 3e-4), ("ldn", 100, 1e-3)):
        config = make_config(stage)
        assert (config.epochs, config.learning_rate, config.batch) == (epochs, rate, 8)
        assert (config.split, config.schedule, config.crop, config.reblur) == ("train", "epoch", 512, 100)
    release = {stage: make_config(stage, "release") for stage in STAGES}
    assert (release["bsn"].batch, release["bsn"].schedule) == (4, "epoch")
    assert (release["sr"].learning_rate, release["sr"].schedule) == (2e-4, "constant")
    assert (release["ldn"].split, release["ldn"].schedule) == ("test", "batch")
    assert make_config("ldn", "release", split="train").split == "train"


@given(st.integers(1, 50), st.integers(2, 60), st.integers(0, 5))
def test_rates_rise_and_fall_to_nothing(steps, epochs, warm_up):
    config = make_config("bsn", epochs=epochs, warm_up=warm_up, learning_rate=2.0)
    rates = [config.rate(step, steps) for step in range(epochs * steps)]
    rising = min(warm_up * steps, len(rates))
    assert rates[0] <= (2 / rising if warm_up else 2)
    falling = rates[rising:]
    assert all(later <= earlier for earlier, later in pairwise(falling))
    assert all(rates[step] == rates[step - step % steps] for step in range(rising, len(rates)))
    assert 0 < rates[-1] <= 2
    assert math.isclose(config.rate(epochs * steps, steps), 0, abs_tol=1e-12)
    if epochs % 2 == 0 and warm_up <= epochs // 2:
        assert math.isclose(config.rate(epochs // 2 * steps, steps), 1)


def test_the_released_schedule_turns_with_every_batch():
    config = make_config("ldn", "release")
    assert math.isclose(config.rate(100, 999), 0, abs_tol=1e-12)
    assert math.isclose(config.rate(200, 999), 1e-3)
    assert {make_config("sr", "release").rate(step, 7) for step in range(300)} == {2e-4}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be positive, got 0"),
        ({"batch": 0}, "batch must be positive"),
        ({"batch": 4, "accumulate": 3}, "accumulate must divide the batch, got 3"),
        ({"learning_rate": float("nan")}, "learning_rate must be a positive number"),
        ({"schedule": "linear"}, "schedule must be one of epoch, batch, constant, got 'linear'"),
        ({"warm_up": -1}, "warm_up must not be negative"),
        ({"ema": 1.0}, r"ema must lie in \[0, 1\), got 1.0"),
        ({"precision": "8"}, "precision must be one of 32-true"),
        ({"seed": -3}, "seed must not be negative"),
        ({"perceptual": "l7"}, "perceptual must be one of lpips, ms-ssim, laplacian, none, got 'l7'"),
        ({"reblur": -1.0}, "reblur must be a number from 0 on"),
        ({"compat": "paper"}, "compat must be None or 'release', got 'paper'"),
        ({"stage": "gan"}, "stage must be one of bsn, sr, ldn, got 'gan'"),
    ],
)
def test_values_without_a_meaning(wrong, message):
    with pytest.raises(InvalidValueError, match=message):
        make_config(**{"stage": "ldn", **wrong})


def test_losses_have_names():
    assert make_config("bsn").loss == "mse"
    assert make_config("ldn", perceptual="ms-ssim").loss == "ms-ssim + 100 reblur"
    assert make_config("ldn", perceptual="none", reblur=5.0).loss == "5 reblur"


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
    assert {progress.stage for progress in seen} == set(STAGES)
    recorded = json.loads((run / "ldn" / "config.json").read_text())
    assert (recorded["config"]["crop"], recorded["config"]["v_th"]) == (32, [1.0, 2.0])
    assert recorded["source"] == str(data.resolve())


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


def test_logs_tell_of_losses_rates_times_and_pictures(data, run):
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


# The teacher asked ahead


def test_lessons_are_what_the_teacher_makes_of_whole_samples(data, run):
    train_stage("ldn", data, run, epochs=1, v_th=(1, 2), ahead=True, **SHORT)
    denoiser, enlarger = (checkpoints.load(run / f"{stage}.safetensors") for stage in ("bsn", "sr"))
    denoiser.square = False
    teacher = Teacher(denoiser, enlarger)
    times = [20, 44, 68, 92, 116]
    lessons = Lessons(run / "ldn" / "lessons", "train", (1, 2), crop=32, flip=True)
    whole = {v_th: SpikeBlurDataset(data, "train", v_th, sharp="none") for v_th in (1.0, 2.0)}
    seen = set()
    for seed in range(12):
        draw = Draw(seed % SAMPLES, seed)
        item = lessons[draw]
        seen.add(item["v_th"])
        source = whole[item["v_th"]][draw.sample]
        assert (item["key"], item["window"]) == (source["key"], source["window"])
        taught = teacher(source["blur"][None], source["spikes"][None], times, (20, 117))[0]
        assert item["sharp"].shape == (5, 3, 32, 32)
        assert _place_of(item["blur"], source["blur"]) == _place_of(item["sharp"][2], taught[2], 1 / 255)
    assert seen == {1.0, 2.0}


def _place_of(crop: torch.Tensor, image: torch.Tensor, tolerance: float = 1e-6) -> tuple[int, int, int, int]:
    """Where in an image a crop is from, and how it was mirrored."""
    _, height, width = image.shape
    for down in (1, -1):
        for across in (1, -1):
            turned = crop.flip([axis for axis, sign in ((1, down), (2, across)) if sign < 0])
            for top in range(0, height - 31, 4):
                for left in range(0, width - 31, 32):
                    if (image[:, top : top + 32, left : left + 32] - turned).abs().max() <= tolerance:
                        return top, left, down, across
    raise AssertionError("the crop is nowhere in the image")


def test_lessons_are_made_once(data, run, tmp_path):
    """Of a run that is stopped while they are made, those of finished shards are kept."""
    options = {**SHORT, "ahead": True}

    def stop(progress):
        if (progress.stage, progress.steps) == ("teacher", 4):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_stage("ldn", data, run, epochs=1, on_step=stop, **options)
    made = sorted((run / "ldn" / "lessons").rglob("*.h5"))
    assert [path.name for path in made] == ["a.000.h5"]
    before = made[0].stat().st_mtime_ns
    assert train_stage("ldn", data, run, epochs=1, **options).checkpoint is not None
    assert made[0].stat().st_mtime_ns == before
    assert len(list((run / "ldn" / "lessons").rglob("*.h5"))) == 2


def test_lessons_that_the_time_does_not_suffice_for(data, run, monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    result = train_stage("ldn", data, run, epochs=1, max_minutes=2 / 60, **{**SHORT, "ahead": True})
    assert (result.checkpoint, result.steps, result.total) == (None, 0, STEPS)


# Several devices


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


# Beginning from a checkpoint


def test_a_stage_begins_from_a_checkpoint(data, run, tmp_path):
    torch.manual_seed(3)
    checkpoints.save(tmp_path / "begun.safetensors", LDN())
    rate = {"learning_rate": 1e-12, "epochs": 1}
    train_stage("ldn", data, run, init={"ldn": tmp_path / "begun.safetensors"}, **rate, **SHORT)
    assert_same(run / "ldn.safetensors", tmp_path / "begun.safetensors", 1e-9)


def test_a_stage_begins_from_what_the_authors_released(data, run, shared):
    path = shared / "weights" / "DeblurNet_100.pth"
    train_stage("ldn", data, run, init={"ldn": path}, learning_rate=1e-12, epochs=1, **SHORT)
    released = dict(checkpoints.load_released(path, "ldn").named_parameters())
    for name, value in weights(run / "ldn.safetensors").items():
        torch.testing.assert_close(value, released[name], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("network", "message"),
    [(BSN(), "holds the BSN of the stage 'bsn', not the LDN of 'ldn'"), (LDN(7), "with readouts=7, not 21")],
)
def test_a_checkpoint_of_another_network(data, run, tmp_path, network, message):
    checkpoints.save(tmp_path / "other.safetensors", network)
    with pytest.raises(InputFileError, match=message):
        train_stage("ldn", data, run, init={"ldn": tmp_path / "other.safetensors"}, epochs=1, **SHORT)


# Folders in the released layout


def test_a_released_layout_trains_as_the_shards_it_was_made_of(data, taught, tmp_path):
    shards_to_layout(data, tmp_path / "layout")
    for ground_truth in (tmp_path / "layout").glob("*/sharp_data"):
        shutil.rmtree(ground_truth)
    train_stage("sr", tmp_path / "layout", tmp_path / "run", epochs=1, **SHORT)
    assert_same(tmp_path / "run" / "sr.safetensors", taught / "sr.safetensors")


def test_a_layout_without_a_description_trains(data, tmp_path):
    """As the authors' own data, or a recording."""
    shards_to_layout(data, tmp_path / "layout")
    (tmp_path / "layout" / "spikesim.json").unlink()
    for ground_truth in (tmp_path / "layout").glob("*/sharp_data"):
        shutil.rmtree(ground_truth)
    assert train_stage("sr", tmp_path / "layout", tmp_path / "run", epochs=1, **SHORT).checkpoint is not None


def test_spikes_that_are_not_a_quarter_of_their_image(data, tmp_path):
    shards_to_layout(data, tmp_path / "layout")
    for stream in (tmp_path / "layout").rglob("*.dat"):
        stream.write_bytes(stream.read_bytes()[:-7])
    with pytest.raises(InputFileError, match=r"\.dat"):
        train_stage("sr", tmp_path / "layout", tmp_path / "run", epochs=1, **SHORT)


# What is refused


def test_another_configuration_is_refused_until_it_may_replace(data, taught, tmp_path):
    run = tmp_path / "run"
    train_stage("bsn", data, run, epochs=1, **SHORT)
    with pytest.raises(OutputError, match=r"another training of the stage bsn \(epochs 1, not 2\).*--overwrite"):
        train_stage("bsn", data, run, epochs=2, **SHORT)
    assert_same(run / "bsn.safetensors", taught / "bsn.safetensors")
    train_stage("bsn", data, run, epochs=2, overwrite=True, **SHORT)
    assert len(losses(run, "bsn")) == 2


def test_two_trainings_in_one_folder(data, tmp_path):
    def again(progress):
        with pytest.raises(OutputError, match="is being trained by another process"):
            train_stage("sr", data, tmp_path, epochs=1, **SHORT)

    assert train_stage("bsn", data, tmp_path, epochs=1, on_step=again, **SHORT).checkpoint is not None
    assert train_stage("sr", data, tmp_path, epochs=1, **SHORT).checkpoint is not None


def test_a_folder_that_cannot_be_written(data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write to .*file"):
        train_stage("sr", data, tmp_path / "file" / "run", epochs=1, **SHORT)


def test_what_a_stage_does_not_use_is_not_its_configuration(data, taught):
    (result,) = train(data, taught, ["bsn"], epochs=1, **{**SHORT, "perceptual": "ms-ssim"})
    assert result.kept


def test_another_teacher_and_other_samples_are_another_training(data, run, tmp_path):
    train_stage("ldn", data, run, epochs=1, **SHORT)
    torch.manual_seed(9)
    checkpoints.save(run / "bsn.safetensors", BSN())
    with pytest.raises(OutputError, match="other networks: bsn"):
        train_stage("ldn", data, run, epochs=1, **SHORT)
    write_moving(tmp_path / "other", {"train/c": 2})
    train_stage("sr", data, tmp_path / "run2", epochs=1, **SHORT)
    with pytest.raises(OutputError, match="other data: samples"):
        train_stage("sr", tmp_path / "other", tmp_path / "run2", epochs=1, **SHORT)


def test_networks_that_nothing_is_known_of_are_not_replaced(data, run):
    with pytest.raises(OutputError, match="nothing says how it was trained"):
        train(data, run, epochs=1, **SHORT)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"v_th": (1, 3)}, InvalidValueError, "no spikes of threshold 3 in the split 'train'; it has 1, 2"),
        ({"split": "test"}, InvalidValueError, "no samples of the split 'test'; it has train"),
        ({"crop": 128}, InvalidValueError, "crop 128 is larger than the images"),
        ({"crop": 40}, InvalidValueError, "crop must be a positive multiple of 32"),
    ],
)
def test_datasets_that_do_not_have_what_is_wanted(data, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        train(data, tmp_path / "run", epochs=1, **{**SHORT, **options})
    assert not (tmp_path / "run").exists()


def test_no_dataset(tmp_path):
    with pytest.raises(InputFileError, match="there is no dataset"):
        train(tmp_path / "nowhere", tmp_path / "run", **SHORT)


def test_a_student_without_a_teacher(data, tmp_path):
    with pytest.raises(InputFileError, match=r"bsn.safetensors, which is not there; train the stage bsn first"):
        train_stage("ldn", data, tmp_path, **SHORT)


def test_a_perceptual_loss_that_cannot_be_had_is_missed_before_the_first_step(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(ImportError, match="choose a loss without weights, such as ms-ssim"):
        train(data, tmp_path / "run", epochs=1, **{**SHORT, "perceptual": "lpips"})
    assert not (tmp_path / "run").exists()


def test_losses_that_are_no_numbers_stop_the_training(data, tmp_path):
    with pytest.raises(
        TrainingError, match=r"loss of stage sr is (nan|inf) at step (\d+).*train/[ab] window"
    ) as caught:
        train_stage("sr", data, tmp_path, epochs=3, learning_rate=1e30, schedule="constant", **SHORT)
    failed = load_state(tmp_path / "sr" / "failed.pt")
    assert f"at step {failed.steps} " in str(caught.value)
    assert not (tmp_path / "sr.safetensors").exists()


def test_a_full_disk_leaves_the_last_state(data, taught, tmp_path, monkeypatch):
    import errno

    from ssdm_models.training import state

    whole, calls = state.atomic_path, []

    def full(path):
        calls.append(path)
        if len(calls) > 1:
            raise OutputError(f"cannot write {path}: [Errno {errno.ENOSPC}] no space")
        return whole(path)

    monkeypatch.setattr(state, "atomic_path", full)
    options = {**SHORT, "batch": 5}
    with pytest.raises(OutputError, match="no space"):
        train_stage("bsn", data, tmp_path, epochs=3, **options)
    assert load_state(tmp_path / "bsn" / "state.pt").steps == 1
    monkeypatch.undo()
    train_stage("bsn", data, tmp_path, epochs=3, **options)
    train_stage("bsn", data, tmp_path / "whole", epochs=3, **options)
    assert_same(tmp_path / "bsn.safetensors", tmp_path / "whole" / "bsn.safetensors")


@pytest.mark.parametrize(("file", "message"), [("state.pt", "is damaged .* remove it"), ("config.json", "is damaged")])
def test_damaged_records(data, tmp_path, file, message):
    def stop(progress):
        if progress.steps == STEPS + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_stage("bsn", data, tmp_path, epochs=2, on_step=stop, **SHORT)
    path = tmp_path / "bsn" / file
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputFileError, match=message):
        train_stage("bsn", data, tmp_path, epochs=2, **SHORT)


def test_a_damaged_sample_is_named_without_a_trace_of_the_process_that_read_it(data, tmp_path):
    root = tmp_path / "data"
    write_moving(root, {f"train/{letter}": 1 for letter in "abcdefgh"})  # more than are read ahead

    def damage(progress):
        for path in (root / "train").iterdir():
            path.unlink()

    with pytest.raises(InputFileError, match=r"^[^\n]*[a-h]\.000\.h5 does not exist$"):
        train_stage("bsn", root, tmp_path / "run", epochs=1, on_step=damage, **{**SHORT, "batch": 1, "workers": 1})


def test_configurations_are_values():
    assert make_config("bsn") == make_config("bsn")
    assert replace(make_config("bsn"), seed=1) != make_config("bsn")
