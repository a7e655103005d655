"""LEVS: what its authors' gives, and in which order frames are made of one another."""

import copy
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

from spikesim.errors import InputFileError, InvalidValueError
from ssdm_models.baselines.from_images import LEVSBaseline
from ssdm_models.baselines.levs import LEVS as NETWORK
from ssdm_models.baselines.levs import RELEASED
from ssdm_models.cost import macs, parameters

(LEVS,) = RELEASED
ADDED = {"middle": [3], "third": [2], "fifth": [4], "second_and_sixth": [1, 5], "first_and_seventh": [0, 6]}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def started() -> NETWORK:
    made: NETWORK = seeded(NETWORK)
    return made


@pytest.fixture
def network(started: NETWORK) -> NETWORK:
    """A network that a test may change."""
    return copy.deepcopy(started)


@pytest.fixture
def blur() -> Tensor:
    return uniform(2, 3, 20, 40)


def test_names_and_shapes_are_the_released_ones(shared: Path) -> None:
    with torch.device("meta"):
        slots = LEVS.slots(NETWORK())
    assert {slot.released[0]: slot.shape for slot in slots} == {
        f"{part}.{name}": shape for part in LEVS.parts for name, shape in released_shapes(shared, part).items()
    }


@torch.inference_mode()
def test_it_gives_what_the_authors_gives(shared: Path) -> None:
    data = golden_arrays(shared, "levs_center", "levs")
    network = LEVS.load({part: golden_weights(shared, part) for part in LEVS.parts})
    assert_golden(network(data["blur"]), data["frames"])


def test_its_files_are_given_together(started: NETWORK, tmp_path: Path) -> None:
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in LEVS.parts}
    for name, value in released_weights(LEVS, started).items():
        part, _, bare = name.partition(".")
        parts[part][bare] = value
    torch.save(parts["levs_f17"], tmp_path / "f17.pth")
    loaded = LEVS.load({**parts, "levs_f17": tmp_path / "f17.pth"})
    expected = started.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in loaded.state_dict().items())
    with pytest.raises(InputFileError, match=r"does not fit LEVS: it lacks levs_f26\.generateFrame2_6"):
        LEVS.load({part: weights for part, weights in parts.items() if part != "levs_f26"})
    with pytest.raises(InputFileError, match=r"lacks levs_f35\.generateFrame3\.GlobalGrad"):
        LEVS.load({**parts, "levs_f35": parts["levs_center"]})


def test_other_weights_are_refused_by_name(started: NETWORK) -> None:
    name = "levs_f17.generateFrame1_7.LocalGrad2.1.conv4.weight"
    assert_refuses_other_weights(LEVS, released_weights(LEVS, started), name)


def test_parameters_are_as_many_as_published() -> None:
    with torch.device("meta"):
        network = NETWORK()
    assert parameters(network) == 18_213_376
    assert parameters(network.middle) == 4_972_032
    assert parameters(network.third) + parameters(network.fifth) == 7_868_928
    assert parameters(network.second_and_sixth) == parameters(network.first_and_seventh) == 2_686_208
    assert round(macs(network, (1, 3, 720, 1280)) / 1e9) == 3029


@torch.inference_mode()
def test_frames_are_made_from_the_middle_outwards(network: NETWORK, blur: Tensor) -> None:
    """What changes with the weights of a network: its own frames, and those that are made of them."""
    frames = network(blur)
    follow = {
        "middle": {0, 1, 2, 3, 4, 5, 6},
        "third": {0, 1, 2, 4, 5, 6},
        "fifth": {4, 5, 6},
        "second_and_sixth": {0, 1, 5, 6},
        "first_and_seventh": {0, 6},
    }
    for name, expected in follow.items():
        weight = network.get_submodule(name).get_parameter("output.weight")
        weight.mul_(2)
        differences = (network(blur) - frames).abs().amax((0, 2, 3, 4))
        weight.div_(2)
        assert {frame for frame in range(7) if differences[frame] > 1e-6} == expected
    torch.testing.assert_close(network(blur), frames)


@torch.inference_mode()
@pytest.mark.parametrize("name", ADDED)
def test_a_network_that_adds_nothing_repeats_a_frame(network: NETWORK, blur: Tensor, name: str) -> None:
    """The middle one the blurry image, the others their neighbour towards the middle."""
    nn.init.zeros_(network.get_submodule(name).get_parameter("output.weight"))
    frames = network(blur)
    for frame in ADDED[name]:
        repeated = blur if frame == 3 else frames[:, frame + (1 if frame < 3 else -1)]
        assert torch.equal(frames[:, frame], repeated)


@torch.inference_mode()
def test_stages_are_what_the_sequence_is_made_of(started: NETWORK, blur: Tensor) -> None:
    frames = started(blur)
    for found, expected in zip(started.stages(blur), ([3], [2, 4], [1, 5], [0, 6]), strict=True):
        assert torch.equal(torch.stack(found, 1), frames[:, expected])


def test_a_stage_computes_nothing_of_later_ones(network: NETWORK, blur: Tensor) -> None:
    stages = network.stages(blur)
    next(stages)
    third, fifth = next(stages)
    (third + fifth).square().mean().backward()
    trained = {name.partition(".")[0] for name, value in network.named_parameters() if value.grad is not None}
    assert trained == {"middle", "third", "fifth"}


def losses_of(network: NETWORK, blur: Tensor) -> dict[str, Tensor]:
    """What is minimised against a random truth."""
    baseline = LEVSBaseline()
    baseline.network = network
    return baseline.losses(blur, {}, uniform(len(blur), 7, *blur.shape[1:], seed=3))


def gradients(network: NETWORK, loss: Tensor) -> dict[str, list[Tensor | None]]:
    """Of each of the networks that LEVS is made of."""
    parts = {name: list(part.parameters()) for name, part in network.named_children()}
    found = torch.autograd.grad(loss, list(network.parameters()), allow_unused=True, retain_graph=True)
    each = iter(found)
    return {name: [next(each) for _ in weights] for name, weights in parts.items()}


def test_each_stage_is_trained_by_its_own_frames_alone(started: NETWORK, blur: Tensor) -> None:
    """Its gradient by all losses is that by its own, and its own reaches no earlier stage, as if these were frozen."""
    losses = losses_of(started, blur)
    assert list(losses) == ["loss", "middle", "pair_1", "pair_2", "pair_3"]
    torch.testing.assert_close(losses["loss"], sum(losses[name] for name in list(losses)[1:]))
    whole = gradients(started, losses["loss"])
    own = {
        "middle": ["middle"],
        "pair_1": ["third", "fifth"],
        "pair_2": ["second_and_sixth"],
        "pair_3": ["first_and_seventh"],
    }
    for name, trained in own.items():
        found = gradients(started, losses[name])
        assert {part for part, values in found.items() if any(value is not None for value in values)} == set(trained)
        for part in trained:
            assert all(torch.equal(a, b) for a, b in zip(found[part], whole[part], strict=True))  # type: ignore[arg-type]
            assert any(value.any() for value in found[part])  # type: ignore[union-attr]


def test_stages_that_are_not_kept_apart_are_told(
    started: NETWORK, blur: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = started._stages
    monkeypatch.setattr(started, "_stages", lambda blur, apart: stages(blur, False))
    found = gradients(started, losses_of(started, blur)["pair_1"])
    assert any(value is not None and value.any() for value in found["middle"])


@torch.inference_mode()
def test_frames_are_the_same_where_stages_are_kept_apart(started: NETWORK, blur: Tensor) -> None:
    for found, expected in zip(started.stages(blur, apart=True), started.stages(blur), strict=True):
        assert all(map(torch.equal, found, expected))


@torch.inference_mode()
def test_losses_are_blind_to_the_direction_of_time_and_nothing_at_the_truth(
    started: NETWORK, blur: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = uniform(2, 7, 3, 20, 40, seed=3)
    for frames in (truth, truth.flip(1)):
        made = [(frames[:, 3],), *((frames[:, 3 - i], frames[:, 3 + i]) for i in (1, 2, 3))]
        monkeypatch.setattr(started, "stages", lambda *_, made=made, **__: iter(made))
        assert not any(losses_of(started, blur).values())


@torch.inference_mode()
def test_colours_go_the_same_way_but_for_the_last_steps(network: NETWORK, blur: Tensor) -> None:
    """Where the mixing of colours knows no difference between them, neither do the frames."""
    for module in network.modules():
        if hasattr(module, "colours"):
            module.colours.weight.copy_(module.colours.weight.mean(1, keepdim=True).expand_as(module.colours.weight))
            module.output.weight.copy_(module.output.weight.mean(0, keepdim=True).expand_as(module.output.weight))
    order = [2, 0, 1]
    torch.testing.assert_close(network(blur[:, order]), network(blur)[:, :, order], rtol=0, atol=1e-4)


def test_batches_are_separate(started: NETWORK, blur: Tensor) -> None:
    assert_batches_are_separate(started, blur, atol=2e-5)


def test_every_parameter_is_trained(network: NETWORK, blur: Tensor) -> None:
    assert_trained(network, network(blur))


def test_it_runs_in_bfloat16(network: NETWORK, blur: Tensor) -> None:
    assert_runs_in_bfloat16(network, blur, share=0.1)


def test_it_runs_where_its_inputs_are() -> None:
    assert_computed_where_inputs_are(NETWORK, (2, 3, 20, 40))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 3, 50, 63), r"multiples of 20, got 63×50 pixels; .* nearest size, 60×60"),
        ((1, 3, 7, 40), r"nearest size, 40×20"),
        ((1, 1, 20, 40), r"blur must be \(N, 3, H, W\), got \(1, 1, 20, 40\)"),
        ((3, 20, 40), r"blur must be \(N, 3, H, W\)"),
    ],
)
def test_images_that_it_cannot_take_are_refused(started: NETWORK, shape: tuple[int, ...], message: str) -> None:
    for method in (started, started.stages):
        with pytest.raises(InvalidValueError, match=message):
            method(torch.zeros(shape))
