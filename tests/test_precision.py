"""Precisions: what a processor cannot compute is refused, and what it computes in software is told."""

import warnings
from functools import partial

import commands
import pytest
from training_data import write_moving

from spikesim.errors import InvalidValueError, SlowPrecisionWarning
from spikesim.gpu import devices
from spikesim.gpu.devices import check_precision
from spikesim_datasets.interpolation import InterpolatorSpec

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'spikesim[ssdm]'")

run = commands.run

WITHOUT = {"architecture": "x86_64", "avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": False}


@pytest.fixture
def old_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "_processor", lambda: WITHOUT)


def told(precision: str, device: str = "cpu") -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_precision(precision, torch.device(device))
    return [str(warning.message) for warning in caught if warning.category is SlowPrecisionWarning]


@pytest.mark.parametrize(
    "processor",
    [{**WITHOUT, "avx512_bf16": True}, {**WITHOUT, "amx_bf16": True}, {"architecture": "aarch64", "bf16": True}, {}],
)
def test_a_processor_that_computes_it_or_is_not_known_is_taken_as_it_is(monkeypatch, processor):
    monkeypatch.setattr(devices, "_processor", lambda: processor)
    assert told("bfloat16") == []


@pytest.mark.usefixtures("old_processor")
def test_bfloat16_in_software_is_told_and_nothing_else():
    (message,) = told("bfloat16")
    assert "this processor has no instructions for precision 'bfloat16'" in message
    assert "take 'float32' here" in message
    assert told("float32") == told("bfloat16", "cuda") == told("float16", "cuda") == []


def test_float16_is_for_gpus():
    with pytest.raises(InvalidValueError, match="precision 'float16' is for GPUs; on a CPU take 'float32', or"):
        check_precision("float16", torch.device("cpu"))


def test_torch_names_what_is_looked_up():
    """The names are those of a real processor, or the table above would be of another library."""
    known = devices._processor()
    if known.get("architecture") == "x86_64":
        assert WITHOUT.keys() <= known.keys()
    else:
        assert "architecture" in known


@pytest.mark.filterwarnings("always::spikesim.errors.SlowPrecisionWarning")
@pytest.mark.usefixtures("old_processor")
def test_training_says_so_in_one_line(run, tmp_path):
    write_moving(tmp_path / "data", {"train/a": 2})
    train = partial(run, "train-ssdm", "--data", tmp_path / "data", "--stage", "sr", "--crop", 32, "--batch", 2)
    result = train("--epochs", 1, "--workers", 0, "--device", "cpu", "--precision", "bfloat16", "--out", tmp_path / "a")
    assert result.code == 0, result.err
    assert result.err.count("Warning: this processor has no instructions for precision 'bfloat16'") == 1


@pytest.mark.usefixtures("old_processor")
def test_interpolation_says_so(tmp_path):
    with pytest.warns(SlowPrecisionWarning, match="take 'float32' here"), pytest.raises(Exception, match="weights"):
        InterpolatorSpec("rife", weights=tmp_path / "none.pkl", precision="bfloat16").make()
