"""The built-in scenes: the same for everyone, smooth in time, and moving as real video does."""

from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikesim.errors import InvalidValueError
from spikesim_datasets.scenes import SCENES, Scene
from spikesim_datasets.scenes.paint import Canvas, box
from spikesim_datasets.scenes.render import Layer, Shake, place, render, still

TIMES = st.floats(-1e4, 1e4)
every_scene = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())


class StillCamera:
    """A camera on a tripod."""

    def view(self, time, depth):
        return np.eye(3)


def black_backdrop():
    canvas = Canvas.backdrop()
    canvas.fill(box(-200, -200, 2000, 2000), (0, 0, 0))
    return Layer.of(canvas)


def paint_white(rng):
    canvas = Canvas.backdrop()
    canvas.fill(box(-200, -200, 2000, 2000), (255, 255, 255))
    return [Layer.of(canvas)]


def difference(first, second):
    return np.abs(first.astype(int) - second).mean()


def unexplained(scene, height=180, width=320):
    """Share of pixels that still differ after the best affine motion of the whole image over 6 frames is undone."""
    frames = [cv2.cvtColor(scene.frame(t, height, width), cv2.COLOR_RGB2GRAY) for t in (0, 6)]
    first, last = (cv2.GaussianBlur(frame, (0, 0), 1.5) for frame in frames)
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-7)
    _, motion = cv2.findTransformECC(first, last, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, criteria, None, 5)
    undone = cv2.warpAffine(last, motion, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    inner = np.s_[16:-16, 16:-16]
    return (np.abs(undone[inner].astype(int) - first[inner]) > 24).mean()


@pytest.fixture(scope="module", params=SCENES.values(), ids=SCENES.keys())
def painted_again(request):
    """A scene and its layers, painted a second time by one thread."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        return request.param, request.param.paint(np.random.default_rng(request.param.seed))
    finally:
        cv2.setNumThreads(threads)


def test_at_least_three_scenes_under_their_own_names():
    assert len(SCENES) >= 3
    assert all(scene.name == name for name, scene in SCENES.items())


def test_scenes_differ():
    for first, second in combinations(SCENES.values(), 2):
        assert difference(first.frame(0, 72, 128), second.frame(0, 72, 128)) > 25


@every_scene
def test_default_frame_is_720p_with_the_full_range_of_tones(scene):
    frame = scene.frame(6.0)
    assert frame.shape == (720, 1280, 3)
    assert frame.dtype == np.uint8
    darkest, brightest = np.percentile(frame.mean(-1), (1, 99))
    assert darkest < 40
    assert brightest > 225


def test_a_fresh_painting_in_another_order_by_one_thread_gives_the_same_frames(painted_again):
    scene, layers = painted_again
    times = [0.0, 12.5, -3.25, 400.125]
    expected = [scene.frame(t, 100, 180) for t in times]
    fresh = Scene("fresh", scene.seed, lambda rng: layers)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for t, frame in reversed(list(zip(times, expected, strict=True))):
            assert np.array_equal(fresh.frame(t, 100, 180), frame)
    finally:
        cv2.setNumThreads(threads)


@every_scene
def test_other_sizes_asked_before_do_not_matter(scene):
    expected = scene.frame(3.5, 100, 180)
    for size in range(64, 84, 4):  # more sizes than the cache holds
        scene.frame(1.0, size, 2 * size)
    assert np.array_equal(scene.frame(3.5, 100, 180), expected)


@every_scene
def test_writing_into_a_frame_does_not_change_the_next(scene):
    frame = scene.frame(1.0, 72, 128)
    expected = frame.copy()
    frame[:] = 0
    assert np.array_equal(scene.frame(1.0, 72, 128), expected)


def test_the_seed_changes_the_image():
    scene = SCENES["garden"]
    assert difference(replace(scene, seed=99).frame(0, 72, 128), scene.frame(0, 72, 128)) > 5


@every_scene
@settings(max_examples=8, deadline=None)
@given(time=TIMES)
def test_continuous_in_time(scene, time):
    frame = scene.frame(time, 180, 320)
    steps = [difference(scene.frame(time + dt, 180, 320), frame) for dt in (1 / 4, 1 / 16, 1 / 64)]
    assert steps[0] > steps[1] > steps[2]
    assert steps[2] < 0.25


@every_scene
@settings(max_examples=8, deadline=None)
@given(time=TIMES)
def test_no_pixel_jumps(scene, time):
    jump = np.abs(scene.frame(time + 1 / 256, 180, 320).astype(int) - scene.frame(time, 180, 320))
    assert jump.max() <= 8


@every_scene
def test_an_exposure_of_97_readouts_is_blurred(scene):
    mean = np.mean([scene.frame(i / 8, 180, 320).astype(float) for i in range(97)], 0)
    assert np.mean((mean - scene.frame(6.0, 180, 320)) ** 2) > 150  # below 26.4 dB


def test_motion_is_not_of_the_camera_alone(painted_again):
    scene, layers = painted_again
    assert unexplained(scene) > 0.02
    assert unexplained(Scene("planted: the camera alone", scene.seed, lambda rng: layers[:1])) < 0.0005


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), start=TIMES)
def test_shake_moves_several_pixels_in_one_exposure(seed, start):
    shake = Shake(seed)
    centre = np.array([(shake.view(start + i / 4, 1.0) @ (640, 360, 1))[:2] for i in range(49)])
    assert 2.5 < np.hypot(*np.ptp(centre, 0)) < 22
    assert np.abs(np.diff(centre, n=2, axis=0)).max() < 0.02  # smooth: less than 0.32 px a frame²


@every_scene
@settings(max_examples=10, deadline=None)
@given(time=TIMES)
def test_shake_never_shows_the_edge_of_the_backdrop(scene, time):
    assert (Scene("white", scene.seed, paint_white).frame(time, 72, 128) == 255).all()


def test_no_moving_image_is_cut_off_at_its_border(painted_again):
    for layer in painted_again[1]:
        if layer.motion is not still:
            opacity = layer.image[..., 3]
            assert not any(edge.any() for edge in (opacity[0], opacity[-1], opacity[:, 0], opacity[:, -1]))


@every_scene
def test_small_frames_are_the_large_ones_averaged(scene):
    large = cv2.resize(scene.frame(2.5, 360, 640), (160, 90), interpolation=cv2.INTER_AREA)[1:-1]
    small = scene.frame(2.5, 88, 160)
    assert difference(large, small) < 4


@pytest.mark.parametrize(("height", "width"), [(64, 64), (72, 128), (100, 180), (300, 68), (64, 1300)])
def test_any_size_and_aspect_ratio(height, width):
    frame = SCENES["street"].frame(0.3, height, width)
    assert frame.shape == (height, width, 3)
    assert frame.std() > 30


@pytest.mark.parametrize(("height", "width"), [(720, 62), (60, 128), (0, 128), (-64, 128), (722, 1280), (72, 130)])
def test_bad_size(height, width):
    with pytest.raises(InvalidValueError, match="multiple of 4, at least 64, got"):
        SCENES["desk"].frame(0, height, width)


@pytest.mark.parametrize("time", [float("nan"), float("inf"), -float("inf")])
def test_bad_time(time):
    with pytest.raises(InvalidValueError, match="finite number of raw frames"):
        SCENES["desk"].frame(time, 72, 128)


def spot(u, v):
    return np.exp(-(u**2) / 98 - v**2 / 50)


@pytest.fixture(scope="module")
def spot_canvas():
    canvas = Canvas(-30, -24, 30, 24)
    canvas.fill(box(-40, -34, 80, 68), (255, 255, 255))
    canvas.fade(spot)
    return canvas


@settings(max_examples=15, deadline=None)
@given(x=st.floats(50, 1230), y=st.floats(50, 670), angle=st.floats(-3, 3))
def test_sprites_are_drawn_where_they_are(spot_canvas, x, y, angle):
    """A Gaussian spot, elongated and turned, keeps its analytic shape at any sub-pixel place."""
    layers = [black_backdrop(), Layer.of(spot_canvas, lambda time: place(x, y, angle))]
    frame = render(layers, StillCamera(), 0.0, 360, 640)
    dx, dy = 2 * np.arange(640) + 1 - x, (2 * np.arange(360) + 1 - y)[:, None]
    expected = 255 * spot(dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle))
    assert np.abs(frame - expected[..., None]).max() < 3


def test_later_layers_pass_in_front():
    near = Canvas(0, 0, 800, 600)
    near.fill(box(100, 100, 400, 300), (200, 0, 0))
    near.fill(box(300, 100, 400, 300), (0, 200, 0), 0.5)
    frame = render([*paint_white(None), Layer.of(near)], StillCamera(), 0.0, 720, 1280)
    shown = [tuple(frame[200, x].tolist()) for x in (50, 200, 400, 600)]
    assert shown == [(255, 255, 255), (200, 0, 0), (100, 100, 0), (127, 227, 127)]
