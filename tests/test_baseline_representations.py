"""What published networks are shown of spikes: the golden arrays, and laws of every stream, exposure and time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikesim import SpikeStream
from spikesim.errors import InvalidValueError
from ssdm_models.baselines.representations import (
    eger,
    half_size_readouts,
    interval_counts,
    interval_events,
    middle_tfi,
    sums_to_middle,
    voxel_grid,
)

TIMES = tuple(range(20, 117, 16))


@st.composite
def streams(draw: st.DrawFn) -> np.ndarray:
    """Spikes (T, 3, 11) that may be few or many."""
    rate = draw(st.sampled_from([0, 0.1, 0.5, 0.9, 1]))
    return np.random.default_rng(draw(st.integers(0, 99))).random((draw(st.integers(5, 61)), 3, 11)) < rate


@st.composite
def timed(draw: st.DrawFn, odd: bool = False) -> tuple[np.ndarray, list[int]]:
    """Spikes, and ascending times in them, unevenly spaced."""
    dense = draw(streams())
    times = draw(st.lists(st.integers(0, len(dense) - 1), min_size=3, max_size=5, unique=True).map(sorted))
    return dense, times[: len(times) - (1 - len(times) % 2)] if odd else times


def reversed_in_time(dense: np.ndarray, times: list[int]) -> tuple[SpikeStream, list[int]]:
    return SpikeStream.from_dense(dense[::-1]), [len(dense) - 1 - time for time in times[::-1]]


def test_representations_are_the_golden_ones(shared):
    with np.load(shared / "golden" / "baselines" / "representations.npz") as file:
        golden = dict(file)
    stream = SpikeStream.from_dense(golden["spikes"])
    found = {
        "red_half": interval_events(stream, TIMES),
        "red_upstream": interval_events(stream, TIMES, shared=False),
        "scer_half": sums_to_middle(stream, TIMES),
        "scer_upstream": sums_to_middle(stream, TIMES, shared=False),
        **{f"eger_t{time}": eger(stream, (20, 117), (time, time)) for time in (20, 68, 100)},
        "tfi56": middle_tfi(stream, 68, 56),
        "tfi21": middle_tfi(stream, 68, 21),
        "tfi137_t68": middle_tfi(stream, 68, 137),
    }
    assert set(found) == set(golden) - {"seed", "spikes"}
    for name, array in found.items():
        assert array.dtype == np.float32, name
        assert np.array_equal(array, golden[name]), name


@given(case=timed(), shared=st.booleans())
def test_intervals_hold_every_spike_from_the_first_time_to_the_last(case, shared):
    dense, times = case
    counts = interval_counts(SpikeStream.from_dense(dense), times, shared=shared)
    assert np.array_equal(counts.sum(0), dense[times[0] : times[-1] + 1].sum(0))


@given(case=timed())
def test_shared_intervals_of_a_reversed_stream_are_reversed(case):
    dense, times = case
    counts = interval_counts(SpikeStream.from_dense(dense), times)
    assert np.array_equal(interval_counts(*reversed_in_time(dense, times)), counts[::-1])


@given(case=timed(odd=True))
def test_sums_to_the_middle_of_a_reversed_stream_are_reversed_and_negated(case):
    dense, times = case
    sums = sums_to_middle(SpikeStream.from_dense(dense), times)
    assert np.array_equal(sums_to_middle(*reversed_in_time(dense, times)), -sums[::-1])
    assert np.array_equal(sums[-1] - sums[0], dense[times[0] : times[-1] + 1].sum(0))


@given(case=timed(), readout=st.integers(0, 60))
def test_a_spike_is_the_latest_of_its_interval_or_leaves_no_time(case, readout):
    dense, times = case
    dense, readout = np.zeros_like(dense), readout % len(dense)
    dense[readout] = True
    latest = interval_events(SpikeStream.from_dense(dense), times)[:, 2]
    for share, start, stop in zip(latest, times[:-1], times[1:], strict=True):
        inside = start < readout <= stop
        assert np.allclose(share * (stop - start), readout - start if inside else 0, rtol=0, atol=1e-4)


def test_spikes_of_a_hand_made_stream():
    dense = np.zeros((9, 1, 4), np.uint8)
    dense[2, 0, 0] = dense[4, 0, 0] = dense[5, 0, 0] = dense[4, 0, 1] = dense[8, 0, 2] = 1
    events = interval_events(SpikeStream.from_dense(dense), (2, 4, 8))
    assert events[:, 0, 0].tolist() == [[1.5, 0.5, 0, 0], [1.5, 0.5, 1, 0]]
    assert events[:, 2, 0].tolist() == [[1, 1, 0, 0], [0.25, 0, 1, 0]]
    assert not events[:, [1, 3]].any()
    whole = interval_events(SpikeStream.from_dense(dense), (2, 4, 8), shared=False)
    assert whole[:, 0, 0].tolist() == [[2, 1, 0, 0], [1, 0, 1, 0]]
    assert sums_to_middle(SpikeStream.from_dense(dense), (2, 4, 8))[:, 0, 0].tolist() == [-1.5, 1.5]


@given(dense=streams(), data=st.data())
def test_each_spike_of_an_exposure_is_in_one_segment_of_one_bin(dense, data):
    start, stop = sorted(data.draw(st.lists(st.integers(0, len(dense)), min_size=2, max_size=2, unique=True)))
    first, last = sorted(data.draw(st.lists(st.integers(-3, len(dense) + 3), min_size=2, max_size=2)))
    counts = eger(SpikeStream.from_dense(dense), (start, stop), (first, last)).reshape(16, 3, 2, 3, 11)
    assert not counts[:, :, 0].any()
    expected = np.zeros_like(counts[:, :, 1])
    for readout in range(start, stop):
        segment = 0 if readout < first else 1 if readout < last else 2
        expected[(readout - start) * 16 // (stop - start), segment] += dense[readout]
    assert np.array_equal(counts[:, :, 1], expected)


@given(seed=st.integers(0, 99), target=st.tuples(st.integers(0, 40), st.integers(0, 40)).map(sorted))
def test_bins_and_segments_of_a_reversed_stream_are_reversed(seed, target):
    dense = np.random.default_rng(seed).random((40, 3, 11)) < 0.4
    counts = eger(SpikeStream.from_dense(dense), (4, 36), target).reshape(16, 3, 2, 3, 11)
    backwards = eger(SpikeStream.from_dense(dense[::-1]), (4, 36), [40 - edge for edge in target[::-1]])
    assert np.array_equal(backwards.reshape(counts.shape), counts[::-1, ::-1])


@given(seed=st.integers(0, 99), gap=st.integers(1, 9), frames=st.integers(2, 7))
def test_a_voxel_grid_splits_every_spike_between_two_bins(seed, gap, frames):
    dense = np.random.default_rng(seed).random((gap * (frames + 1) + 5, 3, 11)) < 0.4
    times = [3 + gap * (i + 1) for i in range(frames)]
    grid = voxel_grid(SpikeStream.from_dense(dense), times)
    inside = dense[3 : 3 + gap * (frames + 1)]
    assert grid.shape == (frames + 1, 3, 11)
    assert np.allclose(grid.sum(0), inside.sum(0), rtol=0, atol=1e-4)
    # The mean time of the spikes is kept as well.
    places = np.linspace(0, frames, len(inside))
    assert np.allclose(np.tensordot(np.arange(frames + 1), grid, 1), np.tensordot(places, inside, 1), rtol=0, atol=1e-3)
    part = inside[::-1]
    backwards = voxel_grid(SpikeStream.from_dense(part), [gap * (i + 1) for i in range(frames)])
    assert np.allclose(backwards, grid[::-1], rtol=0, atol=1e-4)


def test_a_voxel_grid_of_the_usual_exposure_begins_and_ends_between_its_frames():
    dense = np.zeros((137, 1, 3), np.uint8)
    dense[[3, 132]] = 1  # outside
    dense[4, 0, 0] = dense[131, 0, 1] = dense[68, 0, 2] = 1
    grid = voxel_grid(SpikeStream.from_dense(dense), TIMES)[:, 0]
    assert grid[0].tolist() == [1, 0, 0]
    assert grid[7].tolist() == [0, 1, 0]
    assert np.flatnonzero(grid[:, 2]).tolist() == [3, 4]
    assert grid[:, 2].sum() == 1


@given(dense=streams(), data=st.data())
def test_middle_tfi_is_the_interval_in_its_window(dense, data):
    readouts = data.draw(st.integers(1, len(dense)))
    time = readouts // 2 + data.draw(st.integers(0, len(dense) - readouts))
    image = middle_tfi(SpikeStream.from_dense(dense), time, readouts)
    start = time - readouts // 2
    for y, x in ((0, 0), (2, 10), (1, 7)):
        spikes = [r for r in range(start + 1, start + readouts) if dense[r, y, x] and -50 < r - time < 50]
        left = max([time - 50, *(r for r in spikes if r <= time)])
        right = min([time + 50, *(r for r in spikes if r > time)])
        assert image[y, x] == np.float32(1 / (right - left))


def test_spikes_far_from_the_middle_are_not_looked_at():
    dense = np.zeros((211, 2, 9), np.uint8)
    dense[[55, 155]] = 1
    stream = SpikeStream.from_dense(dense)
    assert np.unique(middle_tfi(stream, 105, 211)).tolist() == [np.float32(0.01)]  # both 50 away
    dense[106] = 1
    assert np.unique(middle_tfi(SpikeStream.from_dense(dense), 105, 211)).tolist() == [np.float32(1 / 51)]


def test_readouts_at_half_the_size_of_the_image():
    dense = (np.random.default_rng(1).random((31, 3, 11)) < 0.4).astype(np.uint8)
    stream = SpikeStream.from_dense(dense)
    assert np.array_equal(half_size_readouts(stream, 20, 8, 2), dense[16:24])
    repeated = half_size_readouts(stream, 20, 8, 4)
    assert (repeated.dtype, repeated.shape) == (np.float32, (8, 6, 22))
    for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert np.array_equal(repeated[:, y::2, x::2], dense[16:24])


REPRESENTATIONS = {
    "interval_counts": lambda stream: interval_counts(stream, (4, 9, 30)),
    "interval_events": lambda stream: interval_events(stream, (4, 9, 30)),
    "sums_to_middle": lambda stream: sums_to_middle(stream, (4, 9, 30)),
    "eger": lambda stream: eger(stream, (3, 30), (9, 12)),
    "voxel_grid": lambda stream: voxel_grid(stream, (9, 15, 22)),
    "middle_tfi": lambda stream: middle_tfi(stream, 15, 21)[None],
    "half_size_readouts": lambda stream: half_size_readouts(stream, 15, 21, 2),
}


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_pixels_do_not_depend_on_each_other(name):
    represent = REPRESENTATIONS[name]
    dense = np.random.default_rng(2).random((37, 5, 19)) < 0.4
    whole = represent(SpikeStream.from_dense(dense))
    assert np.array_equal(represent(SpikeStream.from_dense(dense[:, 1:4, 5:16])), whole[..., 1:4, 5:16])


@pytest.mark.parametrize("name", [name for name in REPRESENTATIONS if name != "middle_tfi"])
def test_without_spikes_there_is_nothing(name):
    assert not REPRESENTATIONS[name](SpikeStream.from_dense(np.zeros((37, 5, 19), np.uint8))).any()


STREAM = SpikeStream.from_dense(np.zeros((37, 5, 19), np.uint8))


@pytest.mark.parametrize("represent", [interval_counts, interval_events, sums_to_middle, voxel_grid])
@pytest.mark.parametrize(
    ("times", "message"),
    [
        ((4,), "times must be at least 2 readouts, got 1"),
        ((4, 4, 9), r"times must ascend, got \[4, 4, 9\]"),
        ((9, 4, 1), "times must ascend"),
        ((4, 9, 37), r"in the stream, whose readouts are 0\.\.36"),
        ((-1, 9, 17), "in the stream"),
        ((1.5, 9, 17), "each of times must be a whole number"),
    ],
)
def test_times_that_are_none_of_a_stream(represent, times, message):
    with pytest.raises(InvalidValueError, match=message):
        represent(STREAM, times)


def test_what_else_is_refused():
    with pytest.raises(InvalidValueError, match="times must be an odd number, with a middle one, got 4"):
        sums_to_middle(STREAM, (4, 6, 8, 9))
    with pytest.raises(InvalidValueError, match=r"begins at -1 and ends before 32, .* 0\.\.36; .* more --padding"):
        voxel_grid(STREAM, (10, 21))
    for target in ((9, 8), (9,), (1, 2, 3)):
        with pytest.raises(InvalidValueError, match=r"target must be two readouts, .* got \["):
            eger(STREAM, (3, 30), target)
    with pytest.raises(InvalidValueError, match="an exposure from 30 to before 38 is empty or not in the stream"):
        eger(STREAM, (30, 38), (31, 31))
    for look in (middle_tfi, lambda *window: half_size_readouts(*window, 2)):
        with pytest.raises(InvalidValueError, match=r"a window of 21 readouts around 9 .* choose times from 10 to 26"):
            look(STREAM, 9, 21)
    with pytest.raises(InvalidValueError, match="ratio must be one of 2, 4, got 3"):
        half_size_readouts(STREAM, 15, 21, 3)
