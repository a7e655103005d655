"""TRMD: what its authors' networks give, frames whose mean is the blurry image, and what it cannot take."""

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

from spikesim.errors import InputFileError, InvalidValueError
from ssdm_models.baselines.released_network import ReleasedNetwork
from ssdm_models.baselines.trmd import RELEASED, TRMD, seven_frames
from ssdm_models.cost import parameters

pytestmark = pytest.mark.usefixtures("one_thread")

GREY, COLOUR = RELEASED
EACH = pytest.mark.parametrize(("release", "colours"), [(GREY, 1), (COLOUR, 3)], ids=["grey", "colour"])


@pytest.fixture(scope="module")
def made() -> TRMD:
    return seeded(TRMD).eval()


@pytest.fixture
def network(made: TRMD) -> TRMD:
    """A network that may be changed."""
    return copy.deepcopy(made)


def inputs(images: int = 1) -> tuple[Tensor, Tensor]:
    """Blurry images, and sums of events of both signs."""
    return uniform(images, 3, 24, 48), 16 * uniform(images, 6, 24, 48, seed=2) - 8


@EACH
def test_names_and_shapes_are_the_released_ones(shared: Path, release: ReleasedNetwork, colours: int) -> None:
    found = {slot.released[0]: slot.shape for slot in release.slots(TRMD(colours))}
    assert found == released_shapes(shared, release.name)


@torch.inference_mode()
@EACH
def test_it_gives_what_its_authors_gives(shared: Path, release: ReleasedNetwork, colours: int) -> None:
    data, kind = golden_arrays(shared, release.name, "trmd"), release.name.removeprefix("trmd_")
    blur, scer = data["blur"][:, :colours], data["scer"]
    network = release.load(golden_weights(shared, release.name))
    residuals, frames = network.residuals(blur, scer), network(blur, scer)
    clipped = seven_frames(blur, residuals.clamp(-1, 1)).clamp(0, 1)
    assert_golden(residuals.flatten(1, 2), data[f"res_{kind}"])
    assert_golden(frames, data[f"frames_{kind}"])
    assert_golden(clipped, data[f"frames_test_{kind}"])
    assert (clipped - frames.clamp(0, 1)).abs().max() > 0.1  # it matters that residuals are clipped


def test_what_they_cost(network: TRMD) -> None:
    assert parameters(network) == 19_264_836
    assert parameters(TRMD(1)) == 19_263_520
    assert sum(value.numel() for value in network.parameters() if not value.requires_grad) == 1056


@EACH
def test_other_weights_are_refused(release: ReleasedNetwork, colours: int) -> None:
    weights = released_weights(release, seeded(lambda: TRMD(colours)))
    assert_refuses_other_weights(release, weights, "res2.4.running_var")
    assert_refuses_other_weights(release, weights, "pred.weight")
    other = GREY if release is COLOUR else COLOUR
    with pytest.raises(InputFileError, match=r"has of other shapes blur_en_conv1\.0\.weight"):
        other.load(weights)


def test_weights_are_found_in_checkpoints_of_its_authors(tmp_path: Path, network: TRMD) -> None:
    weights = released_weights(COLOUR, network)
    held = {f"module.{name}": value for name, value in weights.items()}
    torch.save({"epoch": 100, "state_dict": held, "optimizer": {"a": torch.zeros(3)}}, tmp_path / "net.pth.tar")
    assert torch.equal(COLOUR.load(tmp_path / "net.pth.tar").get_parameter("output.weight"), weights["pred.weight"])


def test_all_of_it_is_trained_but_for_one_projection(network: TRMD) -> None:
    assert_trained(network, network(*inputs()), {"fusion.unused_output.weight", "fusion.unused_output.bias"})


def test_projections_drop_out_in_training(network: TRMD) -> None:
    network.train()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(3)
        first, second = network(*inputs(2)), network(*inputs(2))
    assert (first - second).abs().max() > 1e-6
    assert torch.equal(network.eval()(*inputs()), network(*inputs()))


def test_images_of_a_batch_do_not_see_each_other(network: TRMD) -> None:
    assert_batches_are_separate(network, *inputs(3))


def test_it_runs_in_half_precision(network: TRMD) -> None:
    assert_runs_in_bfloat16(network, *inputs(), share=0.003)


@torch.inference_mode()
def test_half_precision_costs_frames_none(network: TRMD) -> None:
    network.output.weight.zero_()
    exact = network(*inputs())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network(*inputs()), exact)


@torch.inference_mode()
def test_sums_over_all_pixels_are_not_rounded(network: TRMD) -> None:
    """Channels of events that differ by less than half precision tells in their sums have different shares."""
    channels = torch.arange(32.0)[None, :, None, None].expand(1, 32, 24, 48)
    events = 1 + (uniform(1, 1, 24, 48) < channels / 32) / 64
    for layer in (network.fusion.blur_key[0], network.fusion.event_query[0], network.fusion.blur_value):
        layer.weight.copy_(torch.eye(32)[:, :, None, None])
        layer.bias.zero_()
    network.fusion.blur_key[0].weight.zero_()
    network.fusion.blur_key[0].bias.fill_(1)
    attended = []
    network.fusion.output.register_forward_pre_hook(lambda _, given: attended.append(given[0].float()))
    network.fusion(channels, events)
    exact = attended[0]
    with torch.autocast("cpu", torch.bfloat16):
        network.fusion(channels, events)
    assert exact.mean() > 20  # of 15.5 if all shares were alike
    torch.testing.assert_close(attended[2], exact, rtol=0, atol=0.01)


def test_the_mean_of_the_frames_is_the_blurry_image() -> None:
    blur, residuals = uniform(2, 3, 5, 7), uniform(2, 6, 3, 5, 7, seed=2) - 0.5
    frames = seven_frames(blur, residuals)
    torch.testing.assert_close(frames.mean(1), blur)
    torch.testing.assert_close(frames[:, [0, 1, 2, 4, 5, 6]] - frames[:, 3:4], residuals)
    for shape in ((2, 6, 3, 7, 5), (1, 6, 3, 5, 7), (2, 6, 1, 5, 7)):
        with pytest.raises(InvalidValueError, match=r"residuals must be 6 of each blurry image \(2, 3, 5, 7\), got"):
            seven_frames(blur, torch.zeros(shape))
    with pytest.raises(InvalidValueError, match="blur and residuals must be on one device, got blur on cpu, residuals"):
        seven_frames(blur, residuals.to("meta"))


@pytest.mark.parametrize(
    ("blur", "scer", "problem"),
    [
        ((1, 1, 24, 48), (1, 6, 24, 48), r"blur must be \(N, 3, H, W\)"),
        ((1, 3, 24, 48), (1, 7, 24, 48), r"scer must be \(N, 6, H, W\)"),
        ((1, 3, 24, 48), (1, 6, 40, 48), "scer must be as many as blur and of the same height and width"),
        ((1, 3, 180, 320), (1, 6, 180, 320), "8 more than a multiple of 16, .* of it, got 320×180 .* size, 320×184$"),
        ((1, 3, 720, 1280), (1, 6, 720, 1280), "got 1280×720 pixels; .* size, 1280×728$"),
        ((1, 3, 3, 7), (1, 6, 3, 7), "got 7×3 pixels; .* size, 16×8$"),
        ((1, 3, 40, 60), (1, 6, 40, 60), "got 60×40 pixels; .* size, 64×40$"),
    ],
)
def test_what_it_cannot_take(network: TRMD, blur: tuple[int, ...], scer: tuple[int, ...], problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        network(torch.zeros(blur), torch.zeros(scer))


def test_there_are_networks_of_one_and_three_colours() -> None:
    with pytest.raises(InvalidValueError, match="colours must be one of 1, 3, got 4"):
        TRMD(4)
    assert TRMD(1).eval()(uniform(1, 1, 8, 16), uniform(1, 6, 8, 16)).shape == (1, 7, 1, 8, 16)
