"""DASR: what its authors' network gives, kernels that are each image's own, and what it cannot take."""

import copy
from pathlib import Path

import pytest
import torch
from golden_baselines import assert_golden, golden_arrays, golden_weights, released_shapes
from network_laws import (
    assert_batches_are_separate,
    assert_refuses_other_weights,
    assert_runs_in_bfloat16,
    assert_trained,
    released_weights,
    seeded,
    uniform,
)
from torch import Tensor

from spikesim.errors import InvalidValueError
from ssdm_models.baselines.dasr import DASR, RELEASED
from ssdm_models.cost import macs, parameters

pytestmark = pytest.mark.usefixtures("one_thread")

(RELEASE,) = RELEASED
MEANS = {f"{which}_mean.{what}" for which in ("subtract", "add") for what in ("weight", "bias")}


@pytest.fixture(scope="module")
def made() -> DASR:
    return seeded(DASR).eval()


@pytest.fixture
def network(made: DASR) -> DASR:
    """A network that may be changed."""
    return copy.deepcopy(made)


def inputs(images: int = 1) -> Tensor:
    """Images in [0, 255], each darker than the one before."""
    return 255 * uniform(images, 3, 9, 13) ** torch.arange(1, images + 1)[:, None, None, None]


def test_names_and_shapes_are_the_released_ones(shared: Path, network: DASR) -> None:
    released = released_shapes(shared, "dasr")
    left_out = {name for name in released if name.startswith("E.encoder_q.mlp.")}
    assert len(left_out) == 4
    found = {slot.released[0]: slot.shape for slot in RELEASE.slots(network)}
    assert found == {name: shape for name, shape in released.items() if name not in left_out}


@torch.inference_mode()
def test_it_gives_what_its_authors_gives(shared: Path) -> None:
    data = golden_arrays(shared, "dasr", "dasr")
    network = RELEASE.load(golden_weights(shared, "dasr"))
    assert_golden(network.represent(data["lr"]), data["representation"])
    assert_golden(network(data["lr"]), data["sr"])


def test_what_only_training_needs_is_left_out(shared: Path) -> None:
    weights = golden_weights(shared, "dasr")
    training = {name: torch.zeros(shape) for name, shape in released_shapes(shared, "dasr_training_only").items()}
    assert "E.queue" in training
    loaded = RELEASE.load(weights | training)
    assert torch.equal(loaded.get_parameter("encoder.0.weight"), weights["E.encoder_q.E.0.weight"])
    assert len(loaded.state_dict()) == len(weights) - 4


def test_what_it_costs(network: DASR) -> None:
    assert parameters(network) == 5_837_723
    assert parameters(network.encoder) == 1_147_200
    assert round(macs(network, (1, 3, 180, 320)) / 1e9, 1) == 185.1


def test_other_weights_are_refused(network: DASR) -> None:
    weights = released_weights(RELEASE, network)
    assert_refuses_other_weights(RELEASE, weights, "G.body.4.body.2.da_conv2.kernel.2.weight")
    loaded = RELEASE.load(weights)
    assert {name for name, value in loaded.named_parameters() if not value.requires_grad} == MEANS


def test_all_of_it_is_trained_but_for_the_means(network: DASR) -> None:
    assert_trained(network, network(inputs()), MEANS)


def test_every_image_has_kernels_of_its_own(network: DASR) -> None:
    assert_batches_are_separate(network, inputs(3), atol=1e-3)
    lr = inputs(2)
    with torch.inference_mode():
        lost = network.represent(lr)
        exchanged = network.upsample(lr, lost.flip(0))
        torch.testing.assert_close(network.upsample(lr, lost), network(lr), rtol=0, atol=0)
        assert (exchanged - network(lr)).abs().amax((1, 2, 3)).min() > 1e-2


def test_it_runs_in_half_precision(network: DASR) -> None:
    assert_runs_in_bfloat16(network, inputs(2), share=0.01)


@torch.inference_mode()
def test_half_precision_costs_levels_none(network: DASR) -> None:
    exact = network.represent(inputs())
    for parameter in network.output.parameters():
        parameter.zero_()
    shallow = []
    network.head.register_forward_hook(lambda *call: shallow.append(call[-1]))
    network(inputs())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network.represent(inputs()), exact)
        image = network(inputs())
    assert torch.equal(*shallow)
    assert image.dtype == torch.float32
    assert torch.equal(image, network.add_mean.bias[None, :, None, None].expand(1, 3, 36, 52))


@torch.inference_mode()
def test_images_of_any_size_are_upsampled_four_times(network: DASR) -> None:
    for height, width in ((1, 1), (5, 3), (2, 11)):
        assert network(torch.zeros(1, 3, height, width)).shape == (1, 3, 4 * height, 4 * width)


def test_what_it_cannot_take(network: DASR) -> None:
    with pytest.raises(InvalidValueError, match=r"lr must be \(N, 3, h, w\), got \(1, 1, 8, 12\)"):
        network(torch.zeros(1, 1, 8, 12))
    with pytest.raises(InvalidValueError, match=r"representation must be \(2, 256\), got \(1, 256\)"):
        network.upsample(torch.zeros(2, 3, 8, 12), torch.zeros(1, 256))
