"""Plots as SVG in the colours of the page's theme, light or dark."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spikesim_report.parts import Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Line = tuple[np.ndarray, np.ndarray]

# Colours that stand for those of the theme until the drawing is text.
_THEME = {
    "#010101": "var(--ink)",
    "#020202": "var(--line)",
    "#030303": "var(--muted)",
    "#040404": "var(--series-1)",
    "#050505": "var(--series-2)",
    "#060606": "var(--series-3)",
    "#070707": "var(--series-4)",
}
_INK, _LINE, _MUTED, *_SERIES = _THEME
_MARKERS = "os^"
_LONG = 8  # letters of a place, which lies aslant then
_LONG_NAME = 26  # letters, of which two are side by side
_ROW = 0.19  # inches of a row of names
_SIZE = 7.0, 3.0  # inches of 72 points


def lines(
    title: str,
    axes: tuple[str, str],
    series: Mapping[str, Line],
    theory: Mapping[str, Line] | None = None,
    *,
    logarithmic: bool = False,
) -> Plot:
    """Lines, each with its name at its end; theory is dashed, in the colour of the series of the same place.

    Args:
        title: What it shows.
        axes: What x and y are, with units.
        series: By name, x and y.
        theory: What would be expected, by name.
        logarithmic: Whether y is.
    """
    figure, plot = _figure(*axes)
    for number, (name, (x, y)) in enumerate(series.items()):
        plot.plot(x, y, color=_SERIES[number % len(_SERIES)], label=name, linewidth=1.6)
    for number, (name, (x, y)) in enumerate((theory or {}).items()):
        plot.plot(x, y, "--", color=_SERIES[number % len(_SERIES)], label=name, linewidth=1.1)
    if logarithmic:
        plot.set_yscale("log")
    _legend(figure, plot, len(series) + len(theory or {}))
    return Plot(title, drawn(figure))


def dots(
    title: str, axes: tuple[str, str], places: Sequence[str], series: Mapping[str, tuple[np.ndarray, ...]]
) -> Plot:
    """Means with the ends of their intervals, each series a little beside the one before.

    Args:
        title, axes: As for `lines`.
        places: On the x axis, evenly spaced.
        series: By name, means, low ends and high ends.
    """
    figure, plot = _figure(*axes)
    for number, (name, (mean, low, high)) in enumerate(series.items()):
        x = np.arange(len(places)) + 0.06 * (number - (len(series) - 1) / 2)
        marker, colour = _MARKERS[number // len(_SERIES) % len(_MARKERS)], _SERIES[number % len(_SERIES)]
        plot.errorbar(
            x, mean, [mean - low, high - mean], fmt=marker, color=colour, label=name, markersize=5, linewidth=1.2
        )
    long = max(map(len, places)) > _LONG
    plot.set_xticks(range(len(places)), places, rotation=20 * long, ha="right" if long else "center")
    _legend(figure, plot, len(series))
    return Plot(title, drawn(figure))


def drawn(figure: "Figure") -> str:
    """A figure as SVG: text stays text, and colours become those of the theme."""
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "spikesim"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, name in _THEME.items():
        svg = svg.replace(colour, name)
    # Of several drawings in a page only what is referred to may keep its name, which is a hash of what it is.
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))
    return re.sub(r'\sid="([^"]+)"', lambda found: found[0] if found[1] in used else "", svg)


def _figure(x: str, y: str) -> "tuple[Figure, Axes]":
    """An empty drawing."""
    from matplotlib.figure import Figure

    figure = Figure(_SIZE, layout="constrained")
    plot = figure.subplots()
    plot.set_xlabel(x, color=_INK)
    plot.set_ylabel(y, color=_INK)
    plot.tick_params(colors=_INK, which="both")
    plot.grid(color=_LINE, linewidth=0.6)
    plot.set_axisbelow(True)
    for name, spine in plot.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(_MUTED)
    return figure, plot


def _legend(figure: "Figure", plot: "Axes", entries: int) -> None:
    """Above the drawing, where it hides nothing; the figure grows by its height."""
    if entries < 2:
        return
    names = plot.get_legend_handles_labels()[1]
    columns = min(entries, 3 if max(map(len, names)) < _LONG_NAME else 2)
    rows = -(-entries // columns)
    figure.set_size_inches(_SIZE[0], _SIZE[1] + _ROW * rows)
    plot.legend(frameon=False, labelcolor=_INK, ncols=columns, loc="lower left", bbox_to_anchor=(0, 1), fontsize=9)
