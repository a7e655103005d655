"""The numbers of frames in their file names: their order, and whether they are one whole series."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Literal

from spikesim.errors import InputFileError

Numbering = Literal["refuse", "ignore"]
"""What becomes of frames whose numbers are no whole series: they are refused, or taken in natural order."""

_UNEVEN = 1.5  # times the smallest step: a step from which something is missing
_SHOWN = 3
_WAY_OUT = "; or take them in the order of their names with --numbering ignore"

_Series = dict[tuple[str, ...], list[str]]
"""File names by what stands around their numbers."""


def natural_order(names: Iterable[str]) -> list[str]:
    """Names by the numbers in them: 2 before 10, and 000123 before 000123_000."""
    return sorted(names, key=lambda name: (_numbers_and_texts(name), name))


def whole_series(folder: Path, names: Sequence[str]) -> list[str]:
    """The file names of a folder's frames, which must be one series without gaps, in the order of their numbers.

    A series counts in equal steps (or nearly, as times do), in one number or with a decimal point. Frames between
    frames may count within them, as 000123_000 to 000123_006 do between 000123 and 000124.

    Raises:
        InputFileError: They are several series, or numbers are missing or there twice.
    """
    series: _Series = defaultdict(list)
    for name in natural_order(names):
        series[_texts(name)].append(name)
    if between := _between(series):
        return _with_between(folder, *between)
    if len(series) > 1:
        examples = ", ".join(found[0] for found in list(series.values())[:_SHOWN])
        raise InputFileError(
            f"{folder} holds {len(series)} series of frames, named like {examples}; put each into a folder of its own, "
            f"and copies away{_WAY_OUT}"
        )
    (found,) = series.values()
    return _in_steps(folder, found)


def _in_steps(folder: Path, names: list[str]) -> list[str]:
    """Frames of one series in the order of their numbers, which read in some way must grow in equal steps."""
    refused: InputFileError | None = None
    for numbers in _counters(folder, names):
        try:
            return _in_order(folder, names, numbers)
        except InputFileError as error:
            refused = refused or error
    assert refused is not None
    raise refused


def _in_order(folder: Path, names: list[str], of_names: list[Decimal]) -> list[str]:
    by_number: dict[Decimal, str] = {}
    for name, number in zip(names, of_names, strict=True):
        if number in by_number:
            raise InputFileError(
                f"{folder} holds the frame {number} twice, as {by_number[number]} and {name}; take one away{_WAY_OUT}"
            )
        by_number[number] = name
    numbers = sorted(by_number)
    steps = [after - before for before, after in pairwise(numbers)]
    if steps and max(steps) > Decimal(_UNEVEN) * min(steps):
        gaps = [
            f"{by_number[before]} and {by_number[after]}"
            for before, after in pairwise(numbers)
            if after - before > Decimal(_UNEVEN) * min(steps)
        ]
        more = f" and {len(gaps) - _SHOWN} more places" if len(gaps) > _SHOWN else ""
        raise InputFileError(
            f"{folder} lacks frames between {', '.join(gaps[:_SHOWN])}{more}, where motion would be too fast; add "
            f"them, rename frames whose counter began again, or divide the folder{_WAY_OUT}"
        )
    return [by_number[number] for number in numbers]


def _counters(folder: Path, names: list[str]) -> list[list[Decimal]]:
    """Ways to read the number of each frame: of those in its name the one that changes, or two with a point between."""
    columns = list(zip(*map(_digits, names), strict=True))
    changing = [place for place, column in enumerate(columns) if len(set(map(int, column))) > 1]
    if not changing:  # a single frame, or the same one again
        return [[Decimal(int(columns[-1][row])) if columns else Decimal(0) for row in range(len(names))]]
    fraction = changing[-1]
    parts = fraction > 0 and _texts(names[0])[fraction] == "."
    decimals = [Decimal(f"{a}.{b}") for a, b in zip(columns[fraction - 1], columns[fraction], strict=True)]
    if len(changing) == 1:  # of one second only the fraction, or a counter behind a number that stays
        whole = [Decimal(number) for number in columns[fraction]]
        return [whole, decimals] if parts else [whole]
    if parts and changing == [fraction - 1, fraction]:
        return [decimals]
    first, other = (
        names[0],
        next(name for name in names if _digits(name)[changing[0]] != _digits(names[0])[changing[0]]),
    )
    raise InputFileError(
        f"{folder} holds several series of frames, as of {first} and {other}, or its frames count in {len(changing)} "
        f"numbers; put each series into a folder of its own{_WAY_OUT}"
    )


def _between(series: _Series) -> tuple[list[str], list[str]] | None:
    """The raw frames and those between them, if these are the two series."""
    if len(series) != 2:
        return None
    short, long = sorted(series, key=len)
    fits = len(long) == len(short) + 1 and long[:-1] == (*short[:-1], "_") and long[-1] == short[-1]
    return (series[short], series[long]) if fits else None


def _with_between(folder: Path, raw: list[str], between: list[str]) -> list[str]:
    """Raw frames and those between them in their order; between any two of them there are as many."""
    raw = _in_steps(folder, raw)
    places: dict[tuple[int, ...], list[str]] = {tuple(map(int, _digits(name))): [] for name in raw}
    for name in between:
        *place, _ = map(int, _digits(name))
        if tuple(place) not in places:
            raise InputFileError(f"{folder} lacks the frame that {name} comes after; add it{_WAY_OUT}")
        places[tuple(place)].append(name)
    *inner, last = places.values()
    most = max(map(len, places.values()))
    for name, found in zip(raw, (*inner, *([last] if last else [])), strict=False):
        numbers = [int(_digits(inside)[-1]) for inside in found]
        if numbers != list(range(most)):
            raise InputFileError(
                f"{folder} lacks frames after {name}: it has {len(found)} there and up to {most} elsewhere; add "
                f"them{_WAY_OUT}"
            )
    return [each for name, found in zip(raw, places.values(), strict=True) for each in (name, *found)]


def _numbers_and_texts(name: str) -> list[str | int]:
    return [int(part) if i % 2 else part for i, part in enumerate(_parts(name))]


def _parts(name: str) -> list[str]:
    """Text and digits in turn, beginning and ending with text, which may be empty."""
    return re.split(r"([0-9]+)", Path(name).stem)


def _texts(name: str) -> tuple[str, ...]:
    return tuple(_parts(name)[::2])


def _digits(name: str) -> list[str]:
    return _parts(name)[1::2]
