"""What people see of a command: messages on stderr, tables and JSON on stdout."""

import json
from math import floor, isfinite, log10
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from spikesim_cli.terminal_text import printable, printable_lines

if TYPE_CHECKING:
    from spikesim_datasets.shards.diagnostics import Diagnostics


# What is printed has names of files in it: nothing is taken for markup, and no line of a message is broken.
class _Printer(Console):
    """A console whose texts cannot control the terminal."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(printable(each) if isinstance(each, str) else each for each in objects), **options)


messages = _Printer(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
results = _Printer(highlight=False, markup=False, emoji=False)


_DIGITS = 4
_ANY = 10_000  # columns, more than any table has


def print_json(record: Any) -> None:
    """A result for a script, on stdout; numbers that JSON does not have are null."""
    print(json.dumps(_finite(record), indent=1, default=str, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def print_table(
    columns: tuple[str, ...], rows: list[tuple[Any, ...]], title: str | None = None, grey: tuple[int, ...] = ()
) -> None:
    """A table for a person, on stdout; numbers stand right, those of a column with equally many digits.

    It fits 80 columns where words and numbers do: an interval that is too long is broken in its middle. Columns that
    are `grey` stand back.
    """
    table = _table(columns, rows, title, grey)
    if Measurement.get(results, results.options.update(width=_ANY), table).minimum > results.width:
        rows = [tuple(cell.replace("…", "… ") if isinstance(cell, str) else cell for cell in row) for row in rows]
        table = _table(columns, rows, title, grey)
    results.print(table)


def _table(columns: tuple[str, ...], rows: list[tuple[Any, ...]], title: str | None, grey: tuple[int, ...]) -> Table:
    table = Table(*map(_written, columns), title=title and _written(title), title_justify="left")
    texts = [_alike([row[i] for row in rows]) for i in range(len(columns))]
    for i, column in enumerate(table.columns):
        column.overflow = "fold"
        if i in grey:
            column.style = column.header_style = "dim"
        if rows and all(isinstance(row[i], int | float) for row in rows):
            column.justify = "right"
    for row in zip(*texts, strict=True):
        table.add_row(*row)
    return table


def _alike(cells: list[Any]) -> list[str]:
    """The texts of a column: its fractions with as many decimals as give the largest four digits, or fewer if none
    needs them."""
    numbers = [abs(cell) for cell in cells if isinstance(cell, float) and isfinite(cell)]
    largest = max(numbers, default=0.0)
    decimals = max(0, _DIGITS - 1 - floor(log10(largest))) if largest else 0
    while decimals and all(f"{number:.{decimals}f}".endswith("0") for number in numbers):
        decimals -= 1
    return [f"{cell:.{decimals}f}" if isinstance(cell, float) else _written(str(cell)) for cell in cells]


def _written(text: str) -> str:
    """A text as stdout will show it, so that columns are as wide as what is in them."""
    return printable_lines(text).encode(results.encoding, "backslashreplace").decode(results.encoding)


def tell_licence(interpolator: dict[str, Any]) -> None:
    """What an interpolator's weights may be used for, if its description says so."""
    if "licence" in interpolator:
        messages.print(
            f"{interpolator['network']}: weights {interpolator['weights'][:12]}..., {interpolator['licence']}"
        )


def tell_diagnostics(key: str, diagnostics: "Diagnostics", at_cuts: str) -> None:
    """What was found of a clip, if anything.

    Args:
        key: Of the clip.
        diagnostics: What was found.
        at_cuts: What that means, where there are scene cuts.
    """
    if diagnostics.cuts:
        messages.print(f"{key}: {count(len(diagnostics.cuts), 'scene cut')}, at {_some(diagnostics.cuts)}; {at_cuts}")
    if diagnostics.fast:
        messages.print(
            f"{key}: motion too fast to be followed at {_some(diagnostics.fast)}; look at the result there, or take "
            "video of a higher frame rate"
        )


def _some(frames: list[int]) -> str:
    more = f" and {len(frames) - 5} more" if len(frames) > 5 else ""
    return f"frame{'s' if len(frames) > 1 else ''} " + ", ".join(map(str, frames[:5])) + more


def count(number: int, thing: str) -> str:
    """A number of things in words."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
