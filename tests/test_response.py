"""Responses of cameras: codes and light, one implementation for light and blur."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from build_data import write_frames
from commands import Run, assert_refused, run  # noqa: F401
from hypothesis import given
from hypothesis import strategies as st

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.optics import Optics
from spikesim_datasets.recipe import Recipe, make_recipe
from spikesim_datasets.response import GAMMA, LINEAR, Response, Sigmoid
from spikesim_datasets.shards import open_dataset
from ssdm_models.training.shown_scenes import optics_of

SIGMOIDS = st.builds(Sigmoid, st.floats(0.1, 12), st.floats(0, 1))
RESPONSES = st.one_of(
    st.sampled_from([LINEAR, GAMMA, Response("srgb")]), SIGMOIDS.map(lambda sigmoid: Response("sigmoid", sigmoid))
)


@given(response=RESPONSES)
def test_codes_come_back_from_the_light_that_they_stand_for(response: Response) -> None:
    codes = np.arange(256)
    assert np.array_equal(response.codes(response.levels / 255), codes)
    assert (np.diff(response.levels) > 0).all()
    assert (response.levels[0], response.levels[-1]) == (pytest.approx(0, abs=1e-9), pytest.approx(255))


@given(response=RESPONSES)
def test_responses_are_recorded(response: Response) -> None:
    assert Response.of(response.record()) == Response.of(response) == response
    recipe = make_recipe(response=response, ratio=2)
    assert Recipe.from_choices(recipe.choices()) == recipe
    assert Optics.of_choices(recipe.choices()) == recipe.optics


def test_the_first_two_responses_are_recorded_as_ever() -> None:
    assert make_recipe().choices()["linear_light"] is False
    assert make_recipe(linear_light=True).choices()["linear_light"] is True
    assert make_recipe(linear_light=True) == make_recipe(response="gamma2.2")
    assert not {"response", "ratio"} & make_recipe().choices().keys()
    assert Optics.of_choices({}) == Optics()


@pytest.mark.parametrize(
    ("code", "light"),
    [(0, 0), (10, 10 / 255 / 12.92), (128, ((128 / 255 + 0.055) / 1.055) ** 2.4), (255, 1)],
)
def test_srgb_is_that_of_its_standard(code: int, light: float) -> None:
    assert Response("srgb").levels[code] == pytest.approx(255 * light)


def test_a_sigmoid_is_the_logistic_curve_from_0_to_1() -> None:
    response = Response("sigmoid", Sigmoid(slope=6, midpoint=0.5))
    low, middle, high = (1 / (1 + math.exp(-6 * (x - 0.5))) for x in (0, 0.75, 1))
    expected = [0, 127.5, 255 * (middle - low) / (high - low), 255]
    assert np.abs(response.codes([0, 0.5, 0.75, 1]) - np.array(expected)).max() <= 0.5
    with pytest.raises(InvalidValueError, match="finite real numbers"):
        response.codes(np.array([np.nan]))


@given(response=RESPONSES)
def test_the_blur_of_black_and_white_is_the_code_of_half_the_light(response: Response) -> None:
    exposure = Optics(response=response).exposure()
    for value in (0, 255):
        exposure.add(np.full((4, 4, 3), value, np.uint8))
    light = np.interp(exposure.blur()[0, 0, 0], np.arange(256), response.levels) / 255
    step = np.diff(response.levels).max() / 255
    assert light == pytest.approx(0.5, abs=step)


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ("paper", "a response is linear, gamma2.2, srgb, sigmoid:FILE, got 'paper'"),
        ("sigmoid", "write sigmoid:FILE"),
        ("sigmoid:", "a response is"),
        ({"paper": {}}, "no response of this version"),
        ({"sigmoid": {"slope": 1}}, "no response of this version"),
        ({"sigmoid": {"slope": 60, "midpoint": 0.5}}, "a slope up to 50 and a midpoint from 0 to 1, got 60 and 0.5"),
        ({"sigmoid": {"slope": 6, "midpoint": -0.1}}, "a slope up to 50"),
        ({"sigmoid": {"slope": 0, "midpoint": 0.1}}, "slope of a sigmoid"),
        (3, "response must be"),
    ],
)
def test_what_is_no_response_is_refused(described: object, said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        Optics(response=described)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["slope = ", "slope = 6.0", "slope = 6.0\nmidpoint = 0.5\nname = 1", "slope = 'a'\nmidpoint = 0.5", "\xff"]
)
def test_what_is_no_file_of_a_sigmoid_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "curve.toml"
    file.write_text(text, "latin-1")
    with pytest.raises(InputFileError, match=r"curve\.toml describes no sigmoid .*; write two lines, as slope = 6\.0"):
        Response.of(f"sigmoid:{file}")
    file.write_bytes(b"#" * (1 << 17))
    with pytest.raises(InputFileError, match="131072 bytes"):
        Response.of(f"sigmoid:{file}")
    with pytest.raises(InputFileError, match="No such file"):
        Response.of(f"sigmoid:{tmp_path / 'none.toml'}")


@pytest.mark.long
def test_responses_of_the_command_line(run: Run, tmp_path: Path) -> None:  # noqa: F811
    frames = write_frames(tmp_path / "clip", 42)
    (tmp_path / "curve.toml").write_text("slope = 6.0\nmidpoint = 0.4\n")
    words = ("build", frames, "--interp", "linear", "--out")
    blurs = {}
    for name in ("linear", "gamma2.2", "srgb", f"sigmoid:{tmp_path / 'curve.toml'}"):
        out = tmp_path / name[:4]
        assert run(*words, out, "--response", name).code == 0
        made = open_dataset(out, "train")
        assert optics_of(made) == Optics(response=name)
        blurs[name[:4]] = made[0].blur.astype(int)
    assert run(*words, tmp_path / "plain").code == 0
    assert run(*words, tmp_path / "decoded", "--linear-light").code == 0
    for one, other in (("plain", "line"), ("decoded", "gamm")):
        first, second = (open_dataset(tmp_path / name, "train")[0] for name in (one, other))
        assert np.array_equal(first.blur, second.blur)
        assert np.array_equal(first.spikes[1.0].packed, second.spikes[1.0].packed)
    assert (blurs["gamm"] >= blurs["line"]).all()  # the mean of light is more than the light of the mean
    assert 0 < np.abs(blurs["srgb"] - blurs["gamm"]).max() < 5
    told = run("info", tmp_path / "sigm", "--json").json["choices"]["response"]
    assert told == {"sigmoid": {"slope": 6.0, "midpoint": 0.4}}
    assert "light: bilinear downscale, response" in run("info", tmp_path / "sigm").out
    assert_refused(run(*words, tmp_path / "none", "--response", "paper"), "a response is linear, gamma2.2")
    assert_refused(run(*words, tmp_path / "none", "--response", "srgb", "--linear-light"), "--response")
    assert_refused(run(*words, tmp_path / "none", "--response", "sigmoid:none.toml"), "none.toml")
    assert not (tmp_path / "none").exists()


def test_optics_of_one_response_are_equal() -> None:
    assert Optics(response="srgb") == Optics(response=Response("srgb")) == replace(Optics(), response="srgb")
    with pytest.raises(InvalidValueError, match=r"linear_light stands for the response gamma2\.2; give one of them"):
        make_recipe(linear_light=True, response="srgb")
