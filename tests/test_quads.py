"""Means of four channels as vectors of four: bit for bit those of plain arithmetic."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spikesim.kernels.compile import kernel
from spikesim.kernels.quads import mean_of_nine

F32 = np.float32


@kernel
def mean_at(image, rows, across, down, out, at):
    places = (rows[0], rows[1], rows[2])
    mean_of_nine(image, places, (across[0], across[1], across[2]), (down[0], down[1], down[2]), out, at)


def plain(image, rows, across, down):
    """Three sums along rows, then down, in single precision and in this order."""
    total = None
    for start, weight in zip(rows, down, strict=True):
        near = image[start : start + 12].reshape(3, 4).astype(F32)
        line = across[0] * near[0] + across[1] * near[1] + across[2] * near[2]
        total = weight * line if total is None else total + weight * line
    return total


@given(seed=st.integers(0, 2**32), at=st.integers(0, 5))
def test_means_are_those_of_plain_arithmetic(seed, at):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 1 << 16, 200, np.uint16)
    rows = rng.integers(0, 200 - 12, 3)  # wherever they begin: nothing is said of alignment
    across, down = rng.uniform(-1, 1, (2, 3)).astype(F32)
    out = np.full(11, 7, F32)
    mean_at(image, rows, across, down, out, at)
    expected = np.full(11, 7, F32)
    expected[at : at + 4] = plain(image, rows, across, down)
    assert np.array_equal(out, expected)
