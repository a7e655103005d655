"""Which interpolator is meant: pinned when a build is planned, made once, and never another in a worker."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from build_data import recipe, write_frames

from spikesim.errors import InvalidValueError
from spikesim_datasets.build import build_clips
from spikesim_datasets.interpolation import InterpolatorSpec, interpolator_spec, make_interpolator
from spikesim_datasets.interpolation.flow import FlowInterpolator
from spikesim_datasets.interpolation.linear import LinearInterpolator
from spikesim_datasets.planning import plan_build
from spikesim_datasets.shard_work import Setting, make_shard
from spikesim_datasets.shards.index import shard_files
from spikesim_datasets.sources import open_clips


@pytest.fixture(autouse=True)
def nothing_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpolator is left over from another test."""
    monkeypatch.setattr(interpolator_spec, "_made", interpolator_spec._Made())


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The names of interpolators without options, as they are made."""
    names: list[str] = []

    def counted(self: Any) -> None:
        names.append(self.name)

    for kind in (FlowInterpolator, LinearInterpolator):
        monkeypatch.setattr(kind, "__init__", counted, raising=False)
    return names


@pytest.fixture
def clips(tmp_path: Path) -> list[Any]:
    for number, name in enumerate("ab"):
        write_frames(tmp_path / "source" / name, 20, phase=number)
    return open_clips([tmp_path / "source"])


def test_a_name_alone_is_a_spec_without_options() -> None:
    assert InterpolatorSpec.of("linear") == InterpolatorSpec("linear")
    assert InterpolatorSpec.of(InterpolatorSpec("rife", tile=64)).tile == 64
    assert make_interpolator("linear").describe() == InterpolatorSpec("linear").make().describe()


def test_resolving_pins_the_description_and_stays(made: list[str]) -> None:
    resolved = InterpolatorSpec("flow").resolve()
    assert resolved.describe() == FlowInterpolator().describe()
    assert resolved.resolve() is resolved
    assert pickle.loads(pickle.dumps(resolved)) == resolved
    assert resolved != InterpolatorSpec("flow")
    assert hash(resolved) == hash(InterpolatorSpec("flow").resolve())


def test_a_resolved_spec_makes_one_interpolator_and_another_spec_another(made: list[str]) -> None:
    resolved = InterpolatorSpec("flow").resolve()
    assert resolved.make() is resolved.make()
    assert made == ["flow"]
    other = InterpolatorSpec("linear").resolve()
    assert other.make().name == "linear"
    assert made == ["flow", "linear"]
    assert InterpolatorSpec("flow").make() is not InterpolatorSpec("flow").make()


def test_a_build_makes_its_interpolator_once_and_an_idle_one_no_more(
    clips: list[Any], tmp_path: Path, made: list[str]
) -> None:
    report = build_clips(clips, tmp_path / "out", recipe(interpolation="flow"), workers=1)
    assert (report.built, made) == (6, ["flow"])
    made.clear()
    report = build_clips(clips, tmp_path / "out", recipe(interpolation="flow"), workers=1)
    assert (report.kept, made) == (6, ["flow"])


def test_a_worker_with_another_version_refuses_and_names_both(
    clips: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = recipe(interpolation="flow").resolve()
    job = plan_build(clips, tmp_path / "out", planned).jobs[0]
    was = cv2.__version__
    # What a process on another machine finds.
    monkeypatch.setattr(cv2, "__version__", "0.0.1")
    monkeypatch.setattr(interpolator_spec, "_made", interpolator_spec._Made())
    for sent in (pickle.loads(pickle.dumps(planned)), recipe(interpolation="flow")):
        with pytest.raises(
            InvalidValueError, match=rf"'flow' of this process.*opencv was '{was}', here it is '0\.0\.1'"
        ):
            make_shard(job, Setting(tmp_path / "out", sent, {}))
    assert not shard_files(tmp_path / "out")
    monkeypatch.setattr(cv2, "__version__", was)
    make_shard(job, Setting(tmp_path / "out", planned, {}))
    assert len(shard_files(tmp_path / "out")) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": 5}, "the name of an interpolator must be a str, got int"),
        ({"name": "magic"}, "interpolator must be one of flow, linear, none, rife, xvfi"),
        ({"weights": "a.pkl"}, "'flow' has no weights, got weights 'a.pkl'; leave weights out"),
        ({"device": "cuda"}, "'flow' runs on the CPU only, got device 'cuda'"),
        ({"device": "cuda:1"}, "'flow' runs on the CPU only, got device 'cuda:1'"),
        ({"device": "tpu"}, "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'tpu'"),
        ({"tile": 64}, "'flow' does not work in tiles, got tile 64"),
        ({"precision": "bfloat16"}, "'flow' is no network, got precision 'bfloat16'"),
        ({"name": "rife", "weights": 3}, "weights must be a path or a name, got 3"),
        ({"name": "rife", "device": None}, r"device must be 'auto', .* got None"),
        ({"name": "rife", "tile": 63}, "tile must be a whole number of at least 64 pixels, got 63"),
        ({"name": "rife", "tile": 64.0}, "tile must be a whole number of at least 64 pixels, got 64.0"),
        (
            {"name": "rife", "precision": "half"},
            "precision must be one of 'float32', 'bfloat16', 'float16', got 'half'",
        ),
    ],
)
def test_a_spec_checks_itself(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        InterpolatorSpec(**options)


@pytest.mark.parametrize("wrong", [5, None, LinearInterpolator()])
def test_what_is_neither_name_nor_spec_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidValueError, match=r"interpolation must be an InterpolatorSpec, got .*; give a name or"):
        InterpolatorSpec.of(wrong)
