"""Spikes of every density, for laws."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


@st.composite
def dense_spikes(draw: st.DrawFn) -> np.ndarray:
    """Spikes (T, H, W) of every density, from pixels that never fire to pixels that always do."""
    shape = (draw(st.integers(1, 17)), draw(st.integers(1, 5)), draw(st.integers(1, 27)))
    rate = draw(hnp.arrays(np.float64, shape[1:], elements=st.sampled_from([0, 0.1, 0.5, 0.9, 1])))
    return (np.random.default_rng(draw(st.integers(0, 99))).random(shape) < rate).astype(np.uint8)
