"""Convolutions whose taps move: laws of the definition, a plain loop, and torchvision where it is."""

import sys
from collections.abc import Iterator
from itertools import product
from math import floor
from types import ModuleType
from typing import Any

import pytest
import torch
from network_laws import seeded, uniform
from torch import Tensor, nn
from torch.nn import functional

from ssdm_models.baselines import deformable as tested
from ssdm_models.baselines.deformable import deformable, warp


@pytest.fixture(autouse=True)
def without_torchvision(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The form of our own is what is tested, also where torchvision is installed."""
    monkeypatch.setitem(sys.modules, "torchvision", None)
    tested._torchvision.cache_clear()
    yield
    tested._torchvision.cache_clear()


def convolution(side: int, inputs: int = 2, outputs: int = 3) -> nn.Conv2d:
    return seeded(lambda: nn.Conv2d(inputs, outputs, side, padding=side // 2)).requires_grad_(False)


def read(image: Tensor, row: float, column: float) -> Tensor:
    """The channels of an image (C, H, W) between its pixels; outside is 0."""
    top, left = floor(row), floor(column)
    found = torch.zeros(len(image))
    for y, x in product((top, top + 1), (left, left + 1)):
        if 0 <= y < image.shape[1] and 0 <= x < image.shape[2]:
            found += (1 - abs(row - y)) * (1 - abs(column - x)) * image[:, y, x]
    return found


def loop(
    input: Tensor,
    offset: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    mask: Tensor | None = None,
) -> Tensor:
    """Deformable convolution pixel by pixel, with the arguments of torchvision's; stride and dilation are 1."""
    side = weight.shape[2]
    result = torch.zeros(len(input), len(weight), *offset.shape[2:])
    for n, y, x, tap in product(*map(range, (len(input), *offset.shape[2:], side**2))):
        row, column = divmod(tap, side)
        seen = read(
            input[n],
            y - padding[0] + row + float(offset[n, 2 * tap, y, x]),
            x - padding[1] + column + float(offset[n, 2 * tap + 1, y, x]),
        )
        result[n, :, y, x] += (1 if mask is None else mask[n, tap, y, x]) * (weight[:, :, row, column] @ seen)
    return result if bias is None else result + bias[:, None, None]


def arguments(side: int, height: int = 5, width: int = 7) -> tuple[nn.Conv2d, Tensor, Tensor, Tensor]:
    """A convolution, features, offsets of several pixels that also lead outside, and a modulation."""
    taps = side**2
    return (
        convolution(side),
        uniform(2, 2, height, width),
        6 * uniform(2, 2 * taps, height, width, seed=2) - 3,
        uniform(2, taps, height, width, seed=3),
    )


@pytest.mark.parametrize("side", [1, 3, 5])
def test_taps_that_stay_are_a_convolution(side: int) -> None:
    ordinary, features, offsets, modulation = arguments(side, 11, 6)
    still = torch.zeros_like(offsets)
    torch.testing.assert_close(deformable(ordinary, features, still), ordinary(features))
    halved = deformable(ordinary, features, still, torch.full_like(modulation, 0.5))
    torch.testing.assert_close(halved, (ordinary(features) + ordinary.bias[:, None, None]) / 2)


def test_taps_that_move_alike_see_the_image_moved() -> None:
    ordinary, features, offsets, _ = arguments(3, 11, 6)
    moved = torch.zeros_like(offsets)
    moved[:, 0::2], moved[:, 1::2] = 2, -1
    around = ordinary(functional.pad(features, (5, 5, 5, 5)))
    torch.testing.assert_close(deformable(ordinary, features, moved), around[..., 5 + 2 : 16 + 2, 5 - 1 : 11 - 1])


@pytest.mark.parametrize("side", [1, 3])
def test_every_tap_is_where_the_definition_has_it(side: int) -> None:
    ordinary, features, offsets, modulation = arguments(side)
    weight, bias, padding = ordinary.weight, ordinary.bias, ordinary.padding
    for factors in (modulation, None):
        expected = loop(features, offsets, weight, bias, padding=padding, mask=factors)  # type: ignore[arg-type]
        assert expected.std() > 0.1
        torch.testing.assert_close(deformable(ordinary, features, offsets, factors), expected, rtol=0, atol=1e-5)


def test_a_map_of_one_pixel_has_an_outside() -> None:
    ordinary, one = convolution(3), torch.ones(1, 2, 1, 1)
    torch.testing.assert_close(deformable(ordinary, one, torch.zeros(1, 18, 1, 1)), ordinary(one))


def test_a_convolution_without_bias() -> None:
    bare, (_, features, offsets, modulation) = nn.Conv2d(2, 3, 3, padding=1, bias=False), arguments(3)
    expected = loop(features, offsets, bare.weight, padding=(1, 1), mask=modulation)
    torch.testing.assert_close(deformable(bare, features, offsets, modulation), expected, rtol=0, atol=1e-5)


def test_gradients_are_those_of_what_is_computed() -> None:
    ordinary = convolution(3).double()
    values = [value.double().requires_grad_() for value in arguments(3, 3, 4)[1:]]
    assert torch.autograd.gradcheck(lambda *given: deformable(ordinary, *given), values)


def test_images_are_seen_from_aside() -> None:
    images = uniform(2, 3, 5, 8)
    offsets = torch.tensor([[1.0, -2.0], [0.0, 0.5]])[:, :, None, None].expand(2, 2, 5, 8)
    seen = warp(images, offsets)
    torch.testing.assert_close(seen[0, :, :4, 2:], images[0, :, 1:, :-2])
    torch.testing.assert_close(seen[1, ..., :-1], (images[1, ..., :-1] + images[1, ..., 1:]) / 2)
    assert not seen[0, :, 4].any()
    assert not seen[0, ..., :2].any()
    torch.testing.assert_close(seen[1, ..., -1], images[1, ..., -1] / 2)


def test_autocast_changes_nothing() -> None:
    """Of bfloat16 the numbers from 256 on are whole, those from 512 on even."""
    ordinary, features = convolution(3), uniform(1, 2, 2, 700)
    offsets, modulation = uniform(1, 18, 2, 700, seed=2), uniform(1, 9, 2, 700, seed=3)
    expected = deformable(ordinary, features, offsets, modulation)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(deformable(ordinary, features, offsets, modulation), expected)
        assert deformable(ordinary, features.bfloat16(), offsets, modulation.bfloat16()).dtype == torch.float32


def planted(operation: Any) -> dict[str, ModuleType]:
    """Modules as torchvision's, with a deformable convolution."""
    package, ops = ModuleType("torchvision"), ModuleType("torchvision.ops")
    package.ops, ops.deform_conv2d = ops, operation  # type: ignore[attr-defined]
    return {"torchvision": package, "torchvision.ops": ops}


def test_torchvision_is_given_the_same_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary, features, offsets, modulation = arguments(3)
    own = deformable(ordinary, features, offsets, modulation)
    dtypes = []

    def operation(*given: Tensor, **named: Any) -> Tensor:
        dtypes.append({value.dtype for value in (*given, named.get("mask")) if value is not None})
        return loop(*given, **named)

    for name, module in planted(operation).items():
        monkeypatch.setitem(sys.modules, name, module)
    tested._torchvision.cache_clear()
    bare = deformable(ordinary, features, offsets)
    assert len(dtypes) == 2  # of which one is whether it works
    torch.testing.assert_close(deformable(ordinary, features, offsets, modulation), own, rtol=0, atol=1e-5)
    assert len(dtypes) == 3
    torch.testing.assert_close(deformable(ordinary, features, offsets, torch.ones_like(modulation)), bare)
    with torch.autocast("cpu", torch.bfloat16):
        deformable(ordinary, features.bfloat16(), offsets.bfloat16(), modulation)
    assert all(found == {torch.float32} for found in dtypes)
    calls = len(dtypes)
    assert deformable(ordinary.to("meta"), features.to("meta"), offsets.to("meta")).shape == own.shape
    assert len(dtypes) == calls


@pytest.mark.parametrize("fails", [RuntimeError("no C++ ops"), NotImplementedError("not for this device")])
def test_a_torchvision_that_does_not_work_is_left_alone(monkeypatch: pytest.MonkeyPatch, fails: Exception) -> None:
    ordinary, features, offsets, modulation = arguments(3)
    own = deformable(ordinary, features, offsets, modulation)

    def operation(*given: Tensor, **named: Any) -> Tensor:
        raise fails

    for name, module in planted(operation).items():
        monkeypatch.setitem(sys.modules, name, module)
    tested._torchvision.cache_clear()
    assert torch.equal(deformable(ordinary, features, offsets, modulation), own)
