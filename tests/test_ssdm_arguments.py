"""Whatever is given to a public callable of `ssdm_models`, what comes out is a result or an error of ours."""

from pathlib import Path
from typing import Any

import numpy as np
import public_callables
import pytest
import torch
from public_callables import WRONG, Call, escaping, public_names
from ssdm_callables import CLASSES, EXECUTION, MODULES, NETWORK, TRAINING, calls, prepare
from ssdm_callables import WRONG as WRONG_TENSORS

from spikesim.errors import InvalidValueError, SpikesimError
from ssdm_models import checkpoints, cost
from ssdm_models.bsn import BSN
from ssdm_models.edsr import EDSR
from ssdm_models.evaluation import Request
from ssdm_models.exposure_times import frame_times
from ssdm_models.recordings import FrameOptions
from ssdm_models.stage_config import StageConfig
from ssdm_models.training import Execution, train_stage

CALLS = calls()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("arguments")
    prepare(folder)
    return folder


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_only_our_errors_come_out(call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    call.run()
    assert call.left_out() == []
    monkeypatch.setattr(public_callables, "WRONG", [*WRONG, *WRONG_TENSORS])
    assert escaping(call) == []


def test_every_public_callable_is_called() -> None:
    assert public_names(MODULES, CLASSES) - {call.name for call in CALLS} == set()


def test_a_planted_callable_that_is_not_called_is_found() -> None:
    names = {call.name for call in CALLS if "Teacher" not in call.name and "deblur_" not in call.name}
    assert public_names(MODULES, CLASSES) - names == {
        *(f"ssdm_models.deblur.deblur_{what}" for what in ("frames", "sequence")),
        "ssdm_models.recordings.deblur_recording",
        "ssdm_models.teacher.Teacher.forward",
    }


def test_shapes_of_inputs_that_are_none() -> None:
    for value in WRONG:
        for shape in (value, (1, 1, 4, value)):
            try:
                cost.macs(EDSR(), shape)
            except SpikesimError:
                continue
            pytest.fail(f"{shape!r} is taken")


@pytest.mark.parametrize("network", [BSN(), EDSR(), NETWORK], ids=lambda network: network.title)
def test_weights_decide_type_and_device_outside_autocast(network: torch.nn.Module) -> None:
    inputs = [torch.rand(1, 3, 16, 16), torch.rand(1, 5, 4, 4)] if network is NETWORK else [torch.rand(1, 1, 4, 4)]
    with pytest.raises(InvalidValueError, match=r"must be torch.float32 as the network's weights, got torch.float64"):
        network(*(value.double() for value in inputs))
    with pytest.raises(InvalidValueError, match="must be on the network's device, cpu, got meta"):
        network(*(value.to("meta") for value in inputs))
    with torch.autocast("cpu", torch.bfloat16):
        network(*(value.bfloat16() for value in inputs))


def test_numbers_of_numpy_are_taken_and_kept_as_pythons_own(tmp_path: Path) -> None:
    """They are written to files as JSON."""
    half, one, v_th = np.float32(0.5), np.int64(1), (np.float32(0.5), np.int64(2))
    numbers: dict[str, Any] = {
        "learning_rate": half,
        "ema": half,
        "rate_floor": half,
        "schedule_part": half,
        "square_decay": half,
        "v_th": v_th,
        "flip": np.bool_(True),
    }
    numbers |= {"epochs": one, "batch": one, "accumulate": one, "crop": one * 32, "warm_up": one, "seed": one}
    config = StageConfig("bsn", **{**TRAINING, **numbers})
    execution = Execution(**EXECUTION | {"devices": one, "workers": one, "max_minutes": half})
    options = FrameOptions((one, one * 9), one, [one, one], one, one * 64)
    card = checkpoints.save(tmp_path / "a.safetensors", NETWORK, v_th=v_th, metrics={"loss": half, "epochs": one})
    assert checkpoints.read_card(tmp_path / "a.safetensors") == card
    of_card = {"metrics": tuple(card.metrics.values()), "v_th": card.v_th}
    for values in (vars(config), vars(execution), vars(options), vars(Request(v_th=v_th)), of_card):
        found = [part for value in values.values() for part in (value if isinstance(value, tuple) else (value,))]
        assert not any(isinstance(value, np.generic) for value in found)
    assert frame_times(one * 30, one * 5, np.array([5, 25]), one * 2) == (5, 24)


def test_whole_learning_rates_are_recorded_as_they_were_given() -> None:
    """Records of earlier trainings are compared with them."""
    assert type(StageConfig("bsn", 1, 1).record(())["learning_rate"]) is int


def test_a_stage_whose_time_is_over_before_it_is_begun(folder: Path) -> None:
    with pytest.raises(InvalidValueError, match="max_minutes was over before the stage bsn was begun"):
        train_stage("bsn", folder / "data", folder / "late", **EXECUTION, **TRAINING)
