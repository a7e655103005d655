"""What is no light, no charge, no crop and no simulator is refused, and leaves the simulators as they were."""

from inspect import signature

import numpy as np
import pytest

from spikesim import Crop, Simulator, SpikeCamera, push_together, simulate, simulate_cameras, thread_limit
from spikesim.errors import InvalidValueError

H, W = 7, 21  # unequal and odd: a swapped axis or a wrong last byte shows


class TestBadInput:
    camera = SpikeCamera()
    good = np.zeros((3, H, W), np.float32)

    @pytest.mark.parametrize(
        ("light", "message"),
        [
            (np.zeros((H, W), np.float32), r"\(T, H, W\)"),
            (np.zeros((3, H, W), np.int32), "uint8"),
            (np.zeros((3, H, W), bool), "uint8"),
            (np.full((3, H, W), 1.01, np.float32), "from 1.0"),
            (np.full((3, H, W), -0.01, np.float32), "from -0.0"),
            (np.full((3, H, W), np.nan, np.float32), "finite"),
            (np.full((3, H, W), np.inf, np.float32), "finite"),
            (np.full((3, H, W), 1e300), "finite"),
            (np.zeros((3, 0, W), np.float32), "at least one pixel"),
        ],
    )
    def test_light(self, light: np.ndarray, message: str) -> None:
        with pytest.raises(InvalidValueError, match=message):
            simulate(light, self.camera)

    def test_one_bad_value_is_found_anywhere(self) -> None:
        light = np.zeros((200, 40, 80), np.float32)
        light[199, 39, 79] = np.nan
        with pytest.raises(InvalidValueError, match="finite"):
            simulate(light, self.camera)

    def test_refused_light_leaves_the_simulator_as_it_was(self) -> None:
        simulator = Simulator(self.camera, H, W)
        before = simulator.charge
        with pytest.raises(InvalidValueError):
            simulator.push(np.full((3, H, W), 2, np.float32))
        assert np.array_equal(simulator.charge, before)
        with pytest.raises(InvalidValueError, match="sensor"):
            simulator.push(np.zeros((3, W, H), np.float32))

    @pytest.mark.parametrize(
        "frames",
        [
            [],
            [np.zeros((2, 3), np.float32), np.zeros((2, 4), np.float32)],
            [np.zeros((2, 3), np.float32), np.zeros((2, 3), np.uint8)],
            [np.zeros(3, np.float32)],
        ],
    )
    def test_frames(self, frames: list[np.ndarray]) -> None:
        with pytest.raises(InvalidValueError):
            simulate(frames, self.camera)

    @pytest.mark.parametrize(
        "charge",
        [
            np.zeros((W, H)),
            np.full((H, W), -1.0),
            np.full((H, W), np.nan),
            np.full((H, W), np.inf),
            np.full((H, W), 1e300),
        ],
    )
    def test_charge(self, charge: np.ndarray) -> None:
        with pytest.raises(InvalidValueError, match="charge"):
            simulate(self.good, self.camera, charge=charge)

    @pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "1", None, True])
    def test_seed(self, seed: object) -> None:
        with pytest.raises(InvalidValueError, match="seed"):
            simulate(self.good, self.camera, seed=seed)  # type: ignore[arg-type]

    def test_defaults_are_the_same_whole_and_in_pieces(self) -> None:
        whole, pieces = (signature(function).parameters for function in (simulate, Simulator))
        shared = set(whole) & set(pieces) - {"camera"}
        assert shared == {"seed", "key", "charge", "crop", "clip"}
        assert {name: whole[name].default for name in shared} == {name: pieces[name].default for name in shared}

    def test_key(self) -> None:
        with pytest.raises(InvalidValueError, match="key"):
            simulate(self.good, self.camera, key=3)  # type: ignore[arg-type]

    @pytest.mark.parametrize("crop", [Crop(1, 0, H, W), Crop(0, 1, H, W), Crop(0, 0, H - 1, W), Crop(0, 0, H, W - 1)])
    def test_crops_that_reach_outside(self, crop: Crop) -> None:
        with pytest.raises(InvalidValueError, match="outside a sensor"):
            simulate(self.good, self.camera, crop=crop)

    @pytest.mark.parametrize("values", [(-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 0, 5), (0.5, 0, 5, 5), (True, 0, 5, 5)])
    def test_crops_that_are_none(self, values: tuple[int, int, int, int]) -> None:
        with pytest.raises(InvalidValueError, match="of a crop"):
            Crop(*values)

    def test_clipping_is_asked_for(self) -> None:
        wild = np.linspace(-1, 2, 4 * H * W, dtype=np.float32).reshape(4, H, W)
        assert np.array_equal(
            simulate(wild, self.camera, clip=True).packed, simulate(np.clip(wild, 0, 1), self.camera).packed
        )
        wild[0, 0, 0] = np.inf
        assert simulate(wild, self.camera, clip=True).dense()[0, 0, 0] in (0, 1)
        wild[0, 0, 0] = np.nan
        with pytest.raises(InvalidValueError, match="finite"):
            simulate(wild, self.camera, clip=True)

    def test_cameras_together(self) -> None:
        with pytest.raises(InvalidValueError, match="key for each camera"):
            simulate_cameras(self.good, [self.camera], keys=["a", "b"])
        with pytest.raises(InvalidValueError, match="key for each camera"):
            simulate_cameras(self.good, [])
        with pytest.raises(InvalidValueError, match="one size"):
            push_together([Simulator(self.camera, H, W), Simulator(self.camera, W, H)], self.good)

    @pytest.mark.parametrize("strict", [0, 1, 2])
    def test_one_strict_simulator_refuses_for_all(self, strict: int) -> None:
        """Whose clip is asked for does not depend on who else looks at the light."""
        camera = SpikeCamera.preset("realistic")
        simulators = [Simulator(camera, H, W, key=key, clip=key != "abc"[strict]) for key in "abc"]
        wild = np.linspace(-1, 2, 4 * H * W, dtype=np.float32).reshape(4, H, W)
        tame = np.clip(wild, 0, 1)
        push_together(simulators, tame)
        before = [simulator.charge for simulator in simulators]
        with pytest.raises(InvalidValueError, match=r"from -1\.0 to 2\.0"):
            push_together(simulators, wild)
        for simulator, charge, key in zip(simulators, before, "abc", strict=True):
            assert np.array_equal(simulator.charge, charge)
            alone = Simulator(camera, H, W, key=key)
            alone.push(tame)
            assert np.array_equal(simulator.push(tame).packed, alone.push(tame).packed)

    def test_simulators_that_all_clip(self) -> None:
        wild = np.linspace(-1, 2, 4 * H * W, dtype=np.float32).reshape(4, H, W)
        simulators = [Simulator(SpikeCamera(v_th=v_th), H, W, clip=True) for v_th in (0.5, 1)]
        for stream, v_th in zip(push_together(simulators, wild), (0.5, 1), strict=True):
            expected = simulate(np.clip(wild, 0, 1), SpikeCamera(v_th=v_th))
            assert np.array_equal(stream.packed, expected.packed)

    def test_simulators_that_are_none(self) -> None:
        simulator = Simulator(self.camera, H, W)
        for simulators, problem in (([], "at least one"), ([3], "must be a Simulator"), ([simulator] * 2, "twice")):
            with pytest.raises(InvalidValueError, match=problem):
                push_together(simulators, self.good)  # type: ignore[arg-type]

    def test_threads(self) -> None:
        with pytest.raises(InvalidValueError, match="threads"), thread_limit(0):
            pass
