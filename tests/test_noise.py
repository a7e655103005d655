"""Random numbers by counter, and the statistics of thermal noise."""

import numpy as np
import pytest

from spikesim import Simulator, SpikeCamera, reference, simulate
from spikesim.kernels import random
from spikesim.noise import InherentSpikes
from spikesim.noise.inherent_spikes import renewal_laws
from spikesim.randomness import make_key

KNOWN_ANSWERS = [
    ([0] * 6, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 6, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344, 0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]
"""Counter and key, and the words they make: the known-answer tests published with Philox4x32-10."""


@pytest.mark.parametrize(("arguments", "words"), KNOWN_ANSWERS)
def test_philox_known_answers(arguments: list[int], words: list[int]) -> None:
    assert [int(word) for word in random.philox4x32(*(np.uint32(value) for value in arguments))] == words
    arrays = [np.array([value], np.uint64) for value in arguments]
    assert [int(word[0]) for word in reference.philox4x32(tuple(arrays[:4]), tuple(arrays[4:]))] == words


def test_keys_of_different_names_and_seeds_differ() -> None:
    keys = {tuple(make_key(seed, name)) for seed in range(50) for name in ("", "a", "train/a/1/1", "train/a/1/2")}
    assert len(keys) == 200
    assert np.array_equal(make_key(7, "a"), make_key(np.int64(7), "a"))  # type: ignore[arg-type]


def inherent_only(shape: tuple[int, int, int], term: InherentSpikes, seed: int = 0) -> np.ndarray:
    """The spurious spikes alone: a dark sensor's stream, dense (T, H, W)."""
    simulator = Simulator(SpikeCamera(start="zero", noise=(term,)), *shape[1:], seed=seed)
    return simulator.push(np.zeros(shape, np.uint8)).dense()


@pytest.fixture(scope="module")
def long_run() -> np.ndarray:
    return inherent_only((4000, 60, 70), InherentSpikes())


class TestInherentSpikes:
    def test_density(self, long_run: np.ndarray) -> None:
        assert long_run.mean() == pytest.approx(1 / 140, rel=0.01)

    def test_intervals(self, long_run: np.ndarray) -> None:
        pixels = long_run.reshape(len(long_run), -1).T
        # Only intervals that begin early are free of the bias that the end of the run puts on long ones.
        intervals = np.concatenate(
            [np.diff(times)[times[:-1] < 3500] for times in (np.flatnonzero(pixel) for pixel in pixels)]
        )
        assert len(intervals) > 90_000
        assert intervals.min() >= 1
        assert intervals.mean() == pytest.approx(140, abs=0.5)
        assert intervals.std() == pytest.approx(50, abs=0.5)

    def test_stationary_from_the_first_readout(self, long_run: np.ndarray) -> None:
        """No pile-up at the start, at any phase of four readouts, or later."""
        counts = long_run.reshape(len(long_run), -1).sum(axis=1, dtype=float)
        expected = long_run[0].size / 140
        first = counts[:280].reshape(14, 20).sum(axis=1)
        assert (abs(first - 20 * expected) < 5 * np.sqrt(20 * expected)).all()
        phases = counts.reshape(-1, 4).sum(axis=0)
        assert (abs(phases - phases.mean()) < 5 * np.sqrt(phases.mean())).all()

    def test_quasi_regular(self, long_run: np.ndarray) -> None:
        """Counts of a pixel vary far less than a Poisson process's: Fano factor .19 over 400 readouts."""
        windows = long_run[:4000].reshape(10, 400, -1).sum(axis=1, dtype=float)
        assert windows.var() / windows.mean() == pytest.approx(0.19, abs=0.02)

    def test_pixels_and_seeds_are_independent(self, long_run: np.ndarray) -> None:
        other = inherent_only((4000, 60, 70), InherentSpikes(), seed=1)
        shifted = np.roll(long_run, 1, axis=2)
        for second in (other, shifted):
            coincidences = (long_run & second).mean()
            assert coincidences == pytest.approx(1 / 140**2, rel=0.06)

    def test_spikes_are_added_and_the_charge_is_not_touched(self, rng: np.random.Generator) -> None:
        light = rng.random((150, 11, 21), dtype=np.float32)
        noisy, clean = SpikeCamera(noise=(InherentSpikes(),)), SpikeCamera()
        spurious = inherent_only(light.shape, InherentSpikes())
        assert np.array_equal(simulate(light, noisy).dense(), simulate(light, clean).dense() | spurious)
        simulators = [Simulator(camera, 11, 21) for camera in (noisy, clean)]
        for simulator in simulators:
            simulator.push(light)
        assert np.array_equal(simulators[0].charge, simulators[1].charge)

    def test_without_spread_every_interval_is_the_mean(self) -> None:
        spikes = inherent_only((400, 7, 9), InherentSpikes(mean_interval=50, std_interval=0)).reshape(400, -1)
        assert (spikes.sum(axis=0) == 8).all()
        firsts = spikes.argmax(axis=0)
        assert all(set(np.diff(np.flatnonzero(pixel))) == {50} for pixel in spikes.T)
        assert len(set(firsts.tolist())) > 20  # the phase is random

    def test_tables_are_distributions(self) -> None:
        for mean, std in ((140, 50), (3, 3), (1, 0)):
            first, interval = renewal_laws(mean, std)
            for table in (first.below, interval.below):
                assert (np.diff(table.astype(np.int64)) >= 0).all()
                assert int(table[-1]) == 2**32
            assert interval.below[0] == 0  # an interval is at least one readout
