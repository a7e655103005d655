"""Cameras in files: TOML that can be kept in a repository, and calibrations; and what is made with them."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import commands
import numpy as np
import pytest
from build_data import assert_whole, content, recipe, write_frames
from commands import Run, assert_refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shard_data import chunks, flip_bits

from spikesim import PRESETS, SpikeCamera, SpikeStream, noise, read_spikes, simulate, write_spikes
from spikesim.calibration import calibrated, calibration_from_matrices, write_calibration
from spikesim.camera_files import SCHEMA
from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim.noise.term import NOISE_TERMS, NoiseTerm
from spikesim_datasets.build import build_clips
from spikesim_datasets.clip_simulation import simulate_clip
from spikesim_datasets.layouts import layout_to_shards, shards_to_layout
from spikesim_datasets.recipe import Recipe, make_recipe
from spikesim_datasets.repair import repair_dataset
from spikesim_datasets.shards import ShardReader, verify_dataset
from spikesim_datasets.shards.index import INDEX, read_whole_index, shard_files
from spikesim_datasets.sources import open_clips

run = commands.run
frames = commands.frames

H, W = 18, 30  # of the spikes of the frames
REALISTIC = SpikeCamera.preset("realistic")


def measure(path: Path, height: int = H, width: int = W, seed: int = 0) -> Path:
    """A calibration of a sensor of some size."""
    rng = np.random.default_rng(seed)
    nd, d_light = rng.uniform(0.5, 3, (height, width)), rng.uniform(2, 4, (height, width))
    write_calibration(path, replace(calibration_from_matrices(nd, d_light, dead_time=0.5), readout_hz=40_000.0))
    return path


def write(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([f'schema = "{SCHEMA}"', *lines]) + "\n", "utf-8")
    return path


# Reading and writing

UNIT = st.floats(0, 1)
TERMS: dict[str, st.SearchStrategy[NoiseTerm]] = {
    "BitErrors": st.builds(noise.BitErrors, UNIT, UNIT),
    "ComparatorNoise": st.builds(noise.ComparatorNoise, UNIT, st.booleans()),
    "DarkCurrent": st.builds(noise.DarkCurrent, UNIT, UNIT, UNIT, st.sampled_from(["normal", "lognormal"])),
    "DeadPixels": st.builds(noise.DeadPixels, UNIT),
    "DeadTime": st.builds(noise.DeadTime, UNIT),
    "FrameNoise": st.builds(noise.FrameNoise, UNIT),
    "GainPattern": st.builds(noise.GainPattern, UNIT, st.floats(0, 0.9)),
    "InherentSpikes": st.builds(noise.InherentSpikes, st.integers(50, 200), st.floats(0, 50)),
    "ResetNoise": st.builds(noise.ResetNoise, UNIT),
    "ShotNoise": st.builds(noise.ShotNoise, st.floats(10, 1e6) | st.integers(10, 10**6), st.booleans()),
}
NUMBER = st.floats(1e-300, 1e300) | st.integers(1, 10**15)


@st.composite
def cameras(draw: st.DrawFn) -> SpikeCamera:
    chosen = draw(st.permutations(sorted(TERMS)))[: draw(st.integers(0, len(TERMS)))]
    return SpikeCamera(
        draw(NUMBER),
        draw(NUMBER),
        draw(st.sampled_from(["modulo", "subtract", "zero"])),
        draw(st.sampled_from(["uniform", "zero"]) | NUMBER),
        draw(st.booleans()),
        tuple(draw(TERMS[name]) for name in chosen),
        draw(NUMBER),
        1,
    )


def assert_kept(camera: SpikeCamera, path: Path) -> None:
    camera.save(path)
    again = SpikeCamera.load(path)
    assert again == camera
    assert again.to_json() == camera.to_json()  # numbers of the same types, noise in the same order
    again.save(path.with_name("again.toml"))
    assert path.with_name("again.toml").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("v_th", [0.1, 2])
def test_presets_are_kept(name: str, v_th: float, tmp_path: Path) -> None:
    assert_kept(SpikeCamera.preset(name, v_th=v_th), tmp_path / "camera.toml")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(camera=cameras())
def test_any_camera_is_kept(camera: SpikeCamera, tmp_path: Path) -> None:
    assert_kept(camera, tmp_path / "camera.toml")


def test_a_file_says_all_and_no_preset(tmp_path: Path) -> None:
    camera = SpikeCamera(v_th=2, noise=(noise.DiffusionNoise(interval=3),), reset="zero", sub_ticks=3)
    camera.save(tmp_path / "new" / "camera.toml")
    assert (tmp_path / "new" / "camera.toml").read_text() == (
        'schema = "spikesim.camera/1"\nv_th = 2.0\ngain = 1.0\nreset = "zero"\nstart = "uniform"\ntie_fires = true\n'
        'readout_hz = 20000.0\nsub_ticks = 3\n\n[[noise]]\nterm = "DiffusionNoise"\ninterval = 3\n'
        f"amplitude = {noise.DiffusionNoise().amplitude}\n"
    )


WRITTEN: dict[str, tuple[list[str], SpikeCamera]] = {
    "nothing": ([], SpikeCamera()),
    "a comment": (["# of our laboratory", "v_th = 2 # thresholds"], SpikeCamera(v_th=2)),
    "a preset": (['preset = "realistic"'], REALISTIC),
    "a preset with changes": (['preset = "scsim"', "v_th = 3"], SpikeCamera.preset("scsim", v_th=3)),
    "noise in place of a preset's": (
        ['preset = "realistic"', "[[noise]]", 'term = "ShotNoise"', "full_well_e = 500"],
        replace(REALISTIC, noise=(noise.ShotNoise(500),)),
    ),
    "a preset without noise": (['preset = "realistic"', "noise = []"], replace(REALISTIC, noise=())),
    "several terms": (
        ["start = 0.25", "[[noise]]", 'term = "DeadTime"', "[[noise]]", 'term = "ResetNoise"'],
        SpikeCamera(start=0.25, noise=(noise.DeadTime(), noise.ResetNoise())),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "camera"), WRITTEN.values(), ids=WRITTEN)
def test_files_are_written_by_hand(lines: list[str], camera: SpikeCamera, tmp_path: Path) -> None:
    assert SpikeCamera.load(write(tmp_path / "camera.toml", *lines)).to_json() == camera.to_json()


BROKEN: dict[str, tuple[list[str], str]] = {
    "an unknown field": (["vth = 2"], "has no field 'vth'; a camera file gives schema, preset, v_th, gain, reset,"),
    "a value out of range": (["v_th = -1"], "v_th must be a positive finite number, got -1"),
    "not a number": (["gain = nan"], "gain must be a positive finite number, got nan"),
    "a date": (["gain = 2020-01-01"], "gain must be a positive finite number, got datetime.date"),
    "a reset": (['reset = "all"'], "reset must be one of 'modulo', 'subtract', 'zero', got 'all'"),
    "a preset": (['preset = "real"'], "no camera preset is called 'real'; there are ideal, ssdm,"),
    "a preset that is none": (["preset = [1]"], r"no camera preset is called \[1\]"),
    "a term": (["[[noise]]", 'term = "Shot"'], r"\[\[noise\]\] number 1 has the term 'Shot', .*ShotNoise"),
    "no term": (["[[noise]]", 'term = "DeadTime"', "[[noise]]", "x = 1"], "number 2 has no line that says its term"),
    "a term's field": (["[[noise]]", 'term = "ShotNoise"', "sigma = 1"], "no field 'sigma'; it has full_well_e, on_d"),
    "a field of the camera in a term": (
        ["[[noise]]", 'term = "ShotNoise"', "v_th = 1"], r"no field 'v_th'.*stand before the first \[\[noise\]\]",
    ),
    "a term's value": (["[[noise]]", 'term = "DeadTime"', "readouts = 2"], "readouts of DeadTime must be"),
    "one table": (["[noise]", 'term = "DeadTime"'], r"noise must be tables, each of which begins with \[\[noise\]\]"),
    "no tables": (["noise = [1]"], "noise must be tables"),
    "a term twice": (["[[noise]]", 'term = "DeadTime"'] * 2, "holds DeadTime more than once"),
    "terms that exclude each other": (
        ["sub_ticks = 2", 'reset = "zero"', "[[noise]]", 'term = "ShotNoise"'], "no meaning inside sub-ticks",
    ),
    "no TOML": (["v_th: 1"], "it is no TOML .*line 2"),
    "a line twice": (["v_th = 1", "v_th = 2"], "it is no TOML"),
    "a calibration without a hash": (["[[noise]]", 'term = "Calibration"', 'path = "a.npz"'], "known by its sha256"),
    "a calibration without a path": (
        ["[[noise]]", 'term = "Calibration"', f'sha256 = "{"0" * 64}"'], "Calibration lacks a field .*path",
    ),
    "another schema": (['x = "y"'], "has no field 'x'"),
}  # fmt: skip


@pytest.mark.parametrize(("lines", "said"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_camera_is_refused_by_name(lines: list[str], said: str, tmp_path: Path) -> None:
    path = write(tmp_path / "camera.toml", *lines)
    with pytest.raises(InputFileError, match=rf"(?s)camera\.toml describes no camera: .*{said}"):
        SpikeCamera.load(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", 'has the line schema = "spikesim.camera/1", and this one has none'),
        (b'schema = "spikesim.camera/2"', "here it is 'spikesim.camera/2'"),
        (b"schema = 1", "here it is 1"),
        (b"\xff\xfe", "it is no TOML"),
        (b"a = " + b"[" * 50_000, "it is no TOML"),
        (b"#" * (1 << 20) + b"#", "1048577 bytes, more than any camera file"),
    ],
)
def test_another_file_is_refused(text: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "camera.toml"
    path.write_bytes(text)
    with pytest.raises(InputFileError, match=said):
        SpikeCamera.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for name in ("none.toml", "none.npz"):
        with pytest.raises(InputFileError, match=rf"cannot read .*{name}: No such file"):
            SpikeCamera.load(tmp_path / name)
    with pytest.raises(InputFileError, match="Is a directory"):
        SpikeCamera.load(tmp_path)


def test_saving_refuses_what_it_cannot_write(tmp_path: Path) -> None:
    for name in ("camera.npz", "camera.json", "camera"):
        with pytest.raises(InvalidValueError, match=r"give a name that ends in \.toml"):
            REALISTIC.save(tmp_path / name)
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(OutputError, match="a folder or device has that name"):
        REALISTIC.save(tmp_path / "folder.toml")
    try:

        @dataclass(frozen=True)
        class Planted(NoiseTerm):
            values: Any = None

        for value in (None, [1], {"a": 1}, "\udc80"):
            with pytest.raises(InvalidValueError, match="values of Planted cannot be written into a camera file"):
                SpikeCamera(noise=(Planted(value),)).save(tmp_path / "camera.toml")
        assert_kept(SpikeCamera(noise=(Planted("text\n\0"),)), tmp_path / "camera.toml")
    finally:
        NOISE_TERMS.pop("Planted")


# Calibrations


def test_a_calibration_is_a_camera(tmp_path: Path) -> None:
    path = measure(tmp_path / "cam.npz")
    camera = SpikeCamera.load(path)
    assert camera == calibrated(REALISTIC, path)
    assert camera.readout_hz == 40_000
    assert camera.term(noise.DeadTime) == noise.DeadTime(0.5)
    assert camera.term(noise.DarkCurrent) is None


def test_a_file_and_its_calibration_are_moved_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "maps").mkdir(parents=True)
    path = measure(tmp_path / "a" / "maps" / "cam.npz")
    monkeypatch.chdir(tmp_path / "a")
    camera = calibrated(REALISTIC, "maps/cam.npz")  # seen from the working folder
    camera.save("cameras/ours.toml")
    assert 'path = "../maps/cam.npz"\n' in (tmp_path / "a/cameras/ours.toml").read_text()
    monkeypatch.chdir(tmp_path)
    shutil.move(tmp_path / "a", tmp_path / "b")
    assert not path.exists()
    again = SpikeCamera.load("b/cameras/ours.toml")
    assert again == camera
    calibration = again.term(noise.Calibration)
    assert calibration is not None
    assert Path(calibration.path) == tmp_path.resolve() / "b/maps/cam.npz"
    calibration.maps()
    again.save(tmp_path / "b" / "maps" / "beside.toml")
    assert 'path = "cam.npz"\n' in (tmp_path / "b/maps/beside.toml").read_text()


def test_links_are_followed_to_where_a_file_lies(tmp_path: Path) -> None:
    for name in ("repository", "store", "here"):
        (tmp_path / name).mkdir()
    measure(tmp_path / "store" / "0123")
    (tmp_path / "repository" / "cam.npz").symlink_to(tmp_path / "store" / "0123")
    camera = calibrated(REALISTIC, tmp_path / "repository" / "cam.npz")
    camera.save(tmp_path / "repository" / "cam.toml")
    assert 'path = "cam.npz"\n' in (tmp_path / "repository/cam.toml").read_text()
    (tmp_path / "here" / "cam.toml").symlink_to(tmp_path / "repository" / "cam.toml")
    assert SpikeCamera.load(tmp_path / "here" / "cam.toml") == camera
    camera.save(tmp_path / "here" / "cam.toml")
    assert (tmp_path / "here" / "cam.toml").is_symlink()
    assert 'path = "cam.npz"\n' in (tmp_path / "repository/cam.toml").read_text()


@pytest.mark.parametrize("name", ['a "b".npz', "c\\d'.npz", "ü\n\t.npz", "#e.npz"])
def test_calibrations_have_any_name(name: str, tmp_path: Path) -> None:
    assert_kept(SpikeCamera.load(measure(tmp_path / name)), tmp_path / "camera.toml")


def _removed(path: Path) -> None:
    path.unlink()


def _another(path: Path) -> None:
    measure(path, seed=1)


def _damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"x")


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (_removed, "No such file or directory"),
        (_another, "is not the calibration that was meant: its content has changed"),
        (_damaged, "is not the calibration that was meant: its content has changed"),
    ],
)
def test_a_file_whose_calibration_is_another_is_refused(
    fault: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    path = measure(tmp_path / "cam.npz")
    calibrated_ = replace(REALISTIC, noise=(noise.Calibration(str(path)),))
    calibrated_.save(tmp_path / "ours.toml")
    fault(path)
    with pytest.raises(InputFileError, match=rf"ours\.toml refers to a calibration, cam\.npz, .*{said}.*together"):
        SpikeCamera.load(tmp_path / "ours.toml")


def test_a_calibration_with_strange_numbers_is_refused(tmp_path: Path) -> None:
    maps = {name: np.ones((3, 4), np.float32) for name in ("gain", "dark")}
    for extra, said in (
        ({}, "is no calibration"),
        ({"dead_time": 3.0, "readout_hz": np.nan}, "is no calibration .*readouts of DeadTime"),
        ({"dead_time": 0.0, "readout_hz": -1.0}, "describes no camera: readout_hz must be"),
        ({"dead_time": [0.0, 1.0], "readout_hz": 1.0}, "is no calibration"),
    ):
        path = tmp_path / f"{len(said)}.npz"
        np.savez(path, allow_pickle=False, **maps, **extra)
        with pytest.raises(InputFileError, match=said):
            SpikeCamera.load(path)


# Recipes and datasets


def test_the_recipe_of_a_file_is_that_of_its_camera(tmp_path: Path) -> None:
    file = write(tmp_path / "camera.toml", 'preset = "realistic"', "v_th = 3")
    camera = SpikeCamera.preset("realistic", v_th=3)
    assert make_recipe(camera=file) == make_recipe(camera=camera) == make_recipe((3,), preset="realistic")
    assert make_recipe((1, 2), camera=str(file)) == make_recipe((1, 2), preset="realistic")
    assert [each.v_th for each in make_recipe(preset="spikecv").cameras] == [1]
    with pytest.raises(InvalidValueError, match="preset and camera both say which sensor is meant; leave one out"):
        make_recipe(preset="ssdm", camera=camera)


def test_choices_know_a_calibration_by_its_hash_alone(tmp_path: Path) -> None:
    paths = [measure(tmp_path / name) for name in ("a.npz", "b.npz")]
    first, second = (make_recipe((1, 2), camera=path) for path in paths)
    assert first.choices() == second.choices()
    assert first.calibrations() != second.calibrations()
    assert str(tmp_path) not in json.dumps(first.choices())
    again = Recipe.from_choices(json.loads(json.dumps(first.choices())), first.calibrations())
    assert again == first
    assert again.calibrations() == first.calibrations()
    for places in ({}, None, {"0" * 64: str(paths[0])}):
        with pytest.raises(InvalidValueError, match=r"it is not recorded where the calibration [0-9a-f]{64} lies"):
            Recipe.from_choices(first.choices(), places)
    assert make_recipe(preset="realistic").calibrations() == {}
    (sha256,) = first.calibrations()
    for strange in ({sha256: 3}, {sha256: "\0"}, [sha256], 3, {sha256: [sha256]}):
        with pytest.raises(InvalidValueError):
            Recipe.from_choices(first.choices(), strange)  # type: ignore[arg-type]


def test_a_build_from_a_file_is_that_of_the_preset(run: Run, frames: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "camera.toml", "# the sensor of the paper", 'preset = "realistic"')
    words = ("build", frames, "--interp", "linear", "--workers", 1, "--vth", 1, 2, "--out")
    assert run(*words, tmp_path / "file", "--camera", file).code == 0
    assert run(*words, tmp_path / "preset", "--preset", "realistic").code == 0
    assert content(tmp_path / "file") == content(tmp_path / "preset") != {}
    # And each takes the shards of the other for its own.
    assert "0 shards built, 1 kept" in run(*words, tmp_path / "preset", "--camera", file).err
    assert "DarkCurrent" in run("info", tmp_path / "file").out


def test_the_threshold_of_a_file_counts_where_none_is_given(run: Run, frames: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "camera.toml", "v_th = 3")
    words = ("build", frames, "--out", tmp_path / "out", "--interp", "linear", "--workers", 1, "--camera", file)
    assert run(*words).code == 0
    with ShardReader(shard_files(tmp_path / "out")[0]) as made:
        assert made.cameras == {3.0: SpikeCamera(v_th=3)}
    simulated = ("simulate", frames, tmp_path / "a.npz", "--frames", 3, "--interp", "linear", "--camera", file)
    assert run(*simulated).code == 0
    assert read_spikes(tmp_path / "a.npz").camera == SpikeCamera(v_th=3)
    assert run(*simulated, "--vth", 2, "--overwrite").code == 0
    stream = read_spikes(tmp_path / "a.npz")
    assert stream.camera == SpikeCamera(v_th=2)
    assert run(*simulated[:-2], "--overwrite", "--preset", "ideal", "--vth", 2).code == 0
    np.testing.assert_array_equal(read_spikes(tmp_path / "a.npz").packed, stream.packed)


def test_commands_refuse_cameras_in_one_line(run: Run, frames: Path, tmp_path: Path) -> None:
    good = write(tmp_path / "good.toml")
    broken = write(tmp_path / "broken.toml", "vth = 2")
    small = measure(tmp_path / "small.npz", 9, 15)
    layout = tmp_path / "layout"
    (layout / "train" / "spike_data" / "a").mkdir(parents=True)
    out = tmp_path / "out"
    for words in (
        ("build", frames, "--out", out, "--interp", "linear", "--workers", 1),
        ("simulate", frames, tmp_path / "a.npz", "--interp", "linear"),
        ("convert", layout, out, "--vth", 1),
    ):
        assert_refused(run(*words, "--camera", good, "--preset", "ssdm"), "--preset", "so does --camera; leave it out")
        assert_refused(run(*words, "--camera", tmp_path / "none.toml"), "none.toml: No such file")
        assert_refused(run(*words, "--camera", broken), "broken.toml describes no camera: ", "no field 'vth'")
        if words[0] != "convert":
            said = "small.npz is of a sensor of 9×15, the light is of 18×30", "clip is 120×72", "another ratio"
            assert_refused(run(*words, "--camera", small), *said)
            assert run(*words, "--camera", small).err.count("readouts") == 0  # before any work
    shutil.copytree(frames, tmp_path / "GOPRO" / "train" / "scene")
    gopro = ("build-gopro", "--root", tmp_path / "GOPRO", "--out", out, "--camera")
    assert_refused(run(*gopro, good, "--preset", "ssdm"), "so does --camera; leave it out")
    assert_refused(run(*gopro, broken), "broken.toml describes no camera: ")
    assert_refused(run("convert", frames, tmp_path / "b", "--camera", good), "holds no spikes")
    write_spikes(tmp_path / "a.npy", SpikeStream.from_dense(np.zeros((3, 4, 5), np.uint8)))
    assert_refused(run("convert", tmp_path / "a.npy", tmp_path / "b.npz", "--camera", good), "--camera goes with")
    assert not out.exists()
    assert not (tmp_path / "a.npz").exists()


def test_a_camera_that_was_measured_builds_a_dataset(run: Run, frames: Path, tmp_path: Path) -> None:
    """From recordings of darkness and light by `calibrate` to samples by `build`."""
    for name, level in (("dark", 0.0), ("flat", 0.3)):
        light = np.full((1000, H, W), level, np.float32)
        write_spikes(tmp_path / f"{name}.npz", simulate(light, REALISTIC, seed=1, key=name))
    file = tmp_path / "cam.npz"
    assert run("calibrate", tmp_path / "dark.npz", tmp_path / "flat.npz", "--out", file).code == 0
    words = ("build", frames, "--interp", "linear", "--workers", 1, "--out")
    assert run(*words, tmp_path / "out", "--camera", file).code == 0
    camera = calibrated(REALISTIC, file)
    expected = build_clips(
        open_clips([frames]), tmp_path / "same", make_recipe(camera=camera, interpolation="linear"), workers=1
    )
    assert expected.samples == 2
    assert content(tmp_path / "out") == content(tmp_path / "same")
    assert "Calibration" in run("info", tmp_path / "out").out
    # The same, told in TOML beside it; and moved, which makes no other dataset of it.
    camera.save(tmp_path / "cam.toml")
    (tmp_path / "moved").mkdir()
    for name in ("cam.npz", "cam.toml"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    again = run(*words, tmp_path / "out", "--camera", tmp_path / "moved" / "cam.toml")
    assert "0 shards built, 1 kept" in again.err


@pytest.fixture
def measured(tmp_path: Path) -> tuple[Path, Path]:
    """A dataset of a measured camera, in two shards and more, and the calibration."""
    write_frames(tmp_path / "source" / "a", 20)
    path = measure(tmp_path / "cam.npz")
    clips = open_clips([tmp_path / "source" / "a"])
    build_clips(clips, tmp_path / "data", make_of(path), workers=1)
    return tmp_path / "data", path


def make_of(path: Path) -> Recipe:
    return recipe((1.0, 2.0), camera=path)


@pytest.mark.parametrize("has_index", [True, False])
def test_shards_of_a_measured_camera_are_repaired(
    measured: tuple[Path, Path], has_index: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, path = measured
    shards = shard_files(out)
    assert len(shards) > 1
    before = shards[0].read_bytes()
    index = read_whole_index(out)
    assert index is not None
    assert list(index.recipe["calibrations"].values()) == [str(path)]
    shards[0].write_bytes(before[:-100])
    if not has_index:
        (out / INDEX).unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    report = repair_dataset(out, list(verify_dataset(out)), workers=1)
    assert (len(report.repaired), report.changed, report.left) == (1, (), {})
    assert shards[0].read_bytes() == before
    assert_whole(out)
    again = read_whole_index(out)
    assert again is not None
    assert again.recipe == index.recipe


def test_a_damaged_shard_alone_says_where_its_calibration_lies(measured: tuple[Path, Path]) -> None:
    out, _ = measured
    kept, *others = shard_files(out)
    for path in (*others, out / INDEX):
        path.unlink()
    before = kept.read_bytes()
    [(first, _), *_] = chunks(kept, "spikes/vth_1")
    flip_bits(kept, first)
    report = repair_dataset(out, list(verify_dataset(out)), workers=1)
    assert (report.repaired, report.left) == (("train/a.000.h5",), {})
    assert kept.read_bytes() == before


def test_a_repair_without_the_calibration_says_so(measured: tuple[Path, Path]) -> None:
    out, path = measured
    shards = shard_files(out)
    shards[0].unlink()
    measure(path, seed=2)
    os.utime(path)
    _forget_maps()
    report = repair_dataset(out, list(verify_dataset(out)), workers=1)
    assert report.repaired == ()
    (said,) = report.left.values()
    assert "cam.npz is not the calibration that was meant" in said
    path.unlink()
    (said,) = repair_dataset(out, list(verify_dataset(out)), workers=1).left.values()
    assert "No such file" in said


def _forget_maps() -> None:
    """As in a new process: maps that were read once are kept."""
    from spikesim.noise import measured_pattern

    measured_pattern._load_maps.cache_clear()


def test_simulating_a_clip_checks_the_camera_first(tmp_path: Path) -> None:
    (clip,) = open_clips([write_frames(tmp_path / "a", 3)])
    camera = SpikeCamera.load(measure(tmp_path / "cam.npz", 30, 18))
    told: list[object] = []
    with pytest.raises(InvalidValueError, match="sensor of 30×18, the light is of 18×30; train/a is 120×72"):
        simulate_clip(clip, tmp_path / "a.npz", camera, "linear", on_progress=told.append)
    assert told == []


def test_a_released_layout_is_of_a_camera(run: Run, frames: Path, tmp_path: Path) -> None:
    build_clips(open_clips([frames]), tmp_path / "data", make_recipe((3,), interpolation="linear"), workers=1)
    shards_to_layout(tmp_path / "data", tmp_path / "layout")
    file = write(tmp_path / "camera.toml", 'preset = "scsim"', "v_th = 3")
    said = run("convert", tmp_path / "layout", tmp_path / "shards", "--camera", file)
    assert_refused(said, "says which sensors its spikes are from; leave the preset or camera out")
    for description in (tmp_path / "layout").glob("*.json"):
        description.unlink()
    assert run("convert", tmp_path / "layout", tmp_path / "shards", "--camera", file).code == 0
    assert layout_to_shards(tmp_path / "layout", tmp_path / "two", 2, camera=SpikeCamera.load(file)) == 2
    for name, v_th in (("shards", 3.0), ("two", 2.0)):
        with ShardReader(shard_files(tmp_path / name)[0]) as made:
            assert made.cameras == {v_th: SpikeCamera.preset("scsim", v_th=v_th)}
