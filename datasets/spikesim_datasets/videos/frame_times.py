"""When the frames of a video are shown of which some do not tell."""

from collections.abc import Sequence

import numpy as np

_TICK, _STEP = 2.0, 0.1  # how far from so many steps frames may lie apart: in ticks of the clock, and in part of a step
_ALIKE = 0.25  # of an interval: those that differ less from the middle one are one step


def filled(times: Sequence[int | None]) -> tuple[int, ...] | None:
    """The times of all frames; None where those that are told leave in doubt when the others are shown.

    Frames between two that tell lie evenly between these, if so many frames commonly take as long. Those before the
    first and after the last that tell lie in the same steps, if all that tell are in even steps.

    Args:
        times: In the order frames are shown in, at least two of them told, and these ascending.
    """
    told = [(number, time) for number, time in enumerate(times) if time is not None]
    numbers, at = np.array(told, float).T
    frames, ticks = np.diff(numbers), np.diff(at)
    middle = np.median(ticks / frames)
    alike = np.abs(ticks / frames - middle) <= max(1.0, _ALIKE * middle)
    step = ticks[alike].sum() / frames[alike].sum()
    uneven = np.abs(ticks - frames * step) > max(_TICK, _STEP * step)
    outside = len(times) > numbers[-1] - numbers[0] + 1
    if (uneven & (frames > 1)).any() or (outside and uneven.any()):
        return None
    every = np.arange(len(times))
    before, after = np.minimum(every - numbers[0], 0), np.maximum(every - numbers[-1], 0)
    complete = np.rint(np.interp(every, numbers, at) + step * (before + after))
    return tuple(complete.astype(int).tolist())
