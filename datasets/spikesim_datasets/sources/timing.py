"""When the frames of a video are shown: in even steps, as a clip must be, or not."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np

Timing = Literal["refuse", "resample", "ignore"]
"""What becomes of a video whose frames are not evenly apart: it is refused, its readouts are made at true times, or its
frames are taken as even."""

COARSE = 3
"""Ticks: what a clock rounds to shorter steps tells no frame from two."""

_TICK, _STEP = 0.55, 0.1  # how far from even steps a frame may be: ticks of the clock, which rounds, and part of a step
_ALIKE = 0.25  # of an interval: those that differ less from the middle one are one step
_DRIFT = 0.02  # ticks: what a stated rate, rounded as it is, may be off in the end
_PARTS = 100_000  # of a tick, at most: a file may state any rate, and numbers shall stay small
_GAPS = 32  # most that are tried for the one between late and early; it is the widest, or as wide as others


def evenly_apart(timestamps: Sequence[int], stated: Fraction | None = None) -> bool:
    """Whether frames are shown in equal steps, but for the rounding of a clock and a tenth of a step.

    Where steps are of less than three ticks, rounding hides a dropped frame, and the stated step tells.

    Args:
        timestamps: Ascending.
        stated: Step that the file states, in their unit; None where it states none.
    """
    if len(timestamps) < 3:
        return True
    numbers = _stated_numbers(timestamps, stated)
    if numbers is not None:
        return bool(np.ptp(np.diff(numbers)) == 0)
    step, off = _even_steps(timestamps)
    return off <= _TICK + _STEP * step


def frame_times(timestamps: Sequence[int], stated: Fraction | None = None) -> tuple[float, ...]:
    """When frames are shown, from the first on, in steps: most of them are one apart, others more or less.

    Args:
        timestamps: At least two, ascending.
        stated: As for `evenly_apart`.
    """
    numbers = _stated_numbers(timestamps, stated)
    if numbers is not None:
        return tuple((numbers / np.bincount(np.diff(numbers)).argmax()).tolist())
    times = np.asarray(timestamps, float)
    times -= times[0]
    # The step that fits all: an error of the usual interval, which a clock rounds, would add up.
    steps = np.cumsum([0, *np.maximum(1, np.rint(np.diff(times) / _step(times)))])
    return tuple((times * (steps @ steps) / (steps @ times)).tolist())


def describe_timing(timestamps: Sequence[int], time_base: Fraction, stated: Fraction | None = None) -> str:
    """How far apart frames are, in a line with figures, whether in even steps or not.

    Args:
        timestamps: At least two, ascending.
        time_base: Their unit in seconds.
        stated: As for `evenly_apart`.
    """
    if not evenly_apart(timestamps, stated):
        return f"uneven: {describe_uneven(timestamps, time_base, stated)}"
    step, off = (1000 * float(time_base) * ticks for ticks in _even_steps(timestamps))
    return f"even: frames are {step:.4g} ms apart, none more than {round(off, 3):g} ms off"


def describe_uneven(timestamps: Sequence[int], time_base: Fraction, stated: Fraction | None = None) -> str:
    """How far apart frames are that are not in even steps, in a line with figures."""
    numbers = _stated_numbers(timestamps, stated)
    if numbers is not None and stated is not None:
        steps = np.diff(numbers)
        gaps = np.flatnonzero(steps > steps.min())
        return (
            f"it states {float(1 / (stated * time_base)):.6g} frames per second, by which some are missing in "
            f"{len(gaps)} of {len(steps)} places, first between frames {gaps[0]} and {gaps[0] + 1}"
        )
    intervals = np.diff(np.asarray(timestamps, float))
    step = _step(np.asarray(timestamps, float))
    other = np.flatnonzero(np.abs(intervals - step) > np.maximum(1.0, _STEP * step))
    if not len(other):  # all a little, which adds up
        other = np.arange(len(intervals))
    worst = int(other[np.argmax(np.abs(intervals[other] - step))])
    milliseconds = 1000 * float(time_base)
    return (
        f"most frames are {step * milliseconds:.4g} ms apart, but {len(other)} of {len(intervals)} are not: frames "
        f"{worst} and {worst + 1} are {intervals[worst] * milliseconds:.4g} ms apart"
    )


def _stated_numbers(timestamps: Sequence[int], stated: Fraction | None) -> np.ndarray | None:
    """Numbers of frames, from 0 on, in coarse steps of a stated rate; None where these and rounding explain no times.

    A time is so much later than a step of the stated rate. If a clock rounded them, all are within a tick, and what is
    left of the step is a gap between those that are late and those that are early for the next. In doubt few frames are
    missing, or none.
    """
    if stated is None or not 1 <= stated < COARSE or len(timestamps) < 3:
        return None
    usual, _ = _even_steps(timestamps)
    if usual >= COARSE:
        return None
    # In parts of a tick, so all is whole. Rounding moves times by a tick at most, and steps of one tick not at all.
    step, parts = stated.limit_denominator(_PARTS).as_integer_ratio()
    rounding = min(parts, step - 1) + _DRIFT * parts
    times = (np.asarray(timestamps, np.int64) - timestamps[0]) * parts
    even = np.arange(len(times)) * max(1, round(usual * parts / step))
    if np.ptp(times - even * step) <= rounding:
        return even
    late = np.unique(times % step)
    gaps = np.diff(late, prepend=late[-1] - step)
    wide = [int(place) for place in np.argsort(-gaps, kind="stable")[:_GAPS] if gaps[place] >= step - rounding]
    counted = ((times - late[place]) // step for place in wide)
    explaining = (numbers - numbers[0] for numbers in counted if (np.diff(numbers) > 0).all())
    return min(explaining, key=lambda numbers: np.count_nonzero(np.diff(numbers, 2)), default=None)


def _even_steps(timestamps: Sequence[int]) -> tuple[float, float]:
    """The step of the even steps that fit best, and how far from them the farthest frame is."""
    times = np.asarray(timestamps, float)
    number = np.arange(len(times))
    step, _ = np.polyfit(number, times - times[0], 1)
    return float(step), float(np.ptp(times - step * number) / 2)


def _step(times: np.ndarray) -> float:
    """The usual interval: the mean of those that are about as long as the one in the middle."""
    intervals = np.diff(times)
    middle = np.median(intervals)
    alike = np.abs(intervals - middle) <= max(1.0, _ALIKE * middle)
    return float(intervals[alike].mean())
