"""The sensor in torch: the bits of the compiled kernels, for every preset, reset rule and noise term."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikesim
from spikesim import PRESETS, Crop, SpikeCamera, SpikeStream, reference, simulate
from spikesim.errors import InvalidValueError, MissingExtraError
from spikesim.noise import Calibration, ComparatorNoise

torch = pytest.importorskip("torch", reason="torch is not installed; pip install 'spikesim[ssdm]'")
from torch_sensors import CAMERAS, OTHERS, H, Operations, T, W, assert_same, make_light  # noqa: E402

from spikesim import gpu  # noqa: E402
from spikesim.gpu import random, sensor  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    return make_light()


@pytest.fixture(scope="module")
def small(light: np.ndarray) -> np.ndarray:
    return light[:, 3:26, 5:42].copy()


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks so short that a stream takes several, the last of which is not full."""
    monkeypatch.setattr(sensor, "_BLOCK", 13 * H * W)
    monkeypatch.setattr(sensor, "_BLOCK_IN_TICKS", 7 * H * W)


@pytest.mark.usefixtures("short_blocks")
class TestTheBitsOfTheKernels:
    @pytest.mark.parametrize("dtype", ["float32", "uint8"])
    @pytest.mark.parametrize("camera", CAMERAS)
    def test_presets(self, camera: SpikeCamera, light: np.ndarray, dtype: str) -> None:
        seen = np.rint(light * 255).astype(np.uint8) if dtype == "uint8" else light
        stream = gpu.simulate(seen, camera, seed=3, key="a", device="cpu")
        assert 0.01 < stream.counts().mean() / T < 0.99
        assert_same(stream, simulate(seen, camera, seed=3, key="a"))

    @pytest.mark.parametrize("camera", OTHERS)
    def test_other_cameras(self, camera: SpikeCamera, light: np.ndarray) -> None:
        few = light[:18]
        assert_same(gpu.simulate(few, camera, device="cpu"), simulate(few, camera))

    def test_jitter_beyond_the_threshold(self, small: np.ndarray) -> None:
        camera = SpikeCamera(noise=(ComparatorNoise(sigma=1.0),))
        assert np.array_equal(gpu.simulate(small, camera, device="cpu").dense(), reference.simulate(small, camera))

    def test_calibration(self, small: np.ndarray, tmp_path: Path) -> None:
        rng = np.random.default_rng(2)
        shape = small.shape[1:]
        np.savez(tmp_path / "maps.npz", gain=rng.uniform(0.5, 1, shape), dark=rng.uniform(0, 0.1, shape))
        camera = SpikeCamera(noise=(Calibration(str(tmp_path / "maps.npz")),))
        assert_same(gpu.simulate(small, camera, device="cpu"), simulate(small, camera))
        with pytest.raises(InvalidValueError, match="calibration"):
            gpu.simulate(small[:, 1:], camera, device="cpu")


@pytest.mark.parametrize("name", ["ssdm", "spikingsim", "rsir", "realistic"])
def test_blocks_do_not_matter(name: str, small: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    camera = SpikeCamera.preset(name)
    whole = gpu.simulate(small, camera, device="cpu")
    for block in (1, 8 * small[0].size):
        monkeypatch.setattr(sensor, "_BLOCK", block)
        monkeypatch.setattr(sensor, "_BLOCK_IN_TICKS", block)
        assert np.array_equal(gpu.simulate(small, camera, device="cpu").packed, whole.packed)


@pytest.mark.parametrize("name", ["ideal", "spikingsim", "realistic"])
class TestArguments:
    def test_seed_and_key(self, name: str, small: np.ndarray) -> None:
        camera = SpikeCamera.preset(name)
        streams = [gpu.simulate(small, camera, seed=s, key=k, device="cpu") for s, k in ((0, "a"), (1, "a"), (0, "b"))]
        assert_same(streams[2], simulate(small, camera, seed=0, key="b"))
        assert not any(np.array_equal(streams[0].packed, other.packed) for other in streams[1:])

    def test_charge(self, name: str, small: np.ndarray) -> None:
        camera = SpikeCamera.preset(name)
        charge = np.linspace(0, 2, small[0].size).reshape(small[0].shape)
        before = charge.copy()
        assert_same(
            gpu.simulate(small, camera, charge=charge, device="cpu"),
            simulate(small, camera, charge=charge),
        )
        assert np.array_equal(charge, before)

    def test_crop(self, name: str, small: np.ndarray) -> None:
        camera = SpikeCamera.preset(name)
        whole = gpu.simulate(small, camera, key="c", device="cpu").dense()
        crop = Crop(2, 9, *small.shape[1:])
        part = gpu.simulate(small[:, 2:19, 9:20], camera, key="c", crop=crop, device="cpu")
        assert np.array_equal(part.dense(), whole[:, 2:19, 9:20])


class TestLight:
    camera = SpikeCamera.preset("realistic")

    def test_in_any_container(self, small: np.ndarray) -> None:
        expected = simulate(small, self.camera).packed
        tensor = torch.from_numpy(small)
        read_only = np.asfortranarray(small)
        read_only.setflags(write=False)
        for seen in (tensor, tensor.double(), read_only, small.astype(float), iter(small), list(small)):
            assert np.array_equal(gpu.simulate(seen, self.camera, device="cpu").packed, expected)
        for coarse in (tensor.half(), tensor.bfloat16()):
            assert np.array_equal(
                gpu.simulate(coarse, self.camera, device="cpu").packed,
                simulate(coarse.float().numpy(), self.camera).packed,
            )

    def test_what_carries_a_gradient_is_only_read(self, small: np.ndarray) -> None:
        kept: list[Any] = []
        with torch.autograd.graph.saved_tensors_hooks(kept.append, lambda kept: kept):
            gpu.packed_spikes(torch.from_numpy(small).requires_grad_(), self.camera, device="cpu")
        assert not kept

    def test_packed_bits_stay_a_tensor(self, small: np.ndarray) -> None:
        packed = gpu.packed_spikes(small, self.camera, device="cpu")
        assert packed.dtype == torch.uint8
        assert np.array_equal(packed.numpy(), simulate(small, self.camera).packed)

    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    @pytest.mark.parametrize("name", PRESETS)
    def test_no_readouts(self, name: str, dtype: type) -> None:
        stream = gpu.simulate(np.zeros((0, 3, 5), dtype), SpikeCamera.preset(name), device="cpu")
        assert stream.shape == (0, 3, 5)

    def test_clipping(self, small: np.ndarray) -> None:
        wild = small * 3 - 1
        wild[0, 0, :2] = np.inf, -np.inf
        for seen in (wild, torch.from_numpy(wild)):
            assert_same(
                gpu.simulate(seen, self.camera, clip=True, device="cpu"), simulate(wild, self.camera, clip=True)
            )


@pytest.mark.parametrize(("name", "most"), [("ideal", 5), ("spikezoo", 4), ("scsim", 5), ("realistic", 7)])
def test_a_readout_costs_few_launches_and_no_waiting(name: str, most: int) -> None:
    counts = []
    for readouts in (40, 80):
        light = torch.full((readouts, 9, 11), 200, dtype=torch.uint8)
        with Operations() as operations:
            gpu.packed_spikes(light, SpikeCamera.preset(name), device="cpu")
        counts.append(operations.counts)
    further = counts[1] - counts[0]
    assert sum(further.values()) == 40 * most
    assert not {"_local_scalar_dense", "nonzero", "item"} & set(further)
    assert "where" in further  # what is counted is the loop


@pytest.mark.parametrize("seed", [0, 7])
def test_random_words_are_those_of_the_reference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = np.array([0, 1, 2**31, 2**32 - 1, *rng.integers(0, 2**32, 5000)])
    key = np.array([0, 2**32 - 1] if seed else [0, 0], np.uint32)
    for readout, draw in ((0, 0), (2**32 - 1, 9), (12345, 2**23)):
        words = random.random_words(torch.from_numpy(pixels), readout, 255 | draw << 8, (int(key[0]), int(key[1])))
        for word, expected in zip(words, reference.random_words(pixels, readout, 255, draw, key), strict=True):
            assert np.array_equal(word.numpy(), expected)


def test_random_words_known_answer() -> None:
    words = random.random_words(torch.zeros(1, dtype=torch.int64), 0, 0, (0, 0))
    assert [int(word) for word in words] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]


class TestRefused:
    good = np.zeros((3, 4, 5), np.float32)

    @pytest.mark.parametrize(
        "arguments",
        [
            {"light": np.zeros((4, 5), np.float32)},
            {"light": np.zeros((3, 4, 5), np.int32)},
            {"light": np.zeros((3, 4, 5), bool)},
            {"light": np.full((3, 4, 5), 1.01, np.float32)},
            {"light": np.full((3, 4, 5), -0.01)},
            {"light": np.full((3, 4, 5), np.nan, np.float32)},
            {"light": np.full((3, 4, 5), np.nan, np.float32), "clip": True},
            {"light": np.full((3, 4, 5), np.inf, np.float32)},
            {"light": np.full((3, 4, 5), 1e300)},
            {"light": np.zeros((3, 0, 5), np.float32)},
            {"light": []},
            {"light": [np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32)]},
            {"light": [np.zeros((2, 3), np.float32), np.zeros((2, 3), np.uint8)]},
            {"charge": np.zeros((5, 4))},
            {"charge": np.full((4, 5), np.nan)},
            {"seed": -1},
            {"seed": 1.5},
            {"key": 3},
            {"crop": Crop(1, 0, 4, 5)},
        ],
    )
    def test_in_the_words_of_the_kernels(self, arguments: dict[str, Any]) -> None:
        arguments = {"light": self.good, "camera": SpikeCamera(), **arguments}
        with pytest.raises(InvalidValueError) as expected:
            simulate(**arguments)
        with pytest.raises(InvalidValueError) as raised:
            gpu.simulate(**arguments, device="cpu")
        assert str(raised.value) == str(expected.value)
        if isinstance(arguments["light"], np.ndarray):
            arguments["light"] = torch.from_numpy(arguments["light"])
            with pytest.raises(InvalidValueError) as raised:
                gpu.simulate(**arguments, device="cpu")
            assert str(raised.value) == str(expected.value)

    def test_one_bad_value_in_a_late_block(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sensor, "_BLOCK", 1)
        light = np.zeros((43, 4, 5), np.float32)
        light[42, 3, 4] = 1.5
        with pytest.raises(InvalidValueError, match=r"from 0\.0 to 1\.5"):
            gpu.simulate(light, SpikeCamera(), device="cpu")

    @pytest.mark.parametrize("device", ["gpu", "cuda:x", "meta", "", 1.5])
    def test_devices_that_are_none(self, device: str) -> None:
        with pytest.raises(InvalidValueError, match="device must be 'auto', 'cpu', 'cuda' or 'cuda:N'"):
            gpu.simulate(self.good, SpikeCamera(), device=device)
        with pytest.raises(InvalidValueError, match="device must be 'auto', 'cpu', 'cuda' or 'cuda:N'"):
            simulate(self.good, SpikeCamera(), device=device)

    @pytest.mark.parametrize(("device", "count"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2)])
    def test_devices_that_are_not_there(self, device: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        with pytest.raises(InvalidValueError, match=f"device '{device}' was asked for, .* finds {count} CUDA"):
            simulate(self.good, SpikeCamera(), device=device)

    def test_without_torch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "torch", None)
        monkeypatch.delattr(spikesim, "gpu")
        for name in [name for name in sys.modules if name.startswith("spikesim.gpu")]:
            monkeypatch.delitem(sys.modules, name)
        with pytest.raises(MissingExtraError, match=r"pip install 'spikesim\[ssdm\]'"):
            simulate(self.good, SpikeCamera(), device="cuda")
        for device in ("cpu", "auto"):
            assert len(simulate(self.good, SpikeCamera(), device=device)) == 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
class TestCuda:
    @pytest.mark.parametrize("dtype", ["float32", "uint8"])
    @pytest.mark.parametrize("camera", CAMERAS + OTHERS)
    def test_the_bits_of_the_kernels(self, camera: SpikeCamera, light: np.ndarray, dtype: str) -> None:
        seen = np.rint(light * 255).astype(np.uint8) if dtype == "uint8" else light
        assert_same(simulate(seen, camera, seed=3, device="cuda"), simulate(seen, camera, seed=3))

    def test_light_and_bits_stay_there(self, light: np.ndarray) -> None:
        camera = SpikeCamera.preset("realistic")
        packed = gpu.packed_spikes(torch.from_numpy(light).cuda(), camera)
        assert packed.is_cuda
        assert_same(SpikeStream(packed.cpu().numpy(), W, camera), simulate(light, camera))
