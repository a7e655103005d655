"""How trainings are carried out: on which devices, in which precision, and what is refused."""

from typing import Any

import pytest
import torch
import training_data
from training_data import SHORT

from spikesim.errors import InvalidValueError
from ssdm_models.precision import FABRIC
from ssdm_models.training import run as run_module
from ssdm_models.training import train
from ssdm_models.training.execution import Execution

data = training_data.data


@pytest.mark.parametrize(
    ("device", "devices", "accelerator", "which", "strategy"),
    [
        ("cpu", 1, "cpu", 1, "auto"),
        ("cpu", 2, "cpu", 2, "ddp_spawn"),
        ("cuda", 1, "cuda", 1, "auto"),
        ("cuda", 4, "cuda", 4, "ddp_spawn"),
        ("cuda:0", 1, "cuda", [0], "auto"),
        ("cuda:3", 1, "cuda", [3], "auto"),
    ],
)
@pytest.mark.parametrize("precision", FABRIC)
def test_devices_and_precisions_are_those_of_fabric(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    devices: int,
    accelerator: str,
    which: int | list[int],
    strategy: str,
    precision: Any,
) -> None:
    made: list[dict[str, Any]] = []
    monkeypatch.setattr(run_module, "Fabric", lambda **options: made.append(options))
    run_module._fabric(torch.device(device), devices, precision)
    assert made == [
        {"accelerator": accelerator, "devices": which, "strategy": strategy, "precision": FABRIC[precision]}
    ]
    assert FABRIC == {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"device": "tpu"}, "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'tpu'"),
        ({"devices": 0}, "devices must be a whole number of at least 1, got 0"),
        ({"workers": -1}, "workers must be a whole number of at least 0, got -1"),
        ({"max_minutes": float("nan")}, "max_minutes must be a finite number of at least 0, got nan"),
        ({"device": "cuda:1", "devices": 2}, "2 devices were asked for, but 'cuda:1' is one; take 'cuda' for several"),
    ],
)
def test_executions_without_a_meaning(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Execution(**wrong)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_of_a_number_that_is_missing(data: Any, tmp_path: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"device 'cuda:1' was asked for, .* finds 0 CUDA devices here"):
        train(data, tmp_path / "run", **{**SHORT, "device": "cuda:1"})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_is_chosen_by_its_number(data: Any, tmp_path: Any) -> None:
    for device in ("cuda", "cuda:0"):
        train(data, tmp_path / device[-1], ["sr"], epochs=1, **{**SHORT, "device": device})
    first, second = (training_data.weights(tmp_path / name / "sr.safetensors") for name in ("a", "0"))
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=0, atol=1e-4)


@pytest.mark.parametrize("options", [{"epoch": 3}, {"stage": "bsn"}])
def test_options_that_there_are_not(data: Any, tmp_path: Any, options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(
        InvalidValueError, match=f"there is no option '{name}'; options are accumulate, batch, .*workers"
    ):
        train(data, tmp_path / "run", **SHORT, **options)
    assert not (tmp_path / "run").exists()
