"""Every noise term by the laws of noise terms, and a term that is declared here alone."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import spikesim
from spikesim import Crop, Simulator, SpikeCamera, read_spikes, reference, simulate, simulate_to_file, write_spikes
from spikesim.errors import InvalidValueError
from spikesim.noise import (
    NOISE_TERMS,
    BitErrors,
    Calibration,
    ComparatorNoise,
    DarkCurrent,
    DeadPixels,
    DeadTime,
    DiffusionNoise,
    FrameNoise,
    GainPattern,
    InherentSpikes,
    IntervalNoise,
    NoiseTerm,
    ResetNoise,
    ShotNoise,
)
from spikesim.noise.bit_events import BitEvents, ChanceEvents
from spikesim.noise.term import PixelMaps, SensorPart

T, H, W = 45, 9, 21

STRONG = {
    "BitErrors": BitErrors(drop=0.2, false=0.1),
    "ComparatorNoise": ComparatorNoise(sigma=0.2, in_reset=True),
    "DarkCurrent": DarkCurrent(median=0.2, hot_fraction=0.1),
    "DeadPixels": DeadPixels(fraction=0.3),
    "DeadTime": DeadTime(readouts=0.7),
    "DiffusionNoise": DiffusionNoise(interval=3, amplitude=1),
    "FrameNoise": FrameNoise(sigma=0.2),
    "GainPattern": GainPattern(sigma=0.3, shading=0.5),
    "InherentSpikes": InherentSpikes(mean_interval=7, std_interval=2),
    "IntervalNoise": IntervalNoise(dead_time=1),
    "ResetNoise": ResetNoise(sigma=0.2),
    "ShotNoise": ShotNoise(full_well_e=20),
}
"""A term of each kind, so strong that it shows in a few readouts; a calibration is made of a file."""


def camera_with(term: NoiseTerm) -> SpikeCamera:
    if term.in_sub_ticks == "only":
        return SpikeCamera(v_th=1.5, reset="zero", sub_ticks=12, noise=(term,))
    return SpikeCamera(v_th=1.5, noise=(term,))


@pytest.fixture(scope="module")
def light() -> np.ndarray:
    return np.random.default_rng(5).random((T, H, W), dtype=np.float32)


@pytest.fixture(scope="module")
def terms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, NoiseTerm]:
    path = tmp_path_factory.mktemp("maps") / "maps.npz"
    rng = np.random.default_rng(2)
    np.savez(path, gain=rng.uniform(0.5, 1, (H, W)), dark=rng.uniform(0, 0.1, (H, W)))
    return {**STRONG, "Calibration": Calibration(str(path))}


def test_every_term_is_here(terms: dict[str, NoiseTerm]) -> None:
    """So what follows holds for a new term as well, which is to be added above."""
    assert set(terms) == set(NOISE_TERMS)
    assert all(type(term) is NOISE_TERMS[name] for name, term in terms.items())


@pytest.mark.parametrize("name", [*STRONG, "Calibration"])
class TestEveryTerm:
    def test_it_shows(self, name: str, terms: dict[str, NoiseTerm], light: np.ndarray) -> None:
        camera = camera_with(terms[name])
        assert not np.array_equal(simulate(light, camera).packed, simulate(light, replace(camera, noise=())).packed)

    def test_kernel_reference_and_torch_agree(self, name: str, terms: dict[str, NoiseTerm], light: np.ndarray) -> None:
        gpu = pytest.importorskip("spikesim.gpu")
        camera = camera_with(terms[name])
        expected = reference.simulate(light, camera, seed=3, key="a")
        assert np.array_equal(simulate(light, camera, seed=3, key="a").dense(), expected)
        assert np.array_equal(gpu.simulate(light, camera, seed=3, key="a", device="cpu").dense(), expected)

    def test_it_comes_back_from_a_description(self, name: str, terms: dict[str, NoiseTerm]) -> None:
        camera = camera_with(terms[name])
        assert SpikeCamera.from_json(camera.to_json()) == camera

    def test_sub_ticks(self, name: str, terms: dict[str, NoiseTerm]) -> None:
        term = terms[name]
        for reset, sub_ticks, inside in (("zero", 5, True), ("modulo", 5, False), ("zero", 1, False)):
            arguments: dict[str, Any] = {"reset": reset, "sub_ticks": sub_ticks, "noise": (term,)}
            if term.in_sub_ticks in ("also", "only" if inside else "never"):
                assert SpikeCamera(**arguments).noise == (term,)
            else:
                with pytest.raises(InvalidValueError, match=f"{name} .* sub-ticks"):
                    SpikeCamera(**arguments)


@pytest.mark.parametrize("other", ["GainPattern", "DarkCurrent"])
def test_a_calibration_stands_for_others(other: str, terms: dict[str, NoiseTerm]) -> None:
    for noise in ((terms["Calibration"], terms[other]), (terms[other], terms["Calibration"])):
        with pytest.raises(InvalidValueError, match="Calibration stands for GainPattern and DarkCurrent"):
            SpikeCamera(noise=noise)


def test_the_order_in_a_camera_does_not_matter(light: np.ndarray) -> None:
    noise = tuple(term for term in STRONG.values() if term.in_sub_ticks != "only")
    streams = [simulate(light, SpikeCamera(noise=terms)) for terms in (noise, noise[::-1])]
    assert np.array_equal(streams[0].packed, streams[1].packed)
    assert np.array_equal(streams[0].dense(), reference.simulate(light, SpikeCamera(noise=noise[::-1])))


# A term that no file but this one knows


def declared(attributes: dict[str, Any]) -> type[NoiseTerm]:
    """A term of these attributes, called Flicker unless they say otherwise."""
    return type(attributes.pop("name", "Flicker"), (NoiseTerm,), attributes)


@pytest.fixture
def flicker() -> Iterator[type[NoiseTerm]]:
    """A term that acts by both mechanisms that need no kernel: rows that gain differently, and bits that appear."""
    before = dict(NOISE_TERMS)

    @dataclass(frozen=True)
    class Flicker(NoiseTerm):
        depth: float = 0.5
        chance: float = 0.2

        purposes: ClassVar[tuple[int, ...]] = (201, 202)

        def __post_init__(self) -> None:
            self._require("depth", 0, 1)
            self._require("chance", 0, 1)

        def pixel_maps(self, part: SensorPart) -> PixelMaps:
            rows = part.uniforms(self.purposes[0])[:, :1]
            gain = np.broadcast_to(1 - np.float32(self.depth) * rows, part.shape)
            return PixelMaps(gain=gain, alive=part.uniforms(self.purposes[0], 1) > 0.1)

        def bit_events(self) -> tuple[BitEvents, ...]:
            return (ChanceEvents(self.purposes[1], self.chance, sets=True),)

    yield Flicker
    del NOISE_TERMS["Flicker"]
    assert before == NOISE_TERMS


class TestATermDeclaredHere:
    def test_it_acts(self, flicker: type[NoiseTerm], light: np.ndarray) -> None:
        camera = SpikeCamera(noise=(flicker(), GainPattern(), DeadPixels(0.1)))
        noisy, without = simulate(light, camera, key="a"), simulate(light, replace(camera, noise=()), key="a")
        assert not np.array_equal(noisy.packed, without.packed)
        dark = simulate(np.zeros_like(light), camera)
        dead = dark.counts() == 0
        assert 0.05 < dead.mean() < 0.4
        assert dark.dense()[:, ~dead].mean() == pytest.approx(0.2, abs=0.02)

    def test_in_pieces_in_parts_and_in_torch(self, flicker: type[NoiseTerm], light: np.ndarray) -> None:
        gpu = pytest.importorskip("spikesim.gpu")
        camera = SpikeCamera(noise=(flicker(), GainPattern()))
        whole = simulate(light, camera, seed=1, key="a")
        simulator = Simulator(camera, H, W, seed=1, key="a")
        pieces = [simulator.push(light[a:b]).packed for a, b in ((0, 1), (1, 24), (24, T))]
        assert np.array_equal(np.concatenate(pieces), whole.packed)
        part = simulate(light[:, 2:6], camera, seed=1, key="a", crop=Crop(2, 0, H, W))
        assert np.array_equal(part.dense(), whole.dense()[:, 2:6])
        assert np.array_equal(gpu.simulate(light, camera, seed=1, key="a", device="cpu").packed, whole.packed)

    def test_events_alone_need_no_reference(self, flicker: type[NoiseTerm], light: np.ndarray) -> None:
        class Rain(flicker):  # type: ignore[misc, valid-type]
            purposes = (203, 204)
            pixel_maps = NoiseTerm.pixel_maps

        try:
            camera = SpikeCamera(noise=(Rain(), InherentSpikes(5, 2)))
            assert np.array_equal(simulate(light, camera).dense(), reference.simulate(light, camera))
        finally:
            del NOISE_TERMS["Rain"]

    @pytest.mark.parametrize("extension", [".dat", ".npz", ".h5"])
    def test_files_keep_it(self, flicker: type[NoiseTerm], light: np.ndarray, tmp_path: Path, extension: str) -> None:
        camera = SpikeCamera(noise=(flicker(depth=0.25),))  # type: ignore[call-arg]
        path = tmp_path / f"clip{extension}"
        write_spikes(path, simulate(light, camera))
        again = read_spikes(path)
        assert again.camera == camera
        assert np.array_equal(again.packed, simulate(light, camera).packed)
        simulate_to_file(light, camera, path)
        assert np.array_equal(read_spikes(path).packed, again.packed)

    def test_a_file_whose_term_is_unknown_is_refused(
        self, flicker: type[NoiseTerm], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = SpikeCamera(noise=(flicker(),)).to_json()
        with monkeypatch.context() as patch:
            patch.delitem(NOISE_TERMS, "Flicker")
            with pytest.raises(InvalidValueError, match="Flicker"):
                SpikeCamera.from_json(text)
            with pytest.raises(InvalidValueError, match=r"must hold terms of spikesim\.noise, got a Flicker"):
                SpikeCamera(noise=(flicker(),))
        assert SpikeCamera.from_json(text).noise == (flicker(),)

    def test_it_keeps_to_its_place(self, flicker: type[NoiseTerm]) -> None:
        with pytest.raises(InvalidValueError, match="Flicker has no meaning inside sub-ticks"):
            SpikeCamera(reset="zero", sub_ticks=5, noise=(flicker(),))


@pytest.mark.parametrize(
    ("planted", "parameters", "other"),
    [
        ("charge_parameters", {"frame_sigma": 0.1}, "FrameNoise"),
        ("charge_parameters", {"reset_sigma": 0.1, "shot_on_dark": False}, "ShotNoise"),
        ("tick_parameters", {"amplitude": 0.1}, "DiffusionNoise"),
        ("charge_parameters", {"frame_sigma": 0.1}, None),
    ],
)
def test_a_planted_term_that_sets_a_parameter_of_anothers_is_refused(
    planted: str, parameters: dict[str, Any], other: str | None, light: np.ndarray
) -> None:
    term = declared({"purposes": (205,), "in_sub_ticks": "also", planted: lambda self, *v_th: parameters})()
    try:
        if other is None:
            simulate(light, SpikeCamera(noise=(term, STRONG["ShotNoise"])))
            return
        camera = replace(camera_with(STRONG[other]), noise=(term, STRONG[other]))
        with pytest.raises(InvalidValueError, match=rf"{other} and Flicker both set '{list(parameters)[-1]}'"):
            simulate(light, camera)
    finally:
        del NOISE_TERMS["Flicker"]


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"name": "ShotNoise", "purposes": (200,)}, "there is a noise term called ShotNoise already"),
        ({"purposes": (200, 1)}, r"purpose 1 of Flicker is that of ShotNoise; the next free one is \d+"),
        ({"purposes": (6,)}, "purpose 6 of Flicker is that of the starting charge"),
        ({"purposes": (200, 200)}, "purpose 200 of Flicker is that of Flicker"),
        ({"purposes": (256,)}, "from 1 to 255, got 256 of Flicker"),
        ({"purposes": (0,)}, "from 1 to 255, got 0 of Flicker"),
    ],
)
def test_a_planted_term_that_takes_what_is_anothers_is_refused(attributes: dict[str, Any], problem: str) -> None:
    before = dict(NOISE_TERMS)
    with pytest.raises(InvalidValueError, match=problem):
        declared(attributes)
    assert before == NOISE_TERMS


def test_purposes_are_those_of_the_first_version() -> None:
    """A number once given to a purpose stays with it, or streams of one seed would change."""
    first = {
        "ShotNoise": (1,),
        "FrameNoise": (2,),
        "ResetNoise": (3,),
        "BitErrors": (4, 5),
        "GainPattern": (7,),
        "DarkCurrent": (8,),
        "DiffusionNoise": (9,),
        "ComparatorNoise": (10,),
        "InherentSpikes": (11,),
        "DeadPixels": (12,),
        "IntervalNoise": (13,),
    }
    assert {name: NOISE_TERMS[name].purposes for name in first} == first


def test_a_file_of_the_package_is_found(tmp_path: Path) -> None:
    """A module put into the package is a noise term, with no edit elsewhere."""
    package = tmp_path / "spikesim"
    shutil.copytree(Path(spikesim.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "noise" / "rain.py").write_text(
        "from dataclasses import dataclass\nfrom spikesim.noise.term import NoiseTerm\n\n"
        "@dataclass(frozen=True)\nclass Rain(NoiseTerm):\n    drops: int = 3\n"
    )
    code = (
        "import sys\nfrom spikesim import SpikeCamera\nfrom spikesim.noise import Rain\n"
        "print(SpikeCamera(noise=(Rain(),)).noise, 'numba' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.stdout == "(Rain(drops=3),) False\n", result.stderr
