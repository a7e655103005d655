"""Whatever is given to a public callable, what comes out is a result or an error of ours."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import dataset_callables
import numpy as np
import public_callables
import pytest
from public_callables import Call, escaping, public_names

from spikesim.errors import InvalidValueError
from spikesim_datasets.build import build_clips
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.interpolation import InterpolatorSpec
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.shards.field import Field
from spikesim_datasets.sources import DemoClip
from spikesim_datasets.synthesis import Stretch

PACKAGES: list[ModuleType] = [public_callables, dataset_callables]
"""What lists the public callables of each package."""

CALLS = [(package, call) for package in PACKAGES for call in package.calls()]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[ModuleType, Path]:
    """A folder for each package, with the files that its calls read."""
    folders = {package: tmp_path_factory.mktemp("arguments") for package in PACKAGES}
    for package, folder in folders.items():
        package.prepare(folder)
    return folders


@pytest.mark.parametrize(("package", "call"), CALLS, ids=lambda value: getattr(value, "name", ""))
def test_only_our_errors_come_out(
    package: ModuleType, call: Call, folders: dict[ModuleType, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders[package])
    call.run()
    assert call.left_out() == []
    assert escaping(call) == []


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_callable_is_called(package: ModuleType) -> None:
    assert public_names(package.MODULES, package.CLASSES) - {call.name for _, call in CALLS} == set()


def test_every_documented_callable_is_called() -> None:
    names = {public_callables.name_of(found) for found in dataset_callables.documented() if callable(found)}
    left_out = names - {call.name for _, call in CALLS}
    abstract = {
        "Clip",
        "ExactClip",
        "Interpolator",
        "MotionInterpolator",
        "SampleReader",
        "TrainingSample",
        *(() if dataset_callables.RERUN else ("write_rerun",)),
    }  # described for those who write or read them
    assert {name.rpartition(".")[2] for name in left_out} == abstract


def test_numbers_of_numpy_are_taken_and_kept_as_pythons_own() -> None:
    """They are written to files as JSON."""
    from spikesim import Crop, SpikeCamera
    from spikesim.noise import BitErrors, InherentSpikes

    single, whole = np.float32(0.5), np.int64(9)
    camera = SpikeCamera(single, whole, start=single, tie_fires=np.bool_(True), readout_hz=whole, sub_ticks=whole)
    assert SpikeCamera.from_json(camera.to_json()) == camera
    for checked in (camera, BitErrors(single, whole - 8), InherentSpikes(whole, single), Crop(whole, 0, whole, whole)):
        assert {type(value) for value in vars(checked).values()} <= {float, int, bool, str, tuple}


def test_numbers_of_numpy_are_taken_for_datasets_and_kept_as_pythons_own() -> None:
    three = np.int64(3)
    plan = ExposurePlan(three, np.int32(4), three, np.uint8(2))
    recipe = make_recipe(
        (np.float32(2), three),
        interpolation="linear",
        plan=plan,
        seed=three,
        shard_samples=three,
        linear_light=np.True_,
    )
    assert json.loads(json.dumps(recipe.choices()))["seed"] == 3
    for checked in (plan, recipe, Stretch(three, three, three), Field("a", ("S", three), "uint8"), recipe.optics):
        assert not any(isinstance(value, np.generic) for value in vars(checked).values())
    assert type(Field("a", ("S", three), "uint8").axes[1]) is int
    clip = DemoClip("train", "desk", "desk", three, np.int64(64), np.int64(96))
    assert json.loads(json.dumps(clip.fingerprint()))["frames"] == 3


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        (lambda: InterpolatorSpec(description="8"), "description must be what `resolve` pins.*'8'; leave it out"),
        (lambda: ExposurePlan(frames=True), "frames must be a whole number of at least 1, got True"),
        (lambda: make_recipe(seed=-1), "seed must be a whole number from 0 to 18446744073709551615, got -1"),
        (lambda: make_recipe(sharp=8), "sharp must be one of 'middle', 'sequence', 'none', got 8"),
        (lambda: build_clips([8], "out", make_recipe()), "clip must be a clip, as open_clips gives.*, got int"),
        (lambda: build_clips([], "out", 8), "recipe must be a Recipe, got int; make_recipe makes one"),
    ],
)
def test_what_was_taken_is_refused(made: Callable[[], Any], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        made()


# The guards themselves


def refusing(value: Any, other: int = 0) -> None:
    if not isinstance(value, int):
        raise InvalidValueError("no whole number")


def leaking(value: Any) -> None:
    value + 1


@pytest.mark.parametrize(("function", "leaks"), [(refusing, False), (leaking, True)])
def test_a_planted_leak_is_found(function: Callable[..., None], leaks: bool) -> None:
    assert any("value='8': TypeError" in found for found in escaping(Call(function, value=1))) == leaks


def test_a_planted_error_that_no_docstring_lists_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_callables, "errors_of", lambda _: {"ValueError"})
    assert escaping(Call(refusing, value=1)) == []
    monkeypatch.setattr(public_callables, "errors_of", lambda _: {"InputFileError"})
    assert "value='8': InvalidValueError is not in the docstring" in escaping(Call(refusing, value=1))


def test_a_planted_callable_that_is_not_called_is_found() -> None:
    names = public_names(public_callables.MODULES, public_callables.CLASSES)
    assert names - {call.name for _, call in CALLS if "simulate" not in call.name} == {
        "spikesim.simulation.simulate",
        "spikesim.simulation.simulate_cameras",
        "spikesim.recording.simulate_to_file",
        "spikesim.gpu.simulate",
    }
    assert "spikesim.stream.SpikeStream.counts" in names
    assert "spikesim.noise.shot_noise.ShotNoise" in names


def test_a_planted_argument_that_is_not_given_is_found() -> None:
    assert Call(refusing, value=1).left_out() == ["other"]
