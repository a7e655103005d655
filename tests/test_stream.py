"""Spike streams: packed and dense bits, parts of a stream, and counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spikesim import SpikeCamera, SpikeStream, reference, thread_limit
from spikesim.errors import InvalidValueError

CAMERA = SpikeCamera.preset("ssdm", v_th=2.5)


@st.composite
def dense_spikes(draw: st.DrawFn) -> np.ndarray:
    shape = (draw(st.integers(0, 13)), draw(st.integers(1, 7)), draw(st.integers(1, 35)))
    return draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 1)))


def random_spikes(*shape: int, rate: float = 0.5) -> np.ndarray:
    return (np.random.default_rng(3).random(shape) < rate).astype(np.uint8)


# Packed and dense


@given(dense=dense_spikes(), dtype=st.sampled_from([np.uint8, bool, np.int8, np.int64, np.float32, np.float64]))
def test_dense_spikes_are_packed_and_come_back(dense: np.ndarray, dtype: type) -> None:
    stream = SpikeStream.from_dense(dense.astype(dtype), CAMERA)
    assert stream.camera == CAMERA
    assert (stream.shape, len(stream)) == (dense.shape, len(dense))
    assert np.array_equal(stream.packed, np.packbits(dense, axis=2, bitorder="little"))
    assert stream.dense().dtype == np.uint8
    assert np.array_equal(stream.dense(), dense)
    again = stream.dense(dtype)
    assert again.dtype == dtype
    assert np.array_equal(again, dense)


def test_arrays_in_any_memory_order_are_packed() -> None:
    dense = random_spikes(5, 7, 11)
    for array in (np.asfortranarray(dense), dense.transpose(1, 2, 0).copy().transpose(2, 0, 1), dense[::-1][::-1]):
        assert np.array_equal(SpikeStream.from_dense(array).dense(), dense)


@pytest.mark.parametrize("width", [8, 21, 64])
@pytest.mark.parametrize("value", [2, 254, -1, 0.5, np.nan, np.inf])
def test_one_value_that_is_no_spike_is_found_anywhere(width: int, value: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        dense = random_spikes(4, 5, width).astype(np.uint8 if value in (2, 254) else np.float64)
        dense[rng.integers(4), rng.integers(5), rng.integers(width)] = value
        with pytest.raises(InvalidValueError, match="only 0 and 1"):
            SpikeStream.from_dense(dense)


@pytest.mark.parametrize("shape", [(4,), (4, 5), (1, 4, 5, 6)])
def test_dense_spikes_have_three_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValueError, match=r"\(T, H, W\)"):
        SpikeStream.from_dense(np.zeros(shape))


@pytest.mark.parametrize("shape", [(5, 0, 16), (5, 16, 0), (2**58, 0, 16), (2**58, 16, 0), (0, 0, 0)])
def test_dense_spikes_have_pixels(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidValueError, match=f"one row and one column of pixels, got H={shape[1]}, W={shape[2]}$"):
        SpikeStream.from_dense(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("packed", "width", "problem"),
    [
        ([[[0]]], 8, "got list"),
        (np.zeros((2, 3, 1), np.int16), 8, "got int16"),
        (np.zeros((3, 1), np.uint8), 8, r"got uint8 \(3, 1\)"),
        (np.zeros((2, 3, 2), np.uint8), 8, r"ceil\(8/8\) bytes a row, got 2"),
        (np.zeros((2, 3, 2), np.uint8), 17, "got 2"),
        (np.zeros((2, 3, 0), np.uint8), 0, "one row and one column of pixels, got H=3, W=0"),
        (np.zeros((2, 0, 2), np.uint8), 16, "one row and one column of pixels, got H=0, W=16"),
        (np.full((2, 3, 2), 8, np.uint8), 11, "beyond width 11"),
    ],
)
def test_what_is_no_packed_stream_is_refused(packed: object, width: int, problem: str) -> None:
    with pytest.raises(InvalidValueError, match=problem):
        SpikeStream(packed, width)  # type: ignore[arg-type]


def test_a_stream_cannot_be_changed() -> None:
    packed = np.zeros((2, 3, 1), np.uint8)
    stream = SpikeStream(packed, 8)
    with pytest.raises(ValueError, match="read-only"):
        stream.packed[0] = 1
    assert np.shares_memory(stream.packed, packed)
    packed[0] = 1  # the caller's own array is left as it was


def test_packed_bits_in_any_memory_order() -> None:
    dense = random_spikes(6, 5, 19)
    packed = np.asfortranarray(SpikeStream.from_dense(dense).packed)
    stream = SpikeStream(packed, 19)
    assert np.array_equal(stream.dense(), dense)
    assert np.array_equal(stream.counts(), dense.sum(axis=0))


# Mirrored


@given(dense=dense_spikes())
def test_a_mirrored_stream_is_the_dense_one_mirrored(dense: np.ndarray) -> None:
    stream = SpikeStream.from_dense(dense, CAMERA)
    mirrored = stream.mirrored()
    assert mirrored.camera == CAMERA
    assert np.array_equal(mirrored.dense(), dense[:, :, ::-1])
    assert np.array_equal(mirrored.mirrored().packed, stream.packed)


# Parts


def test_a_part_shares_memory() -> None:
    dense = random_spikes(9, 5, 11)
    stream = SpikeStream.from_dense(dense, CAMERA)
    for part in (slice(2, 7), slice(None), slice(-3, None), slice(5, 5), slice(0, 99)):
        assert np.array_equal(stream[part].dense(), dense[part])
        assert stream[part].camera == CAMERA
    assert np.shares_memory(stream[2:7].packed, stream.packed)


@pytest.mark.parametrize("part", [3, slice(0, 9, 2), slice(None, None, -1), (slice(0, 2), 0)])
def test_other_parts_are_refused(part: object) -> None:
    with pytest.raises(InvalidValueError, match="consecutive readouts"):
        SpikeStream.from_dense(random_spikes(9, 5, 11))[part]  # type: ignore[index]


# Counts


@given(dense=dense_spikes(), data=st.data())
def test_counts_of_any_readouts(dense: np.ndarray, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(dense)))
    stop = data.draw(st.integers(start, len(dense)))
    counts = SpikeStream.from_dense(dense).counts(start, stop)
    assert counts.dtype == np.uint16
    assert np.array_equal(counts, reference.counts(dense, start, stop))


@pytest.mark.parametrize("readouts", [251, 252, 253, 254, 255, 256, 257, 504, 505, 1009])
@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_counts_of_long_streams(readouts: int, rate: float) -> None:
    dense = random_spikes(readouts, 3, 21, rate=rate)
    assert np.array_equal(SpikeStream.from_dense(dense).counts(), dense.sum(axis=0))


def test_counts_reach_the_end_of_their_type() -> None:
    stream = SpikeStream(np.full((65_536, 1, 1), 1, np.uint8), 3)
    assert stream.counts(1).tolist() == [[65_535, 0, 0]]
    with pytest.raises(InvalidValueError, match="at most 65535 readouts, got 65536"):
        stream.counts()


@given(dense=dense_spikes())
def test_the_rate_is_the_mean(dense: np.ndarray) -> None:
    assert SpikeStream.from_dense(dense).rate == pytest.approx(dense.mean() if dense.size else 0, rel=1e-12)


@pytest.mark.parametrize(("start", "stop"), [(-1, 4), (0, 10), (5, 4)])
def test_counts_of_readouts_that_are_not_there(start: int, stop: int) -> None:
    with pytest.raises(InvalidValueError, match=rf"{start}\.\.{stop} are not in a stream of 9"):
        SpikeStream.from_dense(random_spikes(9, 5, 11)).counts(start, stop)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_show(threads: int) -> None:
    dense = random_spikes(400, 67, 1003)  # large enough to be shared out
    with thread_limit(1):
        alone = SpikeStream.from_dense(dense)
        expected = alone.packed, alone.counts(), alone.dense()
    with thread_limit(threads):
        stream = SpikeStream.from_dense(dense)
        for ours, single in zip((stream.packed, stream.counts(), stream.dense()), expected, strict=True):
            assert np.array_equal(ours, single)
    assert np.array_equal(expected[2], dense)
