"""Laws of the sensor, over every preset and reset rule, and golden streams of the field's own simulators."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikesim import (
    PRESETS,
    Crop,
    Simulator,
    SpikeCamera,
    SpikeStream,
    reference,
    simulate,
    simulate_cameras,
    thread_limit,
)
from spikesim.noise import ComparatorNoise, DarkCurrent, DeadPixels, GainPattern, ShotNoise

RESETS = ("modulo", "subtract", "zero")
T, H, W = 37, 7, 21  # unequal and odd: a swapped axis or a wrong last byte shows

CAMERAS = [
    pytest.param(SpikeCamera.preset(name, reset=reset, v_th=v_th), id=f"{name}-{reset}-{v_th:g}")
    for name in PRESETS
    for reset in RESETS
    for v_th in (0.3, 1.0, 2.5)
    # Diffusion noise lives in the sub-ticks of a hard reset.
    if reset == PRESETS[name].reset or name != "spikingsim"
]


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    """Light with exact zeros, ones and values that tie with thresholds."""
    rng = np.random.default_rng(5)
    light = rng.random((T, H, W), dtype=np.float32)
    light[:, 0] = 0
    light[:, 1] = 1
    light[:, 2] = 0.5
    return light


@pytest.mark.parametrize("camera", CAMERAS)
class TestEveryCamera:
    def test_compiled_equals_reference(self, camera: SpikeCamera, light: np.ndarray) -> None:
        expected = reference.simulate(light, camera, seed=3, key="a")
        assert np.array_equal(simulate(light, camera, seed=3, key="a").dense(), expected)

    def test_uint8_is_value_over_255(self, camera: SpikeCamera, light: np.ndarray) -> None:
        coded = np.rint(light * 255).astype(np.uint8)
        as_float = coded.astype(np.float32) / np.float32(255)
        assert np.array_equal(simulate(coded, camera).packed, simulate(as_float, camera).packed)
        assert np.array_equal(simulate(coded, camera).dense(), reference.simulate(coded, camera))

    def test_any_chunking_gives_the_same_bits(self, camera: SpikeCamera, light: np.ndarray) -> None:
        whole = simulate(light, camera, seed=1, key="b")
        simulator = Simulator(camera, H, W, seed=1, key="b")
        pieces = [simulator.push(light[a:b]).packed for a, b in ((0, 1), (1, 1), (1, 24), (24, T))]
        assert np.array_equal(np.concatenate(pieces), whole.packed)
        assert np.array_equal(simulate(iter(light), camera, seed=1, key="b").packed, whole.packed)

    def test_any_number_of_threads_gives_the_same_bits(self, camera: SpikeCamera) -> None:
        big = np.random.default_rng(1).random((90, 64, 80), dtype=np.float32)  # large enough to be shared out
        streams = []
        for threads in (1, 2, 5):
            with thread_limit(threads):
                streams.append(simulate(big, camera, seed=2).packed)
        assert np.array_equal(streams[0], streams[1])
        assert np.array_equal(streams[0], streams[2])

    def test_seed_and_key_matter(self, camera: SpikeCamera, light: np.ndarray) -> None:
        bits = [simulate(light, camera, seed=seed, key=key).dense() for seed, key in ((0, "a"), (1, "a"), (0, "b"))]
        assert np.array_equal(bits[0], simulate(light, camera, seed=0, key="a").dense())
        assert not any(np.array_equal(bits[0], other) for other in bits[1:])

    def test_a_crop_gives_the_bits_of_the_whole(self, camera: SpikeCamera, light: np.ndarray) -> None:
        whole = simulate(light, camera, seed=4, key="c").dense()
        part = light[:, 2:6, 9:20]
        assert np.array_equal(
            simulate(part, camera, seed=4, key="c", crop=Crop(2, 9, H, W)).dense(), whole[:, 2:6, 9:20]
        )

    def test_cameras_together_give_what_each_gives_alone(self, camera: SpikeCamera, light: np.ndarray) -> None:
        cameras = [camera, SpikeCamera(v_th=0.7), replace(camera, v_th=camera.v_th * 2)]
        together = simulate_cameras(light, cameras, seed=5, keys=["a", "b", "c"])
        for stream, alone, key in zip(together, cameras, "abc", strict=True):
            assert np.array_equal(stream.packed, simulate(light, alone, seed=5, key=key).packed)
            assert stream.camera == alone


def test_one_seed_is_one_sensor() -> None:
    """The fixed pattern is that of the sensor, not of the stream; noise that passes is the stream's own."""
    camera = SpikeCamera(start="zero", noise=(GainPattern(sigma=0.3), DarkCurrent(), DeadPixels(fraction=0.1)))
    light = np.full((300, 9, 11), 0.3, np.float32)
    counts = [simulate(light, camera, seed=seed, key=key).counts() for seed, key in ((1, "a"), (1, "b"), (2, "a"))]
    assert np.array_equal(counts[0], counts[1])
    assert not np.array_equal(counts[0], counts[2])


def test_comparator_noise_takes_whole_thresholds_only_where_there_are_any() -> None:
    """A pixel that fires early by much may be left below −v_th; its neighbours' second crossings are not its own."""
    camera = SpikeCamera(noise=(ComparatorNoise(sigma=1.0), ShotNoise(full_well_e=100)))
    light = np.random.default_rng(3).random((50, 11, 13), dtype=np.float32)
    assert np.array_equal(simulate(light, camera).dense(), reference.simulate(light, camera))


def test_the_faintest_light_does_not_fire_in_sub_ticks() -> None:
    camera = SpikeCamera(reset="zero", sub_ticks=250, start="zero")
    light = np.full((20, 2, 3), 1e-20, np.float32)
    assert not simulate(light, camera).counts().any()


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("name", PRESETS)
def test_no_light_no_spikes_without_noise(name: str, reset: str) -> None:
    camera = SpikeCamera.preset(name, reset=reset, noise=())  # type: ignore[arg-type]
    assert simulate(np.zeros((50, H, W), np.float32), camera).counts().max() == 0


@given(seed=st.integers(0, 2**32), v_th=st.floats(0.2, 5), reset=st.sampled_from(["modulo", "subtract"]))
def test_more_light_never_fewer_spikes(seed: int, v_th: float, reset: str) -> None:
    rng = np.random.default_rng(seed)
    low = rng.random((40, 5, 7), dtype=np.float32)
    high = np.minimum(1, low + rng.random((40, 5, 7), dtype=np.float32) * np.float32(0.3))
    # Over-exposed modulo pixels lose crossings, so the law holds below one crossing a readout.
    camera = SpikeCamera(v_th=max(v_th, 1.0) if reset == "modulo" else v_th, reset=reset)  # type: ignore[arg-type]
    fewer = simulate(low, camera).dense().cumsum(axis=0, dtype=int)
    more = simulate(high, camera).dense().cumsum(axis=0, dtype=int)
    assert (more >= fewer - 1e-9).all()


@given(seed=st.integers(0, 2**32), v_th=st.floats(0.05, 8), gain=st.floats(0.1, 2))
def test_subtract_balances_charge(seed: int, v_th: float, gain: float) -> None:
    light = np.random.default_rng(seed).random((50, 4, 9), dtype=np.float32)
    start = np.random.default_rng(seed + 1).random((4, 9), dtype=np.float32)
    camera = SpikeCamera(v_th=v_th, gain=gain, reset="subtract")
    simulator = Simulator(camera, 4, 9, charge=start)
    spikes = simulator.push(light).counts()
    collected = start + gain * light.sum(axis=0, dtype=np.float64)
    assert np.allclose(collected, v_th * spikes + simulator.charge, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("reset", "further"), [("subtract", 50), ("modulo", 0), ("zero", 0)])
def test_what_overexposure_leaves_behind(reset: str, further: int) -> None:
    camera = SpikeCamera(gain=1.5, reset=reset, start="zero")  # type: ignore[arg-type]
    simulator = Simulator(camera, 2, 3)
    assert (simulator.push(np.ones((100, 2, 3), np.float32)).counts() == 100).all()
    assert (simulator.push(np.zeros((100, 2, 3), np.float32)).counts() == further).all()


@pytest.mark.parametrize(
    ("intensity", "rate"), [(0.3, 0.25), (0.45, 1 / 3), (0.55, 0.5), (0.75, 0.5), (0.95, 0.5), (1.0, 1.0)]
)
def test_zero_reset_is_a_staircase(intensity: float, rate: float) -> None:
    light = np.full((1200, 1, 1), intensity, np.float32)
    assert simulate(light, SpikeCamera(reset="zero", start="zero")).counts()[0, 0] == round(1200 * rate)


def test_ideal_counts_are_within_one_of_the_light(rng: np.random.Generator) -> None:
    intensity = rng.uniform(0.02, 0.98, (40, 53)).astype(np.float32)
    stream = simulate(np.broadcast_to(intensity, (256, 40, 53)).copy(), SpikeCamera.preset("ideal"))
    for start, stop in ((0, 256), (0, 16), (31, 95), (200, 256)):
        assert (abs(stream.counts(start, stop) - intensity * (stop - start)) < 1.001).all()


@pytest.mark.parametrize("v_th", [1.0, 2.0, 4.0])
def test_rate_is_light_times_gain_over_threshold(v_th: float) -> None:
    light = np.full((4000, 8, 9), 0.37, np.float32)
    camera = SpikeCamera.preset("ssdm", v_th=v_th, noise=())
    assert np.allclose(simulate(light, camera).counts() / 4000, 0.37 * camera.gain / v_th, atol=1 / 4000)


def test_ties_fire_only_where_the_camera_says_so() -> None:
    light = np.full((8, 1, 1), 0.5, np.float32)
    firing = SpikeCamera(start="zero", tie_fires=True)
    assert simulate(light, firing).dense().ravel().tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert simulate(light, replace(firing, tie_fires=False)).dense().ravel().tolist() == [0, 0, 1, 0, 1, 0, 1, 0]


def test_starting_charges() -> None:
    shape = (200, 300)
    uniform = Simulator(SpikeCamera(v_th=2.5), *shape).charge
    assert 0 <= uniform.min() < 0.001
    assert 2.499 < uniform.max() < 2.5
    assert abs(uniform.mean() - 1.25) < 0.01
    # One unseen readout of full-scale random light: all of the range at V_th 1, a quarter of it at V_th 4.
    released = Simulator(SpikeCamera.preset("ssdm", v_th=4), *shape).charge
    assert 0.99 < released.max() < 0.9928
    assert not Simulator(SpikeCamera(start="zero"), *shape).charge.any()


@pytest.fixture(scope="module")
def golden(shared: Path) -> dict[str, np.ndarray]:
    with np.load(shared / "golden" / "simulator.npz") as archive:
        return dict(archive)


@pytest.mark.recordings
class TestGolden:
    """The outputs of the field's own code, from the same starting charge."""

    @staticmethod
    def check(stream: SpikeStream, expected: np.ndarray) -> None:
        assert stream.shape == expected.shape
        assert (stream.dense() != expected).mean() <= 1e-4
        assert abs(stream.counts().astype(int) - expected.sum(axis=0, dtype=int)).max() <= 1

    def test_ssdm(self, golden: dict[str, np.ndarray]) -> None:
        camera = SpikeCamera.preset("ssdm", noise=())
        assert np.isclose(camera.gain, golden["ssdm_gain_per_frame"] / golden["ssdm_threshold"], rtol=1e-9)
        charge = golden["ssdm_init_light"] * np.float32(camera.gain)
        self.check(simulate(golden["light"], camera, charge=charge), golden["ssdm_spikes"])

    @pytest.mark.parametrize("v_th", [1, 2, 4])
    @pytest.mark.parametrize("preset", ["spikezoo", "spikecv"])
    def test_v2s(self, golden: dict[str, np.ndarray], preset: str, v_th: int) -> None:
        camera = SpikeCamera.preset(preset, v_th=v_th)
        stream = simulate(golden["light"], camera, charge=golden["v2s_init_fraction"] * v_th)
        self.check(stream, golden[f"v2s_spikes_{v_th}"])

    def test_hard_reset(self, golden: dict[str, np.ndarray]) -> None:
        camera = SpikeCamera(reset="zero")
        self.check(simulate(golden["light"], camera, charge=golden["v2s_init_fraction"]), golden["hard_spikes_1"])

    def test_another_sensor_does_not_pass(self, golden: dict[str, np.ndarray]) -> None:
        wrong = simulate(golden["light"], SpikeCamera(reset="zero"), charge=golden["v2s_init_fraction"])
        with pytest.raises(AssertionError):
            self.check(wrong, golden["v2s_spikes_1"])
