"""Interpolators of other packages, found by their entry points, and held to the contract."""

from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points

import numpy as np

from spikesim.errors import InvalidValueError, SpikesimError
from spikesim_datasets.interpolation.base import (
    Interpolator,
    MotionInterpolator,
    Options,
    check_request,
    checked_frames,
)

GROUP = "spikesim.interpolators"
"""Entry-point group.

An entry is called with `weights`, `device`, `tile` and `precision` by name and gives an `Interpolator`.
"""


def plugin_names() -> list[str]:
    """Names of the interpolators that installed packages offer."""
    return sorted(entry_points(group=GROUP).names)


def make_plugin(options: Options) -> "CheckedInterpolator":
    """Make an interpolator of another package.

    Raises:
        InvalidValueError: It cannot be imported or made.
    """
    entry = entry_points(group=GROUP)[options.name]
    try:
        taken = {name: getattr(options, name) for name in ("weights", "device", "tile", "precision")}
        made = entry.load()(**taken)
        kind = CheckedMotionInterpolator if isinstance(made, MotionInterpolator) else CheckedInterpolator
        return kind(made, options.name)
    except SpikesimError:
        raise
    except Exception as error:  # somebody else's code, which may raise anything
        raise InvalidValueError(
            f"the interpolator {options.name!r} of {entry.value} cannot be made ({type(error).__name__}: {error})"
        ) from error


class CheckedInterpolator:
    """An interpolator whose frames are checked, so that nothing of another size or type gets into a dataset.

    Args:
        interpolator: The interpolator.
        name: What `make_interpolator` knows it by.
    """

    def __init__(self, interpolator: Interpolator, name: str) -> None:
        self._interpolator = interpolator
        self.name = name
        self.dense = bool(interpolator.dense)

    def describe(self) -> dict[str, object]:
        """See `Interpolator.describe`."""
        return {**self._interpolator.describe(), "name": self.name}

    def between(self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
        """See `Interpolator.between`; frames that are none of these raise `InvalidValueError` when they come."""
        check_request(frame0, frame1, times)
        return self._checked(self._interpolator.between(frame0, frame1, times), frame0, len(times))

    def _checked(self, frames: Iterator[np.ndarray], like: np.ndarray, number: int) -> Iterator[np.ndarray]:
        made = 0
        for frame in frames:
            made += 1
            if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.shape != like.shape:
                raise InvalidValueError(
                    f"the interpolator {self.name!r} must give uint8 frames {like.shape} as it got, it gave "
                    f"{_form(frame)}"
                )
            yield frame
        if made != number:
            raise InvalidValueError(f"the interpolator {self.name!r} was asked for {number} frames and gave {made}")


class CheckedMotionInterpolator(CheckedInterpolator):
    """An interpolator that estimates motion as well, which is checked likewise."""

    def flow(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        """See `MotionInterpolator.flow`; what is no such flow raises `InvalidValueError`."""
        frames = checked_frames(frames)
        assert isinstance(self._interpolator, MotionInterpolator)
        flow = self._interpolator.flow(frames)
        expected = len(frames) - 1, *frames[0].shape[:2], 2
        if not isinstance(flow, np.ndarray) or flow.dtype != np.float16 or flow.shape != expected:
            raise InvalidValueError(
                f"the interpolator {self.name!r} must give float16 flow {expected} of {len(frames)} frames, it gave "
                f"{_form(flow)}"
            )
        return flow


def _form(value: object) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
