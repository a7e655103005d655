"""The camera validates itself, and its description is read back equal."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikesim import PRESETS, SpikeCamera
from spikesim.errors import InvalidValueError
from spikesim.noise import InherentSpikes


@pytest.mark.parametrize("name", PRESETS)
def test_presets_change_only_what_is_asked(name: str) -> None:
    changed = SpikeCamera.preset(name, v_th=3.5)
    assert changed.v_th == 3.5
    assert SpikeCamera.preset(name, v_th=PRESETS[name].v_th) == PRESETS[name]
    assert (changed.gain, changed.reset, changed.noise) == (
        PRESETS[name].gain,
        PRESETS[name].reset,
        PRESETS[name].noise,
    )


def test_presets_are_what_their_sources_say() -> None:
    """Drive at full light in thresholds a readout, reset, ties: table 1.2 of the sensor's physics."""

    def start(camera: SpikeCamera) -> str | float:
        return camera.start if isinstance(camera.start, str) else round(camera.start, 6)

    rows = {
        name: (round(camera.gain / camera.v_th, 6), camera.reset, camera.tie_fires, start(camera), len(camera.noise))
        for name, camera in PRESETS.items()
    }
    assert rows == {
        "ideal": (1.0, "modulo", True, "uniform", 0),
        "ssdm": (0.992714, "modulo", False, 0.992714, 1),
        "spikingsim": (0.992714, "zero", True, "uniform", 2),
        "spikezoo": (0.5, "subtract", True, "uniform", 0),
        "spikecv": (0.2, "subtract", True, "uniform", 0),
        "scsim": (1.0, "subtract", True, 0.2105, 5),
        "rsir": (1.0, "subtract", True, "uniform", 2),
        "realistic": (1.0, "modulo", True, "uniform", 7),
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v_th", 0),
        ("v_th", -1.0),
        ("v_th", float("nan")),
        ("v_th", "1"),
        ("v_th", None),
        ("v_th", True),
        ("gain", 0),
        ("gain", float("inf")),
        ("readout_hz", -20_000),
        ("reset", "hard"),
        ("start", "random"),
        ("start", 0.0),
        ("start", float("inf")),
        ("sub_ticks", 0),
        ("sub_ticks", 2.5),
        ("tie_fires", "no"),
        ("noise", (3,)),
        ("noise", (InherentSpikes(), InherentSpikes(mean_interval=100))),
    ],
)
def test_meaningless_fields_are_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InvalidValueError, match=field):
        SpikeCamera(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["mean_interval", "std_interval"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), 1e9])
def test_meaningless_noise_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(InvalidValueError, match=field):
        InherentSpikes(**{field: value})


def test_unknown_preset_names_the_known() -> None:
    with pytest.raises(InvalidValueError, match="ideal, ssdm"):
        SpikeCamera.preset("vidar")
    with pytest.raises(InvalidValueError, match="threshold"):
        SpikeCamera.preset("ideal", threshold=2)


@given(
    v_th=st.floats(1e-3, 1e3),
    gain=st.floats(1e-3, 1e3),
    reset=st.sampled_from(["modulo", "subtract", "zero"]),
    noisy=st.booleans(),
)
def test_json_round_trip(v_th: float, gain: float, reset: str, noisy: bool) -> None:
    camera = SpikeCamera(v_th, gain, reset, noise=(InherentSpikes(99.5, 3),) if noisy else ())  # type: ignore[arg-type]
    assert SpikeCamera.from_json(camera.to_json()) == camera


def test_equal_cameras_have_equal_descriptions() -> None:
    assert SpikeCamera(v_th=2).to_json() == SpikeCamera(v_th=np.float32(2)).to_json()  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"v_th": 0}', '{"colour": 1}', '{"noise": [{"term": "Rain"}]}', "3"])
def test_other_text_is_no_camera(text: str) -> None:
    with pytest.raises(InvalidValueError, match=r"camera|v_th"):
        SpikeCamera.from_json(text)


def test_description_names_every_field() -> None:
    record = json.loads(SpikeCamera.preset("ssdm").to_json())
    assert record["noise"] == [{"term": "InherentSpikes", "mean_interval": 140.0, "std_interval": 50.0}]
    assert set(record) == {"v_th", "gain", "reset", "start", "tie_fires", "noise", "readout_hz", "sub_ticks"}
