"""SAN: what its authors' gives, and laws of an image that is its blurry one times a ratio."""

from pathlib import Path

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
from torch.nn import functional

from spikesim.errors import InvalidValueError
from ssdm_models.baselines.around_times import SANStudent
from ssdm_models.baselines.san import RELEASED, SAN
from ssdm_models.cost import parameters

BY_NAME = {released.name: released for released in RELEASED}

pytestmark = pytest.mark.usefixtures("one_thread")


def moving(channels: int = 21) -> SAN:
    """A network whose taps move: as it starts, they do not."""
    network: SAN = seeded(lambda: SAN(channels))
    for seed, fusion in enumerate(network.fusions):
        weight = fusion.predictor.weight
        weight.data = (uniform(*weight.shape, seed=seed) - 0.5) / 10
    return network


@pytest.fixture
def network() -> SAN:
    return moving()


@pytest.fixture
def inputs() -> tuple[Tensor, Tensor]:
    """Two blurry images, and their spikes at other ratios of height and width than 4."""
    return uniform(2, 3, 48, 64), uniform(2, 21, 17, 20, seed=2).round()


@pytest.mark.parametrize("name", BY_NAME)
def test_names_and_shapes_are_the_released_ones(shared: Path, name: str) -> None:
    slots = BY_NAME[name].slots(BY_NAME[name].make())
    assert {slot.released[0]: slot.shape for slot in slots} == released_shapes(shared, name)


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "events", "sharp", "ratio"), [("san", "eger", "L", "E"), ("san21", "spikes21", "L21", "E21")]
)
def test_it_gives_what_the_authors_gives(shared: Path, name: str, events: str, sharp: str, ratio: str) -> None:
    data = golden_arrays(shared, "san", "san")
    network = BY_NAME[name].load(golden_weights(shared, name))
    assert isinstance(network, SAN)
    assert_golden(network(data["blur"], data[events]), data[sharp])
    assert_golden(network.ratio(data["blur"], data[events]), data[ratio])


@torch.inference_mode()
def test_it_gives_what_the_authors_gives_at_an_uneven_ratio(shared: Path) -> None:
    data = golden_arrays(shared, "san", "san")
    network = BY_NAME["san"].load(golden_weights(shared, "san"))
    assert_golden(network(data["blur"], data["eger_b"]), data["L_b"])
    assert (data["L_b"] - data["L"]).abs().max() > 0.1


def test_released_checkpoints_have_a_teacher_beside_the_network(network: SAN, inputs: tuple[Tensor, Tensor]) -> None:
    weights = released_weights(BY_NAME["san21"], network)
    state = {
        f"{of}.{name}": value + (of != "model") for of in ("teacher_model", "model") for name, value in weights.items()
    }
    loaded = BY_NAME["san21"].load({"state_dict": state, "epoch": 3})
    torch.testing.assert_close(loaded(*inputs), network(*inputs))


def test_other_weights_are_refused_by_name(network: SAN) -> None:
    released = BY_NAME["san21"]
    assert_refuses_other_weights(released, released_weights(released, network), "msff4.dcn.conv_offset_mask.weight")


def test_parameters_are_as_many_as_published() -> None:
    assert {channels: parameters(SAN(channels)) for channels in (1, 21, 96)} == {
        1: 2_346_618 + 784,
        21: 2_363_082,
        96: 2_421_882,
    }


@torch.inference_mode()
def test_the_sharp_image_is_the_blurry_one_times_a_ratio(network: SAN, inputs: tuple[Tensor, Tensor]) -> None:
    blur, spikes = inputs
    blur[..., 5, 9] = 0
    sharp, ratio = network(blur, spikes), network.ratio(blur, spikes)
    assert ratio.min() > 0
    assert not sharp[..., 5, 9].any()
    torch.testing.assert_close(sharp, blur * ratio)


def test_batches_are_separate(network: SAN, inputs: tuple[Tensor, Tensor]) -> None:
    assert_batches_are_separate(network, *inputs)


@torch.inference_mode()
def test_an_image_is_encoded_once_for_several_times(network: SAN, inputs: tuple[Tensor, Tensor]) -> None:
    blur, spikes = inputs[0][:1], inputs[1]
    encoded = network.encode_blur(blur)
    for one in spikes.split(1):
        expected = network.ratio(blur, one)
        assert torch.equal(network.decode(encoded, network.encode_events(one)), expected)


@torch.inference_mode()
@pytest.mark.parametrize("size", [(16, 16), (97, 21), (30, 130)])
def test_events_may_be_of_any_size(network: SAN, size: tuple[int, int]) -> None:
    """Also finer than the image, or of one pixel on the last level."""
    ratio = network.ratio(uniform(1, 3, 32, 16), uniform(1, 21, *size))
    assert ratio.shape == (1, 3, 32, 16)
    assert ratio.isfinite().all()


@torch.inference_mode()
def test_the_fusion_sees_the_events_where_they_are(network: SAN) -> None:
    """One cell of the events that changes is seen around its place on the image and nowhere else."""
    fusion = network.fusions[0]
    image, events = uniform(1, 16, 24, 56), uniform(1, 16, 6, 7, seed=2)
    changed = events.clone()
    changed[..., 4, 2] += 1
    seen = (fusion._resampled(image, changed) - fusion._resampled(image, events)).abs().amax((0, 1)) > 1e-6
    rows, columns = torch.nonzero(seen).unbind(1)
    # Cells are 4×8 pixels; each pixel sees the four whose middles are around it.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (14, 21, 12, 27)


@torch.inference_mode()
def test_a_fusion_that_repeats_what_it_samples_interpolates(network: SAN) -> None:
    """Of the events' features it makes bilinear interpolation, whatever the sizes."""
    fusion = network.fusions[1]
    repeat = nn.Linear(2 * 32 + 4, 32, bias=False)
    repeat.weight.copy_(torch.eye(32, 68))
    fusion.resampler = nn.Sequential(repeat)
    image, events = uniform(2, 32, 20, 46), uniform(2, 32, 9, 5, seed=2)
    expected = functional.interpolate(events, (20, 46), mode="bilinear", align_corners=False)
    torch.testing.assert_close(fusion._resampled(image, events), expected, rtol=0, atol=1e-5)


def test_it_starts_as_its_authors() -> None:
    network: SAN = seeded(SAN)
    for fusion in network.fusions:
        assert not fusion.predictor.weight.any()
        assert not fusion.predictor.bias.any()
    for module in (*network.blur_encoder.modules(), *network.decoder.modules()):
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 9000:
            assert not module.bias.any()
            assert 0.97 < module.weight.std() / (2 / module.weight[0].numel()) ** 0.5 < 1.03


@torch.inference_mode()
def test_a_student_begins_with_the_blurry_image_and_with_features_of_the_spikes(inputs: tuple[Tensor, Tensor]) -> None:
    student: SANStudent = seeded(SANStudent)
    blur, spikes = inputs
    torch.testing.assert_close(student(blur, spikes), blur)
    encoded = student.network.encode_blur(blur), student.network.encode_events(spikes)
    for fusion, image, events in zip(student.network.fusions, *encoded, strict=True):
        of_spikes = fusion(image, events) - fusion(image, torch.zeros_like(events))
        assert 0.3 < of_spikes.std() / events.std() < 3


def test_every_parameter_is_trained(network: SAN, inputs: tuple[Tensor, Tensor]) -> None:
    assert_trained(network, network(*inputs))


def test_it_runs_in_bfloat16(inputs: tuple[Tensor, Tensor]) -> None:
    assert_runs_in_bfloat16(seeded(SAN), *inputs, share=0.02)


def test_it_runs_where_its_inputs_are() -> None:
    assert_computed_where_inputs_are(SAN, (2, 3, 48, 64), (2, 21, 17, 20))


@pytest.mark.parametrize(
    ("blur", "spikes", "message"),
    [
        ((1, 3, 40, 70), (1, 21, 16, 20), r"multiples of 16, got 70×40 pixels; .* nearest size, 64×48"),
        ((1, 3, 32, 7), (1, 21, 16, 20), r"nearest size, 16×32"),
        ((1, 3, 32, 64), (1, 21, 12, 20), r"at least 16×16 pixels, got 20×12; the nearest size is 20×16"),
        ((1, 3, 32, 64), (1, 21, 20, 15), r"nearest size is 16×20"),
        ((1, 3, 32, 64), (1, 96, 16, 16), r"events must be \(1, 21, h, w\), got \(1, 96, 16, 16\)"),
        ((2, 3, 32, 64), (1, 21, 16, 16), r"events must be \(2, 21, h, w\)"),
        ((1, 1, 32, 64), (1, 21, 16, 16), r"blur must be \(N, 3, H, W\)"),
    ],
)
def test_what_it_cannot_take_is_refused(
    network: SAN, blur: tuple[int, ...], spikes: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InvalidValueError, match=message):
        network(torch.zeros(blur), torch.zeros(spikes))


def test_too_few_events_are_refused_where_they_are_encoded_alone(network: SAN) -> None:
    """As training does, whose crops may be too small."""
    with pytest.raises(InvalidValueError, match="at least 16×16 pixels, got 20×12"):
        network.encode_events(torch.zeros(1, 21, 12, 20))


def test_other_types_and_channels_are_refused(network: SAN, inputs: tuple[Tensor, Tensor]) -> None:
    blur, spikes = inputs
    for wrong in ((blur.double(), spikes), (blur, spikes.double())):
        with pytest.raises(InvalidValueError, match=r"must be torch.float32 as the network's weights"):
            network(*wrong)
    for channels in (0, -1, 2.5, "21"):
        with pytest.raises(InvalidValueError, match="channels must be a whole number"):
            SAN(channels)  # type: ignore[arg-type]
