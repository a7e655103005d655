"""The networks of S-SDM: what was released, what is computed once, and what a blind spot must not see."""

from pathlib import Path

import numpy as np
import pytest
import torch
from golden_weights import golden_weights, released_shapes
from torch import Tensor, nn

from spikesim.errors import InvalidValueError
from ssdm_models.bsn import BSN
from ssdm_models.cost import macs, parameters
from ssdm_models.deblur import deblur_sequence
from ssdm_models.edsr import EDSR
from ssdm_models.intensity import luma
from ssdm_models.ldn import LDN
from ssdm_models.released import load_released, slots
from ssdm_models.windows import window, windows

NETWORKS = {"ldn": LDN, "bsn": BSN, "edsr": EDSR}
TIMES = (10, 25, 14)
EXPOSURE = (6, 31)


def seeded(make, **arguments) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return make(**arguments)


@pytest.fixture(scope="module")
def ldn() -> LDN:
    return seeded(LDN)


@pytest.fixture
def scene() -> tuple[Tensor, Tensor]:
    """A blurry image and its spikes."""
    generator = torch.Generator().manual_seed(1)
    return torch.rand(3, 36, 52, generator=generator), torch.rand(36, 9, 13, generator=generator).round()


def golden(shared: Path, name: str) -> dict[str, Tensor]:
    with np.load(shared / "golden" / f"{name}.npz") as file:
        return {key: torch.from_numpy(file[key]) for key in file.files}


def assert_golden(output: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(output, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", NETWORKS)
def test_names_and_shapes_are_the_released_ones(shared, kind):
    assert {slot.released[0]: slot.shape for slot in slots(NETWORKS[kind](), kind)} == released_shapes(shared, kind)


@torch.inference_mode()
def test_ldn_gives_what_the_authors_gives(shared):
    data = golden(shared, "ldn")
    for weights, expected in (
        (golden_weights(shared, "ldn"), "filled_output"),
        (shared / "weights" / "DeblurNet_100.pth", "released_output"),
    ):
        # The authors' network takes and gives BGR, as the golden images are; ours takes and gives RGB.
        output = load_released(weights, "ldn")(data["blur"].flip(1), data["spikes"]).flip(1)
        assert_golden(output, data[expected])
        assert (output - data[expected].flip(1)).abs().max() > 0.01  # the channels are not all the same


@torch.inference_mode()
@pytest.mark.parametrize("size", ["16x24", "20x20"])
def test_bsn_gives_what_the_authors_gives(shared, size):
    data = golden(shared, f"bsn_{size}")
    assert_golden(load_released(golden_weights(shared, "bsn"), "bsn")(data["input"]), data["output"])


@torch.inference_mode()
def test_edsr_gives_what_the_authors_gives(shared):
    data = golden(shared, "edsr")
    assert_golden(load_released(golden_weights(shared, "edsr"), "edsr")(data["input"]), data["output"])


def test_what_the_networks_cost():
    assert {kind: parameters(make()) for kind, make in NETWORKS.items()} == {
        "ldn": 234_158,
        "bsn": 1_118_832,
        "edsr": 1_515_269,
    }
    ldn = LDN()
    assert round(macs(ldn, (1, 3, 720, 1280), (1, 21, 180, 320)) / 1e9, 2) == 33.60
    assert next(ldn.parameters()).device.type == "cpu"  # counting left the network where it was
    assert macs(nn.Conv2d(2, 3, 5), (1, 2, 7, 9)) == 3 * 3 * 5 * 2 * 25
    assert macs(nn.ConvTranspose2d(2, 3, 5, stride=2), (1, 2, 4, 6)) == 3 * 11 * 15 * 2 * 25


@torch.inference_mode()
def test_a_sequence_is_what_separate_calls_give(ldn, scene):
    blur, spikes = scene
    blur = blur * spikes[slice(*EXPOSURE)].mean() / luma(blur).mean()  # one spike is one unit of light
    separate = torch.cat([ldn(blur[None], window(spikes, time, 21)[None]) for time in TIMES])
    assert separate.shape == (3, 3, 36, 52)
    assert (separate[0] - separate[1]).abs().max() > 1e-4
    torch.testing.assert_close(deblur_sequence(ldn, blur, spikes, TIMES, EXPOSURE), separate, rtol=0, atol=1e-5)
    batch = ldn.sequence(
        torch.stack([blur, 1 - blur]), torch.stack([windows(spikes, TIMES, 21), windows(spikes, TIMES[::-1], 21)])
    )
    torch.testing.assert_close(batch[0], separate, rtol=0, atol=1e-5)
    torch.testing.assert_close(batch[1, 0], ldn(1 - blur[None], window(spikes, 14, 21)[None])[0], rtol=0, atol=1e-5)


@torch.inference_mode()
def test_a_sequence_does_not_depend_on_the_gain_of_the_spikes(ldn, scene):
    """The student is given normalised spikes: half the spikes per readout are the same light."""
    blur, spikes = scene
    torch.testing.assert_close(*(deblur_sequence(ldn, blur, k * spikes, TIMES, EXPOSURE) for k in (0.5, 1.0)))
    assert not torch.allclose(*(ldn(blur[None], k * spikes[None, :21]) for k in (0.5, 1.0)), atol=1e-3)
    for exposure in ((5, 5), (-1, 30), (6, 37)):
        with pytest.raises(InvalidValueError, match=r"is empty or not in the stream, .* 0\.\.35"):
            deblur_sequence(ldn, blur, spikes, TIMES, exposure)


def test_the_blurry_image_is_encoded_once(ldn, scene, monkeypatch):
    calls = []
    encode = ldn.encode_blur
    monkeypatch.setattr(ldn, "encode_blur", lambda blur: calls.append(1) or encode(blur))
    deblur_sequence(ldn, *scene, TIMES, EXPOSURE)
    assert len(calls) == 1
    assert deblur_sequence(ldn, *scene, (), EXPOSURE).shape == (0, 3, 36, 52)


def test_a_window_may_have_another_length(scene):
    blur, spikes = scene
    network = seeded(LDN, length=5)
    assert network(blur[None], spikes[None, :5]).shape == (1, 3, 36, 52)
    assert deblur_sequence(network, blur, spikes, [2, 33], EXPOSURE).shape == (2, 3, 36, 52)
    for length in (0, 20, -3):
        with pytest.raises(InvalidValueError, match=f"odd number of readouts .* got {length}"):
            LDN(length)


@pytest.mark.parametrize(
    ("blur", "spikes", "message"),
    [
        ((1, 3, 36, 52), (1, 21, 9, 12), r"a quarter of the blurry image, 52×36"),
        ((1, 3, 36, 52), (1, 21, 13, 9), r"a quarter of the blurry image"),
        ((1, 3, 38, 52), (1, 21, 9, 13), r"multiples of 4"),
        ((1, 3, 36, 52), (1, 41, 9, 13), r"windows of 21 readouts, .* got spikes \(1, 41, 9, 13\)"),
        ((2, 3, 36, 52), (1, 21, 9, 13), r"one for each of 2 images"),
        ((1, 1, 36, 52), (1, 21, 9, 13), r"blur must be \(N, 3, H, W\), got \(1, 1, 36, 52\)"),
        ((3, 36, 52), (1, 21, 9, 13), r"blur must be \(N, 3, H, W\)"),
    ],
)
def test_spikes_that_do_not_belong_to_an_image(ldn, blur, spikes, message):
    with pytest.raises(InvalidValueError, match=message):
        ldn(torch.zeros(blur), torch.zeros(spikes))


def test_windows_outside_the_stream(ldn, scene):
    for time in (9, 26):
        with pytest.raises(InvalidValueError, match=rf"around {time} .* outside .* 0..35; choose times from 10 to 25"):
            deblur_sequence(ldn, *scene, [14, time], EXPOSURE)


def leaks(network: nn.Module, height: int, width: int) -> float:
    """How much the most any output changes when only its own input pixel does."""
    pixels = height * width
    image = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(0))
    changed = image.repeat(pixels, 1, 1, 1)
    own = torch.eye(pixels, dtype=torch.bool).reshape(pixels, 1, height, width)
    changed[own] += 0.5
    difference = (network(changed) - network(image)).abs()
    assert (difference.amax((1, 2, 3)) > 1e-3).all()  # every pixel is seen by others
    return float(difference[own].max())


@torch.inference_mode()
def test_the_spot_is_blind():
    for square, height, width in ((True, 9, 9), (False, 9, 9), (False, 7, 10), (False, 11, 6), (False, 4, 13)):
        assert leaks(seeded(BSN, square=square), height, width) < 1e-6
    # Mirrored to a square, as released, pixels have mirror images: the law cannot hold, and this sees it.
    assert leaks(seeded(BSN, square=True), 7, 10) > 1e-3


@torch.inference_mode()
def test_padding_to_a_square_changes_what_is_near_the_padded_edges():
    padded, bare = seeded(BSN, square=True), seeded(BSN, square=False)
    square = torch.rand(1, 1, 10, 10)
    torch.testing.assert_close(padded(square), bare(square), rtol=0, atol=0)
    # 8 rows are added on both sides, whole pooling cells; 73 rows away, nothing of them is seen any more.
    long = torch.rand(1, 1, 148, 164)
    difference = (padded(long) - bare(long)).abs()
    assert difference[..., 73:-73, :].max() < 1e-5
    assert difference.max() > 1e-3
    assert macs(bare, (1, 1, 180, 320)) / macs(padded, (1, 1, 180, 320)) == 180 / 320


@torch.inference_mode()
def test_an_untrained_denoiser_neither_fades_nor_explodes():
    image = torch.rand(2, 1, 32, 44, generator=torch.Generator().manual_seed(0))
    outputs = seeded(BSN, square=False)(image)
    assert 0.1 < outputs.std() / image.std() < 10


@pytest.mark.parametrize("shape", [(1, 3, 16, 16), (16, 16), (1, 1, 3, 16)])
def test_images_that_bsn_cannot_take(shape):
    with pytest.raises(InvalidValueError, match=r"BSN takes images \(N, 1, h, w\) of at least 4×4 pixels, got"):
        BSN()(torch.zeros(shape))


def test_images_that_cannot_be_mirrored_to_a_square():
    for shape in ((1, 1, 5, 15), (1, 1, 15, 5)):
        with pytest.raises(InvalidValueError, match=r"too narrow to be mirrored to a square; use BSN\(square=False\)"):
            BSN()(torch.zeros(shape))
    assert BSN()(torch.zeros(1, 1, 5, 13)).shape == (1, 1, 5, 13)


@torch.inference_mode()
def test_edsr_upsamples_each_side_four_times():
    assert seeded(EDSR)(torch.zeros(2, 1, 3, 5)).shape == (2, 1, 12, 20)
    with pytest.raises(InvalidValueError, match=r"grey images \(N, 1, h, w\), got \(1, 3, 8, 8\)"):
        EDSR()(torch.zeros(1, 3, 8, 8))


def test_the_mean_of_edsr_is_never_trained():
    network = EDSR()
    frozen = [name for name, parameter in network.named_parameters() if not parameter.requires_grad]
    assert frozen == ["subtract_mean.weight", "subtract_mean.bias", "add_mean.weight", "add_mean.bias"]
