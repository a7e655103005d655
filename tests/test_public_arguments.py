"""Whatever is given to a public callable, what comes out is a result or an error of ours."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import public_callables
import pytest
from public_callables import Call, escaping, public_names

from spikesim.errors import InvalidValueError

PACKAGES: list[ModuleType] = [public_callables]
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


def test_numbers_of_numpy_are_taken_and_kept_as_pythons_own() -> None:
    """They are written to files as JSON."""
    from spikesim import Crop, SpikeCamera
    from spikesim.noise import BitErrors, InherentSpikes

    single, whole = np.float32(0.5), np.int64(9)
    camera = SpikeCamera(single, whole, start=single, tie_fires=np.bool_(True), readout_hz=whole, sub_ticks=whole)
    assert SpikeCamera.from_json(camera.to_json()) == camera
    for checked in (camera, BitErrors(single, whole - 8), InherentSpikes(whole, single), Crop(whole, 0, whole, whole)):
        assert {type(value) for value in vars(checked).values()} <= {float, int, bool, str, tuple}


# The guards themselves


def refusing(value: Any, other: int = 0) -> None:
    if not isinstance(value, int):
        raise InvalidValueError("no whole number")


def leaking(value: Any) -> None:
    value + 1


@pytest.mark.parametrize(("function", "leaks"), [(refusing, False), (leaking, True)])
def test_a_planted_leak_is_found(function: Callable[..., None], leaks: bool) -> None:
    assert any("value='8': TypeError" in found for found in escaping(Call(function, value=1))) == leaks


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
