"""PSNR and SSIM: the release's own figures, and what every protocol must keep."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikesim.errors import InvalidValueError
from ssdm_models.metrics import psnr, ssim

PROTOCOLS = ("ssdm", "standard")
every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)


@pytest.fixture
def images(rng) -> tuple[np.ndarray, np.ndarray]:
    target = rng.random((23, 31, 3), np.float32)
    return np.clip(target + rng.normal(0, 0.1, target.shape), 0, 1).astype(np.float32), target


def test_the_protocol_of_the_release_gives_the_releases_figures(shared):
    with np.load(shared / "golden" / "metrics.npz") as golden:
        assert psnr(golden["a"], golden["b"]) == pytest.approx(float(golden["psnr"]), abs=1e-6)
        assert ssim(golden["a"], golden["b"]) == pytest.approx(float(golden["ssim"]), abs=1e-6)


@given(st.floats(1e-3, 0.5), st.sampled_from(PROTOCOLS))
def test_psnr_of_a_uniform_error_is_its_level(error, protocol):
    target = np.full((8, 9, 3), 0.5)
    assert psnr(target + error, target, protocol) == pytest.approx(-20 * np.log10(error))


def test_a_bright_prediction_does_not_change_the_range():
    target = np.full((8, 9, 3), 0.9)
    assert psnr(target + 0.1, target) == pytest.approx(20)


@every_protocol
def test_equal_images_are_as_similar_as_can_be(images, protocol):
    assert psnr(images[1], images[1], protocol) == np.inf
    assert ssim(images[1], images[1], protocol) == pytest.approx(1, abs=1e-12)


@every_protocol
@pytest.mark.parametrize("metric", [psnr, ssim])
def test_metrics_are_symmetric_and_fall_with_the_error(images, metric, protocol):
    noisy, target = images
    figures = [metric(target + share * (noisy - target), target, protocol) for share in (0.25, 0.5, 1)]
    assert figures == sorted(figures, reverse=True)
    assert metric(target, noisy, protocol) == pytest.approx(figures[-1])


@every_protocol
def test_ssim_is_the_mean_of_its_channels(images, protocol):
    noisy, target = images
    channels = [ssim(noisy[..., i : i + 1], target[..., i : i + 1], protocol) for i in range(3)]
    assert ssim(noisy, target, protocol) == pytest.approx(np.mean(channels))


def test_protocols_differ(images):
    assert abs(ssim(*images, "ssdm") - ssim(*images, "standard")) > 0.001


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_what_cannot_be_compared(images, metric):
    noisy, target = images
    for wrong, message in (
        (noisy[:-1], r"of one shape, got \(22, 31, 3\) and \(23, 31, 3\)"),
        (noisy * 255, r"prediction must lie in \[0, 1\], clip it; got .*\d+\."),
        (noisy - 1, r"prediction must lie in \[0, 1\]"),
        (noisy * np.nan, r"prediction must lie in \[0, 1\], clip it; got nan"),
    ):
        with pytest.raises(InvalidValueError, match=message):
            metric(wrong, target)
    with pytest.raises(InvalidValueError, match=r"target must lie in \[0, 1\]"):
        metric(noisy, target + 1)
    with pytest.raises(InvalidValueError, match="must lie in"):
        metric(noisy[:0], target[:0])
    with pytest.raises(InvalidValueError, match=r"\(H, W, C\)"):
        metric(noisy[..., 0], target[..., 0])
    with pytest.raises(InvalidValueError, match="one of 'ssdm', 'standard', got 'basicsr'"):
        metric(noisy, target, "basicsr")


@pytest.mark.parametrize(("protocol", "smallest"), [("ssdm", 7), ("standard", 11)])
def test_images_smaller_than_the_window(images, protocol, smallest):
    noisy, target = images
    ssim(noisy[:smallest], target[:smallest], protocol)
    with pytest.raises(InvalidValueError, match=f"{protocol!r} needs at least {smallest} pixels a side"):
        ssim(noisy[: smallest - 1], target[: smallest - 1], protocol)
