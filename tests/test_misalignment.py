"""What lies between the two cameras of a pair: a map with its inverse, a time, a gain."""

from dataclasses import replace
from typing import get_args

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikesim.errors import InvalidValueError
from spikesim_datasets.alignment import Alignment
from spikesim_datasets.misalignment import IDENTITY, VALUES, Misalignment, seen, share_past, undo
from spikesim_datasets.optics import Optics, Ratio
from spikesim_datasets.response import GAMMA
from spikesim_datasets.rig import Rig

RATIOS = get_args(Ratio)
HEIGHT, WIDTH = 144, 232
WIDE = Rig(shift=0.01, corners=0.004, parallax=0.03, offset=4, gain=1.5, per="sample")
MISALIGNMENTS = st.builds(lambda window: WIDE.draw("train/a", window, 7, HEIGHT, WIDTH), st.integers(0, 2**31))


def shifted(right: float, down: float) -> Misalignment:
    return Misalignment(((1, 0, right), (0, 1, down), (0, 0, 1)))


def noise(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def smooth() -> np.ndarray:
    """A frame of waves that are many pixels long, which linear interpolation keeps."""
    y, x, colour = np.ogrid[:HEIGHT, :WIDTH, :3]
    return (100 + 50 * np.sin((x + 9 * colour) / 17) + 45 * np.cos(y / 13 + x / 40)).astype(np.uint8)


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("downscale", ["bilinear", "area"])
@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, -2), (-1, 5), (0, 8)])
def test_light_of_a_view_aside_by_whole_pixels_is_that_of_the_frame_moved_so(
    ratio: Ratio, downscale: str, right: int, down: int
) -> None:
    frame, optics = noise(), Optics(downscale, ratio=ratio)  # type: ignore[arg-type]
    gained = replace(shifted(right, down), gain=0.75)  # which keeps the identity from being the plain way
    moved = np.roll(frame, (down, right), (0, 1))
    inside = slice(1, -1) if ratio == 8 else slice(9 // ratio + 1, -(9 // ratio) - 1)
    light, expected = optics.light(frame, gained), 0.75 * optics.light(moved)
    np.testing.assert_allclose(light[inside, inside], expected[inside, inside], rtol=0, atol=1e-6)


@pytest.mark.parametrize("ratio", [1, 4])
def test_past_the_frame_lies_its_rim(ratio: Ratio) -> None:
    frame = noise()
    frame[:, :8], frame[:8] = frame[:, :1], frame[:1]
    light = Optics(ratio=ratio).light(frame, shifted(6, 0))
    rim = Optics(ratio=ratio).light(np.repeat(frame[:, :1], WIDTH, 1))
    np.testing.assert_allclose(light[:, : 6 // ratio], rim[:, : 6 // ratio], rtol=0, atol=1e-6)


def test_half_a_pixel_aside_is_the_mean_of_neighbours() -> None:
    frame = noise()
    light, plain = Optics(ratio=1).light(frame, shifted(0.5, 0)), Optics(ratio=1).light(frame)
    np.testing.assert_allclose(light[:, 1:], (plain[:, 1:] + plain[:, :-1]) / 2, rtol=0, atol=1e-6)


@given(misalignment=MISALIGNMENTS)
def test_the_recorded_inverse_leads_back(misalignment: Misalignment) -> None:
    """What a spike pixel looks at is laid back on that pixel, by the map of every pixel of the image."""
    there = misalignment.alignment(HEIGHT, WIDTH, 1)
    looks_at = misalignment.gaze(HEIGHT, WIDTH, 1) + np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), -1)
    back = cv2.remap(there, looks_at.astype(np.float32), None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    left = back + misalignment.gaze(HEIGHT, WIDTH, 1)
    inside = (looks_at >= 2).all(-1) & (looks_at[..., 0] <= WIDTH - 3) & (looks_at[..., 1] <= HEIGHT - 3)
    assert inside.mean() > 0.7
    assert np.abs(left[inside]).max() < 0.05  # remap takes places to 1/32 of a pixel


@given(misalignment=MISALIGNMENTS)
def test_without_parallax_it_is_the_homography(misalignment: Misalignment) -> None:
    flat = replace(misalignment, parallax=0.0)
    places = np.array([[[1.5, 1.5], [101.5, 49.5], [229.5, 141.5]]])
    moved = cv2.perspectiveTransform(places, np.array(flat.homography)) - places
    found = flat.alignment(HEIGHT, WIDTH, 4)[[0, 12, 35], [0, 25, 57]]
    np.testing.assert_allclose(found, moved[0], atol=1e-4)
    frame = smooth()
    warped = Alignment(flat.homography).warp(frame, HEIGHT, WIDTH)
    here = Optics(ratio=1).light(frame, flat) / flat.gain
    whole = seen(flat.alignment(HEIGHT, WIDTH, 1), 1)[2:-2, 2:-2] & (here[2:-2, 2:-2] < 0.99 / flat.gain)
    assert np.abs(here - Optics(ratio=1).light(warped))[2:-2, 2:-2][whole].max() < 2 / 255


@pytest.mark.parametrize("ratio", RATIOS)
@given(misalignment=MISALIGNMENTS)
def test_undone_by_its_inverse_the_light_is_the_aligned_one(ratio: Ratio, misalignment: Misalignment) -> None:
    frame, optics = smooth(), Optics("area", ratio=ratio)
    dim = replace(misalignment, gain=min(1.0, misalignment.gain))  # bright light is cut
    aligned, light = optics.light(frame), optics.light(frame, dim)
    alignment = dim.alignment(HEIGHT, WIDTH, ratio)
    back, visible = undo(light, alignment, ratio) / dim.gain, seen(alignment, ratio)
    # Two linear interpolations of waves: their steepest bend times the square of the distance of samples, over 8.
    bend = (50 / 17**2 + 45 / 13**2 + 45 / 40**2) / 255
    assert np.abs(back - aligned)[visible].max() < 2 * bend * (1 + ratio**2) / 8 + 1.5 / 255
    assert visible.mean() > 0.8


@given(misalignment=MISALIGNMENTS)
def test_numbers_say_all_of_it(misalignment: Misalignment) -> None:
    values = misalignment.values
    assert values.shape == (len(VALUES),)
    assert Misalignment.of_values(values) == misalignment
    assert dict(zip(VALUES, values.tolist(), strict=True))["offset"] == misalignment.offset


def test_light_is_times_the_gain_and_cut_at_white() -> None:
    frame, optics = noise(), Optics(response=GAMMA)
    plain, bright = optics.light(frame), optics.light(frame, Misalignment(gain=2.0))
    np.testing.assert_allclose(bright, np.minimum(1, 2 * plain), rtol=0, atol=1e-6)
    assert bright.max() == 1


def test_what_sees_the_same_at_another_time_is_not_interpolated() -> None:
    frame = noise()
    assert np.array_equal(Optics().light(frame, Misalignment(offset=3)), Optics().light(frame))
    assert not replace(Misalignment(), gain=1.1).sees_the_same


def test_which_blocks_are_seen() -> None:
    aside = shifted(8, -4).alignment(40, 60, 4)
    visible = seen(aside, 4)
    assert visible.shape == (10, 15)
    assert visible[1:, :-2].all()
    assert not visible[0].any()
    assert not visible[:, -2:].any()


def test_a_share_of_the_spike_camera_looks_past_the_image() -> None:
    assert share_past(IDENTITY, 72, 120) == 0
    half = share_past(((1, 0, 60.5), (0, 1, 0), (0, 0, 1)), 72, 120)
    assert half == pytest.approx(0.5, abs=0.05)
    assert share_past(((1, 0, 0), (0, 1, -200), (0, 0, 1)), 72, 120) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parallax": 10.0, "edge_width": 39.0}, "at most 0.25 of edge_width, 39 pixels, got 10; take a wider edge"),
        ({"edge_width": 0.0}, r"edge_width must be a positive finite number, got 0\.0"),
        ({"gain": -1.0}, r"gain must be a positive finite number, got -1\.0"),
        ({"offset": 1.5}, "offset must be a whole number of readouts"),
        ({"edge_x": float("nan")}, "edge_x"),
        ({"homography": ((1, 0, 0), (0, 1, 0), (0, 0, 0))}, "must have an inverse"),
        ({"homography": ((1, 0), (0, 1))}, "must be a 3×3 matrix"),
    ],
)
def test_what_is_no_misalignment_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        Misalignment(**changes)  # type: ignore[arg-type]


def test_numbers_that_are_none_are_refused() -> None:
    values = Misalignment().values
    for wrong in (values[:-1], values * np.nan, values.astype(complex), values[None]):
        with pytest.raises(InvalidValueError, match="values must be 16 finite numbers, homography_00, "):
            Misalignment.of_values(wrong)
    values[VALUES.index("offset")] = 0.5
    with pytest.raises(InvalidValueError, match=r"whole number of readouts, got 0\.5"):
        Misalignment.of_values(values)


def test_a_horizon_in_the_image_is_refused() -> None:
    tilted = Misalignment(((1, 0, 0), (0, 1, 0), (0.01, 0, -1)))
    for make in (tilted.alignment, tilted.gaze):
        with pytest.raises(InvalidValueError, match="the horizon of the homography lies in the image"):
            make(72, 200, 4)


def test_a_map_that_cannot_be_turned_round_is_refused() -> None:
    stretched = Misalignment(((8.0, 0, 0), (0, 1, 0), (0, 0, 1)), 10.0, 12.0, edge_width=40.0)
    assert np.isfinite(stretched.gaze(72, 120, 4)).all()
    narrowed = replace(stretched, homography=((0.1, 0, 0), (0, 1, 0), (0, 0, 1)))
    with pytest.raises(InvalidValueError, match="cannot be turned round; take less parallax"):
        narrowed.gaze(72, 120, 4)


def test_what_cannot_be_undone_is_refused() -> None:
    alignment = Misalignment().alignment(40, 64, 4)
    with pytest.raises(InvalidValueError, match=r"image must be floating-point numbers \(10, 16\)"):
        undo(np.zeros((16, 10), np.float32), alignment, 4)
    with pytest.raises(InvalidValueError, match=r"image must be floating-point numbers"):
        undo(np.zeros((10, 16), np.uint8), alignment, 4)
    for wrong in (alignment[0], alignment.astype(int), alignment[..., :1]):
        with pytest.raises(InvalidValueError, match="alignment must be floating-point numbers"):
            seen(wrong, 4)
    with pytest.raises(InvalidValueError, match="ratio"):
        seen(alignment, 0)
