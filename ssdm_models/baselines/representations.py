"""What the published networks are shown of spikes: each spike is a positive event at its readout.

Made from counts of packed spikes wherever counts are enough. In a stream that is reversed in time, times and exposures
are T − 1 − t; what then becomes of a representation is said at each.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from spikesim import SpikeStream, tfi
from spikesim.checks import require_choice, require_flag
from spikesim.errors import InvalidValueError
from spikesim.stream import require_stream
from ssdm_models.readout_spans import require_times, span, within

_BINS = 16  # parts of an exposure that SAN sees
_SEGMENTS, _POLARITIES = 3, 2  # of each: before, in and after what is shown; negative, then positive
_REACH = 50  # readouts from the time in which SpkDeblurNet looks for spikes


def interval_counts(stream: SpikeStream, times: Sequence[int], *, shared: bool = True) -> np.ndarray:
    """Spikes between the times of the frames, those of the first and the last time included.

    Args:
        stream: Spikes (T, H, W).
        times: The S readouts of the frames, ascending, S ≥ 2: 20, 36, ..., 116 of 97 readouts in 137.
        shared: Whether a spike at a time between two intervals counts by half in both, so that in a stream reversed in
            time the intervals are reversed. Otherwise it counts in the earlier one, as events do in the authors' code.

    Returns:
        float32 (S − 1, H, W), whose sum is that of the spikes from the first time to the last.

    Raises:
        InvalidValueError: The times are not ascending, too few, or not in the stream.
    """
    times = _times_within(stream, times)
    counts = np.stack([stream.counts(start + 1, stop + 1) for start, stop in pairwise(times)]).astype(np.float32)
    counts[0] += stream.counts(times[0], times[0] + 1)
    if require_flag(shared, "shared"):
        for i, time in enumerate(times[1:-1]):
            half = stream.counts(time, time + 1) / np.float32(2)
            counts[i] -= half
            counts[i + 1] += half
    return counts


def interval_events(stream: SpikeStream, times: Sequence[int], *, shared: bool = True) -> np.ndarray:
    """The intervals between frames as RED sees them: counts and latest times of positive and of negative events.

    The time of the latest spike after the beginning of an interval, and not after its end, is a share of the interval
    in (0, 1]; 0 stands for none. It has no counterpart in a stream reversed in time, where it would be the earliest.

    Args:
        stream: Spikes (T, H, W).
        times: As for `interval_counts`; RED takes seven.
        shared: As for `interval_counts`.

    Returns:
        float32 (S − 1, 4, H, W): spikes of each interval, zeros, the latest's time, zeros.

    Raises:
        InvalidValueError: As for `interval_counts`.

    Source:
        Xu et al., "Motion Deblurring with Real Events", ICCV 2021.
    """
    counts = interval_counts(stream, times, shared=shared)
    events = np.zeros((len(counts), 4, *counts.shape[1:]), np.float32)
    events[:, 0] = counts
    for interval, (start, stop) in zip(events, pairwise(times), strict=True):
        passed = np.arange(1, stop - start + 1, dtype=np.float32) / np.float32(stop - start)
        interval[2] = (stream[start + 1 : stop + 1].dense(np.float32) * passed[:, None, None]).max(0)
    return events


def sums_to_middle(stream: SpikeStream, times: Sequence[int], *, shared: bool = True) -> np.ndarray:
    """SCER, symmetric cumulative events: what happens between the middle frame and each of the others, as TRMD sees it.

        −Σ counts of the intervals from frame i to the middle for earlier frames, Σ from the middle to frame i for later

    In a stream reversed in time, it is reversed and negated, where spikes are shared.

    Args:
        stream: Spikes (T, H, W).
        times: As for `interval_counts`, an odd number; TRMD takes seven.
        shared: As for `interval_counts`.

    Returns:
        float32 (S − 1, H, W): frames in their order, but for the middle one.

    Raises:
        InvalidValueError: The number of times is even, or as for `interval_counts`.

    Source:
        Sun et al., "Event-Based Fusion for Motion Deblurring with Cross-modal Attention", ECCV 2022; Chen and Yu,
        "Motion Deblur by Learning Residual from Events", IEEE TMM 2024.
    """
    counts = interval_counts(stream, times, shared=shared)
    if len(counts) % 2:
        raise InvalidValueError(f"times must be an odd number, with a middle one, got {len(counts) + 1}")
    before, after = np.split(counts, 2)
    return np.concatenate([-before[::-1].cumsum(0)[::-1], after.cumsum(0)])


def eger(stream: SpikeStream, exposure: tuple[int, int], target: tuple[int, int]) -> np.ndarray:
    """EGER, the exposure-guided event representation, as SAN sees it: counts in parts of the exposure.

    Readout r is in bin ⌊16 (r − start) / (stop − start)⌋, and in the segment before the target, in it or after it. In a
    stream reversed in time, bins and segments are reversed, if the exposure is a multiple of 16 readouts.

    Args:
        stream: Spikes (T, H, W).
        exposure: First readout of the blurry image's exposure, and the one after its last.
        target: The same of the image to show; of a sharp one at t, (t, t), which counts as after it.

    Returns:
        float32 (96, H, W), channel 6·bin + 2·segment + 1; the others, of negative events, are 0.

    Raises:
        InvalidValueError: The exposure is empty or not in the stream, or the target ends before it begins.

    Source:
        Zhang et al., "Generalizing Event-Based Motion Deblurring in Real-World Scenarios", ICCV 2023.
    """
    require_stream(stream)
    during = within(exposure, len(stream))
    shown = require_times(target, "target")
    if len(shown) != 2 or shown[0] > shown[1]:
        raise InvalidValueError(
            "target must be two readouts, the first of the image to show and the one after its last, or (t, t) of a "
            f"sharp one, got {shown}"
        )
    _, height, width = stream.shape
    counts = np.zeros((_BINS, _SEGMENTS, _POLARITIES, height, width), np.float32)
    readouts = during.stop - during.start
    edges = [during.start - (-i * readouts // _BINS) for i in range(_BINS + 1)]
    for of_bin, (start, stop) in zip(counts, pairwise(edges), strict=True):
        cuts = [start, *(min(max(edge, start), stop) for edge in shown), stop]
        for of_segment, (begin, end) in zip(of_bin, pairwise(cuts), strict=True):
            if begin < end:
                of_segment[1] = stream.counts(begin, end)
    return counts.reshape(-1, height, width)


def voxel_grid(stream: SpikeStream, times: Sequence[int]) -> np.ndarray:
    """Spikes split between bins in time, as REFID sees them: each frame lies between two bins that follow each other.

        weight of readout r in bin b = max(0, 1 − |S·(r − r₀)/(r₁ − r₀) − b|)

    r₀ is as far before the first frame as two frames are apart, and r₁ the last readout that is less far after the last
    one: 4 and 131 for frames at 20, 36, ..., 116. If a part of a stream from r₀ to r₁ is reversed, bins are too.

    Args:
        stream: Spikes (T, H, W).
        times: The S readouts of the frames, ascending, evenly spaced but for rounding, S ≥ 2; REFID takes seven.

    Returns:
        float32 (S + 1, H, W), whose sum is that of the spikes from r₀ to r₁.

    Raises:
        InvalidValueError: The times are not ascending or too few, or r₀ or r₁ is not in the stream.

    Source:
        Sun et al., "Event-Based Frame Interpolation with Ad-hoc Deblurring", CVPR 2023.
    """
    times = _times_within(stream, times)
    gap = round((times[-1] - times[0]) / (len(times) - 1))
    start, stop = times[0] - gap, times[-1] + gap
    if start < 0 or stop > len(stream):
        raise InvalidValueError(
            f"a voxel grid of these times begins at {start} and ends before {stop}, outside the stream's readouts "
            f"0..{len(stream) - 1}; build the dataset with more --padding"
        )
    places = np.arange(stop - start, dtype=np.float32) * np.float32(len(times) / (stop - start - 1))
    bins = np.minimum(places.astype(np.int64), len(times) - 1)
    _, height, width = stream.shape
    grid = np.zeros((len(times) + 1, height, width), np.float32)
    for i in range(len(times)):
        begin, end = np.searchsorted(bins, (i, i + 1))
        part = stream[start + int(begin) : start + int(end)]
        later = np.tensordot(places[begin:end] - np.float32(i), part.dense(np.float32), 1)
        grid[i] += part.counts() - later
        grid[i + 1] += later
    return grid


def middle_tfi(stream: SpikeStream, time: int, readouts: int) -> np.ndarray:
    """TFI as SpkDeblurNet sees it: one over the interval around a time, in a window around it.

    Beyond the window, and beyond 49 readouts before the time and 50 after it, a spike is taken for granted 50 readouts
    away. The first readout of the window is not looked at, as in the authors' code.

    Args:
        stream: Spikes (T, H, W).
        time: Readout in 0..T−1.
        readouts: How many the window has; an even window reaches one further back than forward.

    Returns:
        float32 (H, W) in [0.01, 1], spikes per readout. Light is this times the threshold.

    Raises:
        InvalidValueError: The window is empty or reaches outside the stream.

    Source:
        Chen et al., "Enhancing Motion Deblurring in High-Speed Scenes with Spike Streams", NeurIPS 2023.
    """
    window = span(time, readouts, len(require_stream(stream)))
    seen = range(max(window.start + 1, time - _REACH + 1), min(window.stop, time + _REACH))
    packed = np.zeros((2 * _REACH + 1, *stream.packed.shape[1:]), np.uint8)
    packed[[0, -1]] = np.packbits(np.ones(stream.width, np.uint8), bitorder="little")
    start = _REACH - time
    packed[seen.start + start : seen.stop + start] = stream.packed[seen.start : seen.stop]
    return tfi(SpikeStream(packed, stream.width), _REACH)


def half_size_readouts(stream: SpikeStream, time: int, readouts: int, ratio: int) -> np.ndarray:
    """The readouts around a time at half the size of the image, as SpkDeblurNet sees them.

    Args:
        stream: Spikes (T, h, w).
        time: Readout in 0..T−1.
        readouts: As for `middle_tfi`.
        ratio: Sides of the image over those of the spikes: 2, or 4, where pixels are repeated 2×2.

    Returns:
        float32 (readouts, h, w) or (readouts, 2h, 2w) of 0 and 1.

    Raises:
        InvalidValueError: The window is empty or reaches outside the stream, or the ratio is another.
    """
    window = stream[span(time, readouts, len(require_stream(stream)))].dense(np.float32)
    repeat = require_choice(ratio, "ratio", (2, 4)) // 2
    return window.repeat(repeat, 1).repeat(repeat, 2)


def _times_within(stream: SpikeStream, times: Sequence[int]) -> list[int]:
    """Ascending readouts of a stream, at least two."""
    found = require_times(times, least=2)
    if any(a >= b for a, b in pairwise(found)):
        raise InvalidValueError(f"times must ascend, got {found}")
    within((found[0], found[-1] + 1), len(require_stream(stream)))
    return found
