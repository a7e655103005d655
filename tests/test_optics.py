"""From frames to light and to blur, held against OpenCV and against sums of whole numbers."""

from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikesim.errors import InvalidValueError
from spikesim_datasets.optics import Optics, Ratio, planes
from spikesim_datasets.response import GAMMA, LINEAR, Response, Sigmoid

RATIOS = get_args(Ratio)
RESPONSES = [LINEAR, GAMMA, Response("srgb"), Response("sigmoid", Sigmoid(6.0, 0.4))]
INTERPOLATIONS = {"bilinear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def luma(frame: np.ndarray) -> np.ndarray:
    return frame @ np.array([0.30, 0.59, 0.11]) / 255


def blur(frames: list[np.ndarray], linear_light: bool = False) -> np.ndarray:
    exposure = Optics(response=GAMMA if linear_light else LINEAR).exposure()
    for frame in frames:
        exposure.add(frame)
    return exposure.blur()


@pytest.mark.parametrize("downscale", INTERPOLATIONS)
@pytest.mark.parametrize("ratio", RATIOS)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), seed=st.integers(0, 99))
def test_light_is_what_opencv_makes_of_the_luma(downscale, ratio, rows, columns, seed):
    frame = noise(ratio * rows, ratio * columns, seed)
    light = Optics(downscale, ratio=ratio).light(frame)
    expected = cv2.resize(luma(frame).astype(np.float32), (columns, rows), interpolation=INTERPOLATIONS[downscale])
    assert light.dtype == np.float32
    np.testing.assert_allclose(light, expected.reshape(rows, columns), rtol=0, atol=1e-5)


def test_bilinear_light_does_not_see_the_rim_of_a_block_and_area_light_does():
    frame = np.zeros((12, 20, 3), np.uint8)
    inner = frame.copy()
    for block in (frame, inner):
        block.reshape(3, 4, 5, 4, 3)[:, 1:3, :, 1:3] = 100
    frame.reshape(3, 4, 5, 4, 3)[:, 0] = 255
    frame.reshape(3, 4, 5, 4, 3)[:, :, :, 3] = 255
    assert np.array_equal(Optics("bilinear").light(frame), Optics("bilinear").light(inner))
    assert (Optics("area").light(frame) > Optics("area").light(inner)).all()


def test_light_without_downscaling_is_the_luma_at_any_size():
    frame = noise(37, 31)
    np.testing.assert_allclose(Optics(ratio=1).light(frame), luma(frame), rtol=0, atol=1e-7)


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("downscale", INTERPOLATIONS)
@pytest.mark.parametrize("ratio", RATIOS)
def test_white_is_exactly_one_black_exactly_zero_and_all_else_between(downscale, ratio, response):
    optics = Optics(downscale, response, ratio)
    assert (optics.light(np.full((8, 24, 3), 255, np.uint8)) == 1).all()
    assert (optics.light(np.zeros((8, 24, 3), np.uint8)) == 0).all()
    light = optics.light(np.where(noise(40, 48) > 127, np.uint8(255), np.uint8(0)))
    assert light.min() >= 0
    assert light.max() <= 1


def test_linear_light_decodes_each_code_before_any_mean():
    frame = np.zeros((4, 8, 3), np.uint8)
    frame[:, ::2] = 255
    assert Optics("area", response="gamma2.2").light(frame) == pytest.approx(0.5)
    frame[:] = 186
    assert Optics(response="gamma2.2").light(frame) == pytest.approx((186 / 255) ** 2.2)


def test_light_does_not_depend_on_how_a_frame_lies_in_memory():
    frame = noise(36, 44)
    assert np.array_equal(Optics().light(np.asfortranarray(frame)), Optics().light(frame))
    assert np.array_equal(Optics().light(frame[::-1, ::-1]), Optics().light(frame[::-1, ::-1].copy()))


@pytest.mark.parametrize("size", [(37, 44), (36, 46), (2, 4)])
@pytest.mark.parametrize("downscale", INTERPOLATIONS)
def test_a_frame_whose_sides_are_no_multiples_is_refused(downscale, size):
    with pytest.raises(InvalidValueError, match=f"the frame is {size[1]}×{size[0]}; both must be multiples of 4"):
        Optics(downscale).light(noise(*size))


def test_an_unknown_downscale_is_refused_with_the_known_ones():
    with pytest.raises(InvalidValueError, match="'bilinear', 'area', got 'bicubic'"):
        Optics("bicubic")


@pytest.mark.parametrize("ratio", [0, 3, 16, 4.5, "4", True])
def test_an_unknown_ratio_is_refused(ratio):
    with pytest.raises(InvalidValueError, match="ratio must be"):
        Optics(ratio=ratio)


@pytest.mark.parametrize("count", [1, 13, 97])
def test_blur_is_the_rounded_mean_exactly(count):
    frames = [noise(37, 31, seed) for seed in range(count)]
    mean = np.mean(np.array(frames, np.float64), axis=0)
    assert np.array_equal(blur(frames), np.rint(mean))  # an odd number of whole numbers has no mean of n + ½


def test_blur_of_an_even_number_of_frames_is_as_near_as_a_whole_number_can_be():
    frames = [noise(37, 31, seed) for seed in range(8)]
    assert np.abs(blur(frames) - np.mean(np.array(frames, np.float64), axis=0)).max() <= 0.5


def test_many_white_frames_do_not_overflow():
    assert (blur([np.full((5, 7, 3), 255, np.uint8)] * 1000) == 255).all()


def test_an_exposure_keeps_nothing_of_the_frames_it_was_given():
    exposure, frame = Optics().exposure(), noise(37, 31)
    before = frame.copy()
    exposure.add(frame)
    frame[:] = 0
    assert np.array_equal(exposure.blur(), before)


def test_an_exposure_takes_frames_however_they_lie_in_memory():
    frames = np.random.default_rng(0).integers(0, 256, (3, 8, 12, 3), np.uint8)
    exposure, other = Optics().exposure(), Optics().exposure()
    for frame in frames:
        exposure.add(frame)
        other.add(np.asfortranarray(frame)[::-1][:, ::-1])
    assert np.array_equal(other.blur()[::-1, ::-1], exposure.blur())


def test_exposures_of_the_same_optics_are_independent():
    optics = Optics()
    first, second = optics.exposure(), optics.exposure()
    first.add(noise(5, 7, 1))
    second.add(noise(5, 7, 2))
    assert np.array_equal(first.blur(), noise(5, 7, 1))
    assert np.array_equal(second.blur(), noise(5, 7, 2))


def test_linear_light_blur_is_the_encoded_mean_of_decoded_frames():
    frames = [noise(37, 31, seed) for seed in range(97)]
    mean = np.mean([(frame / 255) ** 2.2 for frame in frames], axis=0) ** (1 / 2.2) * 255
    assert np.abs(blur(frames, linear_light=True) - mean).max() <= 0.5 + 1e-3
    assert (blur(frames, linear_light=True) > blur(frames)).all()


def test_black_and_white_average_to_186_in_linear_light_and_128_as_coded():
    frames = [np.full((5, 7, 3), code, np.uint8) for code in (0, 255)]
    assert (blur(frames, linear_light=True) == 186).all()
    assert (blur(frames) == 128).all()


def test_a_still_scene_has_no_blur_at_any_code_even_in_linear_light():
    codes = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(blur([codes] * 97, linear_light=True), codes)


@pytest.mark.parametrize("some", [(), (2,), (2, 3)])
@pytest.mark.parametrize("step", [1, -1])
def test_planes_are_the_codes_over_255(some, step):
    images = np.resize(np.arange(256, dtype=np.uint8), (*some, 13, 21, 3))[..., ::step, :, :]
    values = planes(images)
    assert (values.dtype, values.shape) == (np.float32, (*some, 3, 13, 21))
    assert np.array_equal(np.moveaxis(values, -3, -1), (images / 255).astype(np.float32))


def test_no_image_has_no_planes():
    assert planes(np.empty((0, 5, 7, 3), np.uint8)).shape == (0, 3, 5, 7)
