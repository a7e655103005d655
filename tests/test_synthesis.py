"""The one pass from frames to samples: on clips whose every readout is known, on a demo scene, and on real video."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spikesim import SpikeCamera, simulate, tfp
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.build import build_clips
from spikesim_datasets.exposure import ExposurePlan, Window
from spikesim_datasets.interpolation import make_interpolator
from spikesim_datasets.keys import Keyed
from spikesim_datasets.optics import Optics
from spikesim_datasets.readouts import raw_frames
from spikesim_datasets.recipe import Recipe, make_recipe
from spikesim_datasets.shards import ShardReader
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.sources import Clip, DemoClip, open_clips, open_gopro
from spikesim_datasets.sources.clip import Split
from spikesim_datasets.synthesis import synthesise
from spikesim_datasets.videos import to_rgb

GOPRO = ExposurePlan()
SHORT = ExposurePlan(frames=3, factor=4, gap=3, padding=5)  # 9 readouts of 19, every 12: streams overlap


@dataclass(frozen=True)
class GreyClip:
    """Frame r is grey of the value step·r, so that with linear interpolation by `step` readout q is of the value q."""

    n_frames: int
    step: int
    split: Split = "train"
    name: str = "grey"
    height: int = 12
    width: int = 20
    source: Path | None = None

    key = Keyed.key

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        for number in range(start, min(stop, self.n_frames)):
            yield np.full((self.height, self.width, 3), self.step * number, np.uint8)

    def fingerprint(self) -> dict[str, object]:
        return {"step": self.step}


@dataclass(frozen=True)
class NoiseClip(GreyClip):
    """Frame r is noise that no other frame has."""

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        for number in range(start, min(stop, self.n_frames)):
            yield np.random.default_rng(number).integers(0, 256, (self.height, self.width, 3), np.uint8)


@dataclass(frozen=True)
class StillClip(GreyClip):
    """Every frame is the same."""

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        yield from [np.full((self.height, self.width, 3), 100, np.uint8)] * (min(stop, self.n_frames) - start)


def make(clip: Clip, plan: ExposurePlan, windows: Sequence[Window] | None = None, **changes: Any) -> list[Sample]:
    """The samples of a clip, its middle frame kept, by cross-fades and a camera without noise unless it is said."""
    interpolator = changes.pop("interpolator", None) or make_interpolator("linear")
    choices = {"cameras": [SpikeCamera()], "sharp": "middle"} | changes
    recipe = Recipe(**{**choices, "cameras": tuple(choices["cameras"])}, plan=plan)
    chosen = plan.windows(raw_frames(clip, interpolator, plan)) if windows is None else windows
    return list(synthesise(clip, chosen, recipe, interpolator))


def assert_equal(sample: Sample, other: Sample) -> None:
    for name in ("key", "window", "first_frame", "exposure", "sharp_readouts"):
        assert getattr(sample, name) == getattr(other, name)
    assert np.array_equal(sample.blur, other.blur)
    assert np.array_equal(sample.sharp, other.sharp)
    assert list(sample.spikes) == list(other.spikes)
    for v_th, stream in sample.spikes.items():
        assert stream.shape == other.spikes[v_th].shape
        assert np.array_equal(stream.packed, other.spikes[v_th].packed)


# Windows and numbers


def test_a_sample_of_the_release_has_the_numbers_of_the_release():
    (sample,) = make(GreyClip(31, 8), GOPRO, sharp="sequence")
    assert (sample.key, sample.window, sample.first_frame, sample.exposure) == ("train/grey", 1, 13, (20, 117))
    assert sample.spikes[1.0].shape == (137, 3, 5)
    assert (sample.blur == np.mean(range(104, 201))).all()
    assert sample.sharp_readouts == (20, 36, 52, 68, 84, 100, 116)
    assert sample.sharp[:, 0, 0, 0].tolist() == [104, 120, 136, 152, 168, 184, 200]
    expected = simulate(
        np.repeat(np.arange(84, 221, dtype=np.uint8), 15).reshape(137, 3, 5), SpikeCamera(), key="train/grey/1/1"
    )
    assert np.array_equal(sample.spikes[1.0].packed, expected.packed)


@pytest.mark.parametrize("sharp", ["middle", "sequence", "none"])
def test_every_window_averages_and_keeps_its_own_readouts(sharp):
    samples = make(GreyClip(60, 4), SHORT, sharp=sharp)
    assert [sample.window for sample in samples] == list(range(1, 19))
    for sample in samples:
        begin = 12 * sample.window
        assert sample.first_frame == 3 * sample.window
        assert (sample.blur == begin + 4).all()
        kept = {"middle": [4], "sequence": [0, 8], "none": []}[sharp]
        assert sample.sharp_readouts == tuple(5 + readout for readout in kept)
        assert sample.sharp.shape == (len(kept), 12, 20, 3)
        assert sample.sharp.dtype == np.uint8
        assert sample.sharp[:, 0, 0, 0].tolist() == [begin + readout for readout in kept]


def test_ground_truth_is_the_raw_frames():
    clip = NoiseClip(30, 4)
    for sample in make(clip, SHORT, sharp="sequence"):
        first = sample.first_frame
        assert np.array_equal(sample.sharp, list(clip.frames(first, first + 3))[::2])


def test_a_window_sees_the_light_of_its_whole_stream():
    camera = SpikeCamera(start="zero", v_th=3)
    for sample in make(GreyClip(60, 4), SHORT, cameras=[camera]):
        begin = 12 * sample.window - 5
        light = np.repeat(np.arange(begin, begin + 19, dtype=np.float32) / 255, 15).reshape(19, 3, 5)
        assert np.array_equal(sample.spikes[3.0].packed, simulate(light, camera).packed)


def test_light_is_kept_as_the_sensor_sees_it_where_that_is_asked_for():
    camera = SpikeCamera(start="zero", v_th=3)
    for sample in make(GreyClip(60, 4), SHORT, cameras=[camera], light=True):
        kept = sample.extra["light"]
        assert (kept.dtype, kept.shape) == (np.uint16, (19, 3, 5))
        begin = 12 * sample.window - 5
        assert np.array_equal(kept[:, 1, 2], 257 * np.arange(begin, begin + 19))
    assert make(GreyClip(60, 4), SHORT)[0].extra == {}


def test_recipes_without_light_are_those_of_before_there_was_any():
    assert "light" not in make_recipe().choices()
    assert make_recipe(light=True).choices() == {**make_recipe().choices(), "light": True}


def test_thresholds_come_ascending_in_whatever_order_the_cameras_are_given():
    cameras = [SpikeCamera(v_th=v_th) for v_th in (4, 0.5, 1)]
    sample = make(GreyClip(10, 4), SHORT, cameras=cameras)[0]
    assert list(sample.spikes) == [0.5, 1, 4]
    assert [stream.camera for stream in sample.spikes.values()] == sorted(cameras, key=lambda camera: camera.v_th)


# A sample depends on nothing but its clip, its window and the seed


@pytest.mark.parametrize("chosen", [slice(0, 1), slice(3, 4), slice(1, 3), slice(0, None, 4), slice(-1, None)])
def test_a_sample_is_the_same_whichever_windows_are_made_with_it(chosen):
    clip, camera = NoiseClip(30, 4), SpikeCamera.preset("ssdm")
    together = make(clip, SHORT, cameras=[camera])[chosen]
    apart = make(clip, SHORT, SHORT.windows(clip.n_frames)[chosen], cameras=[camera])
    assert len(apart) == len(together) > 0
    for sample, other in zip(apart, together, strict=True):
        assert_equal(sample, other)


def test_no_two_streams_share_their_noise():
    """With threshold and gain scaled together, cameras differ in nothing but their noise; so do windows of a still."""
    cameras = [SpikeCamera(v_th=v_th, gain=v_th) for v_th in (1.0, 2.0)]
    samples = []
    for name, seed in [("a", 0), ("b", 0), ("a", 1)]:
        clip = replace(StillClip(30, 4), name=name)
        samples += make(clip, SHORT, cameras=cameras, seed=seed)
    streams = [stream.packed.tobytes() for sample in samples for stream in sample.spikes.values()]
    assert len(streams) == 3 * 8 * 2
    assert len(set(streams)) == len(streams)


# What is asked of the interpolator


class Recorder:
    """Cross-fades, and remembers every pair of grey values with the times asked for."""

    name, dense = "recorder", False

    def __init__(self) -> None:
        self.asked: list[tuple[int, int, list[float]]] = []

    def describe(self) -> dict[str, object]:
        return {"name": self.name}

    def between(self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
        self.asked.append((int(frame0[0, 0, 0]), int(frame1[0, 0, 0]), list(times)))
        return make_interpolator("linear").between(frame0, frame1, times)


@given(
    frames=st.integers(1, 4),
    factor=st.integers(2, 5),
    gaps=st.integers(1, 6),
    padding=st.integers(0, 9),
    chosen=st.sets(st.integers(0, 3), min_size=1),
)
def test_every_readout_that_is_needed_and_no_other_is_interpolated_once(frames, factor, gaps, padding, chosen):
    plan = ExposurePlan(frames, factor, gaps * factor - 1, padding)
    n_frames = plan.frames_for_one_window + 3 * plan.period // plan.factor
    windows = [window for i, window in enumerate(plan.windows(n_frames)) if i in chosen]
    needed: set[int] = set()
    for window in windows:
        begin = window.first_readout - padding
        needed |= set(range(begin, begin + plan.stream_length))
    recorder = Recorder()
    samples = make(GreyClip(n_frames, 1), plan, windows, interpolator=recorder)
    assert len(samples) == len(windows)
    made = [factor * start + time * factor for start, _, times in recorder.asked for time in times]
    assert made == sorted(readout for readout in needed if readout % factor)
    assert all(stop == start + 1 and times for start, stop, times in recorder.asked)
    pairs = [start for start, _, _ in recorder.asked]
    assert len(set(pairs)) == len(pairs)


def test_only_the_frames_around_the_windows_are_read():
    read = []

    class Watched(GreyClip):
        def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
            read.append((start, stop))
            return super().frames(start, stop)

    clip = Watched(60, 4)
    make(clip, SHORT, SHORT.windows(60)[4:6])  # streams 55..73 and 67..85
    assert read == [(13, 23)]
    list(synthesise(clip, [], make_recipe(plan=SHORT), make_interpolator("linear")))
    assert len(read) == 1


# Sources that are interpolated already


def test_a_dense_source_gives_what_interpolating_its_raw_frames_gives(tmp_path):
    clip, linear, times = NoiseClip(12, 8), make_interpolator("linear"), [i / 8 for i in range(1, 8)]
    plan = ExposurePlan(frames=3, padding=9)
    raw = list(clip.frames(0, 12))
    for number, frame in enumerate(raw):
        Image.fromarray(frame).save(tmp_path / f"{number:06d}.png")
    for number, pair in enumerate(pairwise(raw)):
        for i, between in enumerate(linear.between(*pair, times)):
            Image.fromarray(between).save(tmp_path / f"{number:06d}_{i:03d}.png")
    (dense,) = open_clips([tmp_path])
    none = make_interpolator("none")
    assert dense.n_frames == 89
    assert raw_frames(dense, none, plan) == 12
    samples = make(replace(dense, name=clip.name), plan, interpolator=none, sharp="sequence")
    expected = make(clip, plan, sharp="sequence")
    assert len(samples) == len(expected) == 2
    for sample, other in zip(samples, expected, strict=True):
        assert_equal(sample, other)


# Light


def test_linear_light_goes_through_blur_and_spikes():
    camera = SpikeCamera(start="zero")
    (sample,) = make(GreyClip(31, 8), GOPRO, optics=Optics(response="gamma2.2"), cameras=[camera])
    decoded = (np.arange(84, 221) / 255) ** 2.2
    assert (sample.blur == round(decoded[20:117].mean() ** (1 / 2.2) * 255)).all()
    light = np.repeat(np.float32(decoded), 15).reshape(137, 3, 5)
    assert np.array_equal(sample.spikes[1.0].packed, simulate(light, camera).packed)


@pytest.mark.parametrize("linear_light", [False, True])
def test_linear_light_is_recorded_in_the_shard(tmp_path, linear_light):
    recipe = make_recipe(interpolation="linear", plan=SHORT, linear_light=linear_light)
    build_clips([GreyClip(10, 4)], tmp_path, recipe, workers=1)
    with ShardReader(tmp_path / "train" / "grey.000.h5") as shard:
        assert shard.recipe["choices"]["linear_light"] is linear_light


def grey(image: np.ndarray) -> np.ndarray:
    height, width, _ = image.shape
    return cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (width // 4, height // 4))


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_spikes_over_the_exposure_show_the_blurry_image():
    clip = DemoClip("train", "street", "street", 29, 180, 320)
    camera = SpikeCamera.preset("ssdm")
    (sample,) = make(clip, GOPRO, interpolator=make_interpolator("flow"), cameras=[camera])
    assert correlation(tfp(sample.spikes[1.0], 68, 97), grey(sample.blur)) > 0.99


# Bad input


def test_a_window_beyond_the_clip_is_refused_instead_of_left_out():
    windows = SHORT.windows(30)
    with pytest.raises(InputFileError, match="train/grey ends before frame 20, but frames up to"):
        make(GreyClip(20, 4), SHORT, windows)
    with pytest.raises(InputFileError, match="train/grey ends before frame 20"):
        make(GreyClip(20, 4), SHORT, windows, interpolator=make_interpolator("none"))


def test_a_clip_without_a_quarter_size_is_refused():
    with pytest.raises(InvalidValueError, match="22×12; both must be multiples of 4"):
        make(GreyClip(10, 4, width=22), SHORT)


# Real evaluation_set


@pytest.fixture(scope="module")
def cups(shared: Path) -> list[np.ndarray]:
    """The first 42 frames of the clip, decoded in order."""
    with av.open(str(shared / "data" / "clips" / "cups.mp4")) as video:
        return [to_rgb(image) for image in islice(video.decode(video=0), 42)]


@pytest.mark.recordings
def test_300_frames_of_video_have_21_windows(shared):
    (clip,) = open_clips([shared / "data" / "clips" / "cups.mp4"])
    assert [window.index for window in GOPRO.windows(clip.n_frames)] == list(range(1, 22))


@pytest.mark.recordings
def test_video_as_a_gopro_tree_and_as_a_video_gives_the_same_arrays(shared, cups, tmp_path):
    folder = tmp_path / "train" / "cups"
    folder.mkdir(parents=True)
    for number, frame in enumerate(cups):
        cv2.imwrite(str(folder / f"{number:06d}.png"), frame[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    (tree,) = open_gopro(tmp_path)
    (video,) = open_clips([shared / "data" / "clips" / "cups.mp4"])
    cameras = [SpikeCamera.preset("ssdm", v_th=v_th) for v_th in (1, 2, 4)]
    (sample,), (other,) = (make(clip, GOPRO, GOPRO.windows(42)[:1], cameras=cameras) for clip in (tree, video))
    assert_equal(sample, other)


@pytest.mark.recordings
def test_blur_of_video_is_the_mean_of_its_97_readouts_and_spikes_show_it(shared, cups):
    (clip,) = open_clips([shared / "data" / "clips" / "cups.mp4"])
    camera, interpolator = SpikeCamera.preset("ssdm"), make_interpolator("flow")
    (sample,) = make(clip, GOPRO, GOPRO.windows(300)[:1], interpolator=interpolator, cameras=[camera])
    raw = cups[13:26]
    total, count = raw[-1].astype(np.int64), 1
    for frame0, frame1 in pairwise(raw):
        for frame in (frame0, *interpolator.between(frame0, frame1, [i / 8 for i in range(1, 8)])):
            total += frame
            count += 1
    assert count == 97
    assert np.abs(sample.blur - total / 97).max() <= 1
    assert np.array_equal(sample.sharp[0], raw[6])
    assert correlation(tfp(sample.spikes[1.0], 68, 97), grey(sample.blur)) > 0.99
