"""States of trainings: what was saved comes back, and what is none is refused, by verification as well."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from spikesim.errors import InputFileError
from ssdm_models.training.run_verification import verify_run
from ssdm_models.training.state import State, load_state, restore, save_state


def trained(outputs: int = 5, mean: bool = True) -> tuple[nn.Module, torch.optim.Optimizer, State]:
    """A network and its optimiser after a step, and their state."""
    network = nn.Linear(3, outputs)
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.ones(3)).sum().backward()
    optimiser.step()
    weights = {name: value.detach().clone() for name, value in network.state_dict().items()}
    state = State(
        weights,
        {name: value / 2 for name, value in weights.items()} if mean else None,
        optimiser.state_dict(),
        steps=7,
        sums={"loss": 0.5},
        history=[{"epoch": 0, "step": 5, "loss": 1.5}],
        seconds=2.5,
    )
    return network, optimiser, state


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "bsn" / "state.pt"
    save_state(path, trained()[2])
    return path


@pytest.mark.parametrize("mean", [True, False])
def test_what_was_saved_comes_back(file: Path, mean: bool) -> None:
    network, optimiser, state = trained(mean=mean)
    save_state(file, state)
    other, its_optimiser, _ = trained()
    found = restore(file, other, its_optimiser)
    assert (found.steps, found.sums, found.history, found.seconds) == (7, state.sums, state.history, 2.5)
    assert (found.mean is not None) == mean
    for name, value in network.state_dict().items():
        assert torch.equal(other.state_dict()[name], value)
    moments, expected = (o.state_dict()["state"][0]["exp_avg"] for o in (its_optimiser, optimiser))
    assert torch.equal(moments, expected)


WRONG: dict[str, Callable[[dict[str, Any]], object]] = {
    "no network": lambda held: held.pop("network"),
    "something else beside": lambda held: held.update(colour="red"),
    "a network of nothing": lambda held: held.update(network={}),
    "a network that is none": lambda held: held.update(network=5),
    "a network of no tensors": lambda held: held["network"].update(bias=3.0),
    "a network without names": lambda held: held["network"].update({3: torch.zeros(2)}),
    "a mean that is none": lambda held: held.update(mean="x"),
    "a mean of nothing": lambda held: held.update(mean={}),
    "no optimiser": lambda held: held.update(optimizer={}),
    "steps that are none": lambda held: held.update(steps="a"),
    "half a step": lambda held: held.update(steps=0.5),
    "fewer steps than none": lambda held: held.update(steps=-1),
    "sums that are none": lambda held: held.update(sums=[1.0]),
    "sums of words": lambda held: held["sums"].update(loss="a"),
    "a history that is none": lambda held: held.update(history=3),
    "a history of words": lambda held: held.update(history=[{"a": "b"}]),
    "a history without a loss": lambda held: held.update(history=[{"step": 5}]),
    "no time": lambda held: held.update(seconds=float("nan")),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_is_no_state_is_refused_and_found(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    held = torch.load(file, weights_only=True)
    change(held)
    torch.save(held, file)
    with pytest.raises(InputFileError, match=r"state\.pt is damaged \(.*remove it to begin this stage again"):
        load_state(file)
    (check,) = verify_run(file.parents[1])
    assert "is damaged" in check.problem


def test_a_whole_state_is_found_to_be_one(file: Path) -> None:
    assert [check.problem for check in verify_run(file.parents[1])] == [""]


@pytest.mark.parametrize("wrong", [[1, 2], None, 5])
def test_what_a_state_is_not_even_like_is_refused(file: Path, wrong: Any) -> None:
    torch.save(wrong, file)
    with pytest.raises(InputFileError, match="is damaged"):
        load_state(file)


@pytest.mark.parametrize("part", ["network", "mean", "optimizer"])
def test_a_state_of_another_network_is_refused(file: Path, part: str) -> None:
    network, optimiser, state = trained()
    other = nn.Sequential(nn.Linear(3, 5))  # whose tensors have other names
    alien = torch.optim.Adam([*other.parameters(), torch.zeros(3, requires_grad=True)])
    value = alien.state_dict() if part == "optimizer" else dict(other.state_dict())
    setattr(state, part, value)
    save_state(file, state)
    with pytest.raises(InputFileError, match=r"state\.pt is damaged"):
        restore(file, network, optimiser)


def test_a_network_of_another_size_is_not_stretched(file: Path) -> None:
    save_state(file, trained(outputs=1)[2])
    network, optimiser, _ = trained()
    with pytest.raises(InputFileError, match="its network has other tensors"):
        restore(file, network, optimiser)
