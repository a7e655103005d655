"""Weights as trainings leave them: wrapped names, tensors beside other things, and what is not clear."""

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from random_networks import rife_weights, xvfi_weights
from torch import Tensor, nn

from spikesim.errors import InputFileError
from spikesim_datasets.interpolation import rife, xvfi
from spikesim_datasets.torch_tools.state_dicts import read_tensors
from ssdm_models.bsn import BSN
from ssdm_models.checkpoints import load_any
from ssdm_models.evaluation.methods import make_methods
from ssdm_models.evaluation.request import Request
from ssdm_models.ldn import LDN
from ssdm_models.released import load_released, slots


class Small(nn.Module):
    """A network whose tensors have names of one part and of two."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.arange(3.0))
        self.inner = nn.Sequential(nn.Linear(2, 5))


NAMES = {slot.name: slot.released[0] for slot in slots(BSN(), "bsn")}
BSN_WEIGHTS = {NAMES[name]: value.detach() for name, value in BSN().named_parameters()}


def quantised(value: Tensor) -> Tensor:
    return torch.quantize_per_tensor(value, 0.1, 0, torch.qint8)


def compiled(network: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's, about itself
        return torch.compile(network)  # type: ignore[return-value] - compiles nothing before it is called


def compiled_in_parts(network: Small) -> nn.Module:
    network.inner = compiled(network.inner)  # type: ignore[assignment]
    return network


WRAPPED: dict[str, tuple[Callable[[Any], nn.Module], str]] = {
    "parallel": (nn.DataParallel, "module.scale"),
    "compiled": (compiled, "_orig_mod.scale"),
    "parallel, then compiled": (lambda network: compiled(nn.DataParallel(network)), "_orig_mod.module.scale"),
    "compiled, then parallel": (lambda network: nn.DataParallel(compiled(network)), "module._orig_mod.scale"),
    "compiled in parts": (compiled_in_parts, "inner._orig_mod.0.weight"),
}


def adam_of(network: nn.Module) -> dict[str, Any]:
    """The state of an optimiser after a step: many tensors, some of them by name."""
    optimiser = torch.optim.Adam(network.parameters())
    sum(parameter.sum() for parameter in network.parameters()).backward()
    optimiser.step()
    return optimiser.state_dict()


def assert_tensors(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("how", WRAPPED)
def test_names_of_wrapped_networks_are_those_of_the_network(tmp_path: Path, how: str) -> None:
    network = Small()
    expected = dict(network.state_dict())
    wrap, name = WRAPPED[how]
    held = wrap(network).state_dict()
    assert name in held
    torch.save(held, tmp_path / "net.pth")
    assert_tensors(read_tensors(tmp_path / "net.pth"), expected)
    assert_tensors(read_tensors(held), expected)


@pytest.mark.parametrize("keys", [["state_dict"], ["model"], ["params"], ["anything"], ["model", "state_dict"]])
def test_tensors_under_a_key_are_found_beside_what_a_training_keeps(tmp_path: Path, keys: list[str]) -> None:
    network = Small()
    held: dict[str, Any] = dict(nn.DataParallel(network).state_dict())
    for key in reversed(keys):
        held = {key: held}
    held |= {"epoch": 7, "best": torch.tensor(3.5), "optimizer": adam_of(network), "hyper_parameters": {"length": 21}}
    torch.save(held, tmp_path / "last.ckpt")
    assert_tensors(read_tensors(tmp_path / "last.ckpt"), network.state_dict())


def test_tensors_under_no_key_are_found_beside_what_a_training_keeps(tmp_path: Path) -> None:
    network = Small()
    held = dict(nn.DataParallel(network).state_dict())
    held |= {
        "epoch": 7,
        "name": "small",
        "best": 3.5,
        "optimizer": adam_of(network),
        "hyper_parameters": {"length": 21},
    }
    torch.save(held, tmp_path / "last.ckpt")
    assert_tensors(read_tensors(tmp_path / "last.ckpt"), network.state_dict())


def test_tensors_under_no_key_must_be_those_of_the_network() -> None:
    student = LDN()
    held: dict[str, Any] = {slot.released[0]: torch.zeros(slot.shape) for slot in slots(student, "ldn")}
    load_released(held | {"epoch": 3}, "ldn")
    with pytest.raises(InputFileError, match=r"has, too many, best;"):
        load_released(held | {"epoch": 3, "best": torch.tensor(3.5)}, "ldn")
    del held[next(iter(held))]
    with pytest.raises(InputFileError, match="it lacks "):
        load_released(held | {"epoch": 3}, "ldn")


def test_what_is_not_clear_is_refused_with_what_was_found() -> None:
    held = dict(Small().state_dict())
    with pytest.raises(
        InputFileError, match=r"under params and under params_ema, .* not clear; give a file that holds"
    ):
        read_tensors({"params": held, "params_ema": held, "epoch": 3})
    with pytest.raises(InputFileError, match=r"under net.G and under net.D, "):
        read_tensors({"net": {"G": held, "D": held}})
    with pytest.raises(InputFileError, match=r"holds scale several times, once as module.scale, "):
        read_tensors(held | {"module.scale": held["scale"]})
    with pytest.raises(InputFileError, match=r"tensors by name, but optimizer is in it"):
        read_tensors({"optimizer": adam_of(Small())})
    with pytest.raises(InputFileError, match="tensors by name, but state_dict, epoch is in it"):
        read_tensors({"state_dict": {}, "epoch": 3})


def test_a_checkpoint_that_holds_itself_is_refused() -> None:
    held: dict[str, Any] = {"epoch": 3}
    held["state_dict"] = held
    with pytest.raises(InputFileError, match="must hold tensors by name"):
        read_tensors(held)


def test_every_loader_reads_them(tmp_path: Path) -> None:
    student = LDN()
    ours = dict(student.named_parameters())
    released = {slot.released[0]: ours[slot.name].detach() for slot in slots(student, "ldn")}
    expected = load_released(released, "ldn").state_dict()
    torch.save(
        {"state_dict": {f"module.{name}": value for name, value in released.items()}, "epoch": 100}, tmp_path / "a.pth"
    )
    assert_tensors(load_any(tmp_path / "a.pth", ["ldn"]).network.state_dict(), expected)
    path = tmp_path / "a.pth"
    (method,) = [m for m in make_methods(Request(checkpoints=[path]), torch.device("cpu")).rows if m.label == "a"]
    assert_tensors(method.passes[0].network.state_dict(), expected)

    for load, weights in ((rife.load_released, rife_weights("4.6")), (xvfi.load_released, xvfi_weights(8))):
        wrapped = {"model": {f"_orig_mod.{name}": value for name, value in weights.items()}}
        assert_tensors(load(wrapped).state_dict(), load(weights).state_dict())


def test_the_key_that_a_networks_authors_use_is_taken_whatever_else_is_there() -> None:
    weights = dict(xvfi_weights(8))
    held = {"state_dict_Model": weights, "state_dict_Optimizer": {"ema": torch.zeros(3)}}
    assert_tensors(xvfi.load_released(held).state_dict(), xvfi.load_released(weights).state_dict())


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precisions_are_read(kind: torch.dtype) -> None:
    weights = {name: value.to(kind) for name, value in BSN_WEIGHTS.items()}
    found = load_released(weights, "bsn")
    for ours, released in NAMES.items():
        assert torch.equal(found.get_parameter(ours), weights[released].float())


STRANGE: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "without values": (lambda value: torch.empty(value.shape, device="meta"), "without values"),
    "sparse": (lambda value: value.to_sparse(), "torch.sparse_coo"),
    "of eight bits": (lambda value: value.to(torch.float8_e4m3fn), "torch.float8_e4m3fn"),
    "whole": (lambda value: value.to(torch.int8), "torch.int8"),
    "flags": (lambda value: value.bool(), "torch.bool"),
    "complex": (lambda value: value.to(torch.complex64), "torch.complex64"),
    "quantised": (quantised, "torch.qint8"),
    "nested": (lambda value: torch.nested.nested_tensor([value, value], layout=torch.strided), "nested"),
}


@pytest.mark.parametrize(("change", "said"), STRANGE.values(), ids=STRANGE)
@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of its own kinds of tensors
def test_tensors_that_hold_no_plain_numbers_are_named(change: Callable[[Tensor], Tensor], said: str) -> None:
    (name, value), *_ = BSN_WEIGHTS.items()
    with pytest.raises(InputFileError, match=rf"has not as plain numbers {re.escape(name)} \({said}\)"):
        load_released(BSN_WEIGHTS | {name: change(value)}, "bsn")


def test_names_are_not_shown_at_length() -> None:
    name: Any = ()
    for _ in range(15):
        name = (name, name)
    with pytest.raises(InputFileError, match="by name, but a tuple, 5 is in it"):
        read_tensors({name: 3, 5: 4})
    with pytest.raises(InputFileError) as refused:
        read_tensors({"x" * 100_000: 3})
    assert len(str(refused.value)) < 1000
    with pytest.raises(InputFileError, match="under a0 and under a1 and under a2 and 7 more, and which") as refused:
        read_tensors({f"a{number}": dict(BSN_WEIGHTS) for number in range(10)})
