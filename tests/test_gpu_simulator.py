"""The simulator in torch: light in pieces, and how the front doors of the sensor lead there."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikesim
from spikesim import PRESETS, Crop, SpikeCamera, SpikeStream, push_together, read_spikes, simulate, simulate_to_file
from spikesim.errors import InvalidValueError
from spikesim.noise import BitErrors

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'spikesim[ssdm]'")
from torch_sensors import OTHERS, H, Operations, T, W, assert_same, make_light  # noqa: E402

from spikesim import gpu  # noqa: E402
from spikesim.gpu import sensor  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    return make_light()


@pytest.fixture(scope="module")
def small(light: np.ndarray) -> np.ndarray:
    return light[:, 3:26, 5:42].copy()


def torch_simulator(*arguments: Any, **options: Any) -> gpu.Simulator:
    return gpu.Simulator(*arguments, device="cpu", **options)


class TestSimulator:
    """Light in pieces, whatever their size: the bits and the charge of the compiled simulator."""

    @pytest.mark.parametrize("cuts", [(0, 1, 2, 3, 5, 41), (0, 0, 6, 7, 41), (0, 39, 40, 41)])
    @pytest.mark.parametrize(
        "camera",
        [
            *(pytest.param(SpikeCamera.preset(name, v_th=0.7), id=name) for name in PRESETS),
            *(pytest.param(camera.values[0], id=camera.id) for camera in OTHERS),
        ],
    )
    def test_any_chunking_gives_the_same_bits(
        self, camera: SpikeCamera, cuts: tuple[int, ...], small: np.ndarray
    ) -> None:
        seen = small[:, :7]
        height, width = seen.shape[1:]
        whole = gpu.simulate(seen, camera, seed=3, key="a", device="cpu")
        twins = [make(camera, height, width, seed=3, key="a") for make in (torch_simulator, spikesim.Simulator)]
        streams = [[twin.push(seen[a:b]) for a, b in pairwise(cuts)] for twin in twins]
        assert [stream.shape[0] for stream in streams[0]] == np.diff(cuts).tolist()
        packed = [np.concatenate([stream.packed for stream in parts]) for parts in streams]
        assert np.array_equal(packed[0], whole.packed)
        assert_same(SpikeStream(packed[0], width, camera), SpikeStream(packed[1], width, camera))
        assert np.allclose(twins[0].charge, twins[1].charge, atol=1e-6)
        assert streams[0][0].camera == camera

    def test_one_readout_at_a_time(self, small: np.ndarray) -> None:
        camera = SpikeCamera.preset("realistic")
        twin = torch_simulator(camera, *small.shape[1:])
        packed = [twin.push(frame).packed for frame in small[:9]]
        assert np.array_equal(np.concatenate(packed), simulate(small[:9], camera).packed)

    @pytest.mark.parametrize("name", ["ideal", "spikingsim", "realistic", "ssdm"])
    def test_refused_light_leaves_it_as_it_was(
        self, name: str, small: np.ndarray, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also where the first blocks of it were good, and events of the bits have gone on."""
        monkeypatch.setattr(sensor, "_BLOCK", 1)
        monkeypatch.setattr(sensor, "_BLOCK_IN_TICKS", 1)
        camera = SpikeCamera.preset(name)
        noise = (*camera.noise, BitErrors(drop=0.3)) if name in ("ssdm", "spikingsim") else camera.noise
        camera = replace(camera, noise=noise)
        twin, undisturbed = (torch_simulator(camera, *small.shape[1:], key="b") for _ in range(2))
        bad = small[:20].copy()
        bad[19, 3, 4] = np.nan
        for one in (twin, undisturbed):
            one.push(small[:5])
        charge = twin.charge
        for light in (bad, torch.from_numpy(bad), small.astype(np.int32), small[:, 1:]):
            with pytest.raises(InvalidValueError):
                twin.push(light)
        assert np.array_equal(twin.charge, charge)
        assert np.array_equal(twin.push(small[5:]).packed, undisturbed.push(small[5:]).packed)

    def test_charge_is_a_copy(self) -> None:
        twin = torch_simulator(SpikeCamera(), 3, 5)
        charge = twin.charge
        twin.charge[:] = 9
        assert np.array_equal(twin.charge, charge)

    def test_it_does_not_share_light_with_compiled_ones(self, small: np.ndarray) -> None:
        simulators = [make(SpikeCamera(), *small.shape[1:]) for make in (spikesim.Simulator, torch_simulator)]
        with pytest.raises(InvalidValueError, match="on the processor"):
            push_together(simulators, small)


@pytest.fixture
def processor_as_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a GPU is asked for, torch computes on the processor."""
    monkeypatch.setattr("spikesim.gpu.simulator.find_device", lambda name: torch.device("cpu"))


@pytest.mark.usefixtures("processor_as_gpu")
def test_simulate_hands_everything_to_torch(small: np.ndarray) -> None:
    camera = SpikeCamera.preset("realistic")
    crop, charge = Crop(1, 2, 50, 60), np.full(small.shape[1:], 0.4)
    arguments: dict[str, Any] = {"seed": 4, "key": "d", "crop": crop, "charge": charge, "clip": True}
    with Operations() as operations:
        stream = simulate(small * 2, camera, device="cuda", **arguments)
    assert operations.counts
    assert np.array_equal(stream.packed, simulate(small * 2, camera, device="cpu", **arguments).packed)


@pytest.mark.usefixtures("processor_as_gpu")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_long_streams_are_simulated_by_torch_too(small: np.ndarray, tmp_path: Path, device: str) -> None:
    camera = SpikeCamera.preset("realistic", v_th=0.7)
    light = np.concatenate([small, small, small])  # several stacks of frames, the last of which is not full
    options: dict[str, Any] = {"seed": 4, "key": "d", "clip": True, "charge": np.full(small.shape[1:], 0.3)}
    with Operations() as operations:
        recording = simulate_to_file(iter(light), camera, tmp_path / "a.dat", device=device, flip=False, **options)
    assert operations.counts
    expected = simulate(light, camera, **options)
    assert np.array_equal(read_spikes(tmp_path / "a.dat").packed, expected.packed)
    assert (recording.shape, recording.spikes) == (expected.shape, expected.counts().sum())


def test_torch_may_name_the_device(small: np.ndarray) -> None:
    tensor = torch.from_numpy(small)
    expected = simulate(small, SpikeCamera.preset("realistic")).packed
    for sense in (simulate, gpu.simulate):
        stream = sense(tensor, SpikeCamera.preset("realistic"), device=tensor.device)
        assert np.array_equal(stream.packed, expected)
    for device in ("meta", torch.device("meta"), "cpu:0"):
        for sense in (simulate, gpu.simulate):
            with pytest.raises(InvalidValueError, match="device must be"):
                sense(tensor, SpikeCamera(), device=device)


def test_auto_is_the_processor_without_a_gpu(small: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    camera = SpikeCamera.preset("realistic")
    with Operations() as operations:
        stream = simulate(small, camera, device="auto")
    assert not operations.counts
    assert np.array_equal(stream.packed, simulate(small, camera).packed)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_pieces_of_any_size_on_a_gpu(light: np.ndarray) -> None:
    camera = SpikeCamera.preset("realistic")
    twin = gpu.Simulator(camera, H, W)
    packed = [twin.push(light[a:b]).packed for a, b in pairwise((0, 1, 6, 7, T))]
    assert_same(SpikeStream(np.concatenate(packed), W, camera), simulate(light, camera))
