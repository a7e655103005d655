"""The multi-exposure network: what it takes, what it costs, and that neither sizes nor times trouble it."""

import pytest
import torch
from deblurring_data import EXPOSURE, scene, tensors

from spikesim.errors import InvalidValueError
from ssdm_models.cost import deblurring_macs, parameters
from ssdm_models.deblur import deblur_frames, deblur_sequence
from ssdm_models.exposure_spans import PLANES
from ssdm_models.exposures import exposure_planes
from ssdm_models.multi_exposure import MultiExposure
from ssdm_models.stream_view import PackedView, TensorView


@pytest.fixture(scope="module")
def network() -> MultiExposure:
    """A network whose images differ much from the blurry ones."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(6)
        made = MultiExposure()
    with torch.no_grad():
        made.output.weight.mul_(10)
    return made.eval()


def test_it_is_small(network: MultiExposure) -> None:
    assert parameters(network) == 913_424
    assert 20e9 < deblurring_macs(network, 180, 320) < 34e9


def test_both_kinds_of_streams_are_seen_alike() -> None:
    recording = scene()
    blur, spikes = tensors(recording)
    views = TensorView(blur, spikes, EXPOSURE), PackedView(blur, recording.spikes, EXPOSURE)
    seen = [MultiExposure.prepare(network_without_weights(), view, 9) for view in views]
    torch.testing.assert_close(seen[0], seen[1], rtol=0, atol=1e-4)
    expected = exposure_planes(views[0].counts[None], 9, EXPOSURE, views[0].robust_scale[None])
    assert torch.equal(seen[0], expected)


def network_without_weights() -> MultiExposure:
    with torch.device("meta"):
        return MultiExposure()


@pytest.mark.parametrize(("height", "width"), [(4, 4), (20, 44), (36, 52), (64, 128)])
def test_any_size_any_length_any_time(network: MultiExposure, height: int, width: int) -> None:
    for readouts, exposure in ((1, (0, 1)), (30, EXPOSURE), (211, (40, 190))):
        recording = scene(height, width, readouts)
        times = sorted({0, readouts // 2, readouts - 1})
        frames = list(deblur_frames(network, *recording, times, exposure))
        assert [frame.shape for frame in frames] == [(height, width, 3)] * len(times)
        images = deblur_sequence(network, *tensors(recording), times, exposure)
        assert images.isfinite().all()
        levels = images.mul(255).round().clamp(0, 255).permute(0, 2, 3, 1)
        for frame, image in zip(frames, levels, strict=True):
            assert (torch.from_numpy(frame).int() - image.int()).abs().max() <= 1


def test_where_levels_have_half_pixels_the_border_goes_on(network: MultiExposure) -> None:
    blur, planes = torch.rand(1, 3, 52, 76), torch.rand(1, PLANES, 13, 19)
    with torch.inference_mode():
        image = network(blur, planes)
        folded = torch.nn.functional.pixel_unshuffle(blur, 4)
        larger = [torch.nn.functional.pad(part, (0, 1, 0, 3), "replicate") for part in (folded, planes)]
        change = network(torch.nn.functional.pixel_shuffle(larger[0], 4), larger[1])
    torch.testing.assert_close(image, change[:, :, :52, :76], rtol=0, atol=1e-5)


def test_images_of_a_batch_do_not_see_each_other(network: MultiExposure) -> None:
    blur, planes = torch.rand(3, 3, 32, 48), torch.rand(3, PLANES, 8, 12)
    with torch.inference_mode():
        together = network(blur, planes)
        for number in range(3):
            alone = network(blur[number : number + 1], planes[number : number + 1])
            torch.testing.assert_close(together[number : number + 1], alone, rtol=0, atol=1e-5)


def test_half_precision_costs_the_image_none(network: MultiExposure) -> None:
    blur, planes = torch.rand(1, 3, 32, 48), torch.rand(1, PLANES, 8, 12)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        still = MultiExposure()
        still.output.weight.zero_()
        image = still(blur, planes)
    assert image.dtype == torch.float32
    assert torch.equal(image, blur)


def test_it_begins_near_the_blurry_image() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = MultiExposure()
    blur, planes = torch.rand(1, 3, 64, 64), torch.rand(1, PLANES, 16, 16)
    with torch.inference_mode():
        change = network(blur, planes) - blur
    assert 0 < change.abs().max() < 0.2


@pytest.mark.parametrize(
    ("blur", "planes", "problem"),
    [
        ((1, 3, 32, 48), (1, PLANES, 8, 13), "spikes must be a quarter of the blurry image, 48×32"),
        ((1, 3, 32, 48), (1, PLANES - 1, 8, 12), rf"planes must be {PLANES} for each of 1 images"),
        ((2, 3, 32, 48), (1, PLANES, 8, 12), rf"planes must be {PLANES} for each of 2 images"),
        ((1, 4, 32, 48), (1, PLANES, 8, 12), r"blur must be \(N, 3, H, W\)"),
        ((1, 3, 32, 48), (PLANES, 8, 12), r"planes must be \(N, planes, h, w\)"),
    ],
)
def test_what_does_not_fit_is_refused(
    network: MultiExposure, blur: tuple[int, ...], planes: tuple[int, ...], problem: str
) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        network(torch.rand(blur), torch.rand(planes))


def test_the_exposure_is_in_the_stream(network: MultiExposure) -> None:
    with pytest.raises(InvalidValueError, match="an exposure from 5 to before 31 is empty or not in the stream"):
        list(deblur_frames(network, *scene(), [9], (5, 31)))


def test_tiles_are_refused(network: MultiExposure) -> None:
    with pytest.raises(InvalidValueError, match="the multi-exposure network does not compute in tiles, got tile 64"):
        list(deblur_frames(network, *scene(), [9], EXPOSURE, tile=64))
