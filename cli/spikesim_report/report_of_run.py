"""The report of a training run: its losses, its settings and where its time went; several runs beside each other."""

import csv
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spikesim.errors import InputFileError
from spikesim.input_files import read_json, require_file
from spikesim_report import plots
from spikesim_report.parts import Gallery, Listing, Notes, PageImage, Part, Section
from spikesim_report.shown_images import shown_images
from spikesim_report.words import Record

RECORD, METRICS = "config.json", "metrics.csv"
"""Files of a stage's folder."""

_STEPS = 5  # whose images are shown, of all runs together
_IMAGE_BYTES = 60_000
_COLUMNS = 4
_NOT_LOSSES = ("epoch", "step", "learning_rate", "data_seconds", "step_seconds", "seconds")


class _Stage(NamedTuple):
    """A stage of a run: its folder, its settings, and a column of numbers for each name in its table."""

    folder: Path
    record: Record
    metrics: Mapping[str, np.ndarray]


def is_run(path: Path) -> bool:
    """Whether a folder is that of a training run."""
    return any(path.glob(f"*/{RECORD}"))


def run_record(path: Path) -> Record:
    """What is known of a run: each stage with its settings and the last row of its table.

    Raises:
        InputFileError: A file of it is damaged.
    """
    return {
        name: {**stage.record, "last": {column: float(values[-1]) for column, values in stage.metrics.items()}}
        for name, stage in _stages(path).items()
    }


def run_sections(paths: Mapping[str, Path]) -> list[Section]:
    """The sections of runs, by what they are called: one for each stage, with all runs that have it.

    Raises:
        InputFileError: A file of a run is damaged.
    """
    by_stage: dict[str, dict[str, _Stage]] = defaultdict(dict)
    for run, path in paths.items():
        for name, stage in _stages(path).items():
            by_stage[name][run] = stage
    sections = [Section(f"Stage {name}", _parts(runs)) for name, runs in by_stage.items()]
    begun = [
        f"{folder.name} of {run} has not finished an epoch." for run, path in paths.items() for folder in _begun(path)
    ]
    return [*sections, Section("Begun", [Notes("what there is nothing to show of yet", begun)])] if begun else sections


def _begun(path: Path) -> list[Path]:
    """Folders of stages that have not finished an epoch."""
    return [file.parent for file in sorted(path.glob(f"*/{RECORD}")) if not (file.parent / METRICS).exists()]


def _stages(path: Path) -> dict[str, _Stage]:
    """The stages of a run in the order in which they began."""
    found, begun = {}, _begun(path)
    for folder in sorted(
        (file.parent for file in path.glob(f"*/{RECORD}")), key=lambda f: (f / RECORD).stat().st_mtime
    ):
        if folder in begun:
            continue
        try:
            record = read_json(folder / RECORD)
            require_file(folder / METRICS)
            with (folder / METRICS).open(newline="") as table:
                rows = list(csv.DictReader(table))
            metrics = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
            if missing := {"step", "loss", *_NOT_LOSSES} - metrics.keys():
                raise KeyError(min(missing))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise InputFileError(f"{folder} is no whole record of a training ({error!r})") from error
        found[folder.name] = _Stage(folder, record, metrics)
    if not found:
        raise InputFileError(f"{path} holds no stage that has finished an epoch; wait for the first")
    return found


def _parts(runs: Mapping[str, _Stage]) -> list[Part]:
    single = next(iter(runs.values())) if len(runs) == 1 else None
    losses = {run: (stage.metrics["step"], stage.metrics["loss"]) for run, stage in runs.items()}
    parts: list[Part] = [plots.lines("loss, mean of each epoch", ("step", "loss"), losses, logarithmic=True)]
    if single is not None:
        names = [name for name in single.metrics if name not in (*_NOT_LOSSES, "loss")]
        if names:
            shown = {name: (single.metrics["step"], single.metrics[name]) for name in names}
            parts.append(plots.lines("parts of the loss", ("step", "loss"), shown, logarithmic=True))
    rates = {run: (stage.metrics["step"], stage.metrics["learning_rate"]) for run, stage in runs.items()}
    parts.append(plots.lines("learning rate", ("step", "rate"), rates))
    return [*parts, _progress(runs), *_images(runs), _settings(runs)]


def _progress(runs: Mapping[str, _Stage]) -> Listing:
    rows = []
    for run, stage in runs.items():
        last = {name: values[-1] for name, values in stage.metrics.items()}
        waiting = stage.metrics["data_seconds"].mean() / max(stage.metrics["step_seconds"].mean(), 1e-9)
        rows.append(
            (
                run,
                f"{last['epoch']:.0f} of {stage.record['config']['epochs']}",
                f"{last['step']:.0f}",
                f"{last['loss']:.4g}",
                f"{last['seconds'] / 60:.1f}",
                f"{waiting:.1%}",
            )
        )
    return Listing("how far it is", ("run", "epochs", "steps", "last loss", "minutes", "waiting for data"), rows)


def _images(runs: Mapping[str, _Stage]) -> list[Part]:
    """What each network shows of samples as time goes on: evenly spread steps, the last among them."""
    parts: list[Part] = []
    for run, stage in runs.items():
        by_step = shown_images(stage.folder)
        steps = [*by_step]
        places = np.linspace(len(steps) - 1, 0, max(1, min(len(steps), _STEPS // len(runs)))).round().astype(int)
        images = [
            (f"step {step}: {name}", PageImage.of(image, _IMAGE_BYTES))
            for step in sorted(steps[place] for place in places if steps)
            for name, image in by_step[step].items()
        ]
        if images:
            of_step = len(by_step[steps[-1]])
            columns = of_step * max(1, _COLUMNS // of_step)  # the images of a step lie beside each other
            parts.append(Gallery(f"images over time, {run}", images, columns))
    return parts


def _settings(runs: Mapping[str, _Stage]) -> Listing:
    """Settings; of several runs those that differ come first."""
    configs = [stage.record["config"] for stage in runs.values()]
    names = list(dict.fromkeys(name for config in configs for name in config))
    rows = [(name, *(str(config.get(name, "–")) for config in configs)) for name in names]
    return Listing("settings", ("", *runs), sorted(rows, key=lambda row: len({*row[1:]}) == 1))
