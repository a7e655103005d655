"""XVFI-Net: the outputs of the released code, its parts by their laws, and what is computed once."""

import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
import torch
from golden_weights import golden_weights, released_shapes
from random_networks import small_network, smooth, xvfi_weights
from torch.nn import functional

from spikesim.errors import InvalidValueError
from spikesim_datasets.interpolation import xvfi
from spikesim_datasets.interpolation.networks import xvfi_network as network_module
from spikesim_datasets.interpolation.networks.layers import UpsamplingConv
from spikesim_datasets.interpolation.networks.reversal import flow_at, splat, warp
from spikesim_datasets.interpolation.networks.xvfi_release import slots

pytestmark = pytest.mark.usefixtures("one_thread")


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("nested", [False, True])
def test_golden_outputs_of_the_released_code(shared, nested):
    golden = np.load(shared / "golden" / "xvfi_nf16_S2.npz")
    weights = golden_weights(shared, "xvfi_nf16")
    network = xvfi.load_released({"state_dict_Model": weights, "last_epoch": 199} if nested else weights, 2)
    frames = torch.from_numpy(golden["frames"]).permute(1, 0, 2, 3).flip(1) / 2 + 0.5  # of BGR in [-1,1]
    for t, expected in zip(golden["t"], golden["output"], strict=True):
        result = 2 * network(frames[:1], frames[1:], float(t))[0].flip(0) - 1
        assert np.abs(result.numpy() - expected).max() <= 1e-4


@pytest.mark.parametrize(("channels", "table", "parameters"), [(64, "xvfi", 5_612_052), (16, "xvfi_nf16", None)])
def test_names_shapes_and_number_of_parameters(shared, channels, table, parameters):
    network = xvfi.load_released(xvfi_weights(channels))
    shapes = {name: slot.shape for slot in slots(network) for name in slot.released}
    assert shapes == released_shapes(shared, table)
    assert parameters in (None, sum(parameter.numel() for parameter in network.parameters()))
    assert network.title == f"XVFI nf={channels} S=5"


def test_what_does_not_depend_on_the_time_is_computed_once():
    network = xvfi.load_released(xvfi_weights(8), scales=2)
    calls = Counter()
    for name, module in network.named_children():
        module.register_forward_hook(lambda *_, name=name: calls.update([name]))
    frame0, frame1 = smooth(64, 96, 0), smooth(64, 96, 1)
    pair = network.prepare(frame0, frame1)
    once = {"features": 2, "halve": 4, "coarsest_flow": 1, "compare": 4, "finer_flow": 2}
    assert calls == once
    times = 0.25, 0.5, 0.75
    frames = [network.at(pair, t) for t in times]
    assert calls == once | {"mix": 3, "flow_at_time": 3, "refine": 3}
    for t, frame in zip(times, frames, strict=True):
        assert torch.equal(frame, network(frame0, frame1, t))


@pytest.mark.parametrize("size", [(61, 83), (250, 333)])
def test_any_size_is_padded_with_grey(size):
    network = small_network("xvfi")
    frames = smooth(*size, 0), smooth(*size, 1)
    padding = 0, -size[1] % 32, 0, -size[0] % 32
    result = network(*frames, 0.375)
    assert result.shape == (1, 3, *size)
    padded = (functional.pad(frame, padding, value=0.5) for frame in frames)
    assert torch.allclose(result, network(*padded, 0.375)[..., : size[0], : size[1]], atol=1e-6)


def test_in_tiles_every_pixel_is_as_in_one_piece(monkeypatch):
    network = xvfi.load_released(xvfi_weights(8), scales=1).double()  # so that rounding hides nothing
    frames = [smooth(250, 333, seed).double() for seed in (0, 1)]
    time = torch.full((1, 1, 1, 1), 0.3, dtype=torch.float64)

    def render():
        return network.render(network.relate(*(network.encode(frame) for frame in frames)), time)

    whole = render()
    pieces = []
    for module in (network.features, network.refine):
        module.register_forward_pre_hook(lambda _, inputs: pieces.append(inputs[0].shape))
    network.tile = 64
    assert (render() - whole).abs().max() <= 1e-12
    assert len(pieces) == 3 * 4 * 6
    assert max(piece[2] * piece[3] for piece in pieces) < 0.5 * 250 * 333
    monkeypatch.setattr(network_module, "_REACH", 0)
    assert (render() - whole).abs().max() > 1e-3  # without margins the seams show


def test_several_times_and_several_pairs_at_once():
    network = small_network("xvfi")
    frames0, frames1 = (torch.cat([smooth(64, 96, seed), smooth(64, 96, seed + 1)]) for seed in (0, 2))
    times = torch.tensor([0.125, 0.5, 0.875])
    singles = [network(frames0[:1], frames1[:1], float(t)) for t in times]
    assert torch.allclose(network.at(network.prepare(frames0[:1], frames1[:1]), times), torch.cat(singles), atol=1e-5)
    both = network(frames0, frames1, 0.5)
    assert torch.allclose(both[:1], singles[1], atol=1e-5)
    assert torch.allclose(both[1:], network(frames0[1:], frames1[1:], 0.5), atol=1e-5)


@pytest.mark.parametrize("beside", [0, 3])
def test_upsampling_and_convolving_in_one_step(beside):
    layer = UpsamplingConv(5, 4, beside)
    layer.requires_grad_(False).prepare()
    small, others = random(2, 5, 7, 9), random(2, beside, 14, 18, seed=1)
    upsampled = torch.cat([functional.interpolate(small, scale_factor=2), others], 1)
    expected = functional.conv2d(upsampled, layer.weight, layer.bias, padding=1)
    assert torch.allclose(layer(small, others if beside else None), expected, atol=1e-6)


@pytest.mark.parametrize(("dx", "dy"), [(0, 0), (3, 0), (0, -2), (-1, 4)])
def test_a_warp_by_whole_pixels_moves_columns_first_and_leaves_zeros(dx, dy):
    image = random(1, 2, 11, 13)
    flow = torch.tensor([dx, dy], dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, 11, 13)
    expected = torch.zeros_like(image)
    for y, x in product(range(11), range(13)):
        if 0 <= y + dy < 11 and 0 <= x + dx < 13:
            expected[..., y, x] = image[..., y + dy, x + dx]
    assert torch.allclose(warp(image, flow), expected, atol=1e-5)
    part = warp(image, flow[..., 2:7, 3:9], origin=(2, 3))
    assert torch.allclose(part, expected[..., 2:7, 3:9], atol=1e-5)


@pytest.mark.parametrize(("beyond", "kept"), [(0.0005, True), (0.01, False)])
def test_a_pixel_that_is_not_covered_whole_is_zero(beyond, kept):
    image = torch.ones(1, 1, 5, 6)
    flow = torch.zeros(1, 2, 5, 6)
    flow[0, 0, 2, 5] = flow[0, 1, 4, 3] = beyond
    flow[0, 0, 1, 0] = flow[0, 1, 0, 1] = -beyond
    moved = warp(image, flow)[0, 0]
    assert all((moved[place] > 0.9) == kept for place in ((2, 5), (4, 3), (1, 0), (0, 1)))
    assert (moved > 0.9).sum() == (30 if kept else 26)


def test_a_splat_is_the_sum_that_its_definition_says():
    content, flow = random(2, 3, 5, 7), 3 * random(2, 2, 5, 7, seed=1)
    expected = np.zeros((2, 3, 5, 7))
    for k, y, x in product(range(2), range(5), range(7)):
        dx, dy = flow[k, :, y, x].tolist()
        for row in (math.floor(y + dy), math.floor(y + dy) + 1):
            for column in (math.floor(x + dx), math.floor(x + dx) + 1):
                if 0 <= row < 5 and 0 <= column < 7:
                    nearness = math.exp(-((y + dy - row) ** 2) - (x + dx - column) ** 2)
                    expected[k, :, row, column] += nearness * content[k, :, y, x].numpy()
    assert np.abs(splat(content, flow).numpy() - expected).max() < 1e-5


def test_the_bits_of_a_splat_depend_on_no_order():
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(50.0), indexing="ij")
    to_one_pixel = torch.stack([20 - columns, 20 - rows])[None]
    content = random(1, 2, 40, 50)
    order = torch.randperm(2000, generator=torch.Generator().manual_seed(0))
    shuffled = content.flatten(2)[..., order].view_as(content)
    assert torch.equal(splat(content, to_one_pixel), splat(shuffled, to_one_pixel))
    one_by_one = (np.cumsum(pixels.flatten(2).numpy(), -1)[..., -1] for pixels in (content, shuffled))
    assert not np.array_equal(*one_by_one)  # of plain sums the order is seen


def test_flow_that_leads_nowhere_or_is_no_number_lands_nowhere():
    flow = torch.zeros(1, 2, 4, 5)
    flow[0, 0, 0] = torch.tensor([math.nan, math.inf, -math.inf, 1e30, -1e30])
    landed = splat(torch.ones(1, 1, 4, 5), flow)
    assert landed[0, 0, 3, 3] > 0
    assert landed.isfinite().all()


@pytest.mark.parametrize("t", [0.125, 0.5, 0.875])
def test_even_motion_is_seen_at_any_time_as_it_is(t):
    motion = torch.tensor([3.0, -2.0])
    flow = torch.cat([motion, -motion]).view(1, 4, 1, 1).expand(1, 4, 20, 24)
    importance = torch.rand(1, 2, 20, 24, generator=torch.Generator().manual_seed(0))
    found = flow_at(flow, importance, torch.tensor(t).view(1, 1, 1, 1))[0, :, 5:-5, 5:-5]
    expected = torch.cat([-t * motion, (1 - t) * motion]).view(4, 1, 1)
    assert torch.allclose(found, expected.expand_as(found), atol=1e-5)


def test_where_nothing_lands_flow_is_zero():
    flow = torch.full((1, 4, 8, 9), 100.0)
    assert not flow_at(flow, torch.ones(1, 2, 8, 9), torch.tensor(0.5).view(1, 1, 1, 1)).any()


def test_the_number_of_scales_must_not_be_negative():
    with pytest.raises(InvalidValueError, match="scales must be a whole number of at least 0, got -1"):
        xvfi.load_released(xvfi_weights(8), -1)
    assert xvfi.load_released(xvfi_weights(8), 0)(smooth(40, 40, 0), smooth(40, 40, 1), 0.5).shape == (1, 3, 40, 40)
