"""Configurations of the stages, and how their rates go."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikesim.errors import InvalidValueError
from ssdm_models.stages import STAGES
from ssdm_models.training import make_config


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


@given(st.sampled_from(["bsn", "sr", "ldn", "multi_exposure"]), st.integers(1, 9), st.integers(0, 400))
def test_rates_of_earlier_versions_are_the_same_to_the_bit(stage, steps, step):
    """So that their trainings go on exactly; what they had was written as this."""
    for config in (make_config(stage, epochs=40), make_config(stage, epochs=40, schedule="batch")):
        turns = step // steps / 40 if config.schedule == "epoch" else step / 40
        rising = min(1.0, (step + 1) / (config.warm_up * steps)) if config.warm_up else 1.0
        assert config.rate(step, steps) == config.learning_rate * rising * (1 + math.cos(math.pi * turns)) / 2


AUTHORS = {  # the rates with which authors begin and end, in the shape of their schedule
    "spkdeblurnet": (1e-4, 1e-6, "epoch"),
    "refid": (2e-4, 1e-7, "epoch"),
    "bit": (1e-4, 1e-6, "epoch"),
    "bitpp": (1e-4, 1e-6 + 0.75 * (1e-4 - 1e-6), "epoch"),  # a third of a cosine
    "motion_etr": (1e-4, 0, "linear"),
    "trmd": (1e-3, 1e-3, "constant"),
    "dasr": (1e-4, 1e-4 / 8, "halved"),
}


@pytest.mark.parametrize("stage", AUTHORS)
def test_rates_are_those_of_the_authors(stage):
    first, last, schedule = AUTHORS[stage]
    config = make_config(stage)
    rates = [config.rate(7 * epoch, 7) for epoch in range(config.epochs)]
    assert config.schedule == schedule
    assert rates[0] == first
    end = config.rate(7 * config.epochs - 1, 7) if schedule == "halved" else config.rate(7 * config.epochs, 7)
    assert math.isclose(end, last, rel_tol=1e-9, abs_tol=1e-15)
    assert all(later <= earlier for earlier, later in pairwise(rates))
    steps = {round(earlier - later, 15) for earlier, later in pairwise(rates)}
    if schedule == "linear":
        assert steps == {round(first / config.epochs, 15)}
    if schedule == "halved":
        assert [rates[epoch] for epoch in (124, 125, 249, 250, 374, 375)] == [
            first / 2**times for times in (0, 1, 1, 2, 2, 3)
        ]


def test_optimisers_are_those_of_the_authors():
    decays = {stage: (make_config(stage).square_decay, make_config(stage).weight_decay) for stage in AUTHORS}
    assert decays.pop("refid") == (0.99, 1e-4)
    assert {stage for stage, found in decays.items() if found == (0.999, 1e-4)} == {"bit", "bitpp"}
    assert {decays[stage] for stage in decays if "bit" not in stage} == {(0.999, 0)}


def test_crops_are_turned_where_the_authors_turn_them():
    turned = {stage for stage in STAGES if make_config(stage).flip == "turn"}
    assert turned == {"spkdeblurnet", "refid", "bit", "bitpp", "dasr"}
    assert all(make_config(stage).flip is True for stage in STAGES if stage not in turned)


def test_a_floor_is_what_rates_fall_to():
    for schedule in ("epoch", "batch", "linear"):
        config = make_config("bsn", epochs=8, schedule=schedule, rate_floor=0.25, learning_rate=2.0)
        steps = 1 if schedule == "batch" else 3
        assert config.rate(0, steps) == 2
        assert math.isclose(config.rate(8 * steps, steps), 0.5)
        assert math.isclose(config.rate(4 * steps, steps), 1.25)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"batch": 0}, "batch must be a whole number of at least 1, got 0"),
        ({"batch": 4, "accumulate": 3}, "accumulate must divide the batch, got 3"),
        ({"learning_rate": float("nan")}, "learning_rate must be a positive finite number"),
        ({"schedule": "line"}, "schedule must be one of 'epoch', 'batch', 'linear', 'halved', 'constant', got 'line'"),
        ({"rate_floor": 1.5}, "rate_floor must be a finite number .* 1, got 1.5"),
        ({"schedule_part": 0}, "schedule_part must be a positive finite number"),
        ({"schedule_part": 1.5}, "schedule_part must be .* got 1.5"),
        ({"rate_floor": -0.1}, "rate_floor must be a finite number"),
        ({"flip": "turned"}, "flip must be True, False or 'turn', got 'turned'"),
        ({"warm_up": -1}, "warm_up must be a whole number of at least 0"),
        ({"ema": 1.0}, r"ema must lie in \[0, 1\), got 1.0"),
        ({"square_decay": 1}, r"square_decay must lie in \[0, 1\), got 1"),
        ({"clip": -1}, "clip must be a finite number of at least 0"),
        ({"precision": "8"}, "precision must be one of 'float32', 'bfloat16', 'float16'"),
        ({"seed": -3}, "seed must be a whole number of at least 0"),
        ({"perceptual": "l7"}, "perceptual must be one of 'lpips', 'ms-ssim', 'laplacian', 'none', got 'l7'"),
        ({"reblur": -1.0}, "reblur must be a finite number of at least 0"),
        ({"compat": "paper"}, "compat, where it is given, must be one of 'release', got 'paper'"),
        ({"stage": "gan"}, r"stage must be one of bsn, sr, ldn, multi_exposure, adaptation, .*, got 'gan'"),
        ({"epoch": 3}, "there is no option 'epoch'; options are accumulate, batch, clip, crop, .*warm_up"),
    ],
)
def test_values_without_a_meaning(wrong, message):
    with pytest.raises(InvalidValueError, match=message):
        make_config(**{"stage": "ldn", **wrong})


def name_of(stage: str, **given: object) -> str:
    return STAGES[stage].objective.name(make_config(stage, **given))


def test_losses_have_names():
    assert name_of("bsn") == "mse"
    assert name_of("ldn", perceptual="ms-ssim") == "ms-ssim + 100 reblur"
    assert name_of("ldn", perceptual="none", reblur=5.0) == "5 reblur"


def test_configurations_are_values():
    assert make_config("bsn") == make_config("bsn")
    assert replace(make_config("bsn"), seed=1) != make_config("bsn")
