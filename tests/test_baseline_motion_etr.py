"""Motion-ETR: what its authors' gives, and laws of ways, frames and blur."""

from pathlib import Path
from typing import Any

import pytest
import torch
from golden_baselines import assert_golden, golden_arrays, golden_weights, released_shapes
from network_laws import (
    assert_batches_are_separate,
    assert_computed_where_inputs_are,
    assert_refuses_other_weights,
    assert_runs_in_bfloat16,
    assert_trained,
    released_weights,
    seeded,
    uniform,
)
from torch import Tensor, nn

from spikesim.errors import InputFileError, InvalidValueError
from ssdm_models.baselines.from_images import MotionETRBaseline
from ssdm_models.baselines.motion_etr import RELEASED, TIMES, MotionETR, frames, reblur
from ssdm_models.cost import parameters

(MOTION_ETR,) = RELEASED
SEVEN = [k / 3 for k in range(-3, 4)]
FIXED = [f"deblurring_network.{level}.decoder.scale" for level in ("quarters", "halves", "whole")]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def network() -> MotionETR:
    made: MotionETR = seeded(MotionETR)
    return made


@pytest.fixture
def blur() -> Tensor:
    return uniform(2, 3, 24, 40)


def test_names_and_shapes_are_the_released_ones(shared: Path) -> None:
    slots = MOTION_ETR.slots(MotionETR())
    assert {name: slot.shape for slot in slots for name in slot.released} == released_shapes(shared, "motion_etr")


@torch.inference_mode()
def test_it_gives_what_the_authors_gives(shared: Path) -> None:
    data = golden_arrays(shared, "motion_etr", "motion_etr")
    network = MOTION_ETR.load(golden_weights(shared, "motion_etr"))
    assert isinstance(network, MotionETR)
    offsets = network.offsets(data["blur"])
    sharp = network.deblurred(data["blur"], offsets)
    assert_golden(offsets, data["offsets"])
    assert_golden(sharp, data["deblurred"])
    assert_golden(reblur(sharp, offsets), data["reblur"])
    assert_golden(network(data["blur"])[:, ::2], data["frames"])


@torch.inference_mode()
def test_seven_frames_lie_on_the_same_way(shared: Path) -> None:
    """Their ends and their middle are frames of the 15; between are none of these."""
    data = golden_arrays(shared, "motion_etr", "motion_etr")
    network = MOTION_ETR.load(golden_weights(shared, "motion_etr"))
    assert isinstance(network, MotionETR)
    seven, all_of_them = network.frames_at(data["blur"], SEVEN), network(data["blur"])
    assert_golden(seven[:, [0, -1]], data["frames"][:, [0, -1]])
    assert torch.equal(seven[:, 3], network.deblurred(data["blur"], network.offsets(data["blur"])))
    assert torch.equal(seven[:, 3], all_of_them[:, 7])
    assert min((seven[:, 1] - all_of_them[:, k]).abs().max() for k in range(15)) > 1e-3


def test_other_weights_are_refused_by_name(network: MotionETR) -> None:
    weights = released_weights(MOTION_ETR, network)
    assert_refuses_other_weights(MOTION_ETR, weights, "offset_net.uconv_2.weight")
    twice = "offset_net.bottleneck_1.model.0.weight"
    with pytest.raises(InputFileError, match=f"must have the values of .*bottleneck_1.conv1.weight in {twice}"):
        MOTION_ETR.load({**weights, twice: weights[twice] + 1})


def test_parameters_are_as_many_as_published() -> None:
    network = MotionETR()
    assert parameters(network) == 6_554_000
    assert parameters(network.offset_network) == 1_129_604
    assert parameters(network.deblurring_network) == 5_424_396


@torch.inference_mode()
def test_ways_are_quadratic_and_pass_their_own_pixel_in_the_middle(network: MotionETR, blur: Tensor) -> None:
    kept = network.offsets(blur).unflatten(1, (15, 2))
    ways = kept[:, [0, 6, 5, 4, 3, 2, 1, *range(7, 15)]].double()
    assert not ways[:, 7].any()
    assert ways[:, 0].abs().max() > 0.1
    curve = ways.diff(n=2, dim=1)
    assert curve.abs().max() > 1e-3
    torch.testing.assert_close(curve, curve[:, :1].expand_as(curve), rtol=0, atol=1e-5)
    assert not torch.allclose(ways[:, 0], -ways[:, -1], atol=1e-3)


def test_the_frame_in_the_middle_is_the_image_itself() -> None:
    sharp, offsets = uniform(1, 3, 48, 344), uniform(1, 30, 48, 344, seed=2)
    assert torch.equal(frames(sharp, offsets, [-0.5, 0, 0.5])[:, 1], sharp)


def test_frames_are_the_image_from_aside() -> None:
    """All pixels' ways lead from 2 rows above to 4 columns right."""
    sharp = uniform(1, 3, 16, 24)
    offsets = torch.zeros(1, 30, 16, 24)
    offsets[:, 0], offsets[:, -1] = -2, 4
    start, between, end = frames(sharp, offsets, [-1, 1 / 3, 1]).unbind(1)
    torch.testing.assert_close(start[..., 2:, :], sharp[..., :-2, :])
    torch.testing.assert_close(end[..., :-4], sharp[..., 4:])
    # (⅓ + ⅑)/2 of the end, −(⅓ − ⅑)/2 of the start: 8/9 of a column and 2/9 of a row
    rows = sharp[..., :-1, :] * 7 / 9 + sharp[..., 1:, :] * 2 / 9
    torch.testing.assert_close(between[..., :-1, :-1], rows[..., :-1] / 9 + rows[..., 1:] * 8 / 9)


def test_what_stays_is_not_blurred_and_what_passes_is_averaged() -> None:
    sharp = torch.zeros(1, 3, 16, 48)
    sharp[..., 20] = 1
    offsets = torch.zeros(1, 30, 16, 48)
    torch.testing.assert_close(reblur(sharp, offsets), sharp)
    offsets[:, 1], offsets[:, -1] = -7, 7
    expected = torch.zeros_like(sharp)
    expected[..., 13:28] = 1 / 15
    torch.testing.assert_close(reblur(sharp, offsets), expected)


@torch.inference_mode()
def test_offsets_may_be_those_of_another_network(network: MotionETR, blur: Tensor) -> None:
    other: MotionETR = seeded(lambda: (torch.rand(1), MotionETR())[1])
    own, others = (network.deblurred(blur, source.offsets(blur)) for source in (network, other))
    assert (own - others).abs().max() > 1e-3


def test_batches_are_separate(network: MotionETR, blur: Tensor) -> None:
    assert_batches_are_separate(network, blur, atol=5e-5)


def test_every_parameter_but_the_fixed_ones_is_trained(network: MotionETR, blur: Tensor) -> None:
    assert_trained(network, network.deblurred(blur, network.offsets(blur)), FIXED)


def test_the_first_stage_trains_the_offsets_alone(network: MotionETR, blur: Tensor) -> None:
    reblur(blur, network.offsets(blur)).square().mean().backward()
    assert all(value.grad is not None and value.grad.any() for value in network.offset_network.parameters())
    assert all(value.grad is None for value in network.deblurring_network.parameters())


PARTS = {"sharp": 1, "reblur": 1, "ms_ssim": 0.1, "variation": 0.002, "length": 2e-5}


def losses_of(network: MotionETR, blur: Tensor, sharp: Tensor) -> dict[str, Tensor]:
    """What is minimised, of true images in the middle of the exposure."""
    baseline = MotionETRBaseline()
    baseline.network = network
    frames = torch.full((len(sharp), 7, *sharp.shape[1:]), torch.nan)
    frames[:, 3] = sharp
    return baseline.losses(blur, {}, frames)


def given_offsets(network: MotionETR, offsets: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "offsets", lambda _: offsets)


def test_what_is_minimised_is_the_sum_of_both_stages(network: MotionETR, blur: Tensor) -> None:
    losses = losses_of(network, blur, uniform(2, 3, 24, 40, seed=3))
    assert [*losses] == ["loss", *PARTS]
    torch.testing.assert_close(losses["loss"], sum(weight * losses[name] for name, weight in PARTS.items()))


@torch.inference_mode()
def test_where_nothing_moves_the_first_stage_costs_nothing(
    network: MotionETR, blur: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_offsets(network, torch.zeros(2, 30, 24, 40), monkeypatch)
    losses = losses_of(network, blur, blur)
    assert (losses["variation"], losses["length"]) == (0, 0)
    assert losses["reblur"] < 1e-12
    assert losses["ms_ssim"].abs() < 1e-6
    assert losses_of(network, blur, blur.flip(3))["reblur"] > 0.01


@torch.inference_mode()
def test_the_true_way_blurs_as_the_exposure_did(network: MotionETR, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own or the reversed one, but no other, though both cost the length of the way."""
    sharp, way = uniform(1, 3, 24, 40), torch.zeros(1, 30, 24, 40)
    rows, columns = way[:, 0::2], way[:, 1::2]
    columns += 3 * torch.tensor(TIMES)[[0, 6, 5, 4, 3, 2, 1, *range(7, 15)]][:, None, None]
    blur, found = reblur(sharp, way), []
    for offsets in (way, -way, 0 * way, torch.stack([columns, rows], 2).flatten(1, 2)):
        given_offsets(network, offsets, monkeypatch)
        found.append(losses_of(network, blur, sharp))
    right, reverse, none, across = found
    assert max(right["reblur"], reverse["reblur"]) < 1e-12
    assert min(none["reblur"], across["reblur"]) > 1e-2
    assert right["ms_ssim"] < 1e-4 < 0.1 < min(none["ms_ssim"], across["ms_ssim"])
    assert right["variation"] == 0 < right["length"]
    torch.testing.assert_close(right["length"], 9 * torch.tensor(TIMES).square().mean() / 2)


def test_variation_is_along_rows_and_columns(network: MotionETR, monkeypatch: pytest.MonkeyPatch) -> None:
    blur, ramp = uniform(1, 3, 24, 40), torch.arange(24.0)[:, None].expand(1, 30, 24, 40)
    for offsets, slope in ((ramp, 1), (torch.arange(40.0).expand(1, 30, 24, 40), 1), (ramp + torch.arange(40.0), 2)):
        given_offsets(network, offsets, monkeypatch)
        assert losses_of(network, blur, blur)["variation"] == slope


@pytest.mark.parametrize("name", PARTS)
def test_every_part_teaches_the_offsets_and_the_deblurred_image_alone_the_rest(
    network: MotionETR, blur: Tensor, name: str
) -> None:
    losses_of(network, blur, uniform(2, 3, 24, 40, seed=3))[name].backward()
    offsets, deblurring = (
        [value.grad is not None and bool(value.grad.any()) for value in part.parameters() if value.requires_grad]
        for part in (network.offset_network, network.deblurring_network)
    )
    assert all(offsets)
    assert all(deblurring) if name == "sharp" else not any(deblurring)


def test_it_learns_a_way(network: MotionETR) -> None:
    """Of an image that moves by six pixels; smooth, so that its way can be felt from where it is thought to be."""
    sharp = torch.nn.functional.interpolate(uniform(1, 3, 6, 10), (24, 40), mode="bicubic").clamp(0, 1)
    way = torch.zeros(1, 30, 24, 40)
    way[:, 1], way[:, -1] = -3, 3
    blur, found = reblur(sharp, way), []
    optimizer = torch.optim.Adam(network.parameters(), 3e-4)
    for _ in range(12):
        losses = losses_of(network, blur, sharp)
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        found.append({part: value.item() for part, value in losses.items()})
    for part in ("loss", "sharp", "reblur", "ms_ssim"):
        assert found[-1][part] < 0.8 * found[0][part]


def test_in_half_precision_ways_are_taught_in_full(network: MotionETR, blur: Tensor) -> None:
    sharp = uniform(2, 3, 24, 40, seed=3)
    with torch.autocast("cpu", torch.bfloat16):
        losses = losses_of(network, blur, sharp)
        offsets = network.offsets(blur)
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    torch.testing.assert_close(losses["reblur"], (reblur(sharp, offsets) - blur).square().mean())


def test_fixed_parameters_stay_so_when_released_weights_are_loaded(network: MotionETR) -> None:
    loaded = MOTION_ETR.load(released_weights(MOTION_ETR, network))
    assert [name for name, value in loaded.named_parameters() if not value.requires_grad] == FIXED
    assert [loaded.get_parameter(name).item() for name in FIXED] == pytest.approx([0.08] * 3)


def test_it_starts_as_its_authors(network: MotionETR) -> None:
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)]
    assert len(convolutions) > 50
    for module in convolutions:
        inputs, outputs = module.weight[:, 0].numel(), module.weight[0].numel()
        limit = (6 / (inputs + outputs)) ** 0.5
        assert 0.9 * limit < module.weight.abs().max() <= limit
        assert not module.bias.any()  # type: ignore[union-attr]


def test_it_runs_in_bfloat16(network: MotionETR, blur: Tensor) -> None:
    assert_runs_in_bfloat16(network, blur, share=0.05)
    with torch.autocast("cpu", torch.bfloat16):
        assert network.offsets(blur).dtype == torch.float32


def test_it_runs_where_its_inputs_are() -> None:
    assert_computed_where_inputs_are(MotionETR, (2, 3, 24, 40))


@torch.inference_mode()
def test_the_smallest_image(network: MotionETR) -> None:
    assert network(uniform(1, 3, 16, 16)).shape == (1, 15, 3, 16, 16)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 180, 321), r"multiples of 8, got 321×180 pixels; .* nearest size, 320×184"),
        ((1, 3, 8, 24), r"at least 16×16 pixels, got 24×8; .* nearest size, 24×16"),
        ((1, 1, 16, 16), r"blur must be \(N, 3, H, W\), got \(1, 1, 16, 16\)"),
    ],
)
def test_images_that_it_cannot_take_are_refused(network: MotionETR, shape: tuple[int, ...], message: str) -> None:
    for method in (network, network.offsets, lambda blur: network.deblurred(blur, torch.zeros(1, 30, 16, 16))):
        with pytest.raises(InvalidValueError, match=message):
            method(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 30, 16, 24), (2, 30, 24, 16), (2, 28, 16, 24)])
def test_offsets_of_other_images_are_refused(network: MotionETR, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValueError, match=r"offsets must be \(2, 30, 16, 24\), got"):
        network.deblurred(torch.zeros(2, 3, 16, 24), torch.zeros(shape))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([-1, 1.01], r"each of times must be a finite number .*got 1.01"),
        ([float("nan")], "each of times must be a finite number"),
        ([], "times must be one or more"),
        (0.5, "times must be a list of times"),
    ],
)
def test_times_outside_the_exposure_are_refused(network: MotionETR, blur: Tensor, times: Any, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        network.frames_at(blur, times)


def test_the_times_of_the_15_points_are_evenly_spread() -> None:
    assert len(TIMES) == 15
    assert (TIMES[0], TIMES[7], TIMES[-1]) == (-1, 0, 1)
    assert [one - other for one, other in zip(TIMES[1:], TIMES, strict=False)] == pytest.approx([1 / 7] * 14)
