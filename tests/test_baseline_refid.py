"""REFID: what its authors' network gives, whose states frames see, and what it cannot take."""

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
from ssdm_models.baselines.refid import REFID, RELEASED
from ssdm_models.cost import macs, parameters

pytestmark = pytest.mark.usefixtures("one_thread")

(RELEASE,) = RELEASED


@pytest.fixture(scope="module")
def begun() -> REFID:
    """A network as training begins with it."""
    return seeded(REFID).eval()


@pytest.fixture
def network(begun: REFID) -> REFID:
    """A network whose attentions count, which at the beginning of training they do not."""
    made = copy.deepcopy(begun)
    with torch.no_grad():
        for name, value in made.named_parameters():
            if name.endswith("scale"):
                value.copy_(uniform(*value.shape))
    return made


def inputs(images: int = 1, frames: int = 3) -> tuple[Tensor, Tensor]:
    """Blurry images with bins, and sums of events of both signs."""
    return uniform(images, 9, 16, 24), 4 * uniform(images, frames, 2, 16, 24, seed=2) - 2


def test_names_and_shapes_are_the_released_ones(shared: Path) -> None:
    slots = RELEASE.slots(REFID(image_channels=26))
    assert {slot.released[0]: slot.shape for slot in slots} == released_shapes(shared, "refid")


@torch.inference_mode()
def test_it_gives_what_its_authors_gives_and_what_their_paper_shows(shared: Path) -> None:
    data, weights = golden_arrays(shared, "refid", "refid"), golden_weights(shared, "refid")
    released = RELEASE.load(weights)
    assert_golden(released(data["image"], data["event"]), data["out"])
    paper = REFID(image_channels=26, frame_states=True).eval()
    paper.load_state_dict(released.state_dict())
    assert_golden(paper(data["image"], data["event"]), data["out_paper"])


@torch.inference_mode()
def test_the_first_frame_sees_the_same_states_either_way(network: REFID) -> None:
    image, event = inputs()
    own = network(image, event)
    network.frame_states = False
    first = network(image, event)
    torch.testing.assert_close(own[:, 0], first[:, 0], rtol=0, atol=1e-5)
    assert (own - first)[:, 1:].abs().amax((0, 2, 3, 4)).min() > 1e-3


@torch.inference_mode()
def test_every_frame_depends_on_the_events_of_all(network: REFID) -> None:
    image, event = inputs()
    frames = network(image, event)
    for time in range(3):
        changed = event.clone()
        changed[:, time] += 1
        assert (network(image, changed) - frames).abs().amax((0, 2, 3, 4)).min() > 1e-5


def test_what_it_costs(network: REFID) -> None:
    assert parameters(network) == 15_914_755
    assert sum(value.numel() for value in network.parameters() if not value.requires_grad) == 1_204_672
    released = REFID(image_channels=26, frame_states=False)
    assert parameters(released) == 15_928_355
    assert round(macs(network, (1, 9, 184, 320), (1, 7, 2, 184, 320)) / 1e9) == 535


def test_other_weights_are_refused() -> None:
    network = seeded(lambda: REFID(image_channels=26))
    weights = released_weights(RELEASE, network)
    assert_refuses_other_weights(RELEASE, weights, "encoders_forward.1.atten_fuse.se_2.3.weight")
    loaded = RELEASE.load(weights)
    assert (loaded.image_channels, loaded.frame_states) == (26, False)
    assert {n for n, v in loaded.named_parameters() if v.requires_grad} == {
        n for n, v in network.named_parameters() if v.requires_grad
    }


def test_all_of_it_is_trained_that_takes_part(network: REFID) -> None:
    encoders = [f"{way}_encoders.1" for way in ("backward", "forward")]
    unused = {f"{encoder}.widen.{what}" for encoder in encoders for what in ("weight", "bias")}
    unused |= {
        f"{encoder}.attention.unused_gate.{layer}.{what}"
        for encoder in encoders
        for layer in (1, 3)
        for what in ("weight", "bias")
    }
    assert_trained(network, network(*inputs()), unused | {"backward_downs.2.weight"})


def test_training_begins_without_attention_and_with_small_residuals(begun: REFID) -> None:
    attention, block = begun.forward_encoders[1].attention, begun.blocks[0]
    events, image = uniform(1, 64, 5, 7), uniform(1, 64, 5, 7, seed=2)
    with torch.inference_mode():
        torch.testing.assert_close(attention(events, image), attention.widen(events + image))
        features = torch.randn(1, 256, 16, 24, generator=torch.Generator().manual_seed(1))
        change = block(features) - features
    assert 0.01 < change.std() < 0.02
    assert not block.first.bias.any()
    assert not block.second.bias.any()


def test_images_of_a_batch_do_not_see_each_other(network: REFID) -> None:
    assert_batches_are_separate(network, *inputs(3))


def test_it_runs_in_half_precision(network: REFID) -> None:
    assert_runs_in_bfloat16(network, *inputs(), share=0.01)


@torch.inference_mode()
def test_half_precision_costs_frames_none(network: REFID) -> None:
    network.output.weight.zero_()
    network.output.bias.fill_(0.3)
    with torch.autocast("cpu", torch.bfloat16):
        frames = network(*inputs())
    assert torch.equal(frames, torch.full((1, 3, 3, 16, 24), 0.3))


@pytest.mark.parametrize(
    ("image", "event", "problem"),
    [
        ((1, 26, 16, 24), (1, 7, 2, 16, 24), r"image must be \(N, 9, H, W\)"),
        ((1, 9, 16, 24), (1, 7, 3, 16, 24), r"event must be \(N, T, 2, H, W\)"),
        ((1, 9, 16, 24), (1, 0, 2, 16, 24), "frames in event must be a whole number of at least 1, got 0"),
        ((2, 9, 16, 24), (1, 7, 2, 16, 24), "event must be as many as image and of the same height and width"),
        ((1, 9, 180, 320), (1, 7, 2, 180, 320), "REFID takes .* multiples of 8, got 320×180 .* size, 320×184$"),
        ((1, 9, 3, 21), (1, 7, 2, 3, 21), "multiples of 8, got 21×3 .* size, 24×8$"),
    ],
)
def test_what_it_cannot_take(network: REFID, image: tuple[int, ...], event: tuple[int, ...], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        network(torch.zeros(image), torch.zeros(event))


def test_arguments_are_numbers_and_flags() -> None:
    with pytest.raises(InvalidValueError, match="image_channels must be a whole number of at least 1, got 0"):
        REFID(0)
    with pytest.raises(InvalidValueError, match="frame_states must be"):
        REFID(frame_states="paper")  # type: ignore[arg-type]
