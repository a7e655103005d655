"""Does the sensor do what its physics says: ten acceptance tests, by the statistics of its spike trains.

 1. randomness by counter: known answers in test_noise.py, chunks, threads and crops in test_sensor.py, seeds here
 2. the ideal pixel: here
 3. reset rules: test_sensor.py (staircase, over-exposure, rates)
 4. `ssdm`: bits beside the released loop here; thermal noise in test_noise.py, in frames of a long stream here
 5. TFI: here
 6. shot noise: here
 7. dark current: here
 8. gain pattern: here; the published matrices in test_calibration.py
 9. realism: here
10. readout: here

All run at the sizes that their tolerances were stated for, unless a comment says otherwise.
"""

from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
from estimators import (
    Trains,
    count_variance,
    interval_range,
    outside,
    phase_noise,
    static_region,
    stray,
    wander,
    window_counts,
)
from numba import njit

from spikesim import Crop, SpikeCamera, SpikeStream, simulate, tfi
from spikesim.kernels.lanes import LANES, store
from spikesim.kernels.random import lanes_of_normals
from spikesim.noise import (
    BitErrors,
    ComparatorNoise,
    DarkCurrent,
    DeadPixels,
    DeadTime,
    FrameNoise,
    GainPattern,
    InherentSpikes,
    ResetNoise,
    ShotNoise,
)
from spikesim.pattern import draw_pattern
from spikesim.randomness import make_key


def stream_of(camera: SpikeCamera, light: np.ndarray, readouts: int, seed: int = 0) -> SpikeStream:
    """The stream of constant light (H, W), without holding the light of all readouts."""
    return simulate(repeat(light.astype(np.float32), readouts), camera, seed=seed)


def spikes_of(camera: SpikeCamera, light: np.ndarray, readouts: int, seed: int = 0) -> np.ndarray:
    """Dense spikes (T, P) of constant light (P,)."""
    return stream_of(camera, light[None], readouts, seed).dense()[:, 0]


def rates_of(camera: SpikeCamera, light: np.ndarray, readouts: int, seed: int = 0) -> np.ndarray:
    """Spikes a readout (H, W) in constant light (H, W)."""
    return stream_of(camera, light, readouts, seed).counts() / readouts


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_another_seed_is_another_camera() -> None:
    light = np.full((50, 100), 0.2, np.float32)
    camera = SpikeCamera.preset("realistic")
    streams = [stream_of(camera, light, 400, seed).dense() for seed in (0, 1)]
    assert (streams[0] != streams[1]).mean() > 0.1


@pytest.fixture(scope="module")
def ideal() -> tuple[np.ndarray, np.ndarray]:
    """Drives (P,) and the spikes (T, P) of ideal pixels."""
    drive = np.random.default_rng(2).uniform(0.02, 0.98, 200_000).astype(np.float32)
    return drive, spikes_of(SpikeCamera.preset("ideal"), drive, 256)


@njit
def fill_normals(readout, purpose, draw, key, values):  # type: ignore[no-untyped-def]
    """The four normals of each pixel, as the kernels draw them, in values (4,W), W a multiple of 16."""
    for x in range(0, values.shape[1], LANES):
        first, second, third, fourth = lanes_of_normals(x, readout, purpose, draw, key)
        store(values, (0, x), LANES, first)
        store(values, (1, x), LANES, second)
        store(values, (2, x), LANES, third)
        store(values, (3, x), LANES, fourth)


class TestIdeal:
    """Acceptance 2."""

    @pytest.mark.parametrize("window", [16, 32, 64, 128, 256])
    def test_counts(self, ideal: tuple[np.ndarray, np.ndarray], window: int) -> None:
        drive, spikes = ideal
        error = window_counts(spikes, window) - window * drive.astype(np.float64)
        # Charge is float32: after 256 sums it is off by up to 1e-5.
        assert abs(error).max() < 1 + 1e-5
        assert error[0].std() == pytest.approx(0.408, abs=0.006)
        assert abs(error[0].mean()) < 0.005

    def test_intervals(self, ideal: tuple[np.ndarray, np.ndarray]) -> None:
        drive, spikes = ideal
        shortest, longest = interval_range(spikes)
        period = 1 / drive.astype(np.float64)
        twice = longest > 0
        assert (shortest[twice] >= np.floor(period[twice])).all()
        assert (longest[twice] <= np.ceil(period[twice])).all()


class TestSsdm:
    """Acceptance 4."""

    @pytest.mark.parametrize("threshold", [2, 4, 8])
    def test_bits_are_those_of_the_released_loop(self, threshold: int, rng: np.random.Generator) -> None:
        """The release integrates volts in float32: 250 ticks of g·K, a threshold voltage of twice the paper's V_th."""
        light = rng.random((137, 70, 153), dtype=np.float32)
        per_tick = np.float32(2e-7 * 1.09e-13 / (1.83e-4 * 15e-15))
        start = rng.random((70, 153), dtype=np.float32) * per_tick * np.float32(250)
        volts, v_th = start.copy(), np.float32(threshold)
        expected = np.empty(light.shape, np.uint8)
        for t, frame in enumerate(light):
            volts = volts + (frame * per_tick) * np.float32(250)
            expected[t] = volts > v_th
            volts = np.where(expected[t], np.fmod(volts, v_th), volts)
        camera = SpikeCamera.preset("ssdm", v_th=threshold / 2, noise=())
        assert expected.size > 1e6
        assert np.array_equal(simulate(light, camera, charge=start / 2).dense(), expected)

    def test_thermal_noise_is_even_in_long_streams(self) -> None:
        """Sums of intervals in float32 pile up on every fourth readout beyond 2^24 samples; here are 2.4 times that."""
        shape = 400, 250, 400
        camera = SpikeCamera(start="zero", noise=(InherentSpikes(),))
        stream = simulate(np.zeros(shape, np.uint8), camera)
        counts = np.bitwise_count(stream.packed).sum(axis=(1, 2), dtype=np.float64)
        pixels = shape[1] * shape[2]
        assert counts.std() == pytest.approx(np.sqrt(pixels / 140 * (1 - 1 / 140)), rel=0.1)
        phases = counts.reshape(-1, 4).sum(axis=0)
        assert ((phases - phases.mean()) ** 2).sum() / phases.mean() < 16.27  # chi² of 3 degrees: p > 1e-3


def test_tfi_is_unbiased_with_the_error_of_theory(rng: np.random.Generator) -> None:
    """Acceptance 5: E[1/d] = x, Var[1/d] = x² f (1 − f) / (m (m + 1)), where 1/x = m + f."""
    drive = rng.uniform(0.02, 0.5, (100, 200)).astype(np.float32)
    estimate = tfi(stream_of(SpikeCamera.preset("ideal"), drive, 200), centre=100)
    x = drive.astype(np.float64)
    m = np.floor(1 / x)
    variance = x**2 * (1 / x - m) * (m + 1 - 1 / x) / (m * (m + 1))
    for low, high in ((0.02, 0.1), (0.1, 0.2), (0.2, 0.33), (0.33, 0.5)):
        band = (x >= low) & (x < high)
        error = (estimate - x)[band]
        assert abs(error.mean()) < 0.01 * x[band].mean()
        assert np.sqrt((error**2).mean()) == pytest.approx(np.sqrt(variance[band].mean()), rel=0.04)


class TestShotNoise:
    """Acceptance 6."""

    NOISY = SpikeCamera(noise=(ShotNoise(full_well_e=1000),))

    @staticmethod
    def cv2(camera: SpikeCamera, low: float, high: float, *lags: int) -> float:
        drive = np.random.default_rng(6).uniform(low, high, 4000)
        trains = Trains.of(spikes_of(camera, drive, 2000))
        return float(np.mean([phase_noise(trains, lag) for lag in lags]))

    @pytest.mark.parametrize("lag", [16, 32])
    def test_variance_of_an_interval_is_that_of_its_electrons(self, lag: int) -> None:
        assert self.cv2(self.NOISY, 0.1, 0.45, lag) == pytest.approx(1e-3, rel=0.04)

    def test_of_a_real_pixel(self) -> None:
        camera = SpikeCamera(noise=(ShotNoise(),))
        assert self.cv2(camera, 0.1, 0.45, 16, 32) == pytest.approx(1 / 29_646, rel=0.12)

    @pytest.mark.parametrize(("low", "high"), [(0.1, 0.2), (0.35, 0.45)])
    def test_it_does_not_depend_on_the_rate(self, low: float, high: float) -> None:
        assert self.cv2(self.NOISY, low, high, 16, 32) == pytest.approx(1e-3, rel=0.05)

    def test_variance_of_counts(self, rng: np.random.Generator) -> None:
        """r N / N_e of the electrons and 1/6 of the clock."""
        drive = rng.uniform(0.2, 0.3, 40_000).astype(np.float32)
        error = spikes_of(self.NOISY, drive, 1000).sum(axis=0, dtype=np.int64) - 1000 * drive.astype(np.float64)
        assert error.var() == pytest.approx(0.25 + 1 / 6, rel=0.03)


class TestDarkCurrent:
    """Acceptance 7, without hot pixels."""

    CAMERA = SpikeCamera(noise=(ShotNoise(), DarkCurrent(hot_fraction=0)))

    @staticmethod
    def drawn(shape: tuple[int, int]) -> np.ndarray:
        return draw_pattern(TestDarkCurrent.CAMERA, shape, Crop(0, 0, *shape), seed=0).dark

    def test_mean_rate_is_the_mean_current(self) -> None:
        shape = 200, 250
        rate = rates_of(self.CAMERA, np.zeros(shape), 4000)
        assert rate.mean() == pytest.approx(self.drawn(shape).mean(dtype=np.float64), rel=0.005)

    def test_it_is_log_normal_and_white(self) -> None:
        shape = 100, 200
        rate = rates_of(self.CAMERA, np.zeros(shape), 20_000)
        assert rate.min() > 0
        logarithm = np.log(rate)
        assert logarithm.std() == pytest.approx(0.445, abs=0.01)
        assert np.exp(logarithm.mean()) == pytest.approx(4.49e-3, rel=0.01)
        standard = (logarithm - logarithm.mean()) / logarithm.std()
        assert abs((standard**3).mean()) < 0.1
        assert abs(correlation(rate[1:], rate[:-1])) < 0.02
        assert abs(correlation(rate[:, 1:], rate[:, :-1])) < 0.02


def test_gain_pattern() -> None:
    """Acceptance 8."""
    shape = 200, 250
    camera = SpikeCamera(noise=(ShotNoise(), DarkCurrent(hot_fraction=0), GainPattern()))
    dark = rates_of(camera, np.zeros(shape), 4000)
    flat = rates_of(camera, np.full(shape, 0.2), 4000)
    gain = (flat - dark) / (flat - dark).mean()
    assert gain.std() == pytest.approx(0.026, abs=6e-4)
    assert (((gain - 1) / gain.std()) ** 4).mean() == pytest.approx(3, abs=0.15)
    assert abs(correlation(gain[1:], gain[:-1])) < 0.01
    assert abs(correlation(gain[:, 1:], gain[:, :-1])) < 0.01
    # The pattern does not depend on the length of the stream: counts of the first 1000 readouts are off by the clock
    # (less than 1) and by shot noise, √(200/29,646) each.
    first = rates_of(camera, np.full(shape, 0.2), 1000)
    assert abs(first - flat).max() < 1.6 / 1000


def temporal(name: str) -> SpikeCamera:
    """The camera of a preset without its fixed pattern."""
    fixed = GainPattern | DarkCurrent | DeadPixels
    noise = tuple(term for term in SpikeCamera.preset(name).noise if not isinstance(term, fixed))
    return SpikeCamera.preset(name, noise=noise)


@pytest.fixture(scope="module")
def recording(shared: Path) -> np.ndarray:
    """The static part (T, P) of a recording of a real camera."""
    with np.load(shared / "data" / "real_spike.npz") as archive:
        return static_region(archive["arr_0"].transpose(2, 0, 1))


@pytest.fixture(scope="module")
def rate(recording: np.ndarray) -> np.ndarray:
    """The rates (P,) of its pixels."""
    return Trains.of(recording).rate


@pytest.fixture(scope="module")
def drive() -> np.ndarray:
    """Drives (P,) such as the recording has."""
    return np.random.default_rng(9).uniform(0.14, 0.36, 40_000)


@pytest.mark.recordings
class TestBesideARealRecording:
    """Acceptance 9a and c: cameras that see the rates of 46,760 real pixels for 500 readouts, without fixed pattern."""

    @staticmethod
    def check(dense: np.ndarray, rate: np.ndarray) -> None:
        """Pass where the spikes (T, P) are like those of a real camera whose pixels have these rates (P,)."""
        trains = Trains.of(dense)
        assert dense.mean() == pytest.approx(rate.mean(), rel=0.005)
        assert 6e-4 < outside(trains, rate) < 1.1e-3
        short, long = stray(trains, rate)
        assert short == 0
        assert long < 3e-6
        # R of every fourth pixel: 11,690 know the 99th percentile to 0.01.
        median, highest = np.percentile(wander(trains.take(np.arange(0, len(rate), 4))), (50, 99))
        assert 1.08 < median < 1.16
        assert 1.28 < highest < 1.45
        assert count_variance(dense, 100) == pytest.approx(0.1995, abs=0.002)
        assert count_variance(dense, 20) == pytest.approx(0.172, abs=0.001)

    @staticmethod
    def simulated(camera: SpikeCamera, rate: np.ndarray) -> np.ndarray:
        return spikes_of(camera, rate * camera.v_th / camera.gain, 500)

    def test_the_recording_itself_passes(self, recording: np.ndarray, rate: np.ndarray) -> None:
        self.check(recording, rate)

    def test_realistic_passes(self, rate: np.ndarray) -> None:
        self.check(self.simulated(temporal("realistic"), rate), rate)

    @pytest.mark.parametrize("name", ["ideal", "ssdm", "spikingsim", "scsim", "rsir"])
    def test_others_fail(self, name: str, rate: np.ndarray) -> None:
        dense = self.simulated(temporal(name), rate)
        with pytest.raises(AssertionError):
            self.check(dense, rate)

    def test_thermal_noise_fails_by_far(self, rate: np.ndarray) -> None:
        some = rate[::10]
        dense = self.simulated(temporal("ssdm"), some)
        assert outside(Trains.of(dense), some) > 0.03
        assert np.median(wander(Trains.of(dense))) > 5
        assert count_variance(dense, 100) > 0.5

    def test_phase_noise_is_shot_noise(self, recording: np.ndarray, rate: np.ndarray) -> None:
        """Up to 8 spikes the phase of the wall's pixels wanders as in the simulated camera, within 15 %."""
        wall = np.arange(94 * 350)
        real = Trains.of(recording[:, wall])
        ours = Trains.of(self.simulated(temporal("realistic"), rate[wall]))
        for lag in (2, 4, 8):
            assert phase_noise(real, lag) / phase_noise(ours, lag) == pytest.approx(1, abs=0.15)


class TestRealismWithoutData:
    """Acceptance 9b and c: x ~ U(0.14, 0.36), 40,000 pixels, 500 readouts."""

    def test_realistic(self, drive: np.ndarray) -> None:
        dense = spikes_of(temporal("realistic"), drive, 500)
        trains = Trains.of(dense)
        assert outside(trains, trains.rate) == pytest.approx(3.4e-4, rel=0.2)
        # R of every fourth pixel: 10,000 know the median to 0.001 and the 99th percentile to 0.01.
        median, highest = np.percentile(wander(trains.take(np.arange(0, len(drive), 4))), (50, 99))
        assert median == pytest.approx(1.105, abs=0.01)
        assert highest == pytest.approx(1.31, abs=0.02)
        # The dead time takes 0.002 of the charge of each spike's readout.
        seen = drive / (1 + 0.002 * drive)
        assert (dense[:100].sum(axis=0) - 100 * seen).var() == pytest.approx(0.169, abs=0.003)

    def test_ideal(self, drive: np.ndarray) -> None:
        trains = Trains.of(spikes_of(SpikeCamera(), drive[:10_000], 500))
        assert outside(trains, trains.rate) == 0
        assert np.percentile(wander(trains), 99) < 1

    def test_thermal_noise_is_not_realistic(self, drive: np.ndarray) -> None:
        camera = SpikeCamera(noise=(*temporal("realistic").noise, InherentSpikes()))
        dense = spikes_of(camera, drive[:4000], 500)
        trains = Trains.of(dense)
        assert outside(trains, trains.rate) > 0.03
        assert np.median(wander(trains)) > 5
        assert count_variance(dense, 100) > 0.5


class TestReadout:
    """Acceptance 10."""

    @pytest.mark.parametrize("tau", [0.002, 0.5])
    def test_dead_time_bends_the_rate(self, tau: float) -> None:
        drive = np.array([[0.05, 0.2, 0.4, 0.61, 0.8]], np.float32)
        rate = np.zeros(drive.shape)
        stream = stream_of(SpikeCamera(noise=(DeadTime(tau),)), drive, 200_000)
        for start in range(0, len(stream), 50_000):
            rate += stream.counts(start, start + 50_000) / len(stream)
        assert rate == pytest.approx(drive / (1 + tau * drive), abs=1e-5)

    @pytest.mark.parametrize(("errors", "lost"), [(BitErrors(drop=1e-3), True), (BitErrors(0, false=1e-3), False)])
    def test_bit_errors_touch_no_other_bit(self, errors: BitErrors, lost: bool) -> None:
        light = np.random.default_rng(10).uniform(0.05, 0.95, (150, 200))
        clean = stream_of(SpikeCamera(noise=(ShotNoise(),)), light, 1600).packed
        wrong = stream_of(SpikeCamera(noise=(ShotNoise(), errors)), light, 1600).packed
        changed = np.bitwise_count(clean ^ wrong).sum(dtype=np.int64)
        spikes = np.bitwise_count(clean).sum(dtype=np.int64)
        exposed = spikes if lost else light.size * 1600 - spikes
        assert changed / exposed == pytest.approx(1e-3, rel=0.03)
        assert np.array_equal(wrong & clean, wrong if lost else clean)

    def test_reset_noise(self, rng: np.random.Generator) -> None:
        trains = Trains.of(spikes_of(SpikeCamera(noise=(ResetNoise(0.02),)), rng.uniform(0.1, 0.45, 4000), 2000))
        assert np.mean([phase_noise(trains, lag) for lag in (16, 32)]) == pytest.approx(4e-4, rel=0.05)

    def test_noise_is_independent(self) -> None:
        """Across pixels, readouts, purposes, draws and seeds."""

        def normals(readout: int = 0, purpose: int = ShotNoise.purposes[0], draw: int = 0, seed: int = 0) -> np.ndarray:
            values = np.empty((4, 200_000), np.float32)
            fill_normals(readout, purpose, draw, make_key(seed, ""), values)
            return values

        first = normals()
        assert first.mean() == pytest.approx(0, abs=4 / np.sqrt(first.size))
        assert first.var() == pytest.approx(1, abs=4 * np.sqrt(2 / first.size))
        others = [
            *(
                normals(readout=1),
                normals(draw=1),
                normals(seed=1),
                np.roll(first, 1, axis=1),
                np.roll(first, 1, axis=0),
            ),
            *(normals(purpose=t.purposes[0]) for t in (FrameNoise, ResetNoise, ComparatorNoise, GainPattern)),
        ]
        for other in others:
            assert abs(correlation(first, other)) < 4 / np.sqrt(first.size)
