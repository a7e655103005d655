"""Whatever is given to a public callable, what comes out is a result or an error of ours."""

from collections.abc import Callable
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from public_callables import Call, calls, prepare, public_names

from spikesim.errors import InvalidValueError, SpikesimError

WRONG: list[Any] = [
    *(object(), int, "8", "", "\0", b"8", 2.5, -1, 0, True, None, nan, inf, -inf, 1j, [], [[1], [1, 2]], (), {}),
    *(np.float32(nan), np.int64(-1), np.complex64(1), np.array([1, 2]), np.array("a"), np.array(None), slice(None)),
]
CALLS = calls()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arguments")
    prepare(folder)
    return folder


@pytest.fixture(autouse=True)
def in_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def escaping(call: Call) -> list[str]:
    """Wrong values of single arguments, each with the error that is not ours which comes out."""
    found = []
    for name in call.arguments:
        for value in WRONG if name != "self" else ():
            try:
                call.run(**{name: value})
            except SpikesimError:
                continue
            except Exception as error:
                found.append(f"{name}={value!r}: {type(error).__name__}: {error}")
    return found


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_only_our_errors_come_out(call: Call) -> None:
    call.run()
    assert call.left_out() == []
    assert escaping(call) == []


def test_every_public_callable_is_called() -> None:
    assert public_names() - {call.name for call in CALLS} == set()


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
    assert public_names() - {call.name for call in CALLS if "simulate" not in call.name} == {
        "spikesim.simulation.simulate",
        "spikesim.simulation.simulate_cameras",
        "spikesim.recording.simulate_to_file",
        "spikesim.gpu.simulate",
    }
    assert "spikesim.stream.SpikeStream.counts" in public_names()
    assert "spikesim.noise.shot_noise.ShotNoise" in public_names()


def test_a_planted_argument_that_is_not_given_is_found() -> None:
    assert Call(refusing, value=1).left_out() == ["other"]
