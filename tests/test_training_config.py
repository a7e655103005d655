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


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1, got 0"),
        ({"batch": 0}, "batch must be a whole number of at least 1, got 0"),
        ({"batch": 4, "accumulate": 3}, "accumulate must divide the batch, got 3"),
        ({"learning_rate": float("nan")}, "learning_rate must be a positive finite number"),
        ({"schedule": "linear"}, "schedule must be one of 'epoch', 'batch', 'constant', got 'linear'"),
        ({"warm_up": -1}, "warm_up must be a whole number of at least 0"),
        ({"ema": 1.0}, r"ema must lie in \[0, 1\), got 1.0"),
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
