"""What holds of every published network, whatever it computes."""

from collections.abc import Callable, Collection
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spikesim.errors import InputFileError
from ssdm_models.baselines.released_network import ReleasedNetwork


def seeded(make: Callable[[], Any]) -> Any:
    """What a function draws, the same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return make()


def uniform(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def released_weights(released: ReleasedNetwork, network: nn.Module) -> dict[str, Tensor]:
    """The weights of a network of ours as its authors' file would hold them."""
    held = network.state_dict()
    return {name: held[slot.name] for slot in released.slots(network) for name in slot.released}


@torch.inference_mode()
def assert_batches_are_separate(network: Callable[..., Tensor], *inputs: Tensor, atol: float = 1e-5) -> None:
    """Of a batch of different images, each comes out as it does alone."""
    together = network(*inputs)
    alone = [network(*(each[i : i + 1] for each in inputs)) for i in range(len(inputs[0]))]
    assert len(alone) > 1
    assert (together[0] - together[1]).abs().max() > 100 * atol
    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=atol)


def assert_trained(network: nn.Module, output: Tensor, fixed: Collection[str] = ()) -> None:
    """An output depends on every parameter but on those that are never trained."""
    output.square().mean().backward()
    parameters = dict(network.named_parameters())
    untouched = {name for name, value in parameters.items() if value.grad is None or not value.grad.any()}
    assert untouched == set(fixed)
    assert {name for name, value in parameters.items() if not value.requires_grad} == set(fixed)


def assert_runs_in_bfloat16(network: nn.Module, *inputs: Tensor, share: float) -> None:
    """Under autocast, on average a share of how much the output varies is between it and what float32 gives.

    Gradients are numbers. The share is of a network with weights as they start, or the released kind.
    """
    with torch.no_grad():
        expected = network(*inputs)
    with torch.autocast("cpu", torch.bfloat16):
        output = network(*inputs)
        apart = (output - expected).abs().mean() / expected.std()
        assert 0 < apart < share
        output.square().mean().backward()
    gradients = [value.grad for value in network.parameters() if value.requires_grad]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def assert_computed_where_inputs_are(make: Callable[[], nn.Module], *shapes: tuple[int, ...]) -> None:
    """Nothing is made on another device than that of the inputs."""
    with torch.device("meta"):
        network, inputs = make(), [torch.empty(shape) for shape in shapes]
    assert network(*inputs).is_meta


def assert_refuses_other_weights(released: ReleasedNetwork, weights: dict[str, Tensor], name: str) -> None:
    """A tensor that is missing, too many, of another shape or no numbers is refused with its name."""
    others = {key: value for key, value in weights.items() if key != name}
    for problem, planted in {
        rf"lacks {name};": others,
        rf"has, too many, {name}_2;": {**weights, f"{name}_2": weights[name]},
        rf"of other shapes {name} \(3, 2\)": {**weights, name: torch.zeros(3, 2)},
        rf"no numbers in {name};": {**weights, name: weights[name] * torch.nan},
    }.items():
        with pytest.raises(InputFileError, match=problem):
            released.load(planted)
