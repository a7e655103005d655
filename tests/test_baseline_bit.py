"""BiT and BiT++: what their authors' networks give, and what must hold with any weights."""

from functools import cache

import pytest
import torch
from golden_baselines import assert_golden, golden_arrays, golden_weights
from torch import Tensor, nn
from torch.nn import functional

from spikesim.errors import InputFileError, InvalidValueError
from ssdm_models.baselines.bit import RELEASED, BiT, Frames
from ssdm_models.baselines.from_images import BiTBaseline, BiTPlusPlusBaseline
from ssdm_models.cost import parameters
from ssdm_models.trained_networks import load_published

pytestmark = pytest.mark.usefixtures("one_thread")

BOTH = pytest.mark.parametrize("both_directions", [False, True], ids=["BiT", "BiT++"])


def seeded(both_directions: bool) -> BiT:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return BiT(both_directions)


@cache
def untouched(both_directions: bool) -> BiT:
    """The same, for tests that change nothing of it."""
    with torch.inference_mode(False):
        return seeded(both_directions)


def scene(images: int = 1, height: int = 50, width: int = 61) -> Tensor:
    return torch.rand(images, 3, 3, height, width, generator=torch.Generator().manual_seed(1))


def assert_near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_they_give_what_the_authors_give(shared):
    data = golden_arrays(shared, "bit", "bit")
    for released, output in zip(RELEASED, ("out", "out_pp"), strict=True):
        network = released.load(golden_weights(shared, released.name))
        found = network.with_anchors(data["blurs"], data["times"])
        assert_golden(found.frames, data[output])
        if released.name == "bit":
            assert_golden(found.anchors[:, 0], data["mid"])


def test_what_they_have():
    with torch.device("meta"):
        assert {name: parameters(BiT(name == "bitpp")) for name in ("bit", "bitpp")} == {
            "bit": 11_269_514,
            "bitpp": 11_344_682,
        }


@torch.inference_mode()
@BOTH
def test_images_and_times_do_not_depend_on_each_other(both_directions):
    network, blurs, times = untouched(both_directions), scene(2), torch.tensor([[0.0, 0.7], [0.2, 1.0]])
    together = network(blurs, times)
    assert together.shape == (2, 2, 3, 50, 61)
    for i in range(2):
        assert_near(together[i : i + 1, 1:], network(blurs[i : i + 1], times[i, 1:]))
    assert_near(network(blurs, times[0])[1], network(blurs[1:], times[0])[0])
    assert (together[0, 0] - together[0, 1]).abs().max() > 1e-4  # the time is seen


@torch.inference_mode()
def test_time_has_no_direction_for_both_directions():
    """In reversed order, and with the weights of the two directions exchanged, they show the same."""
    network, blurs, times = seeded(True), scene(), torch.tensor([0.3])
    found = network.with_anchors(blurs, times)
    network.head.weight.copy_(network.head.weight.roll(174, 1))
    backwards = network.with_anchors(blurs.flip(1), 1 - times)
    assert_near(backwards.frames, found.frames)
    assert_near(backwards.anchors, found.anchors.flip(1, 2))
    for axis in (1, 2):
        assert (found.anchors - found.anchors.flip(axis)).abs().max() > 1e-4


@torch.inference_mode()
def test_images_are_reflected_to_whole_windows_and_cropped():
    network, blurs, times = untouched(True), scene(), torch.tensor([0.3])
    padded = functional.pad(blurs[0], (0, 3, 0, 14), "reflect")[None]
    whole = network.with_anchors(padded, times)
    for image, expected in zip(network.with_anchors(blurs, times), whole, strict=True):
        assert image.shape[-2:] == (50, 61)
        assert_near(image, expected[..., :50, :61])


@BOTH
def test_what_takes_part_is_trained(both_directions):
    network = seeded(both_directions)
    found = network.with_anchors(scene(), torch.tensor([0.3]))
    (found.frames.square().mean() + found.anchors.square().mean()).backward()
    assert {name for name, parameter in network.named_parameters() if parameter.grad is None} == {
        "idle_norm.weight",
        "idle_norm.bias",
    }
    assert all(p.grad.abs().max() > 0 for p in network.parameters() if p.grad is not None)


def test_half_precision_is_near():
    network, times = seeded(False), torch.tensor([0.3])
    with torch.no_grad():
        expected = network.with_anchors(scene(), times)
    with torch.autocast("cpu", torch.bfloat16):
        found = network.with_anchors(scene(), times)
    sum(image.float().abs().mean() for image in found).backward()
    for image, reference in zip(found, expected, strict=True):
        assert (image - reference).abs().max() < 0.03 * reference.abs().max()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


def losses_of(network: BiT, monkeypatch: pytest.MonkeyPatch, found: Frames, images: int = 2) -> dict[str, Tensor]:
    """What is minimised where a network makes given frames, in BGR, against `truth`."""
    baseline = BiTPlusPlusBaseline()
    baseline.network = network
    monkeypatch.setattr(network, "with_anchors", lambda *_: found)
    blur = torch.zeros(images, 3, 8, 8)
    return baseline.losses(blur, {"before": blur, "after": blur}, truth(images))


def truth(images: int = 2) -> Tensor:
    """Of seven frames (N, 7, 3, 8, 8), RGB; each of a value of its own."""
    values = torch.arange(images * 7 * 3, dtype=torch.float32).reshape(images, 7, 3, 1, 1) / 100
    return values.expand(-1, -1, -1, 8, 8)


def test_each_direction_is_taught_its_own_anchors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one direction shows too bright and the other too dark does not cancel, as it would in their mean."""
    network, bgr = seeded(True), truth().flip(2)
    ends = bgr[:, [0, -1]]
    for both, expected in (((ends, ends), 0.0), ((ends + 0.3, ends - 0.3), 0.3), ((ends, ends.flip(1)), 0.09)):
        found = losses_of(network, monkeypatch, Frames(bgr[:, :1], torch.stack(both, 1)))
        torch.testing.assert_close(found["anchors"], torch.tensor(expected))
        torch.testing.assert_close(found["loss"], found["frame"] + found["anchors"] / 2)


def test_times_are_drawn_for_each_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """All seven, whatever the size of a batch, and by torch's generator, which every step of a training seeds."""
    network, seen = seeded(False), []
    baseline = BiTBaseline()
    baseline.network = network
    blur, true = torch.zeros(2, 3, 8, 8), truth().flip(2)

    def shown(_: Tensor, times: Tensor) -> Frames:
        seen.append(times[:, 0].tolist())
        which = (6 * times[:, 0]).round().long()
        return Frames(true[torch.arange(2), which][:, None], true[:, None, [0, -1]])

    monkeypatch.setattr(network, "with_anchors", shown)
    for again in range(2):
        torch.manual_seed(4)
        for _ in range(20):
            assert baseline.losses(blur, {"before": blur, "after": blur}, truth())["loss"] < 1e-6
        assert seen[20 * again :] == seen[:20]
    assert {round(6 * time) for times in seen for time in times} == set(range(7))
    assert {len(set(times)) for times in seen} == {1, 2}


@torch.inference_mode()
def test_it_begins_with_what_bit_has_learned() -> None:
    """All but the head; a head of BiT's weights and zeros for the other direction then shows what BiT shows."""
    learned, grown = BiTBaseline(), BiTPlusPlusBaseline()
    learned.network, grown.network = untouched(False), seeded(True)
    head = grown.network.head.weight.clone()
    grown.grow(learned)
    assert torch.equal(grown.network.head.weight, head)
    held, found = learned.network.state_dict(), grown.network.state_dict()
    assert {name for name in found if name not in held or not torch.equal(found[name], held[name])} == {
        "head.weight",
        "head.bias",
    }
    grown.network.head.weight.zero_()[:, :174] = learned.network.head.weight
    grown.network.head.bias.copy_(learned.network.head.bias)
    times = torch.tensor([0.0, 0.7])
    assert_near(grown.network(scene(), times), learned.network(scene(), times))


def test_linear_layers_start_small():
    layers = [module.weight.detach() for module in untouched(False).modules() if isinstance(module, nn.Linear)]
    assert [float(weight.std()) for weight in layers] == pytest.approx([0.02] * len(layers), rel=0.05)


@pytest.mark.parametrize(
    ("blurs", "times", "message"),
    [
        ((1, 3, 3, 48, 70), (1,), r"BiT takes images of at least 49×49 pixels, got blurs of 70×48; .* to 70×49"),
        ((1, 2, 3, 64, 64), (1,), r"blurs must be \(N, 3, 3, H, W\), got \(1, 2, 3, 64, 64\)"),
        ((2, 3, 3, 64, 64), (3, 1), r"times must be \(S,\), or \(N, S\) for 2 images, got \(3, 1\)"),
        ((1, 3, 3, 64, 64), (1, 1, 1), r"times must be \(S,\)"),
    ],
)
def test_what_they_cannot_take(blurs, times, message):
    with pytest.raises(InvalidValueError, match=message):
        untouched(False)(torch.zeros(blurs), torch.zeros(times))


@pytest.fixture(scope="module")
def weights() -> dict[str, dict[str, Tensor]]:
    """Weights of BiT++ in the two parts and by the names that its authors' file has them in."""
    network, released = untouched(True), RELEASED[1]
    state = network.state_dict()
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "last_shuffle_up": {}}
    for slot in released.slots(network):
        part, name = slot.released[0].split(".", 1)
        parts[part][f"module.{name}"] = state[slot.name]
    parts["model"]["module.layers.0.residual_group.blocks.1.attn_mask"] = torch.zeros(256, 16, 16)
    return parts


def test_a_file_of_two_parts_is_joined(weights, tmp_path):
    torch.save({**weights, "epoch": 3}, tmp_path / "bitpp.pth")
    blurs, times = scene(), torch.tensor([0.3])
    with torch.inference_mode():
        assert torch.equal(RELEASED[1].load(tmp_path / "bitpp.pth")(blurs, times), untouched(True)(blurs, times))


def test_a_released_file_is_a_row_of_an_evaluation(weights, tmp_path):
    torch.save(weights, tmp_path / "theirs.pth")
    trained = load_published("bitpp", tmp_path / "theirs.pth")
    assert isinstance(trained.network, BiTPlusPlusBaseline)
    assert (trained.spec.label, trained.network.sees_neighbours, trained.network.knows_direction) == (
        "BiT++",
        True,
        True,
    )
    found, expected = trained.network.network.state_dict(), untouched(True).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in found.items())


@pytest.mark.parametrize(
    ("part", "name", "change", "message"),
    [
        ("model", "module.norm.bias", None, r"lacks model\.norm\.bias"),
        ("last_shuffle_up", "module.1.bias", torch.zeros(1), r"has, too many, last_shuffle_up\.1\.bias"),
        ("last_shuffle_up", "module.0.bias", torch.zeros(3), r"last_shuffle_up\.0\.bias \(3,\), not \(48,\)"),
    ],
)
def test_weights_that_do_not_fit(weights, part, name, change, message):
    changed = {**weights[part], name: change}
    changed = {key: value for key, value in changed.items() if value is not None}
    with pytest.raises(InputFileError, match=rf"does not fit BiT\+\+: it .*{message}"):
        RELEASED[1].load({**weights, part: changed})


def test_a_part_that_is_missing_is_named(weights):
    with pytest.raises(InputFileError, match=r"does not fit BiT\+\+: it lacks last_shuffle_up\.0\.bias"):
        RELEASED[1].load({"model": weights["model"]})
