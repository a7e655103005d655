"""When the frames of a video are shown: in even steps, as a clip must be, or not."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import numpy as np

Timing = Literal["refuse", "resample", "ignore"]
"""What becomes of a video whose frames are not evenly apart: it is refused, its readouts are made at true times, or its
frames are taken as even."""

_TICK, _STEP = 0.55, 0.1  # how far from even steps a frame may be: ticks of the clock, which rounds, and part of a step
_ALIKE = 0.25  # of an interval: those that differ less from the middle one are one step


def evenly_apart(timestamps: Sequence[int]) -> bool:
    """Whether frames are shown in equal steps, but for the rounding of a clock and a tenth of a step."""
    if len(timestamps) < 3:
        return True
    step, off = _even_steps(timestamps)
    return off <= _TICK + _STEP * step


def frame_times(timestamps: Sequence[int]) -> tuple[float, ...]:
    """When frames are shown, from the first on, in steps: most of them are one apart, others more or less.

    Args:
        timestamps: At least two, ascending.
    """
    times = np.asarray(timestamps, float)
    times -= times[0]
    # The step that fits all: an error of the usual interval, which a clock rounds, would add up.
    steps = np.cumsum([0, *np.maximum(1, np.rint(np.diff(times) / _step(times)))])
    return tuple((times * (steps @ steps) / (steps @ times)).tolist())


def describe_timing(timestamps: Sequence[int], time_base: Fraction) -> str:
    """How far apart frames are, in a line with figures, whether in even steps or not.

    Args:
        timestamps: At least two, ascending.
        time_base: Their unit in seconds.
    """
    if not evenly_apart(timestamps):
        return f"uneven: {describe_uneven(timestamps, time_base)}"
    step, off = (1000 * float(time_base) * ticks for ticks in _even_steps(timestamps))
    return f"even: frames are {step:.4g} ms apart, none more than {round(off, 3):g} ms off"


def describe_uneven(timestamps: Sequence[int], time_base: Fraction) -> str:
    """How far apart frames are that are not in even steps, in a line with figures."""
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
