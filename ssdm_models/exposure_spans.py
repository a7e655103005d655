"""Which exposures the multi-exposure network sees, and of which pixels it takes the scale between spikes and image."""

from itertools import chain

from spikesim.checks import require_whole
from spikesim.errors import InvalidValueError
from ssdm_models.readout_spans import require_exposure, within

# Readouts before and after the time itself: centred exposures, then those that end and that begin with it.
_CENTRED = (0, 1, 3, 6, 10, 16, 24, 36, 48)
_ONE_SIDED = (3, 7, 13, 22, 34, 50)

PLANES = len(_CENTRED) + 2 * len(_ONE_SIDED) + 5
"""How many planes the network sees: an exposure each, the whole one in spikes per readout, and the scale."""

WHOLE = -3
"""Place of the whole exposure among the spans."""

FULL_RATE, WHITE = 0.9, 0.97
"""Pixels that fire nearly every readout, or are nearly white, say little of the scale."""

LEAST_SHARE = 0.03
"""Where fewer pixels than that are left, all count."""

SCALES = (1e-3, 1e3)
"""The least and the greatest scale; a recording that is dark throughout has any."""


def exposure_spans(time: int, exposure: tuple[int, int], readouts: int) -> list[tuple[int, int]]:
    """The exposures around a time, each as its first readout and the one after its last.

    Windows of 1 to 97 readouts centred on the time, windows of 4 to 51 that end and that begin with it, the whole
    exposure, and its parts up to the time and from it on. What reaches beyond the stream is cut there.

    Args:
        time: Readout to show.
        exposure: First readout of the blurry image's exposure, and the one after its last.
        readouts: How many the stream has.

    Raises:
        InvalidValueError: The time or the exposure is not in the stream.
    """
    time, (start, stop) = require_whole(time, "time"), require_exposure(exposure)
    within(exposure, readouts)
    if not 0 <= time < readouts:
        raise InvalidValueError(f"time must be a readout of the stream, 0..{readouts - 1}, got {time}")
    spans = chain(
        ((time - reach, time + reach + 1) for reach in _CENTRED),
        ((time - reach, time + 1) for reach in _ONE_SIDED),
        ((time, time + reach + 1) for reach in _ONE_SIDED),
        [(start, stop), (min(start, time), time + 1), (time, max(stop, time + 1))],
    )
    return [(max(begin, 0), min(end, readouts)) for begin, end in spans]
