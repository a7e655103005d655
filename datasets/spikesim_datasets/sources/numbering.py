"""The numbers of frames in their file names: their order, and whether they are one whole series."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Literal

from spikesim.errors import InputFileError
from spikesim_datasets.sources.timing import COARSE, evenly_apart

Numbering = Literal["refuse", "ignore"]
"""What becomes of frames whose numbers are no whole series: they are refused, or taken in the order of their names."""

_UNEVEN = 1.5  # times the smallest step: a step from which something is missing
_NEARLY_EVEN = 1.2  # times the smallest step: no step alone is why they are uneven
_SHOWN = 3
_DIGITS = 15  # of times: those that floating point holds
_NUMBER = re.compile(r"([0-9]+)")
_MINUS = re.compile(r"(^|[._=(\[])-$")  # before a number; behind letters and digits a hyphen only parts
_WAY_OUT = "; or take them in the order of their names with --numbering ignore"

_Series = dict[tuple[str, ...], list[str]]
"""File names by what stands around their numbers."""


def natural_order(names: Iterable[str]) -> list[str]:
    """Names by the numbers in them: 2 before 10, and 000123 before 000123_000."""
    return sorted(names, key=lambda name: (_numbers_and_texts(name), name))


def order_of_names(names: Sequence[str]) -> list[str]:
    """Names in natural order, but by their values if nothing but a number with a decimal point tells them apart.

    A counter behind a point is not taken for a fraction: of numbers with zeros in front it would have the shortest.
    """
    names = natural_order(names)
    if len(set(map(_texts, names))) != 1:
        return names
    columns, changing = _columns(names)
    place = changing[-1] if changing else 0
    if not _behind_point(names, place) or not {*changing} <= {place - 1, place}:
        return names
    shortest = min(map(len, columns[place]))
    if not any(digits.startswith("0") and len(digits) > shortest for digits in columns[place]):
        return names
    values = dict(zip(names, _decimals(columns, place), strict=True))
    return sorted(names, key=values.__getitem__)


def whole_series(folder: Path, names: Sequence[str]) -> list[str]:
    """The file names of a folder's frames, which must be one series without gaps, in the order of their numbers.

    A series counts in equal steps, in one number or with a decimal point; times, which are rounded, are as even as
    those of videos must be. Frames between frames may count within them, as 000123_000 to 000123_006 do between 000123
    and 000124.

    Raises:
        InputFileError: They are several series, numbers are missing or there twice, steps are uneven, or numbers may be
            negative.
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
    if not _even(numbers):
        (least, near), (most, far) = ((step, steps.index(step)) for step in (min(steps), max(steps)))
        names = [by_number[number] for number in numbers]
        added = ", whose differences add up" if most < Decimal(_NEARLY_EVEN) * least else ""
        raise InputFileError(
            f"{folder} counts its frames in uneven steps{added}: {names[far]} and {names[far + 1]} are "
            f"{most / least:.4g} times as far apart as {names[near]} and {names[near + 1]}; rename them if they are "
            f"even, or make a video of them with their times{_WAY_OUT}"
        )
    return [by_number[number] for number in numbers]


def _even(numbers: list[Decimal]) -> bool:
    """Whether ascending numbers are in equal steps; if they can be times, but for what `evenly_apart` allows."""
    steps = {after - before for before, after in pairwise(numbers)}
    finest = min(int(number.as_tuple().exponent) for number in numbers)
    if len(steps) <= 1 or (finest == 0 and min(steps) < COARSE):
        return len(steps) <= 1
    ticks = [int((number - numbers[0]).scaleb(-finest)) for number in numbers]
    return evenly_apart([tick // 10 ** max(0, len(str(ticks[-1])) - _DIGITS) for tick in ticks])


def _counters(folder: Path, names: list[str]) -> list[list[Decimal]]:
    """Ways to read the number of each frame: of those in its name the one that changes, or two with a point between."""
    columns, changing = _columns(names)
    if not changing:  # a single frame, or the same one again
        return [[Decimal(int(columns[-1][row])) if columns else Decimal(0) for row in range(len(names))]]
    fraction = changing[-1]
    parts = _behind_point(names, fraction)
    if parts and {*changing} <= {fraction - 1, fraction}:
        _refuse_minus(folder, names, fraction - 1, decimals := _decimals(columns, fraction))
        # Of one second only the fraction changes, or it is a counter behind a number that stays.
        return [decimals] if len(changing) == 2 else [list(map(Decimal, columns[fraction])), decimals]
    if len(changing) == 1:
        _refuse_minus(folder, names, fraction, whole := list(map(Decimal, columns[fraction])))
        return [whole]
    first, other = (
        names[0],
        next(name for name in names if _digits(name)[changing[0]] != _digits(names[0])[changing[0]]),
    )
    raise InputFileError(
        f"{folder} holds several series of frames, as of {first} and {other}, or its frames count in {len(changing)} "
        f"numbers; put each series into a folder of its own{_WAY_OUT}"
    )


def _refuse_minus(folder: Path, names: list[str], place: int, numbers: list[Decimal]) -> None:
    """Refuse numbers that are negative if a hyphen is a minus, which would reverse them. There is no minus 0."""
    if 0 not in numbers and _MINUS.search("".join(_parts(names[0])[: 2 * place + 1])):
        raise InputFileError(
            f"{folder} holds frames like {names[0]}, and nobody knows whether their hyphen is a minus, by which the "
            "highest number comes first; rename them to count from 0 on; or take them in the order of their names, by "
            "which it is none, with --numbering ignore"
        )


def _columns(names: list[str]) -> tuple[list[tuple[str, ...]], list[int]]:
    """Of names alike but for their numbers, the first numbers of all, the second and so on, and which change."""
    columns = list(zip(*map(_digits, names), strict=True))
    return columns, [place for place, column in enumerate(columns) if len(set(map(int, column))) > 1]


def _behind_point(names: list[str], place: int) -> bool:
    return place > 0 and _texts(names[0])[place] == "."


def _decimals(columns: list[tuple[str, ...]], place: int) -> list[Decimal]:
    """Numbers whose fractions stand in a place."""
    return [Decimal(f"{whole}.{fraction}") for whole, fraction in zip(columns[place - 1], columns[place], strict=True)]


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
    """Text and digits of a file name in turn, beginning and ending with text, which may be empty."""
    return _NUMBER.split(name.rpartition(".")[0])


def _texts(name: str) -> tuple[str, ...]:
    return tuple(_parts(name)[::2])


def _digits(name: str) -> list[str]:
    return _parts(name)[1::2]
