"""The tables of an evaluation, for people and for papers."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from spikesim.checks import require_choice, require_instance
from spikesim_datasets.shards.schema import threshold_name
from ssdm_models.evaluation.evaluation_set import DOMAINS, Frames
from ssdm_models.evaluation.results import Difference, Results
from ssdm_models.evaluation.scores import METRICS
from ssdm_models.evaluation.summary import Figures, Interval

TITLES = {
    "psnr": "PSNR [dB]",
    "ssim_ssdm": "SSIM, ssdm",
    "ssim_standard": "SSIM, standard",
    "lpips": "LPIPS",
    "liqe": "LIQE",
}
"""Columns of the metrics, by name."""

NONE = "–"
"""What stands where there is nothing."""

_PAIRED = "Differences on the same samples"

Form = Literal["markdown", "latex"]


@dataclass(frozen=True)
class Table:
    """Text in rows and columns under a title.

    Attributes:
        title, columns, rows: The text.
        quoted: Which columns hold figures of others.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    quoted: tuple[int, ...] = ()

    def text(self, form: Form) -> str:
        """The table as Markdown, or as LaTeX for the package booktabs.

        Args:
            form: `markdown` or `latex`.

        Raises:
            InvalidValueError: There is no such form.
        """
        return _FORMS[require_choice(form, "form", _FORMS)](self)


def tables(results: Results) -> list[Table]:
    """What was found: figures and paired differences of each domain and kind of frames, and what methods cost.

    Args:
        results: What an evaluation found.

    Raises:
        InvalidValueError: It is no `Results`.
    """
    require_instance(results, "results", Results)
    found = []
    for domain in DOMAINS:
        for frames in results.times:
            here = (domain, frames)
            figures = [f for f in results.summary if (f.domain, f.frames) == here]
            differences = [d for d in results.differences if (d.domain, d.frames) == here]
            if figures:
                found.append(_figures_table(results, figures))
            if differences:
                found.append(_difference_table(results, differences))
    return [*found, _cost_table(results)]


def title(results: Results, what: str, frames: Frames) -> str:
    """What a table is of."""
    times = [str(time) for time in results.times[frames] if time is not None]
    words = {
        "single": f"; single frame, readout {', '.join(times)}",
        "sequence": f"; sequence of {len(times)}, readouts {', '.join(times)}",
        "exposure": "",
    }[frames]
    several = results.samples > 1
    samples = f"{results.samples} sample{'s' * several}"
    interval = "; means, 95 % bootstrap intervals over samples" * several
    return f"{what}{words}. {results.data}, {results.split}, {samples}{interval}"


def ordered(figures: Sequence[Figures]) -> list[Figures]:
    """Rows of each threshold together; those without one come first."""
    return sorted(figures, key=lambda f: f.v_th or 0)


def threshold(v_th: float | None) -> str:
    """A threshold in a table."""
    return NONE if v_th is None else threshold_name(v_th)


def number(metric: str, interval: Interval | None, *, signed: bool = False) -> str:
    """A mean and, of several samples, its interval."""
    if interval is None:
        return NONE
    form = ("+" if signed else "") + (".2f" if metric == "psnr" else ".3f")
    mean = f"{interval.mean:{form}}"
    return mean if interval.samples == 1 else f"{mean} {interval.low:{form}}…{interval.high:{form}}"


def _figures_table(results: Results, figures: Sequence[Figures]) -> Table:
    metrics = _columns([f.metrics for f in figures])
    rows = tuple(
        (threshold(f.v_th), f.method, *(number(name, f.metrics.get(name)) for name in metrics))
        for f in ordered(figures)
    )
    what = title(results, DOMAINS[figures[0].domain], figures[0].frames)
    return Table(what, ("V_th", "method", *(TITLES[name] for name in metrics)), rows)


def _difference_table(results: Results, differences: Sequence[Difference]) -> Table:
    metrics = _columns([d.metrics for d in differences])
    rows = tuple(
        (
            threshold(d.v_th),
            f"{d.better} − {d.worse}",
            *(number(name, d.metrics.get(name), signed=True) for name in metrics),
        )
        for d in differences
    )
    what = title(results, f"{_PAIRED}. {DOMAINS[differences[0].domain]}", differences[0].frames)
    return Table(what, ("V_th", "pair", *(TITLES[name] for name in metrics)), rows)


def _cost_table(results: Results) -> Table:
    height, width = results.size
    rows = tuple(
        (
            card.label,
            f"{card.parameters:,}" if card.parameters else NONE,
            f"{card.macs / 1e9:.1f}" if card.macs else NONE,
            f"{1e3 * results.seconds[card.label]:.0f}",
        )
        for card in results.methods
    )
    what = f"Costs of a frame of {width}×{height}; time on {results.device}, median"
    return Table(what, ("method", "parameters", "GMAC", "ms"), rows)


def _columns(metrics: Sequence[Mapping[str, Interval]]) -> list[str]:
    """The metrics that any row has."""
    return [name for name in METRICS if any(name in of_row for of_row in metrics)]


def _cells(cells: Sequence[str]) -> Iterator[str]:
    """Intervals as documents write them."""
    return (re.sub(r"(\S+)…(\S+)", r"[\1, \2]", cell) for cell in cells)


def _markdown(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", r"\|") for cell in _cells(cells)) + " |"

    rule = "|" + "---|" * len(table.columns)
    return "\n".join([f"**{table.title}**", "", line(table.columns), rule, *map(line, table.rows)])


_LATEX = str.maketrans(
    {
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "–": "--",
        "−": "$-$",
        "×": r"$\times$",
        "λ": r"$\lambda$",
    }
)


def _latex(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        texts = [cell.translate(_LATEX) for cell in _cells(cells)]
        grey = [rf"\textcolor{{gray}}{{{text}}}" if i in table.quoted else text for i, text in enumerate(texts)]
        return " & ".join(grey) + r" \\"

    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{table.title.translate(_LATEX)}}}",
            rf"\begin{{tabular}}{{{'l' * len(table.columns)}}}",
            r"\toprule",
            line(table.columns),
            r"\midrule",
            *map(line, table.rows),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


_FORMS: dict[Form, Callable[[Table], str]] = {"markdown": _markdown, "latex": _latex}
