"""SpkDeblurNet: what its authors' network gives, and what must hold with any weights."""

import pytest
import torch
from golden_baselines import assert_golden, golden_arrays, golden_weights
from torch import Tensor, nn

from spikesim.errors import InputFileError, InvalidValueError
from ssdm_models.baselines.spkdeblurnet import RELEASED, SpkDeblurNet
from ssdm_models.cost import parameters
from ssdm_models.stages import STAGES

pytestmark = pytest.mark.usefixtures("one_thread")

READOUTS = {"spkdeblurnet": slice(0, 56), "spkdeblurnet21": slice(18, 39)}
IDLE = ("idle_of_blur.", "idle_of_spikes.")
IDLE_GROUPS = ("spike_groups.0.", "spike_groups.1.")


def seeded(**arguments) -> SpkDeblurNet:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return SpkDeblurNet(**{"readouts": 5, "dim": 36, "blocks": 2, **arguments})


def scene(images: int = 2, height: int = 70, width: int = 98) -> tuple[Tensor, Tensor, Tensor]:
    """Blurry images, their spikes and a TFI of another size."""
    generator = torch.Generator().manual_seed(1)
    spikes = torch.rand(images, 5, -(-height // 2), -(-width // 2), generator=generator).round()
    blur, tfi = (torch.rand(images, *size, generator=generator) for size in ((3, height, width), (1, 18, 25)))
    return blur, spikes, tfi / 2


def without_gradient(network: nn.Module) -> set[str]:
    return {name for name, parameter in network.named_parameters() if parameter.grad is None}


def names(network: nn.Module, prefixes: tuple[str, ...]) -> set[str]:
    return {name for name, _ in network.named_parameters() if name.startswith(prefixes)}


@torch.inference_mode()
@pytest.mark.parametrize("released", RELEASED, ids=lambda released: released.name)
def test_it_gives_what_the_authors_gives(shared, released):
    data = golden_arrays(shared, released.name, "spkdeblurnet")
    network = released.load(golden_weights(shared, released.name))
    blur, spikes, tfi = data["blur"], data["spikes"][:, READOUTS[released.name]], data["tfi"]
    found = network.deblur(blur, spikes, tfi)._asdict()
    assert torch.equal(network(blur, spikes, tfi), found["sharp"])
    for name, image in found.items():
        assert_golden(image, data[name + released.name.removeprefix("spkdeblurnet")])


def test_what_it_has():
    counts = {56: 13_464_684, 65: 13_469_544, 21: 13_445_784}
    with torch.device("meta"):
        networks = {readouts: SpkDeblurNet(readouts) for readouts in counts}
    assert {readouts: parameters(network) for readouts, network in networks.items()} == counts
    assert sum(networks[21].get_parameter(name).numel() for name in names(networks[21], IDLE + IDLE_GROUPS)) == 888_480
    assert parameters(STAGES["spkdeblurnet"].new(small=True)) < counts[21] / 40


@pytest.mark.parametrize(("chained", "idle"), [(False, IDLE + IDLE_GROUPS), (True, IDLE)])
def test_what_takes_part_is_trained(chained, idle):
    network = seeded(chained=chained)
    found = network.deblur(*scene(1))
    sum(image.square().mean() for image in found).backward()
    assert without_gradient(network) == names(network, idle)
    assert all(p.grad.abs().max() > 0 for p in network.parameters() if p.grad is not None)


@torch.inference_mode()
def test_groups_of_spikes_follow_each_other_only_where_they_are_chained():
    inputs = scene(1)
    for chained in (False, True):
        network = seeded(chained=chained)
        before = network(*inputs)
        network.get_parameter("spike_groups.0.merge.bias").add_(1)
        assert torch.equal(before, network(*inputs)) is not chained


@torch.inference_mode()
def test_images_of_a_batch_do_not_depend_on_each_other():
    network, inputs = seeded(), scene()
    together = network.deblur(*inputs)
    for i in range(2):
        alone = network.deblur(*(value[i : i + 1] for value in inputs))
        for image, expected in zip(together, alone, strict=True):
            torch.testing.assert_close(image[i : i + 1], expected, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_images_of_a_batch_share_the_range_of_the_mask_where_that_is_asked_for():
    own, shared_range = seeded().mask, seeded(shared_range=True).mask
    quick, _, tfi = scene()
    quick[0] *= 3
    assert torch.equal(own(quick[:1], tfi[:1]), shared_range(quick[:1], tfi[:1]))
    difference = (own(quick, tfi) - shared_range(quick, tfi)).abs()
    assert difference.amax((1, 2, 3)).max() > 1e-4


@torch.inference_mode()
def test_the_mask_marks_what_agrees_with_the_spikes():
    mask = seeded().mask
    for layer in (mask.compare, mask.weigh, mask.join):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    nn.init.ones_(mask.weigh.bias)
    mask.join.weight[0, -1] = 20  # of the mark alone: half the image where there is none, all where there is
    values = torch.tensor([0.5, 0.52, 0.53, 0.75, 0.9])
    marked = mask(values.expand(1, 3, 1, 5), torch.full((1, 1, 1, 1), 0.5))[0, 0, 0]
    assert (marked / values).tolist() == pytest.approx([1, 1, 1, 0.5, 1], rel=1e-3)  # the greatest difference is marked
    even = mask(torch.full((1, 3, 3, 5), 0.7), torch.full((1, 1, 3, 5), 0.5))
    assert (even / 0.7).flatten().tolist() == pytest.approx([0.5] * 15, rel=1e-3)


@torch.inference_mode()
def test_the_blurry_image_is_encoded_once():
    network = seeded()
    blur, spikes, tfi = scene(1)
    encoded = network.encode_blur(blur)
    for window in (spikes, 1 - spikes):
        found = network.fuse(encoded, window, tfi)
        assert torch.equal(found.sharp, network(blur, window, tfi))
        assert torch.equal(found.quick, encoded.quick)


@torch.inference_mode()
@pytest.mark.parametrize(("height", "width"), [(65, 65), (67, 130), (98, 71)])
def test_images_of_any_size_keep_it(height, width):
    blur, spikes, tfi = scene(1, height, width)
    found = seeded().deblur(blur, spikes, tfi)
    assert found.sharp.shape == found.quick.shape == blur.shape
    assert found.recon.shape == (1, 1, 2 * spikes.shape[2], 2 * spikes.shape[3])


@pytest.mark.parametrize(
    ("index", "shape", "message"),
    [
        (0, (1, 3, 64, 98), r"at least 65×65 pixels, got blur of 98×64; pad them to 98×65"),
        (0, (1, 1, 70, 98), r"blur must be \(N, 3, H, W\), got \(1, 1, 70, 98\)"),
        (1, (1, 5, 18, 25), r"half the size of 1 images of 98×70, \(1, 5, 35, 49\), got \(1, 5, 18, 25\); repeat"),
        (1, (1, 6, 35, 49), r"spikes must be 5 readouts"),
        (1, (2, 5, 35, 49), r"of 1 images"),
        (2, (2, 1, 35, 49), r"tfi must be one for each of 1 images, got 2"),
        (2, (1, 3, 35, 49), r"tfi must be \(N, 1, h, w\)"),
    ],
)
def test_what_does_not_belong_to_an_image(index, shape, message):
    inputs = list(scene(1))
    inputs[index] = torch.zeros(shape)
    with pytest.raises(InvalidValueError, match=message):
        seeded()(*inputs)


def test_channels_that_no_heads_divide():
    with pytest.raises(InvalidValueError, match="dim must be a multiple of 36, got 100; take 72"):
        SpkDeblurNet(dim=100)


def test_half_precision_is_near():
    network, inputs = seeded(), scene(1)
    with torch.no_grad():
        expected = network.deblur(*inputs)
    with torch.autocast("cpu", torch.bfloat16):
        found = network.deblur(*inputs)
    sum(image.float().abs().mean() for image in found).backward()
    for image, reference in zip(found, expected, strict=True):
        assert (image - reference).abs().max() < 0.03 * reference.abs().max()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


def test_a_network_learns():
    network, (blur, spikes, tfi) = seeded(), scene(1, 66, 66)
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    errors = []
    for _ in range(5):
        optimiser.zero_grad()
        error = (network(blur, spikes, tfi) - 0.5).abs().mean()
        error.backward()
        optimiser.step()
        errors.append(error.item())
    assert errors[-1] < 0.8 * errors[0]


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    """Weights of 21 readouts by their authors' names, with the tables that their files have as well."""
    network = SpkDeblurNet(21)
    state = network.state_dict()
    block = "S_layers.0.residual_group.blocks.1."
    tables = {f"{block}attn_mask": torch.zeros(4, 64, 64), f"{block}attn.relative_position_index": torch.ones(64, 64)}
    return {slot.released[0]: state[slot.name] for slot in RELEASED[1].slots(network)} | tables


def test_weights_come_to_their_places(weights):
    loaded = RELEASED[1].load(weights)
    assert not loaded.training
    assert torch.equal(loaded.spike_groups[2].merge.weight, weights["S_layers.2.last_layer.weight"])
    assert torch.equal(loaded.spikes_into_image.temperature, weights["cross_attention_2.attn.temperature"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cammm.conv2.bias": None}, r"lacks cammm\.conv2\.bias"),
        ({"cammm.conv3.bias": torch.zeros(1)}, r"has, too many, cammm\.conv3\.bias"),
        ({"S_conv_down.0.weight": torch.zeros(60, 56, 3, 3)}, r"S_conv_down\.0\.weight \(60, 56, 3, 3\), not \(60, 21"),
    ],
)
def test_weights_that_do_not_fit(weights, change, message):
    changed = {name: value for name, value in {**weights, **change}.items() if value is not None}
    with pytest.raises(InputFileError, match=rf"does not fit SpkDeblurNet: it .*{message}"):
        RELEASED[1].load(changed)
