"""TFP and TFI, at one moment and as videos: equal to the plain reference at every centre."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from spike_strategies import dense_spikes

from spikesim import (
    SpikeCamera,
    SpikeStream,
    fractional_counts,
    read_spikes,
    reference,
    simulate,
    tfi,
    tfi_video,
    tfp,
    tfp_video,
    thread_limit,
)
from spikesim.errors import InvalidValueError


def rate_in(dense: np.ndarray, start: int, window: int) -> np.ndarray:
    return (reference.counts(dense, start, start + window) / window).astype(np.float32)


@given(dense=dense_spikes(), data=st.data())
def test_tfp_is_the_mean_of_its_window(dense: np.ndarray, data: st.DataObject) -> None:
    stream = SpikeStream.from_dense(dense)
    window = data.draw(st.integers(1, len(dense)))
    video = tfp_video(stream, window)
    assert (video.dtype, video.shape) == (np.float32, (len(dense) - window + 1, *dense.shape[1:]))
    for start in range(len(video)):
        assert np.array_equal(video[start], rate_in(dense, start, window))
        assert np.array_equal(tfp(stream, start + window // 2, window), video[start])


@given(dense=dense_spikes())
def test_tfi_is_one_over_the_interval_around_every_readout(dense: np.ndarray) -> None:
    stream = SpikeStream.from_dense(dense)
    video = tfi_video(stream)
    assert (video.dtype, video.shape) == (np.float32, dense.shape)
    for centre in range(len(dense)):
        assert np.array_equal(video[centre], reference.tfi(dense, centre))
        assert np.array_equal(tfi(stream, centre), video[centre])


@given(dense=dense_spikes(), data=st.data())
def test_tfi_in_a_window_sees_only_its_spikes(dense: np.ndarray, data: st.DataObject) -> None:
    centre = data.draw(st.integers(0, len(dense) - 1))
    window = data.draw(st.integers(1, 20))
    start = max(0, centre - window // 2)
    inside = dense[start : centre - window // 2 + window]
    image = tfi(SpikeStream.from_dense(dense), centre, window)
    assert np.array_equal(image, reference.tfi(inside, centre - start))


@given(dense=dense_spikes(), data=st.data())
def test_videos_in_pieces_are_the_whole_video(dense: np.ndarray, data: st.DataObject) -> None:
    stream = SpikeStream.from_dense(dense)
    start = data.draw(st.integers(0, len(dense) - 1))
    stop = data.draw(st.integers(start + 1, len(dense)))
    out = np.full((stop - start, *dense.shape[1:]), np.nan, np.float32)
    assert tfi_video(stream, start, stop, out=out) is out
    assert np.array_equal(out, tfi_video(stream)[start:stop])
    window = data.draw(st.integers(1, stop - start))
    images = stop - start - window + 1
    assert np.array_equal(
        tfp_video(stream[start:stop], window, out=out[:images]), tfp_video(stream, window)[start : start + images]
    )


@given(dense=dense_spikes())
def test_fractional_counts_are_those_of_the_reference(dense: np.ndarray) -> None:
    counts = fractional_counts(SpikeStream.from_dense(dense))
    assert (counts.dtype, counts.shape) == (np.float32, (len(dense) + 1, *dense.shape[1:]))
    assert np.abs(counts - reference.fractional_counts(dense)).max() < 4e-6


@given(dense=dense_spikes())
def test_fractional_counts_ascend_within_one_of_whole_ones(dense: np.ndarray) -> None:
    counts = fractional_counts(SpikeStream.from_dense(dense))
    whole = np.concatenate([np.zeros((1, *dense.shape[1:])), dense.cumsum(0)])
    assert (np.diff(counts, axis=0) >= 0).all()
    assert (counts - whole > -1e-5).all()
    assert (counts - whole < 1 + 1e-5).all()
    fired = dense.astype(bool)
    assert np.array_equal(counts[1:][fired], whole[1:][fired])


@pytest.mark.parametrize("period", [1, 2, 7, 13])
def test_regular_spikes_add_up_evenly(period: int) -> None:
    dense = np.zeros((31, 3, 9), np.uint8)
    for x in range(9):
        dense[x % period :: period, :, x] = 1
    steps = np.diff(fractional_counts(SpikeStream.from_dense(dense)), axis=0)
    assert np.allclose(steps, 1 / period, rtol=0, atol=1e-6)


def test_short_exposures_of_few_spikes_are_nearer_to_the_light(rng: np.random.Generator) -> None:
    light = rng.uniform(0.1, 0.9, (13, 21)).astype(np.float32)
    for v_th in (1.0, 2.0, 4.0):
        stream = simulate(np.broadcast_to(light, (200, 13, 21)), SpikeCamera.preset("ideal", v_th=v_th))
        counts = fractional_counts(stream)
        for window in (3, 9, 21):
            errors = [counts[100 + window] - counts[100], stream.counts(100, 100 + window)]
            fractional, whole = (np.abs(error / window * v_th - light).mean() for error in errors)
            assert fractional < whole / 2, (v_th, window)


def test_pixels_of_few_spikes_have_counts() -> None:
    dense = np.zeros((8, 1, 4), np.uint8)
    dense[1, 0, 1] = dense[6, 0, 2] = dense[2, 0, 3] = dense[4, 0, 3] = 1
    counts = fractional_counts(SpikeStream.from_dense(dense))[:, 0]
    assert np.allclose(counts[:, 0], np.arange(9) / 16)
    assert np.allclose(counts[:, 1], 1 + (np.arange(9) - 2) / 7)  # silent for seven readouts, to the end
    assert np.allclose(counts[:, 2], 1 + (np.arange(9) - 7) / 7)  # silent for seven, from the beginning
    assert np.allclose(counts[:, 3], [0, 0, 0.5, 1, 1.5, 2, 2.5, 3, 3])


def test_videos_larger_than_a_block_of_rows_and_a_window() -> None:
    dense = (np.random.default_rng(4).random((601, 23, 203)) < 0.02).astype(np.uint8)
    stream = SpikeStream.from_dense(dense)
    video = tfp_video(stream, 555)
    for start in (0, 1, 46):
        assert np.array_equal(video[start], rate_in(dense, start, 555))
    video = tfi_video(stream)
    for centre in (0, 300, 600):
        assert np.array_equal(video[centre], reference.tfi(dense, centre))


def test_steady_light_is_seen_to_within_one_spike_a_window(rng: np.random.Generator) -> None:
    light = rng.uniform(0.02, 0.98, (13, 21)).astype(np.float32)
    stream = simulate(np.broadcast_to(light, (300, 13, 21)), SpikeCamera.preset("ideal"))
    for window in (8, 97, 256):
        assert abs(tfp_video(stream, window) - light).max() < 1.001 / window
    video = tfi_video(stream, 100, 200)
    m = np.floor(1 / light)
    assert ((video > 0.999 / (m + 1)) & (video < 1.001 / m)).all()


@pytest.mark.parametrize("period", [1, 2, 7])
def test_regular_spikes_have_one_interval(period: int) -> None:
    dense = np.zeros((31, 3, 9), np.uint8)
    dense[2::period] = 1
    last = 2 + (28 // period) * period
    video = tfi_video(SpikeStream.from_dense(dense))
    assert (video[2:last] == np.float32(1) / np.float32(period)).all()
    assert (video[:2] == 0).all()
    assert (video[last:] == 0).all()


def test_times_are_exact_far_into_a_stream() -> None:
    readouts = 2**24 + 40  # float32 knows only every other of the last
    packed = np.zeros((readouts, 1, 1), np.uint8)
    packed[-31::3] = 5
    video = tfi_video(SpikeStream(packed, 3), readouts - 31, readouts - 1)
    assert video[:, 0].tolist() == [[np.float32(1 / 3), 0, np.float32(1 / 3)]] * 30
    packed[:-31] = 0
    packed[-40] = 2
    packed[-1] = 2
    assert tfi_video(SpikeStream(packed, 3), readouts - 20, readouts - 19)[0, 0, 1] == np.float32(1 / 39)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_show(threads: int) -> None:
    stream = SpikeStream.from_dense((np.random.default_rng(4).random((120, 61, 173)) < 0.2).astype(np.uint8))
    with thread_limit(1):
        expected = tfp_video(stream, 21), tfi_video(stream), fractional_counts(stream)
    with thread_limit(threads):
        assert np.array_equal(tfp_video(stream, 21), expected[0])
        assert np.array_equal(tfi_video(stream), expected[1])
        assert np.array_equal(fractional_counts(stream), expected[2])


# What the caller asks for


@pytest.fixture
def stream() -> SpikeStream:
    return SpikeStream.from_dense((np.random.default_rng(4).random((9, 5, 11)) < 0.4).astype(np.uint8))


@pytest.mark.parametrize("window", [0, -3])
def test_a_window_holds_a_readout(stream: SpikeStream, window: int) -> None:
    for image in (lambda: tfp(stream, 4, window), lambda: tfi(stream, 4, window), lambda: tfp_video(stream, window)):
        with pytest.raises(InvalidValueError, match=rf"window must be at least one readout, got {window}"):
            image()


@pytest.mark.parametrize(("centre", "window"), [(0, 3), (8, 3), (-1, 1), (9, 1)])
def test_tfp_needs_its_whole_window(stream: SpikeStream, centre: int, window: int) -> None:
    with pytest.raises(InvalidValueError, match=r"outside the stream's 0\.\.8"):
        tfp(stream, centre, window)


def test_no_centre_makes_room_for_a_window_longer_than_the_stream(stream: SpikeStream) -> None:
    for image in (lambda: tfp(stream, 4, 10), lambda: tfp_video(stream, 10)):
        with pytest.raises(
            InvalidValueError, match=r"10 readouts is longer than the stream of 9; .*window \(--window\)$"
        ):
            image()


def test_fractional_counts_refuse_what_float32_cannot_count() -> None:
    with pytest.raises(InvalidValueError, match="fewer than 16777216 readouts, got 16777216; cut the stream"):
        fractional_counts(SpikeStream(np.zeros((2**24, 1, 1), np.uint8), 1))


def test_the_counts_of_a_video_reach_the_end_of_their_type() -> None:
    stream = SpikeStream(np.full((65_537, 1, 1), 5, np.uint8), 3)
    assert tfp_video(stream, 65_535)[:, 0].tolist() == [[1, 0, 1]] * 3
    with pytest.raises(InvalidValueError, match="at most 65535 readouts, got a window of 65536"):
        tfp_video(stream, 65_536)


@pytest.mark.parametrize("centre", [-1, 9])
def test_tfi_is_of_a_readout_of_the_stream(stream: SpikeStream, centre: int) -> None:
    with pytest.raises(InvalidValueError, match=rf"0\.\.8, got {centre}"):
        tfi(stream, centre)


@pytest.mark.parametrize(("start", "stop"), [(-1, 4), (0, 10), (4, 4), (5, 4)])
def test_a_video_is_of_readouts_of_the_stream(stream: SpikeStream, start: int, stop: int) -> None:
    with pytest.raises(InvalidValueError, match=rf"stream's 0\.\.8 .* got {start} and {stop}"):
        tfi_video(stream, start, stop)


@pytest.mark.parametrize(
    ("out", "problem"),
    [
        (np.empty((9, 5, 11)), "got float64"),
        (np.empty((8, 5, 11), np.float32), r"\(9, 5, 11\), got float32 \(8, 5, 11\)"),
        (np.empty((9, 11, 5), np.float32).transpose(0, 2, 1), "not contiguous"),
        (np.broadcast_to(np.float32(0), (9, 5, 11)), "read-only"),
    ],
)
def test_only_an_array_that_fits_is_filled(stream: SpikeStream, out: np.ndarray, problem: str) -> None:
    for video in (lambda: tfi_video(stream, out=out), lambda: tfp_video(stream, 1, out=out)):
        with pytest.raises(InvalidValueError, match=problem):
            video()


@pytest.mark.recordings
def test_images_of_a_published_stream_match_the_image_beside_it(shared: Path) -> None:
    """One TFI alone knows rates to 1/2, 1/3, 1/4 ... only; the mean of a few readouts' shows the image."""
    stream = read_spikes(shared / "data" / "reds_250x400.dat", 250, 400)
    with Image.open(shared / "data" / "reds_250x400.png") as image:
        image = np.asarray(image.convert("L"), float)
    middle = len(stream) // 2
    for seen in (tfp(stream, middle, 41), tfi_video(stream, middle - 10, middle + 11).mean(axis=0)):
        assert np.corrcoef(seen.ravel(), image.ravel())[0, 1] > 0.95
        assert np.corrcoef(seen[::-1].ravel(), image.ravel())[0, 1] < 0.95  # not upside down
