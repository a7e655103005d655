"""What tests of spike files share: random spikes, and a `.dat` with and without its description."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spikesim import SpikeCamera, SpikeStream, write_spikes
from spikesim.formats import FORMATS

EXTENSIONS = tuple(FORMATS)
SELF_DESCRIBING = (".npz", ".npy", ".h5")
CAMERA = SpikeCamera.preset("ssdm", v_th=2.5)


@st.composite
def spikes(draw: st.DrawFn, least: int = 0) -> np.ndarray:
    shape = (draw(st.integers(least, 9)), draw(st.integers(1, 13)), draw(st.integers(1, 19)))
    return draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, 1)))


def random_spikes(*shape: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 2, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A 3×5×11 `.dat` file with its description beside it."""
    write_spikes(tmp_path / "clip.dat", SpikeStream.from_dense(random_spikes(3, 5, 11), CAMERA))
    return tmp_path / "clip.dat"


@pytest.fixture
def bare(clip: Path) -> Path:
    """The same file without its description: 3 readouts of 7 bytes."""
    clip.with_suffix(".json").unlink()
    return clip
