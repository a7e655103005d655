"""The vector type of the kernels: that lanes compute as numpy does, and touch no number that is not theirs."""

import operator
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import njit
from numba.core.errors import TypingError

from spikesim.kernels import lanes
from spikesim.kernels.lanes import LANES, load, store

FLOATS = arrays(np.float32, LANES, elements=st.floats(-1e6, 1e6, width=32))


@njit
def copied(source, target, x, count):
    store(target, (0, x), count, load(source, (0, x), count))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint32, np.float32])
@settings(max_examples=30, deadline=None)
@given(x=st.integers(0, 5), count=st.integers(0, LANES))
def test_loading_and_storing_touches_what_was_counted_and_nothing_else(dtype: type, x: int, count: int) -> None:
    source = np.arange(1, 22, dtype=dtype)[None]
    target = np.zeros((1, 21), dtype)
    copied(source, target, x, count)
    assert target[0, x : x + count].tolist() == source[0, x : x + count].tolist()
    assert not target[0, :x].any()
    assert not target[0, x + count :].any()


@njit
def sum_of_loaded(source, count):
    everything = np.zeros(LANES, np.float32)
    store(everything, (0,), LANES, load(source, (0,), count))
    return everything


def test_lanes_beyond_the_count_are_zero() -> None:
    assert sum_of_loaded(np.full(20, 7, np.float32), 3).tolist() == [7, 7, 7] + [0] * 13


def binary(symbol: Callable[..., object]) -> Callable[..., None]:
    @njit
    def run(a, b, out):
        store(out, (0,), LANES, symbol(load(a, (0,), LANES), load(b, (0,), LANES)))

    return run


ARITHMETIC = {symbol: binary(symbol) for symbol in (operator.add, operator.sub, operator.mul, operator.truediv)}


@pytest.mark.parametrize("symbol", ARITHMETIC)
@settings(max_examples=30, deadline=None)
@given(a=FLOATS, b=FLOATS)
def test_arithmetic_rounds_as_numpy(symbol: Callable[..., np.ndarray], a: np.ndarray, b: np.ndarray) -> None:
    out = np.empty(LANES, np.float32)
    ARITHMETIC[symbol](a, b, out)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(out, symbol(a, b))


@njit
def words_by_number(a, out):
    word = load(a, (0,), LANES)
    store(out, (0, 0), LANES, (word >> 3) ^ np.uint32(0xDEADBEEF))
    store(out, (1, 0), LANES, ((word << 5) | 1) & np.uint32(0xFFFF0001))


@settings(max_examples=30, deadline=None)
@given(a=arrays(np.uint32, LANES))
def test_words_shift_and_mask_as_numpy_and_a_number_stands_in_every_lane(a: np.ndarray) -> None:
    out = np.empty((2, LANES), np.uint32)
    words_by_number(a, out)
    np.testing.assert_array_equal(out[0], (a >> np.uint32(3)) ^ np.uint32(0xDEADBEEF))
    np.testing.assert_array_equal(out[1], ((a << np.uint32(5)) | np.uint32(1)) & np.uint32(0xFFFF0001))


@njit
def compared(a, b, out):
    first, second = load(a, (0,), LANES), load(b, (0,), LANES)
    out[0], out[1] = lanes.bits_of(first < second), lanes.bits_of(first >= second)
    out[2], out[3] = lanes.bits_of(first > second), lanes.bits_of(first == second)


@settings(max_examples=30, deadline=None)
@given(a=FLOATS, b=FLOATS)
def test_comparisons_become_bits_the_first_lane_lowest(a: np.ndarray, b: np.ndarray) -> None:
    out = np.empty(4, np.uint16)
    compared(a, b, out)
    for bits, mask in zip(out, (a < b, a >= b, a > b, a == b), strict=True):
        assert np.unpackbits(np.array([bits]).view(np.uint8), bitorder="little").tolist() == mask.tolist()


@njit
def bits_copied(source, target, x, count):
    lanes.store_bits(target, (0, x), count, lanes.load_bits(source, (0, x), count))


@settings(max_examples=30, deadline=None)
@given(bits=arrays(np.uint8, (1, 4)), x=st.integers(0, 2), count=st.integers(1, LANES))
def test_bits_are_written_up_to_the_count_and_cleared_to_the_end_of_their_byte(
    bits: np.ndarray, x: int, count: int
) -> None:
    target = np.full((1, 4), 255, np.uint8)
    bits_copied(bits, target, x, count)
    touched = slice(8 * x, 8 * x + (count + 7) // 8 * 8)
    before, after = (np.unpackbits(array[0], bitorder="little") for array in (bits, target))
    assert after[8 * x : 8 * x + count].tolist() == before[8 * x : 8 * x + count].tolist()
    assert not after[8 * x + count : touched.stop].any()
    assert after[: touched.start].all()
    assert after[touched.stop :].all()


@njit
def functions(a, b, out):
    first, second = load(a, (0,), LANES), load(b, (0,), LANES)
    store(out, (0, 0), LANES, lanes.choose(first > second, first, np.float32(-1)))
    store(out, (1, 0), LANES, lanes.floor(first))
    store(out, (2, 0), LANES, lanes.square_root(first * first))
    store(out, (3, 0), LANES, lanes.remainder(first, np.float32(0.7)))


@settings(max_examples=30, deadline=None)
@given(a=FLOATS, b=FLOATS)
def test_functions_are_those_of_numpy(a: np.ndarray, b: np.ndarray) -> None:
    out = np.empty((4, LANES), np.float32)
    functions(a, b, out)
    expected = np.where(a > b, a, np.float32(-1)), np.floor(a), np.sqrt(a * a), np.fmod(a, np.float32(0.7))
    np.testing.assert_array_equal(out, expected)


@njit
def rare(a):
    return lanes.rarely_any(load(a, (0,), LANES) > np.float32(0))


def test_a_single_lane_is_found() -> None:
    assert not rare(np.zeros(LANES, np.float32))
    for lane in range(LANES):
        assert rare(np.eye(LANES, dtype=np.float32)[lane])


def test_lanes_of_two_types_do_not_mix() -> None:
    with pytest.raises(TypingError):
        binary(operator.add)(np.zeros(LANES, np.float32), np.zeros(LANES, np.int32), np.zeros(LANES, np.float32))
