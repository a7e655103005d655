"""Two groups of eight pixels at once: bit for bit those of plain arithmetic."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numba import njit

from spikesim.kernels import groups
from spikesim.kernels.lanes import LANES, load, store

F32 = np.float32
LEVELS = arrays(F32, LANES, elements=st.floats(-(2.0**20), 2.0**20, width=32))


@njit
def shared(first, second, out):
    store(out, (0,), LANES, groups.in_each(first, second) + groups.place_in_group())


def test_what_a_group_shares_stands_in_its_half():
    out = np.empty(LANES, F32)
    shared(F32(100), F32(-7), out)
    assert out.tolist() == [*range(100, 108), *range(-7, 1)]


@njit
def sampled(image, first, second, stride, across, down, out):
    parts = groups.in_each(across[0], across[1]), groups.in_each(down[0], down[1])
    store(out, (0,), LANES, groups.bilinear(image, first, second, stride, *parts))


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    starts=st.tuples(*[st.integers(0, 60)] * 2),  # wherever they begin: nothing is said of alignment
    across=st.tuples(*[st.integers(0, 32)] * 2),
    down=st.tuples(*[st.integers(0, 32)] * 2),
)
def test_samples_are_bilinear_up_to_the_greatest_values(seed, starts, across, down):
    image = np.random.default_rng(seed).choice(np.array([0, 1, 500, 1300, 2047], np.uint16), 100)
    out = np.empty(LANES, F32)
    sampled(image, *starts, 30, np.array(across, np.uint16), np.array(down, F32) / 32, out)
    expected = []
    for start, right, below in zip(starts, across, down, strict=True):
        a, b, c, d = (image[start + i : start + i + 8].astype(float) for i in (0, 1, 30, 31))
        expected.extend(((32 - below) * ((32 - right) * a + right * b) + below * ((32 - right) * c + right * d)) / 32)
    assert out.tolist() == expected


@njit
def summed(values, out):
    lanes = load(values, (0,), LANES)
    out[0], out[1] = groups.sums(groups.absolute(lanes))


@settings(max_examples=50, deadline=None)
@given(values=LEVELS)
def test_sums_are_those_of_pairs_of_pairs(values):
    out = np.empty(2, F32)
    summed(values, out)
    for half, total in zip(np.abs(values).reshape(2, 8), out, strict=True):
        fours = half[:4] + half[4:]
        twos = fours[:2] + fours[2:]
        assert total == twos[0] + twos[1]


@njit
def written(colours, first, second, row):
    red, green, blue = load(colours, (0, 0), LANES), load(colours, (1, 0), LANES), load(colours, (2, 0), LANES)
    groups.write_colours(row, first, second, red, green, blue)


@settings(max_examples=50, deadline=None)
@given(
    colours=arrays(F32, (3, LANES), elements=st.floats(0, 255.75, width=32)),
    first=st.integers(0, 20),
    gap=st.integers(0, 20),
)
def test_colours_are_cut_to_bytes_and_nothing_else_is_touched(colours, first, gap):
    row, expected = np.full(100, 7, np.uint8), np.full(100, 7, np.uint8)
    second = first + groups.BYTES + gap
    written(colours, first, second, row)
    levels = colours.astype(np.uint8).T
    expected[first : first + groups.BYTES] = levels[:8].ravel()
    expected[second : second + groups.BYTES] = levels[8:].ravel()
    assert row.tolist() == expected.tolist()


def rows_of(image, at, stride):
    return np.stack([image[at + stride * row : at + stride * row + 8] for row in range(8)])


@njit
def taken(image, at, stride, across, down, out):
    rows, between = groups.patch(image, at, stride), groups.patch_between(image, at, stride, across, down)
    for i in range(4):
        store(out, (0, LANES * i), LANES, rows[i])
        store(out, (1, LANES * i), LANES, between[i])


@njit
def added(image, at, stride, values):
    lanes = (
        load(values, (0,), LANES),
        load(values, (16,), LANES),
        load(values, (32,), LANES),
        load(values, (48,), LANES),
    )
    groups.add_patch(image, at, stride, lanes)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), at=st.integers(0, 30), stride=st.integers(9, 20))
def test_patches_are_rows_of_an_image(seed, at, stride):
    rng = np.random.default_rng(seed)
    image, (across, down) = rng.uniform(0, 255, 250).astype(F32), rng.uniform(0, 1, 2).astype(F32)
    out = np.empty((2, 64), F32)
    taken(image, at, stride, across, down, out)
    here, right, below, beyond = (rows_of(image, at + i, stride) for i in (0, 1, stride, stride + 1))
    upper, lower = here + across * (right - here), below + across * (beyond - below)
    assert np.array_equal(out[0].reshape(8, 8), here)
    assert np.array_equal(out[1].reshape(8, 8), upper + down * (lower - upper))
    before, values = image.copy(), out[1]
    added(image, at, stride, values)
    expected = rows_of(before, at, stride) + values.reshape(8, 8)
    assert np.array_equal(rows_of(image, at, stride), expected)
    assert np.count_nonzero(image != before) <= 64


@njit
def total_of(values):
    return groups.sum_of_lanes(load(values, (0,), LANES))


@settings(max_examples=30, deadline=None)
@given(values=LEVELS)
def test_the_sum_of_all_lanes_is_that_of_halves_of_halves(values):
    expected = values
    while len(expected) > 1:
        expected = expected[: len(expected) // 2] + expected[len(expected) // 2 :]
    assert total_of(values) == expected[0]
