"""What is printed of objects that hold much: one line that says what they are, and never their numbers."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from commands import dataset, frames, shard  # noqa: F401

from spikesim import PRESETS, SpikeCamera, SpikeStream
from spikesim.brief import Brief, brief, short, shortened
from spikesim.noise import DeadTime, ShotNoise
from spikesim.simulator import Simulator
from spikesim_datasets.build import BuildReport
from spikesim_datasets.planning import plan_build
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.samples import SpikeBlurDataset
from spikesim_datasets.shards import ShardReader, open_dataset
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.sources import open_clips
from spikesim_datasets.videos import VideoIndex


def one_line(value: object) -> str:
    said = repr(value)
    assert said == str(value)
    assert "\n" not in said
    assert len(said) <= 200
    assert "array(" not in said
    assert "object at 0x" not in said
    assert said.startswith(type(value).__name__)
    return said


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("v_th", [None, 2.5])
def test_a_camera_is_a_preset_or_its_changes(name, v_th):
    camera = SpikeCamera.preset(name) if v_th is None else SpikeCamera.preset(name, v_th=v_th)
    said = one_line(camera)
    assert eval(said) == camera
    assert ("preset(" in said) == (name != "ideal")


def test_a_camera_of_ones_own_says_what_is_changed():
    camera = SpikeCamera.preset("ssdm", gain=2, noise=(ShotNoise(100), DeadTime(0.5)))
    assert eval(repr(camera)) == camera
    assert "ssdm" not in repr(camera)
    assert repr(SpikeCamera(reset="zero")) == "SpikeCamera(reset='zero')"
    assert repr(SpikeCamera()) == "SpikeCamera()"


def test_streams_and_simulators():
    stream = SpikeStream.from_dense(np.ones((40, 50, 61), np.uint8), SpikeCamera.preset("ssdm", v_th=2))
    assert one_line(stream) == "SpikeStream(T=40, H=50, W=61, camera=SpikeCamera.preset('ssdm', v_th=2.0))"
    assert one_line(stream[3:5]).startswith("SpikeStream(T=2, H=50")
    simulator = Simulator(SpikeCamera(), 4, 6)
    simulator.push(np.zeros((3, 4, 6), np.float32))
    assert one_line(simulator) == "Simulator(SpikeCamera(), H=4, W=6, after 3 readouts)"


def test_samples_datasets_and_readers(dataset, shard):  # noqa: F811
    samples = open_dataset(dataset, "train")
    said = one_line(samples[0])
    for words in ("window=1", "blur=uint8 (72, 120, 3)", "sharp=uint8 (1, 72, 120, 3)", "{1.0, 2.0}"):
        assert words in said
    assert "split='train', samples=2, shards=1, thresholds=(1.0, 2.0)" in repr(samples)
    assert repr(samples).startswith("Dataset(root=")
    with ShardReader(shard) as reader:
        assert "key='train/clip', samples=2, thresholds=(1.0, 2.0)" in repr(reader)
    assert repr(SpikeBlurDataset(dataset, "train", crop=32)).startswith("SpikeBlurDataset(source=Dataset(root=")


def test_clips_plans_and_reports(frames, tmp_path):  # noqa: F811
    (clip,) = open_clips([frames])
    assert "names=(42: '000000.png' to '000041.png'), height=72, width=120" in repr(clip)
    one_line(VideoIndex(20, 30, 5000, tuple(range(0, 10**6, 200)), (0, 90), time_base=Fraction(1, 90000)))
    plan = plan_build([clip] * 1, tmp_path, make_recipe(interpolation="linear"))
    assert one_line(plan).startswith("BuildPlan(jobs=(")
    found = {f"train/clip{number}": Diagnostics([1, 2], [3]) for number in range(40)}
    report = BuildReport(Path("out"), 40, 0, 80, {}, found, 10**9, 999, 1.5)
    assert "diagnostics={40: 'train/clip0' to 'train/clip39'}" in one_line(report)


def test_values_in_brief():
    assert brief(np.zeros((3, 4), np.float32)) == "float32 (3, 4)"
    assert brief((1,)) == "(1,)"
    assert brief([1, "a", None]) == "(1, 'a', None)"
    assert brief(tuple(range(99))) == "(99: 0 to 98)"
    assert brief(Path("a/b")) == "'a/b'"
    assert brief(np.float32(2)) == repr(np.float32(2))


def test_a_dataclass_that_forgets_to_leave_its_own_repr_out_is_found():
    """`@dataclass` without `repr=False` replaces what it inherits."""
    kinds = [kind for kind in Brief.__subclasses__() if kind.__module__.startswith(("spikesim", "ssdm_models"))]
    assert len(kinds) > 5
    assert [kind for kind in kinds if kind.__repr__ is not Brief.__repr__] == []


def test_a_message_quotes_values_as_they_are_unless_they_are_long() -> None:
    for value in (5, 2.5, "clip.dat", None, (1, 2, 3), [[1], [1, 2]], {"b": 1}, np.float32(2), Path("a"), -(10**20)):
        assert short(value) == repr(value)
    deep: tuple[object, ...] = ()
    for _ in range(100_000):
        deep = (deep, deep)
    for value in (tuple(range(10**6)), "x" * 10**6, deep, [["y" * 99] * 99] * 9, 10**5000, Path("z" * 10**6)):
        assert len(short(value)) < 1100
    assert short((2,) * 10**6) == f"({'2, ' * 12}...)"
    assert short(-(2**20000)) == "a number of 20001 bits"


def test_long_messages_lose_their_middle() -> None:
    assert shortened("x" * 1000) == "x" * 1000
    assert shortened("a" * 10**6 + "b" * 10**6) == "a" * 500 + " … " + "b" * 500
