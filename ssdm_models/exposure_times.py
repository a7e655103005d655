"""The times at which an exposure is shown, where nobody says them."""

from spikesim.checks import require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.exposure import ExposurePlan
from ssdm_models.readout_spans import require_exposure, within

_PLAN = ExposurePlan()

FRAMES = len(_PLAN.sharp_readouts("sequence"))
"""Sharp images of an exposure where no number is given."""


def usual_exposure(readouts: int) -> tuple[int, int] | None:
    """The exposure of the release, in a stream of so many readouts: in the middle of 137; of others, None.

    Args:
        readouts: Of the stream.

    Raises:
        InvalidValueError: It is no whole number.
    """
    return _PLAN.exposure if require_whole(readouts, "readouts") == _PLAN.stream_length else None


def frame_times(
    readouts: int, length: int, exposure: tuple[int, int] | None = None, frames: int = FRAMES
) -> tuple[int, ...]:
    """Times spread evenly over an exposure, from its first readout to its last; of one alone, the middle.

    Args:
        readouts: How many the stream has.
        length: Of the network's window around a time, readouts.
        exposure: First readout of the exposure and the one after its last. None stands for `usual_exposure`.
        frames: How many, ≥ 1.

    Raises:
        InvalidValueError: The exposure is not known, empty or not in the stream, has fewer readouts than frames are
            wanted, or a window reaches outside the stream.
    """
    readouts, length = require_whole(readouts, "readouts"), require_whole(length, "length", 1)
    exposure = usual_exposure(readouts) if exposure is None else require_exposure(exposure)
    if exposure is None:
        raise InvalidValueError(
            f"in which of its {readouts} readouts the image was exposed is not known, only of streams of "
            f"{_PLAN.stream_length}; give the exposure, its first readout and the one after its last, such as "
            f"--exposure {' '.join(map(str, _PLAN.exposure))}, or the times themselves (--at)"
        )
    during = within(exposure, readouts)
    start, stop = during.start, during.stop
    if not 1 <= require_whole(frames, "frames") <= stop - start:
        raise InvalidValueError(
            f"an exposure of {stop - start} readouts has no {frames} different times; give fewer frames"
        )
    first, last = (start, stop - 1) if frames > 1 else ((start + stop - 1) // 2,) * 2
    least, most = length // 2, readouts - 1 - length // 2
    if first < least or last > most:
        raise InvalidValueError(_out_of_reach(first, last, least, most, readouts, length))
    return tuple(first + round(i * (last - first) / max(frames - 1, 1)) for i in range(frames))


def _out_of_reach(first: int, last: int, least: int, most: int, readouts: int, length: int) -> str:
    """What to do about times whose windows reach outside the stream."""
    looks = f"the network looks at {length} readouts around a time"
    if least > most:
        return f"{looks}, and the stream has {readouts}; give a longer recording"
    inside = max(first, least), min(last, most)
    advice = f"--exposure {inside[0]} {inside[1] + 1}, or " if inside[0] <= inside[1] else ""
    return (
        f"{looks}, so of {readouts} it can show those from {least} to {most}, not from {first} to {last}; give {advice}"
        f"a recording that goes on {length // 2} readouts before and after the exposure"
    )
