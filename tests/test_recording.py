"""One spike file from one clip."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikesim import Recording, SpikeCamera, SpikeStream, read_spikes, simulate
from spikesim.errors import InvalidValueError, OutputError
from spikesim_datasets.clip_simulation import simulate_clip
from spikesim_datasets.interpolation import InterpolatorSpec
from spikesim_datasets.keys import Keyed
from spikesim_datasets.optics import Optics
from spikesim_datasets.progress import Progress
from spikesim_datasets.sources.clip import Split
from spikesim_datasets.synthesis import Stretch


@dataclass(frozen=True)
class RampClip:
    """Frame r is grey of the value 8·r: interpolated eightfold, readout q is of the value q. It counts what is read."""

    read: list[int]
    split: Split = "train"
    name: str = "ramp"
    n_frames: int = 20
    height: int = 12
    width: int = 20
    source: Path | None = None

    key = Keyed.key

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        for number in range(start, stop):
            self.read.append(number)
            yield np.full((self.height, self.width, 3), 8 * number, np.uint8)

    def fingerprint(self) -> dict[str, object]:
        return {}


@pytest.fixture
def clip() -> RampClip:
    return RampClip([])


def ramp(start: int, stop: int, step: int = 1, size: tuple[int, int] = (3, 5)) -> np.ndarray:
    values = np.arange(start, stop, step, dtype=np.uint8)
    return np.broadcast_to(values[:, None, None], (len(values), *size))


def record(clip: RampClip, path: Path, **choices: Any) -> Recording:
    """`simulate_clip` by cross-fades, with the `ideal` camera unless choices say another."""
    camera = SpikeCamera.preset(choices.pop("preset", "ideal"), **taken(choices, "v_th"))
    interpolation = InterpolatorSpec(choices.pop("interpolation", "linear"))
    optics = Optics(**taken(choices, "downscale", "response", "ratio"))
    stretch = Stretch(**taken(choices, "start", "frames", "factor"))
    return simulate_clip(clip, path, camera, interpolation, optics, stretch=stretch, **choices)


def taken(choices: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: choices.pop(name) for name in names if name in choices}


def recorded(clip: RampClip, path: Path, **choices: Any) -> SpikeStream:
    """What `simulate_clip` wrote."""
    recording = record(clip, path, **choices)
    stream = read_spikes(path)
    assert recording.shape == stream.shape
    assert recording.spikes == stream.counts().sum()
    return stream


@pytest.mark.parametrize("extension", ["dat", "npz", "npy", "h5"])
def test_the_file_holds_what_the_camera_makes_of_the_light(tmp_path, clip, extension):
    stream = recorded(clip, tmp_path / f"clip.{extension}", preset="ssdm", v_th=2, seed=7)
    expected = simulate(ramp(0, 153), SpikeCamera.preset("ssdm", v_th=2), seed=7, key="train/ramp")
    assert stream.shape == (153, 3, 5)
    assert np.array_equal(stream.packed, expected.packed)


@pytest.mark.parametrize(
    ("start", "frames", "readouts"), [(0, 3, (0, 17)), (5, 4, (40, 65)), (17, None, (136, 153)), (19, 1, (152, 153))]
)
def test_a_stretch_of_the_clip(tmp_path, clip, start, frames, readouts):
    stream = recorded(clip, tmp_path / "a.npz", start=start, frames=frames)
    expected = simulate(ramp(*readouts), SpikeCamera.preset("ideal"), key="train/ramp")
    assert stream.shape == expected.shape
    assert np.array_equal(stream.packed, expected.packed)
    assert clip.read == list(range(start, start + (frames or 20 - start)))


def test_a_preset_keeps_its_own_threshold(tmp_path, clip):
    stream = recorded(clip, tmp_path / "a.npz", preset="spikecv", frames=2)
    assert stream.camera == SpikeCamera.preset("spikecv")


def test_interpolation_none_takes_every_frame_as_a_readout(tmp_path, clip):
    stream = recorded(clip, tmp_path / "a.npz", interpolation="none", start=3)
    expected = simulate(ramp(24, 160, 8), SpikeCamera.preset("ideal"), key="train/ramp")
    assert stream.shape == (17, 3, 5)
    assert np.array_equal(stream.packed, expected.packed)


def test_factor_sets_the_readouts_between_frames(tmp_path, clip):
    stream = recorded(clip, tmp_path / "a.npz", factor=4)
    expected = simulate(ramp(0, 153, 2), SpikeCamera.preset("ideal"), key="train/ramp")
    assert stream.shape == (77, 3, 5)
    assert np.array_equal(stream.packed, expected.packed)


def test_full_size_and_linear_light(tmp_path, clip):
    stream = recorded(clip, tmp_path / "a.npz", ratio=1, response="gamma2.2")
    light = ((ramp(0, 153, size=(12, 20)) / 255) ** 2.2).astype(np.float32)
    expected = simulate(light, SpikeCamera.preset("ideal"), key="train/ramp")
    assert stream.shape == (153, 12, 20)
    assert np.array_equal(stream.packed, expected.packed)


def test_progress_is_told_readout_by_readout(tmp_path, clip):
    told: list[Progress] = []
    record(clip, tmp_path / "a.npz", frames=3, on_progress=told.append)
    assert told == [Progress(0, 17), *(Progress(done, 17, clip.key) for done in range(1, 18))]


@pytest.mark.parametrize(
    ("choices", "what"),
    [
        ({"start": 20}, r"are not in train/ramp, which has 20"),
        ({"start": -1}, "start, the first frame, must be a whole number of at least 0, got -1"),
        ({"start": 15, "frames": 6}, r"frames 15\.\.20 are not in train/ramp, which has 20"),
        ({"frames": 0}, "frames must be a whole number of at least 1, got 0"),
        ({"frames": -2}, "frames must be a whole number of at least 1, got -2"),
        ({"factor": 0}, "factor must be a whole number of at least 1"),
        ({"factor": -8}, "factor must be a whole number of at least 1"),
        ({"v_th": 0}, "v_th must be a positive finite number"),
        ({"preset": "kodak"}, "no camera preset is called 'kodak'"),
        ({"interpolation": "magic"}, "interpolator must be one of"),
        ({"downscale": "bicubic"}, "downscale must be one of"),
    ],
)
def test_a_meaningless_value_is_refused_before_any_frame_is_read(tmp_path, clip, choices, what):
    with pytest.raises(InvalidValueError, match=what):
        record(clip, tmp_path / "a.npz", **choices)
    assert clip.read == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.mp4", "a", "a.npz.txt"])
def test_an_unknown_extension_is_refused_before_any_frame_is_read(tmp_path, clip, name):
    with pytest.raises(InvalidValueError, match=r"\.dat.*\.npz"):
        record(clip, tmp_path / name)
    assert clip.read == []
    assert list(tmp_path.iterdir()) == []


def test_a_clip_without_a_quarter_size_is_refused_and_full_size_is_not(tmp_path):
    odd = RampClip([], height=17, width=31)
    with pytest.raises(InvalidValueError, match="31×17; both must be multiples of 4"):
        record(odd, tmp_path / "a.npz")
    assert list(tmp_path.iterdir()) == []
    stream = recorded(odd, tmp_path / "a.npz", ratio=1, frames=2)
    assert stream.shape == (9, 17, 31)


def test_a_place_that_cannot_be_written_is_refused(tmp_path, clip):
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(OutputError, match=r"a\.npz"):
        record(clip, tmp_path / "a.npz", frames=2)
