"""Means of four channels as vectors of four: bit for bit those of plain arithmetic."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spikesim.kernels.compile import kernel
from spikesim.kernels.quads import lay_mean_of_nine, mean_of_nine

F32 = np.float32


@kernel
def mean_at(image, rows, columns, across, down, out, at):
    places = (rows[0], rows[1], rows[2]), (columns[0], columns[1], columns[2])
    mean_of_nine(image, *places, (across[0], across[1], across[2]), (down[0], down[1], down[2]), out, at)


@kernel
def lay_at(image, rows, across, down, opaque, out, at):
    places = (rows[0], rows[1], rows[2]), (0, 4, 8)
    lay_mean_of_nine(image, *places, (across[0], across[1], across[2]), (down[0], down[1], down[2]), opaque, out, at)


def plain(image, rows, columns, across, down):
    """Three sums along rows, then down, in single precision and in this order."""
    total = None
    for start, weight in zip(rows, down, strict=True):
        near = [image[start + column : start + column + 4].astype(F32) for column in columns]
        line = across[0] * near[0] + across[1] * near[1] + across[2] * near[2]
        total = weight * line if total is None else total + weight * line
    return total


@given(seed=st.integers(0, 2**32), at=st.integers(0, 5))
def test_means_are_those_of_plain_arithmetic(seed, at):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 1 << 16, 200, np.uint16)
    rows = rng.integers(0, 100, 3)  # wherever they begin: nothing is said of alignment
    columns = rng.integers(0, 97, 3)
    across, down = rng.uniform(-1, 1, (2, 3)).astype(F32)
    out = np.full(11, 7, F32)
    mean_at(image, rows, columns, across, down, out, at)
    expected = np.full(11, 7, F32)
    expected[at : at + 4] = plain(image, rows, columns, across, down)
    assert np.array_equal(out, expected)


@given(seed=st.integers(0, 2**32), at=st.integers(0, 5))
def test_means_laid_over_others(seed, at):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 1 << 16, 200, np.uint16)
    rows = rng.integers(0, 200 - 12, 3)
    across, down = rng.uniform(0, 1 / 3, (2, 3)).astype(F32)
    below, opaque = rng.uniform(0, 65280, 11).astype(F32), F32(1 / 65280)
    out = below.copy()
    lay_at(image, rows, across, down, opaque, out, at)
    seen = plain(image, rows, (0, 4, 8), across, down)
    expected = below.copy()
    expected[at : at + 4] = below[at : at + 4] * (F32(1) - seen[3] * opaque) + seen
    assert np.array_equal(out, expected)
