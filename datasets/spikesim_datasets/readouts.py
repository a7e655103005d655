"""The readouts of a clip: its frames and those between them, by any interpolator, at the times they are wanted."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from spikesim.errors import InputFileError
from spikesim_datasets.continuity import Continuity
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.interpolation import Interpolator
from spikesim_datasets.sources import Clip, ExactClip
from spikesim_datasets.sources.resampled import NEAR, ResampledClip


def raw_frames(clip: Clip, interpolator: Interpolator, plan: ExposurePlan) -> int:
    """Raw frames of a clip: all of them, or every factor-th where the source is dense, that is interpolated already."""
    return (clip.n_frames - 1) // plan.factor + 1 if interpolator.dense else clip.n_frames


def interpolated(
    clip: Clip,
    interpolator: Interpolator,
    factor: int,
    spans: Sequence[range],
    continuity: Continuity | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """The readouts of a clip that lie in any of the spans, in order, each once: (index in the clip, RGB frame).

    A clip that is exact at any time gives its readouts itself: nothing is interpolated, and there are neither cuts nor
    motion too fast to be followed. Of one whose frames are not evenly apart each readout is made from those before and
    after it, by the time that it is between them.

    Args:
        clip: The source.
        interpolator: Makes the readouts between raw frames; not asked for any that no span holds.
        factor: Readouts from one raw frame to the next.
        spans: Ranges of readouts, ascending; they may overlap. The clip is read from the beginning of the first to the
            end of the last, which may be empty.
        continuity: Looks at the raw frames that are interpolated.

    Raises:
        InputFileError: A frame cannot be read, or the clip ends before the last span does.
    """
    if not spans:
        return
    read = range(spans[0].start, max(span.stop for span in spans))
    wanted = [readout for readout in read if any(readout in span for span in spans)]
    if interpolator.dense:
        needed = frozenset(wanted)
        for readout, frame in _numbered_frames(clip, read.start, read.stop):
            if continuity is not None and readout % factor == 0:
                continuity.look(readout // factor, frame)
            if readout in needed:
                yield readout, frame
    elif isinstance(clip, ExactClip):
        for readout in wanted:
            if readout > (clip.n_frames - 1) * factor:
                raise _too_short(clip, clip.n_frames, -(-wanted[-1] // factor))
            yield readout, clip.at(readout / factor)
    elif isinstance(clip, ResampledClip):
        yield from _at_true_times(clip, interpolator, factor, read, wanted, continuity)
    else:
        yield from _in_even_steps(clip, interpolator, factor, read, wanted, continuity)


def _in_even_steps(
    clip: Clip,
    interpolator: Interpolator,
    factor: int,
    read: range,
    wanted: list[int],
    continuity: Continuity | None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Some readouts of a clip whose frames are as far apart as its raw frames."""
    needed = frozenset(wanted)
    previous: np.ndarray | None = None
    for number, frame in _numbered_frames(clip, read.start // factor, -(-(read.stop - 1) // factor) + 1):
        if continuity is not None:
            continuity.look(number, frame)
        if previous is not None:
            start = (number - 1) * factor
            between = [start + i for i in range(1, factor) if start + i in needed]
            if between:
                times = [(readout - start) / factor for readout in between]
                yield from zip(between, interpolator.between(previous, frame, times), strict=True)
        if number * factor in needed:
            yield number * factor, frame
        previous = frame


def _at_true_times(
    clip: ResampledClip,
    interpolator: Interpolator,
    factor: int,
    read: range,
    wanted: list[int],
    continuity: Continuity | None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Some readouts of a clip whose frames lie at uneven times."""
    waiting, times = deque(wanted), clip.times
    first = max(0, bisect_right(times, read.start / factor + NEAR) - 1)
    last = bisect_left(times, (read.stop - 1) / factor - NEAR)
    previous: np.ndarray | None = None
    for number, frame in _numbered_frames(clip.video, first, last + 1):
        time = times[number]
        if continuity is not None:
            continuity.look(number, frame, time)
        between = []
        while waiting and waiting[0] / factor < time - NEAR:
            between.append(waiting.popleft())
        if between:
            assert previous is not None
            begin = times[number - 1]
            parts = [(readout / factor - begin) / (time - begin) for readout in between]
            yield from zip(between, interpolator.between(previous, frame, parts), strict=True)
        while waiting and waiting[0] / factor <= time + NEAR:
            yield waiting.popleft(), frame
        previous = frame


def _numbered_frames(clip: Clip, start: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
    """Frames start..stop−1 with their numbers, every one."""
    number = start
    for frame in clip.frames(start, stop):
        yield number, frame
        number += 1
    if number < stop:
        raise _too_short(clip, number, stop - 1)


def _too_short(clip: Clip, number: int, last: int) -> InputFileError:
    return InputFileError(f"{clip.key} ends before frame {number}, but frames up to {last} are needed")
