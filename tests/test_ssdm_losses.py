"""Perceptual losses: laws that all of them keep, and what is said where the weights of LPIPS are not."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from spikesim.errors import InputFileError, InvalidValueError, MissingExtraError
from ssdm_models.losses import PERCEPTUAL, PerceptualLoss, make_perceptual, reblur_loss
from ssdm_models.metrics import ssim

WITHOUT_WEIGHTS = ("ms-ssim", "laplacian")


class SmallLPIPS(nn.Module):
    """Stands for the package's network: the first layers of VGG, cut as the package cuts them."""

    def __init__(self, net: str, pnet_rand: bool, verbose: bool) -> None:
        super().__init__()
        assert (net, pnet_rand, verbose) == ("vgg", True, False)
        self.net = nn.Module()
        self.net.slice1 = nn.Sequential()
        self.net.slice1.add_module("0", nn.Conv2d(3, 4, 3))
        self.net.slice2 = nn.Sequential()
        self.net.slice2.add_module("5", nn.Conv2d(4, 6, 3))

    def forward(self, a, b, normalize):
        assert normalize
        first = [self.net.slice1(2 * image - 1).relu() for image in (a, b)]
        second = [self.net.slice2(features) for features in first]
        parts = [(x - y).square().mean((1, 2, 3), keepdim=True) for x, y in (first, second)]
        return parts[0] + parts[1]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The package lpips, and the weights of VGG in torch's cache folder; gives what the file holds."""
    package = ModuleType("lpips")
    package.LPIPS = SmallLPIPS
    monkeypatch.setitem(sys.modules, "lpips", package)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    generator = torch.Generator().manual_seed(4)
    shapes = {"features.0.weight": (4, 3, 3, 3), "features.0.bias": (4,), "classifier.0.bias": (2,)}
    shapes |= {"features.5.weight": (6, 4, 3, 3), "features.5.bias": (6,)}
    weights = {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    file = tmp_path / "checkpoints" / "vgg16-397923af.pth"
    file.parent.mkdir()
    torch.save(weights, file)
    return SimpleNamespace(file=file, weights=weights)


@pytest.fixture(params=PERCEPTUAL)
def loss(request) -> PerceptualLoss:
    if request.param == "lpips":
        request.getfixturevalue("hub")
    return make_perceptual(request.param)


def images(height: int = 45, width: int = 57) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(7)
    target = nn.functional.interpolate(torch.rand(2, 3, 9, 11, generator=generator), (height, width), mode="bicubic")
    return (target + 0.2 * torch.randn(target.shape, generator=generator)).clamp(0, 1), target.clamp(0, 1)


def test_equal_images_have_no_distance(loss):
    noisy, target = images()
    assert float(loss(target, target)) == pytest.approx(0, abs=1e-6)
    assert float(loss(noisy, target)) > 0.01


def test_distances_are_symmetric(loss):
    noisy, target = images()
    assert float(loss(noisy, target)) == pytest.approx(float(loss(target, noisy)), rel=1e-5)


def test_distances_fall_on_the_way_to_the_target(loss):
    noisy, target = images()
    distances = [float(loss(target.lerp(noisy, share), target)) for share in (1, 0.75, 0.5, 0.25, 0.1)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < 0.5 * distances[0]


def test_following_the_gradient_comes_nearer(loss):
    noisy, target = images()
    noisy.requires_grad_()
    distance = loss(noisy, target)
    (gradient,) = torch.autograd.grad(distance, noisy)
    assert gradient.isfinite().all()
    with torch.no_grad():
        assert loss(noisy - 0.01 * gradient / gradient.abs().max(), target) < distance


@pytest.mark.parametrize("case", ["equal", "black", "opposite"])
def test_gradients_are_finite_where_powers_and_roots_may_not_be(loss, case):
    _, target = images()
    prediction = {"equal": target, "black": torch.zeros_like(target), "opposite": 1 - target}[case].clone()
    prediction.requires_grad_()
    loss(prediction, target).backward()
    assert prediction.grad.isfinite().all()


def test_a_batch_has_the_mean_of_its_distances(loss):
    noisy, target = images()
    alone = [float(loss(noisy[i : i + 1], target[i : i + 1])) for i in range(2)]
    assert float(loss(noisy, target)) == pytest.approx(np.mean(alone), rel=1e-5)
    assert alone[0] != pytest.approx(alone[1], rel=1e-5)


def test_low_precision_around_a_loss_does_not_reach_into_it(loss):
    noisy, target = (image.bfloat16() for image in images())
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(noisy, target)
    assert inside.dtype == torch.float32
    assert float(inside) == float(loss(noisy.float(), target.float()))


def test_a_loss_has_nothing_to_train(loss):
    assert not any(parameter.requires_grad for parameter in loss.parameters())
    assert not loss.state_dict() or isinstance(loss.network, SmallLPIPS)


def test_images_of_two_shapes(loss):
    with pytest.raises(InvalidValueError, match=r"\(N, C, H, W\) of one shape, got \(1, 3, 32, 32\) and \(2, 3, 32"):
        loss(torch.zeros(1, 3, 32, 32), torch.zeros(2, 3, 32, 32))


def test_names_of_losses():
    with pytest.raises(InvalidValueError, match="one of 'lpips', 'ms-ssim', 'laplacian', got 'vgg'"):
        make_perceptual("vgg")


def test_one_scale_is_the_ssim_of_the_metrics():
    noisy, target = images(20, 21)
    measured = [
        ssim(a.permute(1, 2, 0).numpy(), b.permute(1, 2, 0).numpy(), "standard")
        for a, b in zip(noisy, target, strict=True)
    ]
    assert float(1 - make_perceptual("ms-ssim")(noisy, target)) == pytest.approx(np.mean(measured), abs=1e-5)


def test_more_scales_are_compared_where_they_fit():
    loss = make_perceptual("ms-ssim")
    # What blurs away at the next scale counts less when there is one.
    checks = (torch.arange(22)[:, None] + torch.arange(40)) % 2 * 0.2 + 0.4
    checks, flat = checks.expand(1, 3, -1, -1), torch.full((1, 3, 22, 40), 0.5)
    assert loss(checks, flat) < loss(checks[:, :, :21], flat[:, :, :21]) - 0.1
    with pytest.raises(InvalidValueError, match="at least 11 pixels a side"):
        loss(checks[:, :, :10], flat[:, :, :10])


def test_the_pyramid_takes_the_smallest_images():
    loss = make_perceptual("laplacian")
    assert float(loss(torch.ones(1, 3, 1, 1), torch.zeros(1, 3, 1, 1))) == 1
    assert float(loss(torch.rand(1, 3, 2, 3), torch.zeros(1, 3, 2, 3))) > 0


def test_a_constant_shift_is_in_the_coarsest_band_alone():
    _, target = images()
    assert float(make_perceptual("laplacian")(target + 0.25, target)) == pytest.approx(0.25, rel=1e-4)


def test_the_weights_of_vgg_reach_their_layers(hub):
    before = torch.get_rng_state()
    trunk = make_perceptual("lpips").network.net
    torch.testing.assert_close(trunk.slice2.get_parameter("5.weight"), nn.Parameter(hub.weights["features.5.weight"]))
    assert torch.equal(torch.get_rng_state(), before)


def test_lpips_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(
        MissingExtraError, match=r"needs the package lpips .* pip install 'spikesim\[iqa\]', or .*ms-ssim"
    ):
        make_perceptual("lpips")


def test_lpips_without_the_weights_of_vgg(hub):
    hub.file.unlink()
    with pytest.raises(InputFileError, match=r"weights of VGG-16, .*vgg16-397923af.pth: download https://.*ms-ssim"):
        make_perceptual("lpips")


def test_lpips_with_other_weights(hub):
    torch.save(hub.weights | {"features.0.bias": torch.zeros(5)}, hub.file)
    with pytest.raises(
        InputFileError, match=r"does not fit the VGG-16 of LPIPS: .* features.0.bias \(5,\), not \(4,\)"
    ):
        make_perceptual("lpips")
    hub.file.write_bytes(hub.file.read_bytes()[:100])
    with pytest.raises(InputFileError, match="truncated"):
        make_perceptual("lpips")


def test_reblurring_compares_the_mean_of_a_sequence():
    sharp = torch.rand(2, 5, 3, 8, 12)
    assert float(reblur_loss(sharp, sharp.mean(1))) == 0
    assert float(reblur_loss(sharp + 0.1, sharp.mean(1))) == pytest.approx(0.01, rel=1e-3)
    assert reblur_loss(sharp.flip(1), sharp[:, 0]) == pytest.approx(float(reblur_loss(sharp, sharp[:, 0])))
