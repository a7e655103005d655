"""Results of an evaluation: means, intervals and tables are those of the figures, and nothing is lost."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import evaluation_data
import numpy as np
import pytest
from evaluation_data import save_run
from hypothesis import given
from hypothesis import strategies as st

from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim_datasets.progress import Progress
from ssdm_models import checkpoints, evaluation
from ssdm_models.evaluation.ablation import Loss, ablation_tables, parse_loss
from ssdm_models.evaluation.evaluation_set import DOMAINS, EvaluationSet
from ssdm_models.evaluation.results import MethodCard, Results
from ssdm_models.evaluation.rows import Row, read_rows
from ssdm_models.evaluation.scores import Score
from ssdm_models.evaluation.summary import bootstrap
from ssdm_models.evaluation.tables import Table, tables
from ssdm_models.ldn import LDN

data, run = evaluation_data.data, evaluation_data.run
evaluated, results = evaluation_data.evaluated, evaluation_data.results

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
    cards = tuple(MethodCard(method, "colour", 0, 0, 0, False, "", ()) for method in scores)
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
        (("LDN", "LDM", 1.0), "method must be one of 'blur', 'SDM', 'SDM.*, got 'LDM'"),
        (("LDN", "TFP", 1.0), "compared with other images"),
        (("LDN", "blur", 4.0), "no psnr of LDN and blur at V_th 4"),
        (("SR", "bilinear", 1.0), "no psnr of SR and bilinear at V_th 1, single"),
    ],
)
def test_meaningless_differences_are_refused(results: Results, arguments: Any, what: str) -> None:
    with pytest.raises(InvalidValueError, match=what):
        results.difference(*arguments)
    with pytest.raises(InvalidValueError, match="metric must be one of 'psnr'"):
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
    sample = EvaluationSet.sample
    monkeypatch.setattr(EvaluationSet, "sample", lambda self, number: read.append(number) or sample(self, number))
    images = len(whole.rows) // 3  # of a sample
    told: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        told.append(progress)
        if progress.done > 2 * images:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(data, sequence=False, out=tmp_path / "out", on_progress=interrupt)
    assert len({(row.key, row.window) for row in read_rows(tmp_path / "out" / "samples.csv")}) == 2
    assert [progress.done for progress in told] == list(range(2 * images + 2))
    assert {progress.total for progress in told} == {3 * images}
    assert told[0].at == ""
    assert [progress.at for progress in told[1:]] == [f"{row.key}, {row.method}" for row in whole.rows[: len(told) - 1]]
    told.clear()
    again = evaluation.evaluate(data, sequence=False, out=tmp_path / "out", on_progress=told.append)
    assert [progress.done for progress in told] == list(range(2 * images, 3 * images + 1))
    assert read == [0, 1, 2, 2]
    assert [replace(row, seconds=0) for row in again.rows] == [replace(row, seconds=0) for row in whole.rows]
    assert again.summary == whole.summary
    finished = evaluation.evaluate(data, sequence=False, out=tmp_path / "out")
    assert (read, finished.rows) == ([0, 1, 2, 2], again.rows)


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


def with_cell(text: str, column: str, value: str, line: int = 1) -> str:
    """A CSV with another value in a column."""
    header, *rows = csv.reader(io.StringIO(text))
    rows[line - 1][header.index(column)] = value
    with io.StringIO(newline="") as file:
        csv.writer(file).writerows([header, *rows])
        return file.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("colour", "color", 1),
        lambda text: text.replace(",68,", ",sixty,", 1),
        lambda text: with_cell(text, "psnr", "1e999"),
        lambda text: with_cell(text, "psnr", "nan"),
        lambda text: with_cell(text, "psnr", "-inf"),
        lambda text: with_cell(text, "ssim_ssdm", "inf"),
        lambda text: with_cell(text, "seconds", "nan"),
        lambda text: text.replace("psnr", "PSNR", 1),
        lambda text: text[: text.rindex(",", 0, -200)],
        lambda text: text + "x" * 200_000,
        lambda text: "",
    ],
    ids=[
        "domain",
        "readout",
        "PSNR too large",
        "PSNR no number",
        "PSNR below all",
        "SSIM infinite",
        "time",
        "column",
        "truncated",
        "a field without end",
        "empty",
    ],
)
@pytest.mark.usefixtures("results")
def test_a_changed_csv_is_refused(evaluated: Path, tmp_path: Path, change: Callable[[str], str]) -> None:
    path = tmp_path / "samples.csv"
    path.write_text(change((evaluated / "samples.csv").read_text()))
    with pytest.raises(InputFileError, match="no CSV of an evaluation"):
        read_rows(path)
    with pytest.raises(InputFileError, match="cannot read"):
        read_rows(tmp_path / "none.csv")


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
    with pytest.raises(InvalidValueError, match="form must be one of 'markdown', 'latex', got 'html'"):
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


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: with_cell(text, "key", "x"), "of x is not compared"),
        (lambda text: with_cell(text, "window", "99"), "of test/a is not compared"),
        (lambda text: with_cell(text, "method", "x"), "has rows of other images"),
        (lambda text: with_cell(text, "domain", "grey"), "has rows of other images"),
        (lambda text: with_cell(text, "v_th", "3"), "has rows of other images"),
        (lambda text: with_cell(text, "readout", "3"), "has rows of other images"),
        (lambda text: text[: text.rindex("\n", 0, -1) + 1], "rows, not one for each"),
        (lambda text: text + text.splitlines(keepends=True)[-1], "rows, not one for each"),
    ],
    ids=["key", "window", "method", "domain", "threshold", "readout", "a row missing", "a row twice"],
)
def test_rows_that_an_evaluation_cannot_have_written_are_refused(
    data: Path, tmp_path: Path, change: Callable[[str], str], problem: str
) -> None:
    evaluation.evaluate(data, sequence=False, limit=1, out=tmp_path)
    path = tmp_path / "samples.csv"
    text = path.read_bytes().decode()
    path.write_bytes(change(text).encode())
    with pytest.raises(InputFileError, match=rf"samples\.csv was changed or damaged: sample .*{problem}.*remove its"):
        evaluation.evaluate(data, sequence=False, limit=1, out=tmp_path)
    path.write_bytes(text.splitlines(keepends=True)[0].encode())  # no sample is finished
    again = evaluation.evaluate(data, sequence=False, limit=1, out=tmp_path)
    assert tuple(read_rows(path)) == again.rows
