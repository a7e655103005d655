"""RED: what its authors' network gives, what it costs, and what it cannot take."""

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
from ssdm_models.baselines.red import RED, RELEASED
from ssdm_models.cost import macs, parameters

pytestmark = pytest.mark.usefixtures("one_thread")

(RELEASE,) = RELEASED


@pytest.fixture(scope="module")
def made() -> RED:
    return seeded(RED).eval()


@pytest.fixture
def network(made: RED) -> RED:
    """A network that may be changed."""
    return copy.deepcopy(made)


def inputs(images: int = 1) -> tuple[Tensor, Tensor]:
    """Blurry images, and events that are counted and timed."""
    return uniform(images, 1, 10, 14), 3 * uniform(images, 6, 4, 10, 14, seed=2)


def test_names_and_shapes_are_the_released_ones(shared: Path, network: RED) -> None:
    assert {slot.released[0]: slot.shape for slot in RELEASE.slots(network)} == released_shapes(shared, "red")


@torch.inference_mode()
def test_it_gives_what_its_authors_gives(shared: Path) -> None:
    data = golden_arrays(shared, "red", "red")
    frames = RELEASE.load(golden_weights(shared, "red"))(data["blur"], data["events"])
    assert_golden(frames, data["frames"])


def test_what_it_costs(network: RED) -> None:
    assert parameters(network) == 9_762_311
    assert round(macs(network, (1, 1, 180, 320), (1, 6, 4, 180, 320)) / 1e9, 1) == 140.6


def test_other_weights_are_refused(network: RED) -> None:
    weights = released_weights(RELEASE, network)
    assert_refuses_other_weights(RELEASE, weights, "RDBs.19.convs.4.conv.0.bias")
    assert torch.equal(RELEASE.load(weights).get_parameter("join.0.weight"), weights["GFF.0.weight"])


def test_all_of_it_is_trained(network: RED) -> None:
    assert_trained(network, network(*inputs()))


def test_images_of_a_batch_do_not_see_each_other(network: RED) -> None:
    assert_batches_are_separate(network, *inputs(3))


def test_it_runs_in_half_precision(network: RED) -> None:
    assert_runs_in_bfloat16(network, *inputs(), share=0.003)


@torch.inference_mode()
def test_half_precision_costs_the_blurry_image_none(network: RED) -> None:
    blur, events = inputs()
    for parameter in network.tail.parameters():
        parameter.zero_()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network(blur, events), blur.expand(-1, 7, -1, -1))


@pytest.mark.parametrize(
    ("blur", "events", "problem"),
    [
        ((1, 3, 8, 12), (1, 6, 4, 8, 12), r"blur must be \(N, 1, H, W\)"),
        ((1, 1, 8, 12), (1, 4, 6, 8, 12), r"events must be \(N, 6, 4, H, W\)"),
        ((1, 1, 8, 12), (1, 6, 4, 12, 8), r"events must be as many as blur and of the same height and width, got \(1,"),
        ((2, 1, 8, 12), (1, 6, 4, 8, 12), r"events must be as many as blur and of the same .* for \(2, 1, 8, 12\)"),
        ((1, 1, 9, 12), (1, 6, 4, 9, 12), "RED takes images whose sides are multiples of 2, got 12×9 .* size, 12×10$"),
        ((1, 1, 8, 1), (1, 6, 4, 8, 1), "multiples of 2, got 1×8 .* size, 2×8$"),
    ],
)
def test_what_it_cannot_take(network: RED, blur: tuple[int, ...], events: tuple[int, ...], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        network(torch.zeros(blur), torch.zeros(events))
