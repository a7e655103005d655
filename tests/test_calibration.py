"""A camera's pixels measured from its own recordings, and the calibration that was published."""

import json
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from spikesim import Crop, SpikeCamera, SpikeStream, simulate, write_spikes
from spikesim.calibration import (
    CalibrationFit,
    calibrated,
    calibration_from_matrices,
    fit_calibration,
    write_calibration,
)
from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim.noise import BitErrors, Calibration, DarkCurrent, DeadPixels, DeadTime, GainPattern, ResetNoise, ShotNoise
from spikesim.pattern import FixedPattern, draw_pattern
from spikesim_cli.main import cli

H, W, T = 37, 53, 4000
LEVELS = (0.15, 0.3)
CAMERA = SpikeCamera(
    noise=(
        *(ShotNoise(), DarkCurrent(hot_fraction=0.01), GainPattern(shading=0.1), ResetNoise()),
        *(DeadTime(), BitErrors(), DeadPixels(0.01)),
    ),
    readout_hz=40_000,
)
"""The realistic camera with more of what is rare."""


def record(camera: SpikeCamera, level: float, readouts: int = T, shape: tuple[int, int] = (H, W)) -> SpikeStream:
    return simulate(repeat(np.full(shape, level, np.float32), readouts), camera, seed=1, key=f"light {level}")


@pytest.fixture(scope="module")
def recordings() -> list[SpikeStream]:
    return [record(CAMERA, level) for level in (0, *LEVELS)]


@pytest.fixture(scope="module")
def truth() -> FixedPattern:
    return draw_pattern(CAMERA, (H, W), Crop(0, 0, H, W), seed=1)


@pytest.fixture(scope="module")
def sound(truth: FixedPattern) -> np.ndarray:
    """Pixels that are alive and not so hot that they fire in every readout of the bright flat."""
    return np.asarray(truth.alive & (truth.dark + LEVELS[1] * truth.gain < 0.99))


@pytest.fixture(scope="module")
def fit(recordings: list[SpikeStream]) -> CalibrationFit:
    return fit_calibration(recordings[0], recordings[1:], levels=(1, 2), dead_time=0.002)


@pytest.fixture
def file(fit: CalibrationFit, tmp_path: Path) -> Path:
    path = tmp_path / "new" / "camera.npz"
    write_calibration(path, fit)
    return path


class TestFit:
    def test_dark_current_is_found(self, fit: CalibrationFit, truth: FixedPattern, sound: np.ndarray) -> None:
        """Within the shot noise of the 18 spikes that 4000 readouts bring: 1/√(18 · 29,646) = 0.14 %."""
        ratio = (fit.dark / np.where(sound, truth.dark, 1))[sound]
        assert np.median(ratio) == pytest.approx(1, abs=2e-4)
        assert ratio.std() < 0.002
        assert abs(ratio - 1).max() < 0.01

    def test_gain_is_found(self, fit: CalibrationFit, truth: FixedPattern, sound: np.ndarray) -> None:
        """Within the clock's share, √(1/3)/4000 of the rate, and the shot noise of 1200 spikes, each 0.02 %."""
        live = fit.gain > 0
        ratio = (fit.gain / truth.gain * np.median(truth.gain[live]))[sound]
        assert np.median(fit.gain[live]) == pytest.approx(1, abs=1e-6)
        assert np.median(ratio) == pytest.approx(1, abs=1e-4)
        assert ratio.std() < 4e-4
        assert abs(ratio - 1).max() < 0.003

    def test_dead_pixels_are_blind(self, fit: CalibrationFit, truth: FixedPattern, sound: np.ndarray) -> None:
        assert not fit.gain[~truth.alive].any()
        assert not fit.dark[~truth.alive].any()
        assert (fit.gain[sound] > 0).all()
        assert 5 < (~truth.alive).sum() < 50

    def test_levels_are_drives(self, fit: CalibrationFit, truth: FixedPattern) -> None:
        median = np.median(truth.gain[truth.alive])
        assert fit.levels == pytest.approx([level * median for level in LEVELS], rel=1e-3)

    @pytest.mark.parametrize("wrong", [0.0, 0.5, 1.0])
    def test_a_second_level_tests_the_dead_time(self, recordings: list[SpikeStream], wrong: float) -> None:
        misfits = {
            tau: fit_calibration(recordings[0], recordings[1:], levels=(1, 2), dead_time=tau).misfits
            for tau in (wrong, 0.002)
        }
        assert abs(misfits[0.002][0]) < 3e-5
        assert abs(misfits[wrong][0]) > 10 * abs(misfits[0.002][0])
        assert (misfits[wrong][0] > 0) == (wrong < 0.002)  # a dead time too short lets the dim flat look too bright

    def test_unknown_levels_give_the_same_maps(self, recordings: list[SpikeStream], fit: CalibrationFit) -> None:
        unknown = fit_calibration(recordings[0], recordings[1:], dead_time=0.002)
        assert np.allclose(unknown.gain, fit.gain, atol=1e-4)
        assert np.array_equal(unknown.dark, fit.dark)
        assert unknown.levels == pytest.approx(fit.levels, rel=1e-3)

    def test_one_flat_is_fitted_exactly(self, recordings: list[SpikeStream]) -> None:
        one = fit_calibration(recordings[0], recordings[1:2])
        assert abs(one.residuals[:, one.gain > 0]).max() < 1e-7

    def test_the_clock_is_that_of_the_recordings(self, fit: CalibrationFit, recordings: list[SpikeStream]) -> None:
        assert fit.readout_hz == 40_000
        streams = [SpikeStream(stream.packed, stream.width) for stream in recordings]
        assert fit_calibration(streams[0], streams[1:]).readout_hz is None
        assert fit_calibration(streams[0], streams[1:], readout_hz=5e3).readout_hz == 5e3

    def test_a_pixel_that_always_fires_is_bright_in_the_dark(self, recordings: list[SpikeStream]) -> None:
        stuck = []
        for stream in recordings:
            dense = stream.dense()
            dense[:, 3, 5] = 1
            stuck.append(SpikeStream.from_dense(dense))
        for tau in (0.0, 1.0):
            fit = fit_calibration(stuck[0], stuck[1:], dead_time=tau)
            assert fit.gain[3, 5] == 0
            assert 1 <= fit.dark[3, 5] < np.inf


class TestFile:
    def test_maps_are_read_back(self, file: Path, fit: CalibrationFit) -> None:
        gain, dark = Calibration(str(file)).maps()
        assert np.array_equal(gain, fit.gain)
        assert np.array_equal(dark, fit.dark)
        with np.load(file) as archive:
            assert (archive["dead_time"], archive["readout_hz"]) == (0.002, 40_000)
            assert tuple(archive["levels"]) == fit.levels

    def test_equal_fits_are_equal_calibrations(self, file: Path, fit: CalibrationFit, tmp_path: Path) -> None:
        write_calibration(tmp_path / "again.npz", fit)
        assert Calibration(str(tmp_path / "again.npz")) == Calibration(str(file))

    def test_a_calibrated_camera_has_the_measured_rates(self, file: Path, recordings: list[SpikeStream]) -> None:
        camera = calibrated(SpikeCamera.preset("realistic"), file)
        with np.load(file) as archive:
            levels = (0, *archive["levels"])
        for level, recording in zip(levels, recordings, strict=True):
            difference = record(camera, level).counts().astype(int) - recording.counts().astype(int)
            # Two counts of one rate differ by the clock, √(1/3), and by shot noise, which walks √(2 · 1200/29,646).
            assert abs(difference.mean()) < 0.05
            assert abs(difference).max() <= 4

    def test_a_calibrated_camera_keeps_the_rest(self, file: Path) -> None:
        camera = calibrated(SpikeCamera.preset("realistic", v_th=2), file)
        assert camera.noise == (Calibration(str(file)), DeadTime(0.002), ShotNoise(), ResetNoise(), BitErrors())
        assert (camera.v_th, camera.readout_hz) == (2, 40_000)
        assert calibrated(camera, file) == camera
        assert SpikeCamera.from_json(camera.to_json()) == camera

    def test_without_a_clock_the_camera_keeps_its_own(self, fit: CalibrationFit, tmp_path: Path) -> None:
        path = tmp_path / "c.npz"
        write_calibration(path, replace(fit, readout_hz=None))
        assert calibrated(SpikeCamera(readout_hz=7), path).readout_hz == 7

    def test_a_stream_of_another_size_is_refused(self, file: Path) -> None:
        camera = calibrated(SpikeCamera(), file)
        with pytest.raises(InvalidValueError, match=r"37×53.*53×37"):
            record(camera, 0.1, 3, (W, H))
        light = np.full((50, 5, 7), 0.1, np.float32)
        part = simulate(light, camera, crop=Crop(11, 20, H, W), seed=1, key="light 0.1")
        assert np.array_equal(part.dense(), record(camera, 0.1, 50).dense()[:, 11:16, 20:27])

    def test_a_changed_file_is_refused(self, file: Path, fit: CalibrationFit) -> None:
        camera = SpikeCamera(noise=(Calibration(str(file)),))
        write_calibration(file, replace(fit, gain=fit.gain * 2))
        with pytest.raises(InputFileError, match="changed"):
            record(camera, 0.1, 3)

    @pytest.mark.parametrize("kept", [0, 20, 5000, -1])
    def test_a_damaged_file_is_refused(self, file: Path, kept: int) -> None:
        file.write_bytes(file.read_bytes()[:kept])
        with pytest.raises(InputFileError, match=r"camera\.npz"):
            calibrated(SpikeCamera(), file)

    def test_files_that_are_none(self, tmp_path: Path) -> None:
        with pytest.raises(InputFileError, match="missing"):
            calibrated(SpikeCamera(), tmp_path / "missing.npz")
        np.savez(tmp_path / "other.npz", gain=np.ones((2, 3)), dark=np.ones((2, 3)))
        with pytest.raises(InputFileError, match="dead_time"):
            calibrated(SpikeCamera(), tmp_path / "other.npz")

    def test_writing_over_a_folder(self, fit: CalibrationFit, tmp_path: Path) -> None:
        with pytest.raises(OutputError):
            write_calibration(tmp_path, fit)


class TestBadRecordings:
    def test_another_size(self, recordings: list[SpikeStream]) -> None:
        other = record(CAMERA, 0.2, 1000, (W, H))
        with pytest.raises(InvalidValueError, match="flat 2 is of 53×37"):
            fit_calibration(recordings[0], [recordings[1], other])

    def test_too_short(self, recordings: list[SpikeStream]) -> None:
        with pytest.raises(InvalidValueError, match=r"flat 1 has 999 readouts.*0\.001 spikes a readout"):
            fit_calibration(recordings[0], [recordings[1][:999], recordings[2]])
        with pytest.raises(InvalidValueError, match="dark recording has 0"):
            fit_calibration(recordings[0][:0], recordings[1:])

    def test_saturated(self, recordings: list[SpikeStream]) -> None:
        ones = SpikeStream.from_dense(np.ones((1000, H, W), np.uint8))
        with pytest.raises(InvalidValueError, match="flat 2 is saturated: 100%"):
            fit_calibration(recordings[0], [recordings[1], ones])
        with pytest.raises(InvalidValueError, match="saturated"):
            fit_calibration(ones, [ones])

    def test_in_the_wrong_order(self, recordings: list[SpikeStream]) -> None:
        with pytest.raises(InvalidValueError, match="flat 1 is no brighter"):
            fit_calibration(recordings[1], [recordings[0], recordings[2]])
        with pytest.raises(InvalidValueError, match="no brighter"):
            fit_calibration(*(record(SpikeCamera(), 0, 1000), [record(SpikeCamera(), 0, 1000)]))

    @pytest.mark.parametrize("levels", [(1,), (1, 2, 3), (1, 0), (1, -2), (1, np.nan), (1, np.inf)])
    def test_levels(self, recordings: list[SpikeStream], levels: tuple[float, ...]) -> None:
        with pytest.raises(InvalidValueError, match="levels"):
            fit_calibration(recordings[0], recordings[1:], levels=levels)

    def test_no_flat(self, recordings: list[SpikeStream]) -> None:
        with pytest.raises(InvalidValueError, match="needs a flat"):
            fit_calibration(recordings[0], [])

    @pytest.mark.parametrize("dead_time", [-0.1, 1.5, np.nan])
    def test_dead_time(self, recordings: list[SpikeStream], dead_time: float) -> None:
        with pytest.raises(InvalidValueError, match="DeadTime"):
            fit_calibration(recordings[0], recordings[1:], dead_time=dead_time)


@pytest.mark.recordings
class TestPublishedMatrices:
    """Acceptance 8: the matrices of RSIR reproduce the rate 1/(1 + D_light) they state for 335 lux."""

    @pytest.fixture
    def matrices(self, shared: Path) -> tuple[np.ndarray, np.ndarray]:
        with np.load(shared / "data" / "fixed_pattern.npz") as archive:
            return archive["Nd"], archive["D_light"]

    @staticmethod
    def rate(fit: CalibrationFit, folder: Path, **changes: object) -> np.ndarray:
        """Rates in the light of the flat, over the 4000 readouts on which the matrices were measured."""
        path = folder / "rsir.npz"
        write_calibration(path, fit)
        # A few pixels see more than a threshold a readout, which only `subtract`, RSIR's own rule, can work off.
        camera = replace(calibrated(SpikeCamera(reset="subtract"), path), **changes)  # type: ignore[arg-type]
        shape = fit.gain.shape
        return record(camera, fit.levels[0], 4000, (shape[0], shape[1])).counts() / 4000

    @pytest.mark.parametrize("dead_time", [1.0, 0.0])
    def test_rates(self, matrices: tuple[np.ndarray, np.ndarray], dead_time: float, tmp_path: Path) -> None:
        stated = 1 / (1 + matrices[1].astype(np.float64))
        error = abs(self.rate(calibration_from_matrices(*matrices, dead_time=dead_time), tmp_path) / stated - 1)
        assert np.median(error) < 1e-4
        assert error.max() < 0.003

    def test_the_dead_time_belongs_to_the_maps(self, matrices: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
        fit = calibration_from_matrices(*matrices)
        write_calibration(tmp_path / "rsir.npz", fit)
        without = self.rate(fit, tmp_path, noise=(Calibration(str(tmp_path / "rsir.npz")),))
        assert np.median(without * (1 + matrices[1])) == pytest.approx(1.20, abs=0.005)

    def test_maps(self, matrices: tuple[np.ndarray, np.ndarray]) -> None:
        """Figures of the physics page: dark current 4.49e-3 thresholds a readout, gain with 5.6 % spread."""
        fit = calibration_from_matrices(*matrices)
        assert np.median(fit.dark) == pytest.approx(4.49e-3, abs=1e-5)
        assert fit.gain.std() == pytest.approx(0.056, abs=5e-4)


@pytest.mark.parametrize(
    ("nd", "d_light"),
    [
        (np.ones((2, 3)), np.ones((3, 2))),
        (np.ones(3), np.ones(3)),
        (np.full((2, 3), -1.0), np.ones((2, 3))),
        (np.ones((2, 3)), np.zeros((2, 3))),
        (np.full((2, 3), np.nan), np.ones((2, 3))),
    ],
)
def test_matrices_that_are_none(nd: np.ndarray, d_light: np.ndarray) -> None:
    with pytest.raises(InvalidValueError, match="matrices"):
        calibration_from_matrices(nd, d_light)


def test_matrices_without_dark_current() -> None:
    fit = calibration_from_matrices(np.zeros((2, 3)), np.full((2, 3), 4.0))
    assert not fit.dark.any()
    assert fit.levels == (0.25,)


class TestCommand:
    @pytest.fixture
    def paths(self, recordings: list[SpikeStream], tmp_path: Path) -> list[str]:
        paths = [str(tmp_path / name) for name in ("dark.npz", "dim.npz", "bright.npz")]
        for path, stream in zip(paths, recordings, strict=True):
            write_spikes(path, stream)
        return paths

    def test_writes_what_the_library_fits(self, paths: list[str], fit: CalibrationFit, tmp_path: Path) -> None:
        options = ["--level", "1", "--level", "2", "--dead-time", "0.002", "--json"]
        result = CliRunner().invoke(cli, ["calibrate", *paths, "--out", str(tmp_path / "c.npz"), *options])
        assert result.exit_code == 0, result.output
        gain, dark = Calibration(str(tmp_path / "c.npz")).maps()
        assert np.array_equal(gain, fit.gain)
        assert np.array_equal(dark, fit.dark)
        report = json.loads(result.stdout)
        assert report["blind_pixels"] == (fit.gain == 0).sum()
        assert [flat["drive"] for flat in report["flats"]] == list(fit.levels)

    def test_prints_a_table(self, paths: list[str], tmp_path: Path) -> None:
        result = CliRunner().invoke(cli, ["calibrate", *paths, "--out", str(tmp_path / "c.npz")])
        assert result.exit_code == 0, result.output
        assert "blind pixels" in result.stdout

    @pytest.mark.parametrize(("order", "words"), [((1, 0), "no brighter"), ((0,), "FLAT")])
    def test_bad_input_is_one_line(self, paths: list[str], order: tuple[int, ...], words: str, tmp_path: Path) -> None:
        arguments = ["calibrate", *(paths[i] for i in order), "--out", str(tmp_path / "c.npz")]
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 2
        assert words in result.stderr
        assert not (tmp_path / "c.npz").exists()
