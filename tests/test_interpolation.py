"""Interpolation: laws on textures whose motion is known, the guards, and real video."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib import util
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim import thread_limit
from spikesim.errors import InvalidValueError
from spikesim_datasets.interpolation import flow, make_interpolator
from spikesim_datasets.kernels import blending, sampling
from spikesim_datasets.opencv import without_ipp
from spikesim_datasets.sources import open_clips

EIGHTFOLD = [i / 8 for i in range(1, 8)]
MAKING = ("flow", "linear")


def texture(height: int, width: int, seed: int = 0, grain: int = 8) -> np.ndarray:
    """Random colours every `grain` pixels and bilinear between, whole numbers only, uint8 (H,W,3)."""
    size = height // grain + 3, width // grain + 3, 3
    field = np.random.default_rng(seed).integers(0, 256, size).repeat(grain, axis=0).repeat(grain, axis=1)
    for axis in (0, 1):
        field = np.lib.stride_tricks.sliding_window_view(field, grain, axis).sum(-1) // grain
    return field[:height, :width].astype(np.uint8)


def pan(height: int, width: int, dy: int, dx: int, times: Sequence[float]) -> list[np.ndarray]:
    """A window moving by (-dy, -dx) over a texture, so that what it shows moves by (dy, dx); whole steps only."""
    canvas = texture(height + 2 * abs(dy), width + 2 * abs(dx))
    tops, lefts = ([round(abs(d) - d * t) for t in times] for d in (dy, dx))
    return [canvas[y : y + height, x : x + width] for y, x in zip(tops, lefts, strict=True)]


def between(name: str, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> list[np.ndarray]:
    return list(make_interpolator(name).between(frame0, frame1, times))


def distance(frame: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(frame.astype(int) - other)


def psnr(frame: np.ndarray, truth: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean(distance(frame, truth) ** 2.0)))


@pytest.mark.parametrize("name", MAKING)
@settings(max_examples=10, deadline=None)
@given(height=st.integers(16, 40), width=st.integers(16, 40), seed=st.integers(0, 9), t=st.floats(1e-6, 1 - 1e-6))
def test_between_two_equal_frames_lies_that_frame_exactly(name, height, width, seed, t):
    frame = texture(height, width, seed, grain=1)
    assert np.array_equal(between(name, frame, frame.copy(), [t])[0], frame)


@pytest.mark.parametrize(("dy", "dx"), [(0, 8), (-4, 0), (8, -12), (0, -16)])
def test_a_pan_is_recovered_at_every_quarter(dy, dx):
    times = [0, 1 / 4, 1 / 2, 3 / 4, 1]
    frame0, *middle, frame1 = pan(241, 323, dy, dx, times)
    for frame, truth in zip(between("flow", frame0, frame1, times[1:-1]), middle, strict=True):
        inner = distance(frame, truth)[30:-30, 30:-30]
        assert inner.mean() < 0.5
        assert np.percentile(inner, 99) <= 4


def blend(
    frame0: np.ndarray,
    frame1: np.ndarray,
    flows: Sequence[np.ndarray],
    t: float,
    agreement: float = 4,
    swift: float = 1e9,
) -> np.ndarray:
    """The frame at t by four flows: fine ones from frame 0 and from frame 1, coarse ones from frame 0 and frame 1.

    What moves beyond `swift` pixels is sampled from frames that are grey all over.
    """
    frames, smooth = tuple(np.empty_like(frame0) for _ in range(8)), np.full_like(frame0, 99)
    blending.motion_blend(
        0,
        len(frame0),
        sampling.coefficients(frame0, smooth),
        sampling.coefficients(frame1, smooth),
        blending.join_flows(*(np.ascontiguousarray(flow.transpose(2, 0, 1)) for flow in flows), *frame0.shape[:2]),
        np.float32([t]),
        np.float32(agreement),
        np.float32(swift),
        frames,
    )
    return frames[0]


def uniform(dy: float, dx: float, width: int = 31) -> np.ndarray:
    return np.full((37, width, 2), (dx, dy), np.float32)


@pytest.mark.parametrize(("dy", "dx"), [(0, 8), (0, -4), (12, 0), (-4, 0)])
@pytest.mark.parametrize("t", [1 / 4, 1 / 2, 3 / 4])
def test_with_exact_flow_a_pan_is_exact_up_to_the_borders(dy, dx, t):
    """What only one frame shows is taken from it alone: no border is smeared in."""
    frame0, truth, frame1 = map(np.ascontiguousarray, pan(37, 31, dy, dx, [0, t, 1]))
    motion = uniform(dy, dx)
    assert np.array_equal(blend(frame0, frame1, [motion, -motion, motion, -motion], t), truth)


@pytest.mark.parametrize("wrong", [(0, 2), (1, 3), (0, 1), (2, 3)])
def test_the_motions_whose_samples_agree_decide(wrong):
    frame0, truth, frame1 = map(np.ascontiguousarray, pan(37, 80, 0, 8, [0, 0.5, 1]))
    flows = [uniform(0, 8, 80), uniform(0, -8, 80), uniform(0, 8, 80), uniform(0, -8, 80)]
    for i in wrong:
        flows[i] = np.zeros_like(flows[i])
    errors = []  # from one that weighs all alike to one that takes the better alone
    for agreement in (1e6, 4, 1e-3):
        frame = blend(frame0, frame1, flows, 0.5, agreement)
        errors.append(distance(frame, truth)[:, 16:-16].mean())  # nearer the border one sample lies outside
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.05 * errors[0]


def test_over_a_piece_of_a_row_no_motion_agrees_by_chance():
    """Noise agrees with other noise at many single pixels."""
    frame0, truth, frame1 = map(np.ascontiguousarray, pan(37, 80, 0, 8, [0, 0.5, 1]))
    flows = [uniform(0, 8, 80), uniform(0, 0, 80), uniform(0, 8, 80), uniform(0, 0, 80)]
    together = blend(frame0, frame1, flows, 0.5, 1)
    weight = 1 / (1 + distance(frame0, frame1).mean(axis=2, keepdims=True))  # of no motion; the other's is 1
    alone = (truth + weight * (frame0.astype(float) + frame1) / 2) / (1 + weight)
    assert distance(together, truth)[:, 16:-16].max() < np.abs(alone - truth)[:, 16:-16].max()


@pytest.mark.parametrize("of_frame", [0, 1])
def test_a_coarse_motion_is_taken_where_it_starts_in_its_own_frame(of_frame):
    """All motions are wrong where they are looked up first; half a motion of 48 back, or ahead, lies the right one."""
    frame0, truth, frame1 = map(np.ascontiguousarray, pan(37, 95, 0, 8, [0, 0.5, 1]))
    still, columns = uniform(0, 0, 95), np.arange(95)[None, :, None]
    if of_frame == 0:
        ahead = np.where(columns >= 40, uniform(0, 48, 95), uniform(0, 8, 95))
        flows, reached = [still, still, ahead, still], slice(48, 56)
    else:
        back = np.where(columns < 56, uniform(0, -48, 95), uniform(0, -8, 95))
        flows, reached = [still, still, still, back], slice(40, 48)
    frame = blend(frame0, frame1, flows, 0.5, 1e-3)
    assert distance(frame, truth)[:, reached].mean() < 1


def test_motions_beside_a_group_are_candidates():
    """In one group the motions differ, and all are wrong; in the next one they are right."""
    frame0, truth, frame1 = map(np.ascontiguousarray, pan(37, 61, 0, 4, [0, 0.5, 1]))
    group = np.arange(61)[None, :, None] // 8 == 3
    fine, coarse = (
        np.where(group, wrong, np.full((37, 61, 2), (4, 0), np.float32)) for wrong in np.float32([[0, 0], [0, 8]])
    )
    frame = blend(frame0, frame1, [fine, -fine, coarse, -coarse], 0.5, 1e-3)
    assert distance(frame, truth)[13:-13, 24:32].mean() < 1


@settings(max_examples=30, deadline=None)
@given(height=st.integers(16, 40), width=st.integers(16, 70), reduced=st.booleans(), seed=st.integers(0, 9))
def test_a_motion_of_a_group_is_the_mean_of_the_flow_in_it(height, width, reduced, seed):
    rng = np.random.default_rng(seed)
    rows, columns = (height // 2, width // 2) if reduced else (height, width)
    flows = rng.uniform(-9, 9, (4, 2, 1, columns)).astype(np.float32).repeat(rows, axis=2)
    motions = blending.join_flows(*flows, height, width)
    assert motions.shape[2] % 2 == 0
    scale = np.array([width / columns, height / rows])
    for k, sign in enumerate((1, -1, 1, -1)):
        for group in range(-(-width // 8)):
            stop = min(8 * group + 8, width)
            part = flows[k, :, 0, 8 * group * columns // width : max(stop * columns // width, 1)]
            if part.size:
                expected = 32 * sign * scale * part.mean(axis=1)
                assert np.abs(motions[:, 2 * k : 2 * k + 2, group] - expected).max() <= 0.51


@pytest.mark.parametrize(("t", "smoothed"), [(0.5, True), (0.1, False), (0.9, False)])
def test_what_moves_fast_is_sampled_smoothed_in_the_middle_of_the_time(t, smoothed):
    frame0, truth, frame1 = map(np.ascontiguousarray, pan(37, 31, 0, 10, [0, t, 1]))
    motion = uniform(0, 10)
    frame = blend(frame0, frame1, [motion, -motion, motion, -motion], t, swift=5)
    assert np.array_equal(frame, np.full_like(frame, 99) if smoothed else truth)


def test_flow_that_is_no_number_or_endless_reads_nothing_outside_the_frames():
    """The coefficients of one grey are that grey, whatever is sampled; the kernel would fault, or give another."""
    frame = np.full((17, 19, 3), 77, np.uint8)
    motion = np.resize(np.float32([np.nan, np.inf, -np.inf, 1e38, -1e38, 5, np.nan]), (17, 19, 2))
    assert np.array_equal(blend(frame, frame, [motion, motion, motion[::-1].copy(), motion], 0.5), frame)


@pytest.mark.parametrize("levels", [(0, 255), (255, 0), (0, 0), (255, 255)])
def test_the_steepest_detail_fits_into_the_coefficients(levels):
    """Stripes, chequers and noise of black and white drive the filter to its bounds; static frames come back."""
    first, second = (np.uint8(level) for level in levels)
    y, x = np.mgrid[:23, :29]
    noise = np.random.default_rng(0).integers(0, 2, (23, 29))
    for pattern in (x % 2, (x + y) % 2, (x // 2 + y // 2) % 2, x > 14, (x > 14) & (y > 11), noise):
        frame = np.repeat(np.where(pattern, first, second)[..., None], 3, axis=2)
        still = np.zeros((23, 29, 2), np.float32)
        assert np.array_equal(blend(frame, frame, [still] * 4, 0.3), frame)


def test_samples_between_pixels_keep_the_contrast_of_fine_detail():
    """A wave of 4 px, half a pixel on: of its contrast linear interpolation keeps 71 %."""
    x = np.arange(64, dtype=np.float32)
    wave = lambda shift: 128 + 100 * np.cos(np.pi / 2 * (x - shift))  # noqa: E731
    frame0, truth, frame1 = (
        np.repeat(np.rint(wave(shift))[None, :, None].repeat(21, 0), 3, axis=2).astype(np.uint8)
        for shift in (0, 0.5, 1)
    )
    motion = np.full((21, 64, 2), (1, 0), np.float32)
    made = blend(frame0, frame1, [motion, -motion, motion, -motion], 0.5)[:, 8:-8].astype(float)
    assert np.ptp(made) > 0.8 * np.ptp(truth[:, 8:-8].astype(float))


def test_an_object_that_covers_and_uncovers_background_keeps_its_shape():
    background, square = texture(241, 327, 1), texture(100, 100, 2)

    def scene(x: int) -> np.ndarray:
        frame = background.copy()
        frame[70:170, x : x + 100] = square
        return frame

    frames = {name: between(name, scene(50), scene(66), [0.5])[0] for name in MAKING}
    assert psnr(frames["flow"], scene(58)) > psnr(frames["linear"], scene(58)) + 8


@pytest.mark.parametrize("name", MAKING)
def test_time_reversed_is_the_same_video(name):
    frame0, frame1 = pan(61, 75, 3, -5, [0, 1])
    ahead = between(name, frame0, frame1, EIGHTFOLD)
    back = between(name, frame1, frame0, EIGHTFOLD)
    for frame, other in zip(ahead, reversed(back), strict=True):
        assert distance(frame, other).max() <= 1


@pytest.mark.parametrize("name", MAKING)
def test_near_the_ends_lie_the_frames_themselves(name):
    frame0, frame1 = pan(61, 75, 3, -5, [0, 1])
    first, last = between(name, frame0, frame1, [1e-4, 1 - 1e-4])
    assert np.array_equal(first, frame0)
    assert np.array_equal(last, frame1)


def test_linear_rounds_the_fade_to_the_nearest_level():
    levels = np.arange(256, dtype=np.uint8)
    frame0, frame1 = (np.repeat(a[..., None], 3, axis=2) for a in np.meshgrid(levels, levels))
    for t, frame in zip(EIGHTFOLD, between("linear", frame0, frame1, EIGHTFOLD), strict=True):
        exact = (1 - t) * frame0 + t * frame1
        assert np.abs(frame - exact).max() <= 0.5


@pytest.mark.parametrize("name", MAKING)
@pytest.mark.parametrize("size", [(61, 75), (16, 16), (16, 75), (75, 17)])
def test_a_frame_of_any_size_comes_back_whole_new_and_contiguous(name, size):
    frame0, frame1 = texture(*size, seed=1), texture(*size, seed=2)
    originals = frame0.copy(), frame1.copy()
    frames = between(name, frame0, frame1, EIGHTFOLD)
    assert len(frames) == 7
    for frame in frames:
        assert frame.shape == (*size, 3)
        assert frame.dtype == np.uint8
        assert frame.flags.c_contiguous
    arrays = [frame0, frame1, *frames]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])
    assert np.array_equal(frame0, originals[0])
    assert np.array_equal(frame1, originals[1])


@pytest.mark.parametrize("name", MAKING)
def test_views_and_read_only_frames_give_the_same_bits(name):
    frame0, frame1 = texture(61, 75, 1), texture(61, 75, 2)
    expected = between(name, frame0, frame1, [0.3])[0]
    as_view = np.flip(np.flip(frame0, 1).copy(), 1)
    frame1.setflags(write=False)
    assert np.array_equal(between(name, as_view, frame1, [0.3])[0], expected)


@pytest.mark.parametrize("name", MAKING)
def test_a_frame_depends_on_nothing_but_its_pair_and_time(name):
    pair, other = pan(61, 75, 3, -5, [0, 1]), pan(45, 91, 0, 9, [0, 1])
    interpolator = make_interpolator(name)
    expected = list(interpolator.between(*pair, EIGHTFOLD))
    list(interpolator.between(*other, [0.5]))
    backwards = list(interpolator.between(*pair, EIGHTFOLD[::-1]))
    alone = [between(name, *pair, [t])[0] for t in EIGHTFOLD]
    assert np.array_equal(expected, backwards[::-1])
    assert np.array_equal(expected, alone)
    many = [i / 21 for i in range(1, 21)]
    for t, frame in zip(many, interpolator.between(*pair, many), strict=True):
        assert np.array_equal(frame, between(name, *pair, [t])[0])


def test_a_frame_is_prepared_once_for_both_its_pairs_and_looked_at_again_when_it_changes(monkeypatch):
    prepared = []

    def counted(frame, prepare=flow._prepare):
        prepared.append(frame.copy())
        return prepare(frame)

    monkeypatch.setattr(flow, "_prepare", counted)
    frames = [frame.copy() for frame in pan(61, 75, 3, -6, [0, 1 / 3, 2 / 3, 1])]
    interpolator = make_interpolator("flow")
    for frame0, frame1 in pairwise(frames[:3]):
        made = list(interpolator.between(frame0, frame1, EIGHTFOLD))
        assert np.array_equal(made, between("flow", frame0, frame1, EIGHTFOLD))
    del prepared[:]
    list(interpolator.between(*frames[2:], EIGHTFOLD))
    assert np.array_equal(prepared, frames[3:])
    frames[3][:] = frames[0]
    made = list(interpolator.between(frames[3], frames[1], EIGHTFOLD))
    assert np.array_equal(made, between("flow", *frames[:2], EIGHTFOLD))


def test_flow_is_estimated_once_each_way_and_scale_and_only_when_frames_are_asked_for(monkeypatch):
    calls = []

    def counted(*arguments, estimate=flow.optical_flow):
        calls.append(arguments)
        return estimate(*arguments)

    monkeypatch.setattr(flow, "optical_flow", counted)
    pair = pan(61, 75, 3, -5, [0, 1])
    assert between("flow", *pair, []) == []
    assert calls == []
    with thread_limit(1):
        assert len(between("flow", *pair, EIGHTFOLD)) == 7
    assert len(calls) == 4
    grey = cv2.cvtColor(pair[0], cv2.COLOR_RGB2GRAY)
    for small, image in (
        (calls[0][0][0], cv2.resize(grey, (37, 30), interpolation=cv2.INTER_AREA)),
        (calls[1][0][0], cv2.resize(flow.edge_strength(grey), (18, 16), interpolation=cv2.INTER_AREA)),
    ):
        assert np.array_equal(small[0, 16:-16, 16:-16], image)
    for ahead, back in (calls[::2], calls[1::2]):
        assert ahead[0] is back[1]
        assert ahead[1] is back[0]


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_change_no_bit(threads):
    pair = pan(361, 1235, 3, -5, [0, 1])
    with thread_limit(1):
        expected = between("flow", *pair, EIGHTFOLD)
    with thread_limit(threads):
        assert np.array_equal(between("flow", *pair, EIGHTFOLD), expected)


@pytest.fixture
def opencv():
    """cv2, whose settings for the process and the thread are put back."""
    threads, ipp = cv2.getNumThreads(), cv2.ipp.useIPP()
    yield cv2
    cv2.setNumThreads(threads)
    cv2.ipp.setUseIPP(ipp)


def test_settings_of_opencv_change_no_bit_and_are_left_alone(opencv):
    pair = pan(361, 475, 3, -5, [0, 1])
    frames = []
    for threads in (1, 2, 5):
        for ipp in (False, True):
            opencv.setNumThreads(threads)
            opencv.ipp.setUseIPP(ipp)
            before = opencv.getNumThreads(), opencv.ipp.useIPP()
            frames.append(between("flow", *pair, [0.5])[0])
            assert (opencv.getNumThreads(), opencv.ipp.useIPP()) == before
    assert all(np.array_equal(frame, frames[0]) for frame in frames)


def test_settings_of_opencv_are_put_back_after_an_error(opencv):
    opencv.ipp.setUseIPP(True)
    before = opencv.ipp.useIPP()
    with pytest.raises(KeyError), without_ipp():
        raise KeyError
    assert opencv.ipp.useIPP() == before


def digest() -> str:
    """Fingerprint of the frames between two with all kinds of motion."""
    frame0, frame1 = texture(181, 235, 1), texture(181, 235, 2)
    frame1[60:] = np.roll(frame0, 5, axis=1)[60:]
    return hashlib.sha256(np.stack(between("flow", frame0, frame1, EIGHTFOLD)).tobytes()).hexdigest()


@pytest.mark.long
def test_an_older_processor_gives_the_same_bits():
    older = {"NUMBA_CPU_NAME": "generic", "OPENCV_CPU_DISABLE": "AVX2", "OPENCV_IPP": "sse42"}
    code = "import test_interpolation; print(test_interpolation.digest())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parent,
        env=os.environ | older,
    )
    assert run.stdout.strip() == digest()


def test_none_makes_nothing():
    dense = make_interpolator("none")
    frame = texture(17, 19)
    assert dense.dense
    assert list(dense.between(frame, frame, [])) == []
    with pytest.raises(InvalidValueError, match="makes none between"):
        dense.between(frame, frame, [0.5])


def test_descriptions_are_json_and_tell_interpolators_apart():
    texts = [json.dumps(make_interpolator(name).describe()) for name in ("flow", "linear", "none", "flow")]
    assert [json.loads(text)["name"] for text in texts] == ["flow", "linear", "none", "flow"]
    assert texts[0] == texts[3]
    assert [make_interpolator(name).dense for name in MAKING] == [False, False]


GOOD = texture(17, 19)


@pytest.mark.parametrize("name", ["flow", "linear", "none"])
@pytest.mark.parametrize(
    ("frame0", "frame1", "times", "message"),
    [
        (GOOD, GOOD[:, 1:], [], "one size, got 17×19 and 17×18"),
        (GOOD.astype(np.float32), GOOD, [], "frame0 must be an RGB frame.* got float32"),
        (GOOD, GOOD[..., 0], [], r"frame1 must be an RGB frame.* got uint8 \(17, 19\)"),
        (GOOD, np.dstack([GOOD, GOOD[..., :1]]), [], r"frame1 must be .* got uint8 \(17, 19, 4\)"),
        (GOOD.tolist(), GOOD, [], "frame0 must be .* got list"),
        *[(GOOD, GOOD, [0.5, t], f"between 0 and 1, got {t}") for t in (0.0, 1.0, -0.25, 1.5)],
        (GOOD, GOOD, [0.5, float("nan")], "a time must be a finite number, got nan"),
    ],
)
def test_bad_requests_are_refused_by_the_call_itself(name, frame0, frame1, times, message):
    with pytest.raises(InvalidValueError, match=message):
        make_interpolator(name).between(frame0, frame1, times)


@pytest.mark.parametrize("size", [(15, 75), (75, 15), (1, 1)])
def test_frames_too_small_for_flow_are_refused_and_linear_takes_them(size):
    frame = texture(*size)
    with pytest.raises(InvalidValueError, match=f"at least 16×16 pixels, got {size[0]}×{size[1]}; use .* 'linear'"):
        make_interpolator("flow").between(frame, frame, [0.5])
    assert np.array_equal(between("linear", frame, frame, [0.5])[0], frame)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("slomo",), r"one of flow, linear, none, rife, xvfi, torchscript:MODEL\.pt, got 'slomo'"),
        (("flow", "rife.safetensors"), "'flow' has no weights, got weights 'rife.safetensors'; leave weights out"),
        (("linear", Path("a.pth")), "'linear' has no weights, got weights 'a.pth'; leave weights out"),
        (("flow", None, "gpu"), "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'gpu'"),
        (("flow", None, "cuda"), "'flow' runs on the CPU only"),
        (("none", None, "cpu", 512), "'none' does not work in tiles, got tile 512"),
    ],
)
def test_interpolators_that_do_not_exist_are_refused(arguments, message):
    with pytest.raises(InvalidValueError, match=message):
        make_interpolator(*arguments)


def test_flow_takes_the_device_it_runs_on():
    assert make_interpolator("flow", device="cpu").describe() == make_interpolator("flow").describe()


@pytest.mark.recordings
@pytest.mark.parametrize("clip", ["cups", "coffee", "cockatoo"])
def test_on_real_video_flow_beats_fading_and_plain_motion_compensation(shared, clip):
    spec = util.spec_from_file_location("benchmark", Path(__file__).parents[1] / "benchmarks" / "interpolation.py")
    benchmark = util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    scores = []
    for before, middle, after in islice(
        benchmark.triples(open_clips([shared / "data" / "clips" / f"{clip}.mp4"])[0]), 3
    ):
        made = [*(between(name, before, after, [0.5])[0] for name in MAKING), *benchmark.plain(before, after, [0.5])]
        scores.append([psnr(frame, middle) for frame in made])
    with_flow, faded, plain = np.mean(scores, axis=0)
    assert with_flow >= faded + 4
    assert with_flow >= plain + 0.3
