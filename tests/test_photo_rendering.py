"""Rendering of photos: exact shifts, means over areas, occlusion and flow, on images and motions that are known."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photo_data import (
    HEIGHT,
    WIDTH,
    composed,
    covering,
    cutout,
    explained,
    noise_photo,
    sheet,
    smooth_photo,
    still,
)

from spikesim_datasets.kernels.texels import OPAQUE
from spikesim_datasets.photos import CUT_PHOTOS, MOST_CUTOUTS, arrange
from spikesim_datasets.photos.composition import Sheet, Tone
from spikesim_datasets.photos.cutouts import lettering, patterned_cutout, photo_cutout
from spikesim_datasets.photos.texture import TEXELS, texture
from spikesim_datasets.photos.trajectories import EXPOSURE_FRAMES, MIDDLE, Wander, bending, camera_motion, own_motion
from spikesim_datasets.scenes.render import place

WHITE = np.full((100, 120, 3), 255, np.uint8)


def shift(dx, dy):
    return lambda time: place(dx * time, dy * time)


def turning(rate, x, y):
    return lambda time: place(x, y, rate * time) @ place(-x, -y)


# Places and colours


@given(dx=st.integers(-40, 40), dy=st.integers(-30, 30))
def test_a_shift_by_whole_pixels_gives_the_frame_shifted(dx, dy):
    composition = composed(sheet(noise_photo(), -50, -40, shift(dx, dy)))
    before, after = composition.frame(0), composition.frame(1)
    rows, columns = slice(max(dy, 0), HEIGHT + min(dy, 0)), slice(max(dx, 0), WIDTH + min(dx, 0))
    first_rows, first_columns = slice(max(-dy, 0), HEIGHT - max(dy, 0)), slice(max(-dx, 0), WIDTH - max(dx, 0))
    assert np.array_equal(after[rows, columns], before[first_rows, first_columns])


@given(dx=st.floats(-3, 3), dy=st.floats(-3, 3))
def test_a_ramp_is_shifted_by_parts_of_a_pixel_exactly(dx, dy):
    y, x = np.mgrid[:120, :120]
    photo = np.repeat((x + y)[..., None], 3, -1).astype(np.uint8)
    frame = composed(sheet(photo, -10, -20, shift(dx, dy))).frame(1)
    expected = np.add.outer(np.arange(HEIGHT) + 20 - dy, np.arange(WIDTH) + 10 - dx)
    assert np.abs(frame - expected[..., None]).max() <= 0.51  # rounded to bytes alone


@pytest.mark.parametrize("pixels", [0.36, 1.0, 1.8])
def test_a_spot_keeps_its_place_and_its_light_at_every_scale(pixels):
    size = round(90 / pixels)
    y, x = np.mgrid[:size, :size] + 0.5
    centre, sigma = 45 / pixels, 6 / pixels
    spot = 250 * np.exp(-((x - centre) ** 2 + (y - centre) ** 2) / (2 * sigma**2))
    photo = np.repeat(np.rint(spot)[..., None], 3, -1).astype(np.uint8)
    frame = composed(sheet(photo, 0.3, -8.8, pixels=pixels)).frame(0)[..., 0].astype(float)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    assert frame.sum() == pytest.approx(250 * 2 * np.pi * 36, rel=0.01)
    assert (frame * columns).sum() / frame.sum() == pytest.approx(45.3, abs=0.02)
    assert (frame * rows).sum() / frame.sum() == pytest.approx(36.2, abs=0.02)


@pytest.mark.parametrize("pixels", [0.4, 1.0, 2.0])
def test_a_moving_edge_covers_its_part_of_every_pixel_it_crosses(pixels):
    """A row's sum grows evenly as the edge moves, and few pixels are neither black nor white."""
    size = round(120 / pixels)
    photo = np.zeros((size, size, 3), np.uint8)
    photo[:, : size // 2] = 255
    for place_of_edge in np.arange(40, 42, 1 / 8):
        row = composed(sheet(photo, place_of_edge - 60, -9, pixels=pixels)).frame(0)[30, :, 0].astype(float)
        assert row.sum() / 255 == pytest.approx(place_of_edge, abs=0.01)
        assert ((row > 2) & (row < 253)).sum() <= (3 if pixels <= 1 else 5)


def test_detail_finer_than_a_pixel_does_not_alias():
    y, x = np.mgrid[:300, :400]
    for photo in (255 * ((x + y) % 2), 255 * (x % 2)):
        frame = composed(sheet(np.repeat(photo[..., None], 3, -1).astype(np.uint8), -5.3, -9.1, pixels=0.4)).frame(0)
        assert np.ptp(frame[..., 0].astype(int)) <= 12  # of 255


def test_sharpness_does_not_change_between_pixels():
    """At 1.7 pixels of noise to a frame pixel, so that all detail of the frame is in it."""
    photo = noise_photo(1, 400, 500)
    spread = [
        composed(sheet(photo, -40 + step / 8, -50 + step / 16, pixels=1 / 1.7)).frame(0).std() for step in range(9)
    ]
    assert np.ptp(spread) / np.mean(spread) < 0.03


@pytest.mark.parametrize(("left", "top"), [(500, 20), (-900, -333), (-20000, 70000)])
def test_beyond_its_border_a_photo_is_mirrored_again_and_again(left, top):
    photo = noise_photo(2, 60, 80)
    mirrored = np.pad(photo, ((60, 120), (80, 160), (0, 0)), "symmetric")
    frame = composed(sheet(photo, left, top)).frame(0)
    x, y = -left % 160, -top % 120
    expected = composed(sheet(mirrored, -80 - x, -60 - y)).frame(0)
    assert np.array_equal(frame, expected)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), time=st.floats(-1e5, 1e5))
def test_nothing_of_a_view_is_ever_black(seed, time):
    rng = np.random.default_rng(seed)
    camera = camera_motion(rng, HEIGHT, WIDTH, HEIGHT / 720)
    white = composed(sheet(WHITE, 0, 0, camera)).frame(time)
    assert (white == 255).all()


# Occlusion


def test_cutouts_cover_what_lies_behind_them_and_nothing_else():
    first, second = cutout((200, 0, 0)), cutout((0, 200, 0), 0.5)
    frame = composed(sheet(WHITE, 0, 0), covering(first, 10, 10), covering(second, 30, 10)).frame(0)
    shown = [tuple(frame[30, x].tolist()) for x in (5, 20, 35, 50)]
    assert shown == [(255, 255, 255), (200, 0, 0), (100, 100, 0), (128, 228, 128)]


@pytest.mark.parametrize(("left", "top"), [(-25, 5), (80, 50), (5, -38), (200, 200), (-400, 0)])
def test_cutouts_may_leave_the_frame(left, top):
    frame = composed(sheet(WHITE, 0, 0), covering(cutout((0, 0, 0)), left, top)).frame(0)
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[max(top + 2, 0) : max(top + 38, 0), max(left + 2, 0) : max(left + 28, 0)] = 0
    assert (np.abs(frame[..., 0].astype(int) - expected) > 130).sum() == 0  # but for half of the pixels of its edge


@given(
    turned=st.floats(0, 6.3),
    tilt=st.tuples(st.floats(-0.02, 0.02), st.floats(-0.02, 0.02)),
    middle=st.tuples(st.floats(-20, 100), st.floats(-20, 80)),
    bend=st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
)
def test_a_cutout_is_seen_wherever_it_is_however_it_is_turned_tilted_and_bent(turned, tilt, middle, bend):
    """A pixel is dark if the place of its centre, found by the inverse matrix, is well inside of the cut-out."""
    texels = np.zeros((40, 56, 4), np.uint16)
    texels[..., 3] = OPAQUE
    to_frame = place(*middle) @ np.array([[1, 0, 0], [0, 1, 0], [*tilt, 1]]) @ place(0, 0, turned) @ place(-28, -20)
    frame = composed(sheet(WHITE, 0, 0), Sheet(texels, lambda time: to_frame, wave(*bend))).frame(1)[..., 0]
    down, across = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    x, y, depth = np.tensordot(np.linalg.inv(to_frame), np.stack([across, down, np.ones_like(down)]), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = x / depth, y / depth
        x = x - bend[0] * np.sin(0.06 * y) - bend[1] * np.cos(0.06 * y)
        inside = np.minimum(np.minimum(x, 56 - x), np.minimum(y, 40 - y))  # texels from the nearest border
    assert (frame[(depth > 0) & (inside > 2)] == 0).all()
    assert (frame[~(depth > 0) | (inside < -2)] == 255).all()


@pytest.mark.parametrize("make", [photo_cutout, patterned_cutout, lettering], ids=lambda make: make.__name__)
@pytest.mark.parametrize("seed", range(30))
def test_every_cutout_has_a_soft_edge_and_a_clear_rim(make, seed):
    rng = np.random.default_rng(seed)
    texels = make(rng, smooth_photo(), 0.5) if make is photo_cutout else make(rng, 0.5)
    assert texels.dtype == np.uint16
    opacity = texels[..., 3]
    assert not any(edge.any() for edge in (opacity[:2], opacity[-2:], opacity[:, :2], opacity[:, -2:]))
    assert (opacity == 255 * 256).sum() > 100
    assert ((opacity > 0) & (opacity < 255 * 256)).any()
    assert (texels[..., :3] <= opacity[..., None]).all()  # premultiplied
    # From one texel to the next it changes by little more than the part of a frame pixel between them.
    steps = [np.abs(np.diff(opacity.astype(int), axis=axis)).max() for axis in (0, 1)]
    assert max(steps) <= 255 * 256 * (0.8 if make is lettering else 1.3 / TEXELS)


# Tone


def test_gain_and_contrast_are_those_of_the_tone_clipped_to_white():
    tone = Tone(1.5, 0.8, 0.1, 40.0, 0.7)
    photo = smooth_photo()
    plain, toned = composed(sheet(photo, -9, -9)), composed(sheet(photo, -9, -9), tone=tone)
    for time in (0.0, 7.25, 31.0):
        gain = 1.5 * (1 + 0.1 * np.sin(2 * np.pi * time / 40 + 0.7))
        expected = np.clip(gain * (112 + 0.8 * (plain.frame(time).astype(float) - 112)), 0, 255)
        assert np.abs(toned.frame(time) - expected).max() <= 1.2  # of two roundings, one times the gain
    assert toned.frame(0.0).max() == 255


# Flow


@given(rate=st.floats(-0.3, 0.3), x=st.floats(-20, 120), y=st.floats(-20, 120))
def test_flow_is_the_difference_of_places_of_a_known_motion(rate, x, y):
    """A turn, as of complex numbers."""
    flow = composed(sheet(WHITE, 0, 0, turning(rate, x, y))).flow(2.0, 5.0)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    before = columns - x + 1j * (rows - y)
    after = before * np.exp(3j * rate)
    expected = np.stack([(after - before).real, (after - before).imag], -1)
    assert np.abs(flow - expected).max() < 1e-3


def test_flow_is_of_the_topmost_that_covers_half_of_a_pixel():
    sheets = [covering(cutout((9, 9, 9)), 10, 10, shift(2, 0)), covering(cutout((9, 9, 9), 0.4), 30, 10, shift(0, 3))]
    flow = composed(sheet(WHITE, 0, 0, shift(-1, -1)), *sheets).flow(0, 1)
    found = [tuple(flow[30, x].tolist()) for x in (5, 20, 35, 50)]
    assert found == [(-1, -1), (2, 0), (2, 0), (-1, -1)]
    opaque = [sheets[0], covering(cutout((9, 9, 9), 0.6), 30, 10, shift(0, 3))]
    flow = composed(sheet(WHITE, 0, 0, shift(-1, -1)), *opaque).flow(0, 1)
    assert [tuple(flow[30, x].tolist()) for x in (35, 50)] == [(0, 3), (0, 3)]


def hand_held(time):
    """A shift, a turn, a zoom and a tilt, of some pixels a frame."""
    tilt = np.array([[1, 0, 0], [0, 1, 0], [2e-4 * time, -1e-4 * time, 1]])
    return place(45, 33) @ place(2.3 * time, -1.4 * time, 0.03 * time, 1 + 0.01 * time) @ tilt @ place(-45, -33)


@pytest.mark.parametrize("steps", [0.5, 2.0, 3.5])
def test_flow_leads_from_each_frame_to_the_next(steps):
    """On smooth images, away from borders and where things overlap, gain taken into account."""
    front = sheet(smooth_photo(2, 44, 48), 20, 8, lambda time: hand_held(time) @ turning(0.06, 40, 30)(time))
    front.texels[:2] = front.texels[-2:] = front.texels[:, :2] = front.texels[:, -2:] = 0
    tone = Tone(0.9, 1.0, 0.15, 70.0, 1.0)
    composition = composed(sheet(smooth_photo(height=300, width=300), -100, -90, hand_held), front, tone=tone)
    before, after = composition.frame(1.0) / tone.at(1.0), composition.frame(1.0 + steps) / tone.at(1.0 + steps)
    flow = composition.flow(1.0, 1.0 + steps)
    assert np.abs(flow).max() > steps
    error = explained(before, after, flow, composition.flow(1.0 + steps, 1.0))
    assert np.isfinite(error).mean() > 0.2
    assert np.nanmean(error) < 0.5
    assert np.nanmax(error) < 1.4  # both are rounded to bytes, and divided by the gain
    assert np.nanmean(explained(before, after, 0.9 * flow)) > 0.5  # the law sees a tenth of the motion


def wave(sine, cosine, frequency=0.06):
    return SimpleNamespace(at=lambda time: (sine * time, cosine * time, frequency))


def test_a_bent_sheet_is_shifted_row_by_row():
    """Of vertical stripes that fade into one another each row is the one at rest, shifted by the wave at its place."""
    colours = (128 + 90 * np.sin(np.arange(120) / 6)).astype(np.uint8)
    texels = texture(np.broadcast_to(colours[None, :, None], (80, 120, 3)), 80 * TEXELS, 120 * TEXELS)
    texels[:4] = texels[-4:] = texels[:, :4] = texels[:, -4:] = 0
    at = lambda time: place(-10, -5, scale=1 / TEXELS)  # noqa: E731
    bent = composed(sheet(WHITE, 0, 0), Sheet(texels, at, wave(6.0, -4.0)))
    frame = bent.frame(1)[..., 0]
    for row in range(0, HEIGHT, 7):
        y = (row + 0.5 + 5) * TEXELS
        aside = (6 * np.sin(0.06 * y) - 4 * np.cos(0.06 * y)) / TEXELS
        x = np.arange(12, 80)
        expected = np.interp(x + 10 - aside, np.arange(120), colours)
        assert np.abs(frame[row, x] - expected).max() < 2, row
    assert np.array_equal(bent.frame(0), composed(sheet(WHITE, 0, 0), Sheet(texels, at)).frame(0))


@pytest.mark.parametrize("waves", [(4.0, 0.0), (0.0, 3.0), (-3.0, 3.0)])
def test_flow_of_what_bends_leads_from_each_frame_to_the_next(waves):
    texels = texture(smooth_photo(2, 90, 120), 90 * TEXELS, 120 * TEXELS)
    texels[:4] = texels[-4:] = texels[:, :4] = texels[:, -4:] = 0
    turned = lambda time: place(12 + 2 * time, -3, 0.2 + 0.02 * time, 1 / TEXELS)  # noqa: E731
    composition = composed(sheet(smooth_photo(), -20, -20), Sheet(texels, turned, wave(*waves)))
    flow, back = composition.flow(0.4, 1.3), composition.flow(1.3, 0.4)
    error = explained(composition.frame(0.4), composition.frame(1.3), flow, back)
    assert np.isfinite(error).mean() > 0.5
    assert np.nanmean(error) < 0.5
    rigid = composed(sheet(smooth_photo(), -20, -20), Sheet(texels, turned))
    assert np.abs(flow - rigid.flow(0.4, 1.3)).max() > 1


# What is random


def path_length(motion, height, width, start=MIDDLE - EXPOSURE_FRAMES / 2):
    times = start + np.linspace(0, EXPOSURE_FRAMES, 25)
    places = np.array([(motion(time) @ (width / 2, height / 2, 1))[:2] for time in times])
    return np.hypot(*np.diff(places, axis=0).T).sum()


def test_travel_in_an_exposure_is_from_1_to_80_pixels_slow_and_fast_alike():
    lengths = np.array([path_length(camera_motion(np.random.default_rng(seed), 720, 1280, 1), 720, 1280)
                        for seed in range(300)])  # fmt: skip
    assert 0.1 < lengths.min() < 2
    assert 50 < lengths.max() < 190
    low, middle, high = np.percentile(lengths, (10, 50, 90))
    assert 6 < middle < 13
    assert middle / low > 2.5
    assert high / middle > 2.5


@pytest.mark.parametrize("speed", [0.1, 3.0])
def test_what_wanders_has_the_speed_that_was_asked_for(speed):
    times = np.arange(0, 4000, 2.0)
    for seed in range(5):
        wander = Wander.random(np.random.default_rng(seed), (speed, speed), (True, False))
        values = np.array([wander.at(time) for time in times])
        found = np.sqrt((np.diff(values, axis=0) ** 2).mean(0)) / 2
        assert found == pytest.approx([speed, speed], rel=0.05)
        assert np.abs(values[:, 1]).max() < 140 * speed  # without a drift it comes back


def test_small_frames_move_by_the_same_part_of_the_frame():
    def travel(h):
        return path_length(camera_motion(np.random.default_rng(4), h, 2 * h, h / 720), h, 2 * h)

    small, large = travel(72), travel(720)
    assert large / small == pytest.approx(10, rel=0.05)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), time=st.floats(-1e5, 1e5))
def test_motion_is_smooth_and_no_faster_at_any_time(seed, time):
    """What is seen at the middle or a corner moves a few pixels in a readout, and evenly: sines of at most 8.6 Hz."""
    rng = np.random.default_rng(seed)
    camera, own = camera_motion(rng, 720, 1280, 1), own_motion(rng, 1)
    for motion, seen in ((camera, (640, 360, 1)), (camera, (0, 0, 1)), (own, own(time) @ (0, 0, 1))):
        here = np.linalg.solve(motion(time), seen)
        places = np.array([motion(time + i / 8) @ here for i in range(3)])
        places = places[:, :2] / places[:, 2:]
        assert np.abs(np.diff(places, axis=0)).max() < 10
        assert np.abs(np.diff(places, n=2, axis=0)).max() < 0.5


def test_everything_is_where_it_was_arranged_in_the_middle_of_the_exposure():
    rng = np.random.default_rng(1)
    assert np.allclose(camera_motion(rng, 72, 96, 0.1)(MIDDLE), np.eye(3))
    assert np.allclose(own_motion(rng, 0.1)(MIDDLE), np.eye(3))
    assert bending(rng, 100, 0.2).at(MIDDLE)[:2] == (0, 0)


@pytest.mark.parametrize(("height", "width"), [(64, 900), (900, 64), (64, 64), (500, 700)])
def test_photos_of_any_shape_fill_the_frame(height, width):
    photo = np.full((height, width, 3), 255, np.uint8)
    composition = arrange(np.random.default_rng(0), photo, [], 68, 96)
    assert composition.background.texels.size < 30 * 68 * 96 * 4
    assert np.ptp(composition.frame(3.3)) == 0


def test_a_bend_is_none_by_itself_and_never_steep():
    """Sideways by at most half of what lies between two rows, however long it goes on."""
    rows = np.arange(400.0)
    for seed in range(50):
        bend = bending(np.random.default_rng(seed), 400, 2)
        for time in np.linspace(-1e4, 1e4, 40):
            sine, cosine, frequency = bend.at(time)
            aside = sine * np.sin(frequency * rows) + cosine * np.cos(frequency * rows)
            assert np.abs(np.diff(aside)).max() < 0.5


def test_a_part_moves_as_the_whole_does_and_holds_fewer_cutouts():
    """The same drawing of numbers: a part differs in its size and place, not in its scale."""
    photo = noise_photo(0, 900, 1500)
    part, whole, small = (
        arrange(np.random.default_rng(4), photo, [], *size)
        for size in ((64, 96, 720), (720, 1280, None), (64, 96, None))
    )
    at = {name: composed.flow(MIDDLE, MIDDLE + 1) for name, composed in zip("pws", (part, whole, small), strict=True)}
    middle = at["w"][360 - 32 : 360 + 32, 640 - 48 : 640 + 48]
    assert np.abs(at["p"] - middle).max() < 0.02 * np.abs(middle).max()
    assert np.abs(at["s"]).max() < 0.2 * np.abs(middle).max()
    counts = [
        len(arrange(np.random.default_rng(seed), photo, [lambda: photo], 96, 128, 720).cutouts) for seed in range(40)
    ]
    assert set(counts) == {0, 1, 2}


def test_arrangements_hold_cutouts_of_every_number():
    photo = smooth_photo()
    counts = [len(arrange(np.random.default_rng(seed), photo, [lambda: photo] * CUT_PHOTOS, 64, 96).cutouts)
              for seed in range(200)]  # fmt: skip
    assert set(counts) == set(range(MOST_CUTOUTS + 1))
    assert arrange(np.random.default_rng(0), photo, [], 64, 96).cutouts == ()


def test_a_photo_with_few_pixels_may_be_sharp():
    """Of noise as fine as its pixels, a frame that shows them small holds more than one that is magnified."""
    photo = np.random.default_rng(2).integers(0, 256, (64, 96, 3), np.uint8)
    frames = [arrange(np.random.default_rng(seed), photo, [], 136, 192).frame(MIDDLE) for seed in range(20)]
    steps = [np.abs(np.diff(frame.astype(int), axis=1)).mean() / frame.std() for frame in frames]
    assert max(steps) > 1.6 * min(steps)


def test_a_photo_resampled_to_its_own_size_keeps_its_mean_and_its_constants():
    photo = smooth_photo()
    texels = texture(photo, 2 * 150, 2 * 190)
    assert texels[..., :3].mean() / 256 == pytest.approx(photo.mean(), abs=0.1)
    flat = texture(np.full((64, 70, 3), 77, np.uint8), 33, 300)
    assert (flat[..., :3] == 77 * 256).all()
    assert (flat[..., 3] == 255 * 256).all()


def test_zero_motion_gives_one_frame_at_all_times():
    composition = composed(sheet(noise_photo(), -30, -30, still), covering(cutout((200, 0, 0)), 10.3, 10.7))
    frame = composition.frame(0)
    assert all(np.array_equal(composition.frame(time), frame) for time in (-7.3, 0.125, 400))
    assert not composition.flow(0, 9).any()
