"""How good interpolators are on a clip: the measures, and which frames are compared."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wave_clips import HEIGHT, WIDTH, WaveClip, scene, two_scenes

from spikesim.errors import InvalidValueError
from spikesim_datasets.comparison import compare, psnr, specs_to_compare, ssim, triples
from spikesim_datasets.interpolation import InterpolatorSpec, make_interpolator
from spikesim_datasets.progress import Progress

LINEAR = [make_interpolator("linear")]

# Measures


def test_psnr_of_known_errors(rng: np.random.Generator) -> None:
    truth = rng.integers(16, 200, (HEIGHT, WIDTH, 3), np.uint8)
    assert psnr(truth, truth) == 100
    for error, decibels in ((1, 48.1308), (16, 24.0484)):
        assert psnr(truth + np.uint8(error), truth) == psnr(truth - np.uint8(error), truth)
        assert psnr(truth + np.uint8(error), truth) == pytest.approx(decibels, abs=1e-4)
    assert psnr(np.zeros_like(truth), np.full_like(truth, 255)) == pytest.approx(0, abs=1e-9)
    one = truth.copy()
    one[3, 4, 1] += 1
    assert 48.14 < psnr(one, truth) < 100


def test_ssim_of_equal_frames_is_one_and_of_others_less(rng: np.random.Generator) -> None:
    truth = scene(0, 40, 60)
    assert ssim(truth, truth) == pytest.approx(1, abs=1e-9)
    levels = [ssim(np.clip(truth + rng.normal(0, sigma, truth.shape), 0, 255).astype(np.uint8), truth)
              for sigma in (2, 5, 15, 40)]  # fmt: skip
    assert 1 > levels[0] > levels[1] > levels[2] > levels[3] > 0
    assert ssim(255 - truth, truth) < 0
    assert ssim(scene(5, 40, 60), truth) == pytest.approx(ssim(truth, scene(5, 40, 60)), abs=1e-9)


@given(st.integers(0, 255), st.integers(0, 255))
def test_ssim_of_flat_frames_compares_their_intensity_alone(a: int, b: int) -> None:
    frames = [np.full((11, 13, 3), value, np.uint8) for value in (a, b)]
    assert ssim(*frames) == pytest.approx((2 * a * b + 6.5025) / (a * a + b * b + 6.5025), abs=1e-9)


def test_ssim_sees_nothing_outside_its_windows_and_weighs_the_middle_most() -> None:
    flat = np.full((11, 11, 3), 100, np.uint8)
    values = []
    for y, x in ((5, 5), (5, 0), (0, 0)):
        spot = flat.copy()
        spot[y, x] = 140
        values.append(ssim(spot, flat))
    assert values[0] < values[1] < values[2] < 1
    with pytest.raises(InvalidValueError, match="SSIM needs frames of at least 11×11 pixels, got 13×10"):
        ssim(np.zeros((10, 13, 3), np.uint8), np.zeros((10, 13, 3), np.uint8))


# Comparing


@pytest.mark.parametrize(
    ("frames", "every", "found"),
    [
        (3, None, [0]),
        (22, None, [0, 14]),
        (23, None, [20]),
        (300, None, list(range(20, 298, 14))),
        (10, 4, [0, 4]),
        (29, 3, [20, 23, 26]),
    ],
)
def test_which_triples(frames: int, every: int | None, found: list[int]) -> None:
    assert list(triples(WaveClip(n_frames=frames), every)) == found


@given(st.integers(3, 100_000))
def test_long_clips_have_no_more_triples(frames: int) -> None:
    starts = triples(WaveClip(n_frames=frames))
    assert 1 <= len(starts) <= 25
    assert starts[-1] + 3 <= frames
    if frames > 700:
        assert len(starts) >= 20
        assert starts[-1] + 2 * starts.step >= frames - 2  # up to the end


def test_the_middle_frame_is_compared_with_what_is_made_of_its_neighbours() -> None:
    clip = WaveClip(n_frames=12)
    told: list[Progress] = []
    result = compare(clip, [make_interpolator("flow"), *LINEAR], every=4, on_progress=told.append)
    assert (result.clip, result.triples, result.cuts) == ("train/wave", 3, 0)
    assert clip.read == [0, 1, 2, 4, 5, 6, 8, 9, 10]
    assert told == [Progress(0, 3), *(Progress(done, 3, "train/wave") for done in (1, 2, 3))]
    flow, linear = result.scores
    assert (flow.interpolator, linear.interpolator) == ("flow", "linear")
    made = [np.rint((scene(i).astype(float) + scene(i + 2)) / 2) for i in (0, 4, 8)]
    psnrs = [10 * np.log10(255**2 / np.mean((frame - scene(i)) ** 2)) for i, frame in zip((1, 5, 9), made, strict=True)]
    assert linear.psnr == pytest.approx(np.mean(psnrs), abs=0.1)
    assert linear.least_psnr == pytest.approx(min(psnrs), abs=0.1)
    assert linear.least_psnr < linear.psnr
    assert linear.least_ssim < linear.ssim < 1
    assert flow.psnr > linear.psnr
    assert flow.seconds > 0


def test_what_is_made_exactly_is_best() -> None:
    fade = WaveClip(n_frames=12, images=lambda n, h, w: scene(0, h, w) // 2 + np.uint8(2 * n))
    (score,) = compare(fade, LINEAR, every=1).scores
    assert (score.psnr, score.least_psnr) == (100, 100)
    assert score.ssim == pytest.approx(1, abs=1e-9)


def test_triples_across_cuts_are_left_out_and_counted() -> None:
    clip = WaveClip(n_frames=9, height=96, width=160, images=two_scenes)
    result = compare(clip, LINEAR, every=1)
    assert (result.triples, result.cuts) == (5, 2)
    assert result.scores[0].least_psnr == 100
    alone = compare(replace(clip, n_frames=5), LINEAR, every=2)
    assert (alone.triples, alone.cuts) == (1, 1)
    changing = replace(clip, n_frames=3, images=lambda n, h, w: two_scenes(4 * (n == 2), h, w))
    nothing = compare(changing, LINEAR)
    assert (nothing.triples, nothing.cuts, nothing.scores) == (0, 1, ())


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="three frames make a triple to compare, but train/wave has 2"):
        compare(WaveClip(n_frames=2), LINEAR)
    with pytest.raises(InvalidValueError, match="every must be a whole number of at least 1 frames"):
        compare(WaveClip(), LINEAR, every=0)
    with pytest.raises(InvalidValueError, match="'none' makes no frames to compare"):
        compare(WaveClip(), [make_interpolator("none")])
    with pytest.raises(InvalidValueError, match="SSIM needs frames of at least 11×11"):
        compare(WaveClip(height=10), LINEAR)


def test_what_networks_know_is_for_networks() -> None:
    options: dict[str, Any] = {"weights": "flownet.pkl", "device": "cuda:1", "tile": 128, "precision": "float16"}
    assert specs_to_compare(["flow", "rife", "linear"], **options) == [
        InterpolatorSpec("flow"), InterpolatorSpec("rife", **options), InterpolatorSpec("linear"),
    ]  # fmt: skip
    several = specs_to_compare(["rife", "xvfi"], device="cpu", tile=64)
    assert several == [InterpolatorSpec(name, device="cpu", tile=64) for name in ("rife", "xvfi")]
    with pytest.raises(InvalidValueError, match=r"got flownet\.pkl for rife, xvfi; .*\$SPIKESIM_WEIGHTS"):
        specs_to_compare(["rife", "flow", "xvfi"], weights="flownet.pkl")


def test_without_networks_nobody_takes_their_options() -> None:
    with pytest.raises(InvalidValueError, match="'flow' has no weights"):
        specs_to_compare(["flow", "linear"], weights="flownet.pkl")
