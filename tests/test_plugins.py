"""Interpolators from elsewhere: exported networks and those of other packages."""

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.interpolation import make_interpolator
from spikesim_datasets.interpolation.base import MotionInterpolator
from spikesim_datasets.interpolation.linear import LinearInterpolator
from spikesim_datasets.recipe import make_recipe

RNG = np.random.default_rng(0)
FRAMES = [RNG.integers(0, 256, (18, 31, 3), np.uint8) for _ in range(2)]
TIMES = [1 / 8, 0.5, 7 / 8]


class Fade(nn.Module):
    def forward(self, frame0: Tensor, frame1: Tensor, t: float) -> Tensor:
        return frame0 * (1 - t) + frame1 * t


class WeightedFade(nn.Module):
    """With a parameter, and a time that is a tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones(1))

    def forward(self, frame0: Tensor, frame1: Tensor, t: Tensor) -> Tensor:
        return frame0 * (self.one - t) + frame1 * t


class Half(nn.Module):
    def forward(self, frame0: Tensor, frame1: Tensor, t: float) -> Tensor:
        return frame0[:, :, ::2]


class Number(nn.Module):
    def forward(self, frame0: Tensor, frame1: Tensor, t: float) -> float:
        return t


class Two(nn.Module):
    def forward(self, frame0: Tensor, frame1: Tensor) -> Tensor:
        return frame0


class Fails(nn.Module):
    def forward(self, frame0: Tensor, frame1: Tensor, t: float) -> Tensor:
        assert frame0.shape[2] % 32 == 0, "height must be a multiple of 32"
        return frame0


def exported(path: Path, module: nn.Module) -> str:
    torch.jit.save(torch.jit.script(module), str(path))
    return f"torchscript:{path}"


# Exported networks are about; that torch would rather have them exported otherwise does not matter here.
@pytest.mark.filterwarnings("ignore:.torch.jit.(script|trace|save):DeprecationWarning")
class TestTorchScript:
    @pytest.mark.parametrize("module", [Fade(), WeightedFade()])
    def test_an_exported_network_gives_its_frames(self, tmp_path: Path, module: nn.Module) -> None:
        made = list(make_interpolator(exported(tmp_path / "m.pt", module), device="cpu").between(*FRAMES, TIMES))
        expected = list(LinearInterpolator().between(*FRAMES, TIMES))
        for frame, same in zip(made, expected, strict=True):
            assert frame.dtype == np.uint8
            assert np.abs(frame.astype(int) - same).max() <= 1

    def test_a_traced_network_gets_the_time_as_a_tensor(self, tmp_path: Path) -> None:
        pair = torch.rand(2, 1, 3, 18, 31)
        traced = torch.jit.trace(WeightedFade(), (*pair, torch.full((1, 1, 1, 1), 0.5)))
        torch.jit.save(traced, str(tmp_path / "m.pt"))
        made = list(make_interpolator(f"torchscript:{tmp_path / 'm.pt'}", device="cpu").between(*FRAMES, TIMES))
        expected = list(LinearInterpolator().between(*FRAMES, TIMES))
        assert max(np.abs(a.astype(int) - b).max() for a, b in zip(made, expected, strict=True)) <= 1

    def test_the_file_is_part_of_the_recipe(self, tmp_path: Path) -> None:
        names = [exported(tmp_path / f"{i}.pt", module) for i, module in enumerate((Fade(), WeightedFade()))]
        first, other = (make_recipe(interpolation=name).choices()["interpolation"] for name in names)
        assert (first["name"], first["network"]) == ("torchscript", "TorchScript 0.pt")
        assert len(first["weights"]) == 64
        assert first["weights"] != other["weights"]

    @pytest.mark.parametrize(
        ("module", "problem"),
        [
            (Half(), r"must give a float frame \(1, 3, 18, 31\) as it got, it gave torch.float32 \(1, 3, 9, 31\)"),
            (Number(), r"must give a float frame \(1, 3, 18, 31\) as it got, it gave float"),
            (Fails(), r"m\.pt fails on frames \(1, 3, 18, 31\): .*height must be a multiple of 32"),
        ],
    )
    def test_what_is_no_frame_is_refused(self, tmp_path: Path, module: nn.Module, problem: str) -> None:
        interpolator = make_interpolator(exported(tmp_path / "m.pt", module), device="cpu")
        with pytest.raises(InvalidValueError, match=problem):
            list(interpolator.between(*FRAMES, TIMES))

    def test_a_network_of_other_arguments_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidValueError, match="must take three arguments, frame0, frame1 and t, it takes 2"):
            make_interpolator(exported(tmp_path / "m.pt", Two()))

    def test_a_file_that_is_none_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputFileError, match=r"there is no TorchScript file .*none\.pt"):
            make_interpolator(f"torchscript:{tmp_path / 'none.pt'}")
        torch.save({"a": torch.ones(1)}, tmp_path / "weights.pt")
        (tmp_path / "text.pt").write_text("no network")
        exported(tmp_path / "whole.pt", Fade())
        (tmp_path / "cut.pt").write_bytes((tmp_path / "whole.pt").read_bytes()[:700])
        for name in ("weights.pt", "text.pt", "cut.pt"):
            with pytest.raises(InputFileError, match=rf"{name} is no TorchScript file, or a damaged one"):
                make_interpolator(f"torchscript:{tmp_path / name}")

    def test_weights_and_tiles_are_refused(self, tmp_path: Path) -> None:
        name = exported(tmp_path / "m.pt", Fade())
        with pytest.raises(InvalidValueError, match="brings its weights"):
            make_interpolator(name, weights="w.pkl")
        with pytest.raises(InvalidValueError, match="cannot be cut into tiles"):
            make_interpolator(name, tile=128)
        with pytest.raises(InvalidValueError, match="computes as it was exported, got precision 'bfloat16'"):
            make_interpolator(name, precision="bfloat16", device="cpu")


class Package:
    """A fake installed package `fades` that offers interpolators."""

    source = """
import numpy as np
class Fades:
    name, dense = "own name", False
    def __init__(self, weights, device, tile, precision):
        if weights == "bad":
            raise OSError("no such weights")
        self.weights = weights
    def describe(self):
        return {"name": self.name, "version": 7, "weights": self.weights}
    def between(self, frame0, frame1, times):
        for t in times:
            frame = np.rint((1 - t) * frame0 + t * frame1)
            yield {"floats": frame, "small": frame[1:].astype(np.uint8), "list": [1]}.get(
                self.weights, frame.astype(np.uint8))
        if self.weights == "one more":
            yield frame0
class Follows(Fades):
    def flow(self, frames):
        height, width, _ = frames[0].shape
        flow = np.full((len(frames) - 1, height, width, 2), 1.5, np.float16)
        return {"floats": flow.astype(np.float32), "small": flow[1:], "list": [1]}.get(self.weights, flow)
"""


@pytest.fixture
def fades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "fades_package.py").write_text(Package.source)
    info = tmp_path / "fades-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fades\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[spikesim.interpolators]\nfades = fades_package:Fades\ngone = fades_package:Gone\n"
        "follows = fades_package:Follows\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    metadata.MetadataPathFinder().invalidate_caches()
    yield
    sys.modules.pop("fades_package", None)


@pytest.mark.usefixtures("fades")
class TestPackages:
    def test_a_package_offers_an_interpolator_by_name(self) -> None:
        interpolator = make_interpolator("fades", weights="w")
        assert interpolator.describe() == {"name": "fades", "version": 7, "weights": "w"}
        assert interpolator.dense is False
        made, expected = (list(each.between(*FRAMES, TIMES)) for each in (interpolator, LinearInterpolator()))
        assert max(np.abs(a.astype(int) - b).max() for a, b in zip(made, expected, strict=True)) <= 1

    @pytest.mark.parametrize(
        ("weights", "problem"),
        [
            ("floats", r"must give uint8 frames \(18, 31, 3\) as it got, it gave float64 \(18, 31, 3\)"),
            ("small", r"it gave uint8 \(17, 31, 3\)"),
            ("list", "it gave list"),
            ("one more", "was asked for 3 frames and gave 4"),
        ],
    )
    def test_what_is_no_frame_is_refused(self, weights: str, problem: str) -> None:
        with pytest.raises(InvalidValueError, match=problem):
            list(make_interpolator("fades", weights=weights).between(*FRAMES, TIMES))

    def test_one_that_estimates_motion_does_so_under_its_name(self) -> None:
        interpolator = make_interpolator("follows")
        assert isinstance(interpolator, MotionInterpolator)
        assert not isinstance(make_interpolator("fades"), MotionInterpolator)
        expected = np.full((2, 18, 31, 2), 1.5, np.float16)
        np.testing.assert_array_equal(interpolator.flow([*FRAMES, FRAMES[0]]), expected, strict=True)
        assert interpolator.describe()["name"] == "follows"

    @pytest.mark.parametrize(
        ("weights", "problem"),
        [
            ("floats", r"must give float16 flow \(1, 18, 31, 2\) of 2 frames, it gave float32 \(1, 18, 31, 2\)"),
            ("small", r"it gave float16 \(0, 18, 31, 2\)"),
            ("list", "it gave list"),
        ],
    )
    def test_what_is_no_flow_is_refused(self, weights: str, problem: str) -> None:
        interpolator = make_interpolator("follows", weights=weights)
        with pytest.raises(InvalidValueError, match=problem):
            interpolator.flow(FRAMES)  # type: ignore[attr-defined]

    def test_a_bad_request_does_not_reach_it(self) -> None:
        with pytest.raises(InvalidValueError, match="strictly between 0 and 1"):
            make_interpolator("fades").between(*FRAMES, [1.0])
        with pytest.raises(InvalidValueError, match="needs two or more, got 1"):
            make_interpolator("follows").flow(FRAMES[:1])  # type: ignore[attr-defined]

    def test_one_that_cannot_be_made_is_refused(self) -> None:
        with pytest.raises(
            InvalidValueError, match=r"'fades' of fades_package:Fades cannot be made \(OSError: no such"
        ):
            make_interpolator("fades", weights="bad")
        with pytest.raises(InvalidValueError, match=r"'gone' of fades_package:Gone cannot be made \(AttributeError"):
            make_interpolator("gone")

    def test_it_is_among_the_names_of_an_error(self) -> None:
        with pytest.raises(
            InvalidValueError, match=r"one of flow, linear, none, .*torchscript:MODEL\.pt, fades, follows, gone"
        ):
            make_interpolator("fade")


def test_without_packages_the_names_are_ours(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"rife, xvfi, torchscript:MODEL\.pt, got 'fades'"):
        make_interpolator("fades")
