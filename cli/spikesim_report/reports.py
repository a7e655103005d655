"""Which report a path gets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikesim import read_spikes
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.progress import OnProgress
from spikesim_datasets.recognition import recognise
from spikesim_datasets.remote.url import Place
from spikesim_report.extra import require_extra
from spikesim_report.page_file import Page
from spikesim_report.records import dataset_record, stream_record
from spikesim_report.report_of_dataset import dataset_page
from spikesim_report.report_of_run import is_run, run_record, run_sections
from spikesim_report.report_of_spikes import spikes_page
from ssdm_models import load_deblurrer

_EVALUATION = "evaluation.json"


def page_of(paths: Sequence[Place], *, on_progress: OnProgress | None = None, **reading: Any) -> Page:
    """The report of a dataset or a spike file, or of training runs and evaluations, several of which go together.

    Args:
        paths: What it is of; a dataset may lie elsewhere, at an address.
        on_progress: Told of a dataset's samples.
        reading: Keywords of `spikesim.read_spikes`, for a spike file.

    Raises:
        InputFileError: A path does not exist, is of another kind, or is damaged.
        MissingExtraError: The extra [report] is not installed.
        InvalidValueError: There are several paths, and one is neither a run nor an evaluation; or keywords for what is
            no spike file.
    """
    require_extra()
    trained = [path for path in paths if isinstance(path, Path) and (is_evaluation(path) or is_run(path))]
    if len(paths) > 1 and len(trained) < len(paths):
        others = ", ".join(str(path) for path in paths if path not in trained)
        raise InvalidValueError(
            f"training runs and evaluations can share a report, {others} is neither; give it a report of its own"
        )
    kind = None if trained else recognise(paths[0])
    if reading and kind != "spikes":
        raise InvalidValueError(f"{', '.join(reading)} is for spike files, which say less of themselves; leave it out")
    if trained:
        return _trained_page(trained)
    (path,) = paths
    if kind == "spikes" and isinstance(path, Path):
        stream = read_spikes(path, **reading)
        record = {"kind": kind, "path": str(path), **stream_record(stream)}
        return spikes_page(path, record, stream, reading.get("start") or 0)
    if kind != "dataset":
        raise InputFileError(
            f"{path} is a {kind}; there are reports of datasets, spike files, training runs and evaluations"
        )
    record = {"kind": kind, "path": str(path), **dataset_record(path)}
    return dataset_page(path, record, load_deblurrer(), on_progress=on_progress)


def is_evaluation(path: Path) -> bool:
    """Whether a folder is that of an evaluation."""
    return (path / _EVALUATION).is_file()


def _trained_page(paths: Sequence[Path]) -> Page:
    """Runs beside each other, then evaluations."""
    from spikesim_report.report_of_evaluation import evaluation_record, evaluation_sections

    runs = _named([path for path in paths if not is_evaluation(path)])
    evaluations = _named([path for path in paths if is_evaluation(path)])
    sections = run_sections(runs) if runs else []
    record = {name: run_record(path) for name, path in runs.items()}
    for name, path in evaluations.items():
        found = record[name] = evaluation_record(path)
        sections += evaluation_sections(path, found)
    return Page(", ".join(record), ", ".join(map(str, paths)), sections, record)


def _named(paths: Sequence[Path]) -> dict[str, Path]:
    """Paths by their last parts, or whole where these are the same."""
    names = [path.resolve().name for path in paths]
    return {name if names.count(name) == 1 else str(path): path for name, path in zip(names, paths, strict=True)}
