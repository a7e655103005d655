"""The report of an evaluation: methods by thresholds, with intervals, and clip by clip."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from spikesim.errors import InputFileError
from spikesim.input_files import read_json
from spikesim_datasets.image_files import read_image
from spikesim_datasets.shards.schema import threshold_name
from spikesim_report import plots
from spikesim_report.parts import Listing, Notes, PageImage, Part, Section, Slider, narrowed
from spikesim_report.words import Record
from ssdm_models.evaluation.evaluation_set import DOMAINS
from ssdm_models.evaluation.extremes import IMAGES, TRUTH, ExtremeImages, extremes, image_name, rank_samples
from ssdm_models.evaluation.folder import RECORD, ROWS
from ssdm_models.evaluation.rows import Row, read_rows
from ssdm_models.evaluation.summary import bootstrap
from ssdm_models.evaluation.tables import NONE, TITLES, threshold

_FRAMES = {"single": "Single frames", "sequence": "Sequences", "exposure": "Whole exposures"}
_PLOTTED = 12  # methods of a drawing: more are no longer told apart
_EXTREMES = 5  # samples of either end that are listed
_IMAGE_BYTES = 5_500_000  # of all images together
_IMAGE_WIDTH = 960


def evaluation_record(path: Path) -> Record:
    """What an evaluation found: what `eval-ssdm --json` prints.

    Args:
        path: The folder that `--out` named.

    Raises:
        InputFileError: There is no finished evaluation, or what there is is damaged.
    """
    try:
        record: Record = read_json(path / RECORD)
        if missing := {"summary", "methods"} - record.keys():
            raise KeyError(min(missing))  # as an unfinished one
    except (KeyError, TypeError, ValueError) as error:
        raise InputFileError(
            f"{path / RECORD} is no record of a finished evaluation ({error!r}); run `spikesim eval-ssdm --out {path}` "
            "to its end"
        ) from error
    return record


def evaluation_sections(path: Path, record: Record) -> list[Section]:
    """The sections of an evaluation.

    Args:
        path: Its folder.
        record: What `evaluation_record` gives.

    Raises:
        InputFileError: The figures of its samples are missing or damaged.
    """
    rows = read_rows(path / ROWS)
    groups: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for figures in record["summary"]:
        groups[figures["domain"], figures["frames"]].append(figures)
    sections = []
    for (domain, frames), summary in groups.items():
        parts: list[Part] = [_table(summary), *_by_threshold(summary)]
        if domain == "colour" and frames == "single":
            parts += [*_by_clip(rows, record), *_extremes(rows, record, ExtremeImages(path / IMAGES))]
        what = {str(name): words for name, words in DOMAINS.items()}.get(domain, domain)
        text = f"{what}. {record['data']}, {record['split']}, {record['samples']} samples."
        sections.append(Section(f"{_FRAMES.get(frames, frames)}, {domain}", parts, text))
    sections.append(Section("Costs", [_costs(record), *([Notes("notes", record["notes"])] if record["notes"] else [])]))
    return sections


def interval(figure: Any, form: str) -> str:
    """A mean and its interval, as the tables of `eval-ssdm` have them."""
    if figure is None or figure["mean"] is None:
        return NONE
    mean = f"{figure['mean']:{form}}"
    return mean if figure["samples"] == 1 else f"{mean} ({figure['low']:{form}} to {figure['high']:{form}})"


def _table(summary: Sequence[Record]) -> Listing:
    metrics = list(dict.fromkeys(name for figures in summary for name in figures["metrics"]))
    rows = [
        (
            figures["method"],
            threshold(figures["v_th"]),
            *(interval(figures["metrics"].get(name), ".2f" if name == "psnr" else ".3f") for name in metrics),
        )
        for figures in sorted(summary, key=lambda figures: figures["v_th"] or 0)
    ]
    return Listing(
        "means and 95 % intervals over samples", ("method", "V_th", *(TITLES.get(name, name) for name in metrics)), rows
    )


def _by_threshold(summary: Sequence[Record]) -> list[Part]:
    """PSNR of each method, by threshold, where there are several."""
    thresholds = sorted({figures["v_th"] for figures in summary if figures["v_th"] is not None})
    if len(thresholds) < 2:
        return []
    by_method: dict[str, dict[float | None, Record]] = defaultdict(dict)
    for figures in summary:
        by_method[figures["method"]][figures["v_th"]] = figures["metrics"]["psnr"]
    found = {
        method: [known.get(v_th, known.get(None)) for v_th in thresholds]
        for method, known in list(by_method.items())[:_PLOTTED]
    }
    series = {
        method: tuple(
            np.array([np.nan if p is None or p[name] is None else p[name] for p in psnr])
            for name in ("mean", "low", "high")
        )
        for method, psnr in found.items()
    }
    places = [threshold_name(v_th) for v_th in thresholds]
    return [plots.dots("PSNR by threshold, with 95 % intervals", ("V_th", "PSNR [dB]"), places, series)]


def _singles(rows: Sequence[Row], record: Record) -> list[Row]:
    return [row for row in rows if row.domain == "colour" and row.readout in record["times"]["single"]]


def _by_clip(rows: Sequence[Row], record: Record) -> list[Part]:
    """PSNR of each clip: a table of the means, and a drawing of them at the lowest threshold."""
    singles = _singles(rows, record)
    clips = list(dict.fromkeys(row.key for row in singles))
    if len(clips) < 2:
        return []
    found: dict[tuple[str, float | None], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in singles:
        found[row.method, row.v_th][row.key].append(row.score.psnr)
    cells = [
        (method, threshold(v_th), *(f"{fmean(of_clip[clip]):.2f}" if clip in of_clip else NONE for clip in clips))
        for (method, v_th), of_clip in found.items()
    ]
    lowest = min((v_th for _, v_th in found if v_th is not None), default=None)
    drawn = {
        method: [bootstrap(of_clip[clip]) for clip in clips]
        for (method, v_th), of_clip in found.items()
        if v_th in (None, lowest) and of_clip.keys() == {*clips}
    }
    series = {
        method: tuple(np.array([getattr(interval, end) for interval in of_method]) for end in ("mean", "low", "high"))
        for method, of_method in [*drawn.items()][:_PLOTTED]
    }
    where = "" if lowest is None else f" at V_th {threshold_name(lowest)}"
    title = f"PSNR by clip{where}, with 95 % intervals"
    return [
        Listing("PSNR [dB], clip by clip", ("method", "V_th", *clips), cells),
        plots.dots(title, ("", "PSNR [dB]"), clips, series),
    ]


def _extremes(rows: Sequence[Row], record: Record, images: ExtremeImages) -> list[Part]:
    """The samples that its methods do worst and best at, on average, and the images that the evaluation kept."""
    ranked = rank_samples(rows, record["times"]["single"])
    cells = [
        (f"{sample.key}, exposure {sample.window}", f"{sample.psnr:.2f}") for sample in extremes(ranked, _EXTREMES)
    ]
    title = "the worst and the best samples, over all methods"
    parts: list[Part] = [Listing(title, ("sample", "mean PSNR [dB]"), cells)]
    psnr = {(row.key, row.window, image_name(row)): row.score.psnr for row in _singles(rows, record)}
    names = [TRUTH, *dict.fromkeys(name for *_, name in psnr)]
    shown_samples = extremes(ranked)
    most = _IMAGE_BYTES // (len(shown_samples) * len(names))
    for sample in shown_samples:
        shown = [
            (
                _caption(name, psnr.get((sample.key, sample.window, name))),
                PageImage.of(narrowed(read_image(path), _IMAGE_WIDTH), most),
            )
            for name, path in images.files(sample, names).items()
        ]
        if shown:
            title = f"{sample.key}, exposure {sample.window}: {sample.psnr:.2f} dB on average"
            parts.append(Slider(title, shown))
    return parts


def _caption(name: str, psnr: float | None) -> str:
    return name if psnr is None else f"{name}: {psnr:.2f} dB"


def _costs(record: Record) -> Listing:
    height, width = record["size"]
    rows = [
        (
            card["label"],
            f"{card['parameters']:,}" if card["parameters"] else NONE,
            f"{card['macs'] / 1e9:.2f}" if card["macs"] else NONE,
            f"{1000 * card['seconds']:.0f}",
        )
        for card in record["methods"]
    ]
    title = f"a frame of {width}×{height}; median time, {record['device']}"
    return Listing(title, ("method", "parameters", "GMAC", "ms"), rows)
