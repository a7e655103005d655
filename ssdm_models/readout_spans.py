"""Readouts of a stream: times, exposures, and the spans that windows take."""

from typing import Any

from spikesim.checks import require_list, require_whole
from spikesim.errors import InvalidValueError


def require_times(times: Any, name: str = "times", least: int = 0) -> list[int]:
    """Readouts of a stream, at least so many.

    Args:
        times: What was given.
        name: Of the argument, for messages.
        least: How many there must be.

    Raises:
        InvalidValueError: They are no whole numbers, or too few.
    """
    found = [require_whole(time, f"each of {name}") for time in require_list(times, name, "readouts")]
    if len(found) < least:
        raise InvalidValueError(f"{name} must be at least {least} readout{'s' * (least > 1)}, got {len(found)}")
    return found


def require_exposure(exposure: Any) -> tuple[int, int]:
    """The first readout of an exposure and the one after its last; whether they are in a stream is not looked at.

    Args:
        exposure: What was given.

    Raises:
        InvalidValueError: It is no pair of whole numbers.
    """
    bounds = require_times(exposure, "exposure")
    if len(bounds) != 2:
        raise InvalidValueError(
            f"exposure must be two readouts, its first and the one after its last, got {len(bounds)} of them"
        )
    return bounds[0], bounds[1]


def span(time: int, length: int, readouts: int) -> slice:
    """Which readouts of a stream a window around a time holds.

    Args:
        time: A readout of the stream. An even window reaches one further back than forward.
        length: How many readouts the window has.
        readouts: How many the stream has.

    Raises:
        InvalidValueError: The window reaches outside the stream.
    """
    time, length = require_whole(time, "time"), require_whole(length, "length", 1, unit="readouts")
    start = time - length // 2
    if start < 0 or start + length > require_whole(readouts, "readouts"):
        raise InvalidValueError(
            f"a window of {length} readouts around {time} is {start}..{start + length - 1}, outside the spikes' "
            f"0..{readouts - 1}; choose times from {length // 2} to {readouts - length + length // 2}"
        )
    return slice(start, start + length)


def within(exposure: tuple[int, int], readouts: int) -> slice:
    """Which readouts of a stream an exposure holds.

    Args:
        exposure: First readout of the exposure, and the one after its last.
        readouts: How many the stream has.

    Raises:
        InvalidValueError: The exposure is empty or reaches outside the stream.
    """
    start, stop = require_exposure(exposure)
    if not 0 <= start < stop <= require_whole(readouts, "readouts"):
        raise InvalidValueError(
            f"an exposure from {start} to before {stop} is empty or not in the stream, whose readouts are "
            f"0..{readouts - 1}; give its first readout and the one after its last"
        )
    return slice(start, stop)


def shown_of(exposure: tuple[int, int], readouts: int, length: int) -> range:
    """The readouts of an exposure around which a window is in the stream.

    Args:
        exposure: First readout of the exposure, and the one after its last.
        readouts: How many the stream has.
        length: How many readouts the window has; see `span`.

    Raises:
        InvalidValueError: The exposure is empty or reaches outside the stream, or there is no such readout.
    """
    during, length = within(exposure, readouts), require_whole(length, "length", 1, unit="readouts")
    shown = range(max(during.start, length // 2), min(during.stop, readouts - length + length // 2 + 1))
    if not shown:
        raise InvalidValueError(
            f"a window of {length} readouts around any of the exposure's {during.start}..{during.stop - 1} reaches "
            f"outside the spikes' 0..{readouts - 1}; build the dataset with more --padding"
        )
    return shown
