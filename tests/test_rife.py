"""RIFE: the outputs of the released code, and what is computed once."""

from collections import Counter

import numpy as np
import pytest
import torch
from golden_weights import golden_weights, released_shapes
from random_networks import rife_weights, small_network, smooth
from torch.nn import functional

from spikesim.errors import InvalidValueError
from spikesim_datasets.interpolation import rife
from spikesim_datasets.interpolation.networks import rife_network as network_module
from spikesim_datasets.interpolation.networks.rife_release import slots

pytestmark = pytest.mark.usefixtures("one_thread")

VERSIONS = ("4.6", "4.25", "4.26")
PARAMETERS = {"4.6": 5_306_256, "4.25": 5_664_776, "4.26": 5_664_776}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_golden_outputs_of_the_released_code(shared, version, prefix):
    golden = np.load(shared / "golden" / f"rife_v{version.replace('.', '_')}.npz")
    weights = golden_weights(shared, f"rife_v{version.replace('.', '_')}")
    network = rife.load_released({prefix + name: tensor for name, tensor in weights.items()})
    frames = torch.from_numpy(golden["img0"]), torch.from_numpy(golden["img1"])
    for t, expected in zip(golden["t"], golden["output"], strict=True):
        assert np.abs(network(*frames, float(t))[0].numpy() - expected).max() <= 1e-4


@pytest.mark.parametrize("version", VERSIONS)
def test_names_shapes_and_number_of_parameters(shared, version):
    network = rife.load_released(rife_weights(version), version)
    shapes = {name: slot.shape for slot in slots(network) for name in slot.released}
    assert shapes == released_shapes(shared, f"rife_v{version.replace('.', '_')}")
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[version]
    assert network.title == f"RIFE v{version}"


def test_the_version_is_recognised_by_the_tensors():
    assert rife.load_released(rife_weights("4.6")).title == "RIFE v4.6"
    assert rife.load_released(rife_weights("4.26")).title == "RIFE v4.25 or v4.26"  # they differ in values alone


@pytest.mark.parametrize("version", ["4.6", "4.25"])
def test_what_does_not_depend_on_the_time_is_computed_once(version):
    network = rife.load_released(rife_weights(version))
    calls = Counter()
    for name, module in network.named_children():
        for part in module if name == "blocks" else [module]:
            part.register_forward_hook(lambda *_, name=name: calls.update([name]))
    frame0, frame1 = smooth(64, 96, 0), smooth(64, 96, 1)
    pair = network.prepare(frame0, frame1)
    heads = {"head": 2} if version == "4.25" else {}
    assert calls == heads
    frames = [network.at(pair, t) for t in (0.25, 0.5, 0.75)]
    assert calls == heads | {"blocks": 3 * len(network.blocks)}
    for t, frame in zip((0.25, 0.5, 0.75), frames, strict=True):
        assert torch.equal(frame, network(frame0, frame1, t))


@pytest.mark.parametrize(("version", "width"), [("4.6", 96), ("4.25", 128)])
def test_any_size_is_padded_with_black(version, width):
    network = small_network(version)
    frames = smooth(61, 83, 0), smooth(61, 83, 1)
    padded = (functional.pad(frame, (0, width - 83, 0, 64 - 61)) for frame in frames)
    result = network(*frames, 0.375)
    assert result.shape == (1, 3, 61, 83)
    assert torch.allclose(result, network(*padded, 0.375)[..., :61, :83], atol=1e-6)


@pytest.mark.parametrize("version", ["4.6", "4.25"])
def test_in_tiles_every_pixel_is_as_in_one_piece(monkeypatch, version):
    network = rife.load_released(rife_weights(version)).double()  # so that rounding hides nothing
    pair = network.relate(*(network.encode(smooth(250, 333, seed).double()) for seed in (0, 1)))
    time = torch.full((1, 1, 1, 1), 0.3, dtype=torch.float64)
    whole = network.render(pair, time)
    pieces = []
    network.blocks[-1].register_forward_pre_hook(lambda _, inputs: pieces.append(inputs[0].shape))
    network.tile = 64
    assert (network.render(pair, time) - whole).abs().max() <= 1e-12
    assert len(pieces) > 6
    assert max(piece[2] * piece[3] for piece in pieces) < 0.7 * 250 * 333
    monkeypatch.setattr(network_module, "_REACH", 0)
    assert (network.render(pair, time) - whole).abs().max() > 1e-4  # without margins the seams show


@pytest.mark.parametrize("version", ["4.6", "4.25"])
def test_several_times_and_several_pairs_at_once(version):
    network = small_network(version)
    frames0, frames1 = (torch.cat([smooth(64, 96, seed), smooth(64, 96, seed + 1)]) for seed in (0, 2))
    times = torch.tensor([0.125, 0.5, 0.875])
    singles = [network(frames0[:1], frames1[:1], float(t)) for t in times]
    assert torch.allclose(network.at(network.prepare(frames0[:1], frames1[:1]), times), torch.cat(singles), atol=1e-6)
    both = network(frames0, frames1, 0.5)
    assert torch.allclose(both[:1], singles[1], atol=1e-6)
    assert torch.allclose(both[1:], network(frames0[1:], frames1[1:], 0.5), atol=1e-6)


FRAME = torch.zeros(1, 3, 32, 32)


@pytest.mark.parametrize(
    ("frame0", "frame1", "t", "message"),
    [
        (FRAME[0], FRAME, 0.5, "frame0 must be float"),
        (FRAME, FRAME[:, :1], 0.5, r"frame1 must be .* got torch.float32 \(1, 1, 32, 32\)"),
        (FRAME.to(torch.uint8), FRAME, 0.5, "got torch.uint8"),
        (FRAME, FRAME[..., 1:], 0.5, r"one shape, got \(1, 3, 32, 32\) and \(1, 3, 32, 31\)"),
        (FRAME, FRAME, 1.5, "time must lie in"),
        (FRAME, FRAME, float("nan"), "time must lie in"),
    ],
)
def test_bad_requests(frame0, frame1, t, message):
    with pytest.raises(InvalidValueError, match=message):
        small_network("4.6")(frame0, frame1, t)


def test_a_version_that_does_not_exist_is_refused():
    with pytest.raises(InvalidValueError, match=r"must be one of '4.6', '4.25', '4.26', got '4.7'"):
        rife.load_released(rife_weights("4.6"), "4.7")
