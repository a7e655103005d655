"""Evaluation: figures are those of the images, means and intervals those of the figures, and nothing is lost."""

import csv
import itertools
import json
import re
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any, get_args

import click
import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from spikesim import SpikeCamera, SpikeStream, tfp
from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim_cli.main import cli
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.layouts import shards_to_layout
from spikesim_datasets.light import Optics
from spikesim_datasets.shards import ShardWriter
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.sources import Split

torch = pytest.importorskip("torch", reason="torch is an extra")

from ssdm_models import checkpoints, evaluation  # noqa: E402
from ssdm_models.bsn import BSN  # noqa: E402
from ssdm_models.cost import macs, parameters  # noqa: E402
from ssdm_models.edsr import EDSR  # noqa: E402
from ssdm_models.evaluation import running, scores  # noqa: E402
from ssdm_models.evaluation.ablation import Loss, ablation_tables, parse_loss  # noqa: E402
from ssdm_models.evaluation.footage import DOMAINS, Footage  # noqa: E402
from ssdm_models.evaluation.results import MethodCard, Results  # noqa: E402
from ssdm_models.evaluation.rows import Row, read_rows  # noqa: E402
from ssdm_models.evaluation.scores import Score  # noqa: E402
from ssdm_models.evaluation.summary import Interval, bootstrap  # noqa: E402
from ssdm_models.evaluation.tables import Form, Table, tables  # noqa: E402
from ssdm_models.ldn import LDN  # noqa: E402
from ssdm_models.metrics import psnr, ssim  # noqa: E402
from ssdm_models.released import slots  # noqa: E402
from ssdm_models.teacher import Teacher  # noqa: E402

HEIGHT, WIDTH = 44, 60  # spikes of 11×15, the least that SSIM takes
PLAN = ExposurePlan()
SEVEN = (20, 36, 52, 68, 84, 100, 116)
RECIPE = {"choices": {"downscale": "area", "linear_light": False, "plan": PLAN.__dict__}}


def moving(readout: int, clip: int) -> np.ndarray:
    """Waves of colour that move, RGB uint8."""
    y, x, colour = np.ogrid[:HEIGHT, :WIDTH, :3]
    wave = np.sin((x + readout / 3 + 9 * colour + 20 * clip) / 5) * np.cos((y - readout / 7) / 6)
    return (128 + 100 * wave).astype(np.uint8)


def make_sample(key: str, window: int, sharp: tuple[int, ...], thresholds: tuple[float, ...] = (1.0, 2.5)) -> Sample:
    """A sample of the moving waves, whose pixels fire at random, at the rates they should."""
    rng = np.random.default_rng([window, len(key)])
    frames = np.stack([moving(readout, window) for readout in range(PLAN.stream_length)])
    light = frames.reshape(len(frames), HEIGHT // 4, 4, WIDTH // 4, 4, 3).mean((2, 4, 5)) / 255
    spikes = {
        v_th: SpikeStream.from_dense((rng.random(light.shape) < light / v_th).astype(np.uint8), SpikeCamera(v_th=v_th))
        for v_th in thresholds
    }
    blur = frames[slice(*PLAN.exposure)].mean(0).round().astype(np.uint8)
    first_frame = window * PLAN.period // PLAN.factor
    return Sample(key, window, first_frame, PLAN.exposure, blur, frames[list(sharp)], sharp, spikes)


def write_dataset(root: Path, shards: dict[str, list[Sample]], recipe: dict[str, Any] = RECIPE) -> Path:
    for name, samples in shards.items():
        with ShardWriter(root / f"{name}.000.h5", recipe, "none") as writer:
            for sample in samples:
                writer.append(sample)
    return root


def make_dataset(root: Path, sharp: tuple[int, ...] = SEVEN) -> Path:
    """A test split of one sample."""
    return write_dataset(root, {"test/a": [make_sample("test/a", 1, sharp)]})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips, three samples; not to be changed."""
    shards = {
        "test/a": [make_sample("test/a", window, SEVEN) for window in (1, 2)],
        "test/bb": [make_sample("test/bb", 3, SEVEN)],
    }
    return write_dataset(tmp_path_factory.mktemp("evaluation") / "data", shards)


def save_run(folder: Path, seed: int = 0, loss: str = "ms-ssim + 100 reblur") -> Path:
    torch.manual_seed(seed)
    checkpoints.save(folder / "bsn.safetensors", BSN(), loss="mse")
    checkpoints.save(folder / "sr.safetensors", EDSR(), loss="mse")
    checkpoints.save(folder / "ldn.safetensors", LDN(), loss=loss)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Networks that have learned nothing; not to be changed."""
    return save_run(tmp_path_factory.mktemp("runs") / "ssdm")


@pytest.fixture(scope="module")
def results(data: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Everything at every threshold and time; its folder is `evaluated`."""
    return evaluation.evaluate(data, runs=[run], out=tmp_path_factory.getbasetemp() / "evaluated")


@pytest.fixture(scope="module")
def evaluated(results: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.getbasetemp() / "evaluated"


def select(results: Results, method: str, **wanted: Any) -> list[Row]:
    return [
        row
        for row in results.rows
        if row.method == method and all(getattr(row, name) == value for name, value in wanted.items())
    ]


def images(array: Any) -> np.ndarray:
    """(..., C, H, W) of a network as (..., H, W, C) of the metrics."""
    return np.moveaxis(np.clip(np.asarray(array), 0, 1), -3, -1)


def assert_figures(rows: list[Row], predicted: np.ndarray, truth: np.ndarray, tolerance: float = 0.0) -> None:
    assert len(rows) == len(predicted) == len(truth)
    for row, image, true in zip(rows, predicted, truth, strict=True):
        expected = psnr(image, true), ssim(image, true, "ssdm"), ssim(image, true, "standard")
        found = row.score.psnr, row.score.ssim_ssdm, row.score.ssim_standard
        assert found == pytest.approx(expected, rel=tolerance, abs=tolerance)


# What the figures are of


def test_blur_has_the_figures_of_the_blurry_image(results: Results, data: Path) -> None:
    sample = make_sample("test/bb", 3, SEVEN)
    rows = select(results, "blur", key="test/bb")
    assert [(row.window, row.v_th, row.readout, row.domain) for row in rows] == [(3, None, t, "colour") for t in SEVEN]
    blur, sharp = (np.float32(array) / np.float32(255) for array in (sample.blur, sample.sharp))
    assert_figures(rows, np.stack([blur] * 7), sharp)


def tensors(sample: Sample, v_th: float) -> tuple[Any, Any]:
    blur = torch.from_numpy(sample.blur).permute(2, 0, 1)[None].float() / 255
    return blur, torch.from_numpy(sample.spikes[v_th].dense(np.float32))[None]


def gain(sample: Sample, v_th: float) -> float:
    """How much light a spike is."""
    return float((sample.blur / 255 @ [0.30, 0.59, 0.11]).mean() / (sample.spikes[v_th].counts(20, 117) / 97).mean())


def test_a_sequence_of_ldn_has_the_figures_of_single_calls(results: Results, run: Path) -> None:
    sample = make_sample("test/a", 2, SEVEN)
    network = checkpoints.load(run / "ldn.safetensors")
    blur, spikes = tensors(sample, 2.5)
    with torch.inference_mode():
        sharp = [network(blur, gain(sample, 2.5) * spikes[:, t - 10 : t + 11])[0] for t in SEVEN]
    rows = select(results, "LDN", key="test/a", window=2, v_th=2.5)
    assert_figures(rows, images(torch.stack(sharp)), np.float32(sample.sharp) / 255, 1e-5)


@pytest.mark.parametrize(("label", "stages"), [("SDM", ()), ("SDM+BSN", ("bsn",)), ("teacher", ("bsn", "sr"))])
def test_teachers_are_made_of_their_parts(results: Results, run: Path, label: str, stages: tuple[str, ...]) -> None:
    sample = make_sample("test/a", 1, SEVEN)
    teacher = Teacher(*(checkpoints.load(run / f"{stage}.safetensors") for stage in stages))
    with torch.inference_mode():
        sharp = teacher(*tensors(sample, 1.0), SEVEN, PLAN.exposure)[0]
    rows = select(results, label, key="test/a", window=1, v_th=1.0)
    assert_figures(rows, images(sharp), np.float32(sample.sharp) / 255, 1e-5)


def test_spikes_alone_are_compared_with_what_the_spike_camera_would_see(results: Results, run: Path) -> None:
    sample = make_sample("test/a", 1, SEVEN)
    stream = sample.spikes[2.5]
    truth = np.stack([Optics("area").light(frame)[..., None] for frame in sample.sharp])  # as the recipe says
    rates = np.stack([tfp(stream, t, 9) for t in SEVEN])
    rows = select(results, "TFP", key="test/a", window=1, v_th=2.5)
    assert_figures(rows, (rates[..., None] * gain(sample, 2.5)).clip(0, 1), truth, 1e-5)
    with torch.inference_mode():
        denoised = checkpoints.load(run / "bsn.safetensors")(torch.from_numpy(rates)[:, None]).numpy()
    rows = select(results, "BSN", key="test/a", window=1, v_th=2.5)
    assert_figures(rows, images(denoised * gain(sample, 2.5)), truth, 1e-5)
    (long,) = select(results, "SR", key="test/a", window=1, v_th=2.5)
    light = torch.from_numpy(stream.counts(20, 117) / np.float32(97) * np.float32(gain(sample, 2.5)))[None, None]
    with torch.inference_mode():
        enlarged = checkpoints.load(run / "sr.safetensors")(light)
    assert long.readout is None
    assert_figures([long], images(enlarged), (sample.blur / 255 @ [0.30, 0.59, 0.11])[None, ..., None], 1e-4)


def test_sdm_of_a_static_scene_without_noise_is_the_blurry_image(tmp_path: Path) -> None:
    # White pixels fire at every readout and black ones never: nothing is quantised.
    sample = make_sample("test/a", 1, SEVEN)
    white = np.zeros((11, 15), np.uint8)
    white[3:7, 4:12] = 1
    sample.blur[:] = 255 * np.kron(white, np.ones((4, 4)))[..., None]
    sample.sharp[::2] = sample.blur  # and others at every second time
    spikes = {1.0: SpikeStream.from_dense(np.broadcast_to(white, (137, 11, 15)))}
    write_dataset(tmp_path, {"test/a": [replace(sample, spikes=spikes)]})
    results = evaluation.evaluate(tmp_path)
    blur, sdm = ([row.score for row in select(results, label)] for label in ("blur", "SDM"))
    assert blur == sdm
    assert [score.psnr == float("inf") for score in sdm] == [True, False] * 3 + [True]
    figures = {(f.method, f.frames): f.metrics["psnr"] for f in results.summary}
    assert figures["SDM", "sequence"] == Interval(float("inf"), float("inf"), float("inf"), 1)
    record = json.loads(json.dumps(results.record(), allow_nan=False))
    means = {f["frames"]: f["metrics"]["psnr"]["mean"] for f in record["summary"] if f["method"] == "SDM"}
    assert (means["sequence"], means["single"]) == (None, pytest.approx(sdm[3].psnr))


def test_every_threshold_time_and_method_has_its_row_and_no_other(results: Results) -> None:
    samples = [("test/a", 1), ("test/a", 2), ("test/bb", 3)]
    colour, grey, exposure = ("SDM", "SDM+BSN", "teacher", "LDN"), ("TFP", "TFI", "BSN"), ("bilinear", "SR")
    expected = [
        (*sample, v_th, t, domain, method)
        for domain, methods, times in (
            ("colour", colour, SEVEN),
            ("grey", grey, SEVEN),
            ("exposure", exposure, (None,)),
        )
        for sample in samples
        for v_th in (1.0, 2.5)
        for t in times
        for method in methods
    ] + [(*sample, None, t, "colour", "blur") for sample in samples for t in SEVEN]
    found = [(row.key, row.window, row.v_th, row.readout, row.domain, row.method) for row in results.rows]
    assert len(found) == len(set(found))
    assert set(found) == set(expected)
    assert {(f.domain, f.frames) for f in results.summary} == {
        *((domain, frames) for domain in ("colour", "grey") for frames in ("single", "sequence")),
        ("exposure", "exposure"),
    }


def test_costs_are_those_of_the_parts(results: Results) -> None:
    cards = {card.label: card for card in results.methods}
    bsn, sr, ldn = BSN(), EDSR(), LDN()
    assert cards["teacher"].parameters == parameters(bsn) + parameters(sr)
    small = (1, 1, 11, 15)
    assert cards["teacher"].macs == macs(bsn, small) + 2 * macs(sr, small)  # short and long exposure
    assert cards["LDN"].macs == macs(ldn, (1, 3, 44, 60), (1, 21, 11, 15))
    assert [cards[label].parameters for label in ("blur", "SDM", "TFI")] == [0, 0, 0]
    assert [card.label for card in results.methods if card.student] == ["LDN"]
    assert set(results.seconds) == set(cards)
    assert min(results.seconds[label] for label in ("LDN", "teacher", "BSN", "SR")) > 0


def test_a_frame_takes_its_share_of_the_sequence(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, 14)
    monkeypatch.setattr(running, "perf_counter", lambda: float(next(clock)))
    results = evaluation.evaluate(data, limit=1, v_th=[1])
    assert results.seconds == {"blur": 2, "SDM": 2, "TFP": 2, "TFI": 2, "bilinear": 14}


def test_the_released_layout_gives_the_rows_of_the_shards(data: Path, tmp_path: Path) -> None:
    shards_to_layout(data, tmp_path / "layout")
    first, second = (evaluation.evaluate(folder, sequence=False) for folder in (data, tmp_path / "layout"))
    assert [replace(row, seconds=0) for row in first.rows] == [replace(row, seconds=0) for row in second.rows]
    (tmp_path / "layout" / "spikesim.json").unlink()
    shutil.rmtree(tmp_path / "layout" / "test" / "spike_data_vth_2.5")
    foreign = evaluation.evaluate(tmp_path / "layout", v_th=[4], sequence=False)
    assert {row.v_th for row in foreign.rows} == {None, 4.0}
    assert [row.score for row in select(foreign, "SDM")] == [row.score for row in select(first, "SDM", v_th=1.0)]


# Which samples, times and thresholds


def test_a_limit_spreads_samples_evenly(data: Path, tmp_path: Path) -> None:
    samples = [make_sample("test/a", window, (68,)) for window in range(1, 6)]
    root = write_dataset(tmp_path, {"test/a": samples[:3], "test/b": [replace(s, key="test/b") for s in samples[3:]]})
    numbers = {limit: Footage(root, "test", limit=limit).numbers for limit in (None, 1, 2, 3, 99)}
    assert numbers == {None: [0, 1, 2, 3, 4], 1: [0], 2: [0, 2], 3: [0, 1, 3], 99: [0, 1, 2, 3, 4]}
    results = evaluation.evaluate(data, limit=2, sequence=False, v_th=(2.5,))
    assert results.samples == 2
    assert results.thresholds == (2.5,)
    assert {row.readout for row in results.rows} == {68, None}


def test_thresholds_are_those_that_every_shard_has(tmp_path: Path) -> None:
    shards = {
        f"test/{name}": [make_sample(f"test/{name}", 1, (68,), thresholds)]
        for name, thresholds in (("a", (1.0, 2.0)), ("b", (2.0, 4.0)))
    }
    root = write_dataset(tmp_path, shards)
    assert Footage(root, "test").thresholds == (2.0,)
    with pytest.raises(
        InvalidValueError, match=r"no spikes of threshold 4 in every shard of the split 'test'; it has 2$"
    ):
        Footage(root, "test", (2, 4))


def test_without_a_sequence_or_a_middle_frame_the_other_is_compared(tmp_path: Path) -> None:
    middle = evaluation.evaluate(make_dataset(tmp_path / "middle", sharp=(68,)), v_th=[1])
    assert set(middle.times) == {"single", "exposure"}
    assert any("no sequence" in note for note in middle.notes)
    assert not any("no sequence" in note for note in Footage(tmp_path / "middle", "test", sequence=False).notes)
    rest = Footage(make_dataset(tmp_path / "rest", sharp=(20, 116)), "test")
    assert rest.times == {"sequence": (20, 116), "exposure": (None,)}
    assert any("no single frame" in note for note in rest.notes)


# Means and intervals

FIGURES = st.floats(-50, 50).map(lambda value: round(value, 3))


@given(st.lists(FIGURES, min_size=1, max_size=30))
def test_an_interval_holds_its_mean_and_lies_among_the_values(values: list[float]) -> None:
    interval = bootstrap(values)
    assert interval.mean == pytest.approx(np.mean(values))
    assert interval.samples == len(values)
    slack = 1e-9
    assert min(values) - slack <= interval.low <= interval.mean + slack
    assert interval.mean - slack <= interval.high <= max(values) + slack
    assert bootstrap(values) == interval


@given(st.lists(FIGURES, min_size=2, max_size=20), st.integers(-9, 9), st.integers(1, 5))
def test_an_interval_moves_and_scales_with_the_values(values: list[float], shift: int, scale: int) -> None:
    before, after = bootstrap(values), bootstrap([scale * value + shift for value in values])
    for end in ("mean", "low", "high"):
        assert getattr(after, end) == pytest.approx(scale * getattr(before, end) + shift, abs=1e-9)


@given(st.lists(FIGURES, min_size=3, max_size=10, unique=True))
def test_an_interval_shrinks_as_samples_are_added(values: list[float]) -> None:
    few, many = bootstrap(values), bootstrap(16 * values)
    assert many.high - many.low < 0.5 * (few.high - few.low)  # a quarter, but for the draws


def test_intervals_hold_the_true_mean_as_often_as_they_say(rng: np.random.Generator) -> None:
    intervals = [bootstrap(rng.normal(3, 2, 40).tolist(), seed) for seed in range(300)]
    held = np.mean([interval.low <= 3 <= interval.high for interval in intervals])
    assert 0.90 < held < 0.98


def made_up(scores: dict[str, list[float]], times: int = 2) -> Results:
    """Results of methods with these PSNRs by sample, the same at each time but for ±1."""
    rows = [
        Row(
            "test/a", window, 2.0, 20 + time, "colour", method, Score(value + (2 * time - 1), 0.5, 0.5, None, None), 0.1
        )
        for method, values in scores.items()
        for window, value in enumerate(values)
        for time in range(times)
    ]
    cards = tuple(MethodCard(method, "colour", 0, 0, False, "", ()) for method in scores)
    frames = {"single": (20,), "sequence": tuple(range(20, 20 + times))}
    return Results("data", "test", (2.0,), frames, (44, 60), "cpu", cards, tuple(rows), ())  # type: ignore[arg-type]


def test_differences_are_of_the_same_samples() -> None:
    hard_and_easy = [20.0, 30, 25, 40, 22, 31]
    better = made_up({"LDN": [value + 0.5 for value in hard_and_easy], "teacher": hard_and_easy})
    for frames in ("single", "sequence"):
        paired = better.difference("LDN", "teacher", 2.0, frames=frames)  # type: ignore[arg-type]
        assert (paired.mean, paired.low, paired.high) == (0.5, 0.5, 0.5)
    apart = {f.method: f.metrics["psnr"] for f in better.summary if f.frames == "sequence"}
    assert apart["LDN"].low < apart["teacher"].high  # which the means alone would not tell
    assert apart["teacher"].mean == np.mean(hard_and_easy)
    assert {f.metrics["psnr"].mean for f in better.summary if f.frames == "single" and f.method == "teacher"} == {
        np.mean(hard_and_easy) - 1
    }
    reverse = better.difference("teacher", "LDN", 2.0)
    assert reverse.mean == -0.5
    assert [(d.better, d.worse) for d in better.differences] == [("LDN", "teacher")] * 2


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("LDN", "LDM", 1.0), "there is no 'LDM'; there are blur, SDM, SDM"),
        (("LDN", "TFP", 1.0), "compared with other images"),
        (("LDN", "blur", 4.0), "no psnr of LDN and blur at V_th 4"),
        (("SR", "bilinear", 1.0), "no psnr of SR and bilinear at V_th 1, single"),
    ],
)
def test_meaningless_differences_are_refused(results: Results, arguments: Any, what: str) -> None:
    with pytest.raises(InvalidValueError, match=what):
        results.difference(*arguments)
    with pytest.raises(InvalidValueError, match="metric must be one of psnr"):
        results.difference("LDN", "blur", 1.0, metric="mse")
    with pytest.raises(InvalidValueError, match="no lpips"):
        replace(
            results, rows=tuple(replace(row, score=replace(row.score, lpips=None)) for row in results.rows)
        ).difference("LDN", "blur", 1.0, metric="lpips")


def test_every_step_is_compared_with_what_it_has_to_beat(results: Results) -> None:
    found = {(d.better, d.worse, d.frames, d.v_th) for d in results.differences}
    steps = {("teacher", "SDM"), ("LDN", "teacher"), ("LDN", "blur"), ("BSN", "TFP")}
    assert found == {
        *((*step, frames, v_th) for step in steps for frames in ("single", "sequence") for v_th in (1.0, 2.5)),
        *(("SR", "bilinear", "exposure", v_th) for v_th in (1.0, 2.5)),
    }


# What is kept


def test_the_csv_gives_the_summary_back(results: Results, evaluated: Path) -> None:
    again = read_rows(evaluated / "samples.csv")
    assert tuple(again) == results.rows
    assert replace(results, rows=tuple(again)).summary == results.summary
    record = json.loads((evaluated / "evaluation.json").read_text())
    assert record.pop("request")["split"] == "test"
    assert record == json.loads(json.dumps(results.record()))
    with (evaluated / "samples.csv").open(newline="") as file:
        header, first = list(csv.reader(file))[:2]
    assert header == [
        "key", "window", "v_th", "readout", "domain", "method",
        "psnr", "ssim_ssdm", "ssim_standard", "lpips", "liqe", "seconds",
    ]  # fmt: skip
    assert first[:6] == ["test/a", "1", "", "20", "colour", "blur"]


def test_an_interrupted_evaluation_goes_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluation.evaluate(data, sequence=False)
    read: list[int] = []
    sample = Footage.sample
    monkeypatch.setattr(Footage, "sample", lambda self, number: read.append(number) or sample(self, number))
    seen: list[tuple[int, int]] = []

    def interrupt(done: int, total: int) -> None:
        seen.append((done, total))
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(data, sequence=False, out=tmp_path / "out", on_sample=interrupt)
    assert len({(row.key, row.window) for row in read_rows(tmp_path / "out" / "samples.csv")}) == 2
    again = evaluation.evaluate(data, sequence=False, out=tmp_path / "out")
    assert read == [0, 1, 2]
    assert [replace(row, seconds=0) for row in again.rows] == [replace(row, seconds=0) for row in whole.rows]
    assert again.summary == whole.summary
    finished = evaluation.evaluate(data, sequence=False, out=tmp_path / "out")
    assert (read, finished.rows) == ([0, 1, 2], again.rows)


def test_another_evaluation_is_refused_or_replaced(data: Path, tmp_path: Path) -> None:
    kept = evaluation.evaluate(data, sequence=False, limit=1, out=tmp_path)
    files = [(tmp_path / name).read_bytes() for name in ("samples.csv", "evaluation.json")]
    with pytest.raises(OutputError, match="holds an evaluation of another samples, thresholds; choose another folder"):
        evaluation.evaluate(data, sequence=False, limit=2, v_th=[1], out=tmp_path)
    assert [(tmp_path / name).read_bytes() for name in ("samples.csv", "evaluation.json")] == files
    other = evaluation.evaluate(data, sequence=False, limit=1, v_th=[2.5], out=tmp_path, overwrite=True)
    assert tuple(read_rows(tmp_path / "samples.csv")) == other.rows != kept.rows


@pytest.mark.parametrize(
    ("files", "error", "what"),
    [
        ({"samples.csv": "a,b\n1,2\n"}, OutputError, "another origin"),
        ({"evaluation.json": "{"}, InputFileError, "no record of an evaluation"),
        ({"evaluation.json": "[]"}, InputFileError, "no record of an evaluation"),
    ],
)
def test_a_folder_of_something_else_is_refused(data: Path, tmp_path: Path, files: Any, error: Any, what: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(error, match=what):
        evaluation.evaluate(data, sequence=False, out=tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == files


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("colour", "color", 1),
        lambda text: text.replace(",68,", ",sixty,", 1),
        lambda text: text.replace("psnr", "PSNR", 1),
        lambda text: text[: text.rindex(",", 0, -200)],
    ],
    ids=["domain", "readout", "column", "truncated"],
)
def test_a_changed_csv_is_refused(evaluated: Path, tmp_path: Path, change: Callable[[str], str]) -> None:
    path = tmp_path / "samples.csv"
    path.write_text(change((evaluated / "samples.csv").read_text()))
    with pytest.raises(InputFileError, match="no CSV of an evaluation"):
        read_rows(path)
    with pytest.raises(InputFileError, match="cannot read"):
        read_rows(tmp_path / "none.csv")


# Networks and their files


def test_only_rows_whose_networks_are_there_are_compared(data: Path, run: Path, tmp_path: Path) -> None:
    choices: dict[str, Any] = {"sequence": False, "limit": 1, "v_th": [1]}
    alone = evaluation.evaluate(data, **choices)
    assert [card.label for card in alone.methods] == ["blur", "SDM", "TFP", "TFI", "bilinear"]
    assert "there is no run folder: rows of its networks are left out" in alone.notes
    (tmp_path / "half").mkdir()
    shutil.copy(run / "bsn.safetensors", tmp_path / "half")
    half = evaluation.evaluate(data, runs=[tmp_path / "half"], **choices)
    assert [card.label for card in half.methods] == ["blur", "SDM", "SDM+BSN", "TFP", "TFI", "BSN", "bilinear"]
    assert (
        f"{tmp_path / 'half'} has no sr.safetensors and no ldn.safetensors: rows that need it are left out"
        in half.notes
    )


def released_ldn(path: Path) -> Path:
    """Our LDN's parameters under the names of the authors."""
    torch.manual_seed(5)
    network = LDN()
    held = dict(network.named_parameters())
    torch.save({slot.released[0]: held[slot.name].detach() for slot in slots(network, "ldn")}, path)
    return path


def test_further_checkpoints_have_rows_of_their_own(data: Path, run: Path, tmp_path: Path) -> None:
    theirs = released_ldn(tmp_path / "DeblurNet_100.pth")
    checkpoints.save(tmp_path / "short.safetensors", LDN(9))
    further = save_run(tmp_path / "lambda_10", 1, "ms-ssim + 10 reblur")
    results = evaluation.evaluate(
        data,
        runs=[run, further],
        checkpoints=[theirs, tmp_path / "short.safetensors"],
        limit=1,
        sequence=False,
        v_th=[1],
    )
    labels = [card.label for card in results.methods if card.student]
    assert labels == ["LDN", "LDN of lambda_10", "DeblurNet_100", "short"]
    sample = make_sample("test/a", 1, SEVEN)
    blur, spikes = tensors(sample, 1.0)
    network = checkpoints.load_released(theirs, "ldn")
    with torch.inference_mode():
        sharp = network(blur, spikes[:, 58:79])
    assert_figures(select(results, "DeblurNet_100"), images(sharp), np.float32(sample.sharp[3:4]) / 255, 1e-5)
    assert ("LDN", "DeblurNet_100") in {(d.better, d.worse) for d in results.differences}
    assert ("short", "blur") in {(d.better, d.worse) for d in results.differences}


@pytest.mark.parametrize("case", ["stage", "run stage", "released", "missing", "no run", "run without ldn", "damaged"])
def test_files_of_other_networks_are_refused(data: Path, run: Path, tmp_path: Path, case: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    choices, what = {
        "stage": ({"checkpoints": [run / "bsn.safetensors"]}, "BSN of the stage 'bsn', not the LDN of 'ldn'"),
        "run stage": ({"runs": [folder]}, "EDSR of the stage 'sr', not the LDN"),
        "released": ({"checkpoints": [tmp_path / "net.pth"]}, "LDN"),
        "missing": ({"checkpoints": [tmp_path / "none.safetensors"]}, "none.safetensors"),
        "no run": ({"runs": [tmp_path / "none"]}, "there is no run folder .*none; `spikesim train-ssdm` makes one"),
        "run without ldn": ({"runs": [run, folder]}, "holds no ldn.safetensors; train its stage ldn first"),
        "damaged": ({"runs": [folder]}, "truncated, damaged or no checkpoint"),
    }[case]
    if case == "run stage":
        shutil.copy(run / "sr.safetensors", folder / "ldn.safetensors")
    if case == "released":
        network = EDSR()
        held = dict(network.named_parameters())
        torch.save(
            {slot.released[0]: held[slot.name].detach() for slot in slots(network, "edsr")}, tmp_path / "net.pth"
        )
    if case == "damaged":
        (folder / "sr.safetensors").write_bytes((run / "sr.safetensors").read_bytes()[:5000])
    with pytest.raises(InputFileError, match=what):
        evaluation.evaluate(data, **choices)  # type: ignore[arg-type]


def test_two_rows_of_one_name_are_refused(data: Path, run: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        checkpoints.save(tmp_path / folder / "student.safetensors", LDN())
    with pytest.raises(InvalidValueError, match="two rows would be called 'student'; rename"):
        evaluation.evaluate(data, checkpoints=[tmp_path / name / "student.safetensors" for name in "ab"])
    with pytest.raises(InvalidValueError, match="two rows would be called 'LDN of ssdm'"):
        evaluation.evaluate(data, runs=[run, run, run])


def test_a_window_that_the_streams_have_no_room_for_is_refused_at_once(data: Path, tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "wide.safetensors", LDN(43))
    with pytest.raises(
        InvalidValueError, match=r"wide cannot be evaluated on this data: a window of 43 readouts around 20"
    ):
        evaluation.evaluate(data, checkpoints=[tmp_path / "wide.safetensors"])
    results = evaluation.evaluate(data, checkpoints=[tmp_path / "wide.safetensors"], sequence=False, limit=1, v_th=[1])
    assert len(select(results, "wide")) == 1


# Bad data


def test_data_that_cannot_be_evaluated_are_refused(data: Path, tmp_path: Path) -> None:
    for choices, what in (
        ({"data": tmp_path / "none"}, "there is no dataset at"),
        ({"split": "train"}, "no samples of the split 'train'; it has test"),
        ({"v_th": [1, 4]}, "no spikes of threshold 4 .* it has 1, 2.5$"),
        ({"limit": 0}, "limit must be at least one sample, got 0"),
        ({"device": "tpu"}, "device must be auto, cpu or cuda, got 'tpu'"),
    ):
        with pytest.raises((InputFileError, InvalidValueError), match=what):
            evaluation.evaluate(**{"data": data, **choices})  # type: ignore[arg-type]
    for sharp in ((), (20,)):
        root = make_dataset(tmp_path / f"sharp_{len(sharp)}", sharp=sharp)
        with pytest.raises(InvalidValueError, match=r"no ground truth at the middle readout 68 .*--sharp sequence"):
            evaluation.evaluate(root)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(data: Path) -> None:
    with pytest.raises(InvalidValueError, match="finds no CUDA device"):
        evaluation.evaluate(data, device="cuda")


def test_shards_of_other_kinds_are_refused(tmp_path: Path) -> None:
    other = make_dataset(tmp_path / "schema")
    with h5py.File(other / "test" / "a.000.h5", "a") as file:
        file.attrs["schema"] = "spikesim.shard/9"
    with pytest.raises(InputFileError, match=r"spikesim\.shard/9"):
        evaluation.evaluate(other)
    narrow = make_dataset(tmp_path / "narrow")
    with h5py.File(narrow / "test" / "a.000.h5", "a") as file:
        file["spikes/vth_1"].attrs["width"] = 14
    with pytest.raises(InputFileError, match="is 14 wide, a quarter of the blur is 15"):
        evaluation.evaluate(narrow)
    shards_to_layout(make_dataset(tmp_path / "even"), tmp_path / "odd")
    Image.fromarray(moving(0, 0)[:-1]).save(tmp_path / "odd" / "test" / "blur_data" / "a" / "000019.png")
    with pytest.raises(InvalidValueError, match="60×43, have no quarter size; both must be multiples of 4"):
        evaluation.evaluate(tmp_path / "odd")
    mixed = make_dataset(tmp_path / "mixed")
    write_dataset(mixed, {"test/b": [make_sample("test/b", 1, SEVEN)]}, {"choices": {"downscale": "bilinear"}})
    with pytest.raises(InvalidValueError, match=r"b\.000\.h5 has the optics .*'bilinear'.*evaluate them apart"):
        evaluation.evaluate(mixed)


# Learned measures


def test_learned_measures_are_used_where_they_can_be_had(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def create_metric(name: str, device: Any) -> Any:
        asked.append((name, torch.device(device).type))
        return lambda image: image.mean()[None]

    class Far(torch.nn.Module):
        def forward(self, image: Any, true: Any) -> Any:
            return (image - true).abs().max()

    monkeypatch.setitem(sys.modules, "pyiqa", types.SimpleNamespace(create_metric=create_metric))  # type: ignore[arg-type]
    monkeypatch.setattr(scores, "make_perceptual", lambda name: Far())
    results = evaluation.evaluate(data, limit=1, sequence=False, v_th=[1])
    assert asked == [("liqe", "cpu")]
    assert not any("LPIPS" in note or "LIQE" in note for note in results.notes)
    sample = make_sample("test/a", 1, SEVEN)
    (blur,) = select(results, "blur")
    assert blur.score.lpips == pytest.approx(np.abs(sample.blur / 255.0 - sample.sharp[3] / 255.0).max(), rel=1e-5)
    assert blur.score.liqe == pytest.approx(sample.blur.mean() / 255, rel=1e-5)
    for row in results.rows:
        assert (row.score.lpips is None) == (row.score.liqe is None) == (row.domain != "colour")
    assert [table.columns[-2:] == ("LPIPS", "LIQE") for table in tables(results)] == [True, False, False, False]


def test_learned_measures_that_cannot_be_had_are_told_of(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, device: Any) -> Any:
        raise ConnectionError("no way to the weights")

    monkeypatch.setitem(sys.modules, "pyiqa", types.SimpleNamespace(create_metric=fail))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "lpips", None)  # type: ignore[arg-type]
    results = evaluation.evaluate(data, limit=1, sequence=False, v_th=[1])
    assert [bool(re.search("^no LPIPS: .*pip install", note)) for note in results.notes] == [False, True, False]
    assert [bool(re.search("^no LIQE: .*no way to the weights", note)) for note in results.notes] == [
        False,
        False,
        True,
    ]
    assert "LPIPS" not in {column for table in tables(results) for column in table.columns}


# Tables


def test_tables_say_what_they_are_of_and_hold_the_summary(results: Results) -> None:
    made = tables(results)
    figures = [table for table in made if table.columns[1] == "method"]
    assert [table.title.partition(";")[0].partition(".")[0] for table in figures] == [
        DOMAINS["colour"], DOMAINS["colour"], DOMAINS["grey"], DOMAINS["grey"], DOMAINS["exposure"],
    ]  # fmt: skip
    assert all(f"{results.data}, test, 3 samples" in table.title for table in made[:-1])
    assert "sequence of 7, readouts 20, 36, 52, 68, 84, 100, 116" in figures[1].title
    assert [row[:2] for row in figures[0].rows] == [
        ("–", "blur"), *((v_th, method) for v_th in ("1", "2.5") for method in ("SDM", "SDM+BSN", "teacher", "LDN")),
    ]  # fmt: skip
    shown = {row[:2]: row[2] for row in figures[1].rows}
    for f in results.summary:
        if (f.domain, f.frames) == ("colour", "sequence"):
            cell = shown["–" if f.v_th is None else f"{f.v_th:g}", f.method]
            low, high = cell.split()[1].split("…")
            assert [float(text) for text in (cell.split()[0], low, high)] == pytest.approx(
                [f.metrics["psnr"].mean, f.metrics["psnr"].low, f.metrics["psnr"].high], abs=0.0051
            )
    assert made[-1].columns == ("method", "parameters", "GMAC", "ms")
    assert next(row for row in made[-1].rows if row[0] == "LDN")[1] == "234,158"
    assert [table.columns[1] for table in made].count("pair") == 5


TABLE = Table("50 % of a_b", ("x_1", "−λ×"), (("a|b & c", "1.00 -0.50…2.00"), ("–", "\\~^#${}")))


def test_tables_as_markdown() -> None:
    assert TABLE.text("markdown").splitlines() == [
        "**50 % of a_b**", "",
        "| x_1 | −λ× |",
        "|---|---|",
        r"| a\|b & c | 1.00 [-0.50, 2.00] |",
        "| – | \\~^#${} |",
    ]  # fmt: skip


def test_tables_as_latex(results: Results) -> None:
    lines = TABLE.text("latex").splitlines()
    assert r"a|b \& c & 1.00 [-0.50, 2.00] \\" in lines
    assert r"-- & \textbackslash{}\textasciitilde{}\textasciicircum{}\#\$\{\} \\" in lines
    assert r"\caption{50 \% of a\_b}" in lines
    for table in tables(results):
        text = table.text("latex")
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert len(rows) == 1 + len(table.rows)
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(table.columns) - 1}
        assert not re.search(r"(?<!\\)[%#_]", text)
        assert text.isascii()
    with pytest.raises(InvalidValueError, match="written as markdown or latex, got 'html'"):
        TABLE.text("html")  # type: ignore[arg-type]


# Ablations


@pytest.mark.parametrize(
    ("text", "loss"),
    [
        ("lpips + 100 reblur", Loss("lpips", 100)),
        ("ms-ssim + 0.5 reblur", Loss("ms-ssim", 0.5)),
        ("laplacian", Loss("laplacian", 0)),
        ("100 reblur", Loss(None, 100)),
        ("", None),
        ("lpips + much reblur", None),
    ],
)
def test_losses_are_read(text: str, loss: Loss | None) -> None:
    assert parse_loss(text) == loss


def test_ablations_have_the_rows_of_the_paper(data: Path, run: Path, tmp_path: Path) -> None:
    runs = [run, save_run(tmp_path / "ten", 1, "ms-ssim + 10 reblur"), save_run(tmp_path / "blind", 2, "100 reblur")]
    checkpoints.save(tmp_path / "unlike.safetensors", LDN(), loss="ms-ssim + 7 reblur")
    results = evaluation.evaluate(
        data, runs=runs, checkpoints=[tmp_path / "unlike.safetensors"], sequence=False, limit=1
    )
    components, weights, grey = ablation_tables(results)
    assert [table.title.partition(".")[0] for table in (components, weights, grey)] == [
        "Components", "Weight λ of the reblurring loss", "Denoising",
    ]  # fmt: skip
    assert [(row[0], row[1], row[-1]) for row in components.rows] == [
        ("1", "SDM", "23.012 .486"), ("1", "+ BSN", "24.634 .661"), ("1", "+ SR (teacher)", "26.144 .708"),
        ("1", "+ LDN", "27.928 .786"),
        *(("2.5", name, "–") for name in ("SDM", "+ BSN", "+ SR (teacher)", "+ LDN")),
    ]  # fmt: skip
    assert [(row[1], row[-1]) for row in weights.rows if row[0] == "1"] == [
        ("ms-ssim + 100 reblur", "27.928 .786"),
        ("ms-ssim + 10 reblur", "27.345 .762"),
        ("100 reblur (without the teacher)", "23.102 .441"),
        ("ms-ssim + 7 reblur", "–"),
    ]
    assert [(row[1], row[-1]) for row in grey.rows if row[0] == "1"] == [
        ("TFP", "25.997 .733"), ("TFI", "–"), ("BSN", "27.365 .842"),
    ]  # fmt: skip
    (ten,) = [f for f in results.summary if (f.method, f.frames, f.v_th) == ("LDN of ten", "single", 1.0)]
    assert weights.rows[1][2] == f"{ten.metrics['psnr'].mean:.2f}"
    bare = ablation_tables(evaluation.evaluate(data, sequence=False, limit=1))
    assert [[row[1] for row in table.rows[:2]] for table in bare] == [["SDM", "SDM"], ["TFP", "TFI"]]


# The command


def invoke(*arguments: object) -> Any:
    from click.testing import CliRunner

    return CliRunner().invoke(cli, ["eval-ssdm", *map(str, arguments)])


def test_the_command_prints_tables(data: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bare = invoke("--data", data, "--single", "--limit", 1, "--vth", 1)
    assert bare.exit_code == 0, bare.output
    assert "there is no run folder" in bare.stderr
    assert {"blur", "SDM", "TFP", "TFI", "bilinear"} <= set(bare.stdout.split())
    shutil.copytree(run, tmp_path / "runs" / "ssdm")
    whole = invoke("--data", data, "--limit", 1, "--vth", 1, 2.5, "--table", "markdown", "--out", "out")
    assert whole.exit_code == 0, whole.output
    kept = read_rows(tmp_path / "out" / "samples.csv")
    assert {row.method for row in kept} >= {"LDN", "teacher", "BSN", "SR"}
    assert {row.v_th for row in kept} == {None, 1.0, 2.5}
    assert whole.stdout.count("| V_th | method |") == 5
    assert len(re.findall(r"^\| 2\.5 \| LDN \|", whole.stdout, re.MULTILINE)) == 2
    ablation = invoke("--data", data, "--limit", 1, "--ablation", "--vth", 1, "--table", "latex", "--run", "runs/ssdm")
    assert ablation.exit_code == 0, ablation.output
    assert "+ SR (teacher) & " in ablation.stdout
    assert ablation.stdout.count(r"\begin{table}") == 3


def test_the_command_prints_json_alone(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("--data", data, "--single", "--limit", 1, "--vth", "1", "--json", "--device", "cpu")
    record = json.loads(result.stdout)
    assert (record["split"], record["samples"], record["times"]["single"]) == ("test", 1, [68])
    assert {(f["method"], f["v_th"]) for f in record["summary"]} >= {("blur", None), ("SDM", 1.0)}


def test_the_command_refuses_bad_input_in_one_line(data: Path, run: Path, tmp_path: Path) -> None:
    for arguments, what in (
        (("--data", tmp_path / "none"), "there is no dataset"),
        (("--data", data, "--vth", 4), "it has 1, 2.5"),
        (("--data", data, "--run", tmp_path / "none"), "there is no run folder"),
        (("--data", data, "--checkpoint", run / "sr.safetensors"), "not the LDN of 'ldn'"),
        (("--data", data, "--json", "--table", "latex"), "--json and --table"),
    ):
        result = invoke(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr.count("Error: ") == 1
        assert what in result.stderr


def test_shown_defaults_and_choices_are_those_of_the_library() -> None:
    command = cli.get_command(click.Context(cli), "eval-ssdm")
    assert command is not None
    options = {str(option.name): option for option in command.params if isinstance(option, click.Option)}
    defaults = {name: parameter.default for name, parameter in signature(evaluation.evaluate).parameters.items()}
    assert [options[name].show_default for name in ("split", "device")] == [
        defaults[name] for name in ("split", "device")
    ]
    assert [defaults[name] for name in ("v_th", "runs", "limit", "out", "sequence", "overwrite")] == [
        (), (), None, None, True, False,
    ]  # fmt: skip
    assert [options[name].show_default for name in ("vth", "limit", "out")] == [
        "all that every shard has",
        "all",
        "nowhere",
    ]
    assert tuple(options["split"].type.choices) == get_args(Split)  # type: ignore[attr-defined]
    assert tuple(options["table"].type.choices) == get_args(Form)  # type: ignore[attr-defined]


@pytest.mark.parametrize("missing", ["torch", "skimage"])
def test_a_missing_extra_is_named(missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "sys.argv = ['spikesim', 'eval-ssdm']\nfrom spikesim_cli.main import main; main()"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 2
    said = rf"Error: `spikesim eval-ssdm` needs {missing}.*; pip install 'spikesim\[ssdm\]'\n"
    assert re.fullmatch(said, result.stderr)
