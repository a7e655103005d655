"""What every interpolator is, and the one for sources that need none."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np

from spikesim.checks import require_list, require_number
from spikesim.errors import InvalidValueError
from spikesim_datasets.image_checks import require_image


@runtime_checkable
class Interpolator(Protocol):
    """Makes the frames between two neighbours of a clip.

    Attributes:
        name: What `make_interpolator` knows it by.
        dense: Whether the frames of the source are readouts already, so that none lie between.
    """

    @property
    def name(self) -> str: ...

    @property
    def dense(self) -> bool: ...

    def describe(self) -> dict[str, object]:
        """Name, version of the algorithm and parameters, as JSON values: equal descriptions mean equal frames."""
        ...

    def between(self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
        """Yield the frames at `times`, in their order; a frame does not depend on the other times asked for.

        Args:
            frame0: RGB frame at time 0, uint8 (H,W,3).
            frame1: RGB frame at time 1, of the same shape.
            times: Each strictly between 0 and 1.

        Returns:
            An iterator over new arrays, uint8 (H,W,3), one for each time.

        Raises:
            InvalidValueError: A frame is no uint8 (H,W,3) array, the sizes differ or a time lies outside (0,1); raised
                by the call, not by the iterator.
        """
        ...


@runtime_checkable
class MotionInterpolator(Interpolator, Protocol):
    """An interpolator that also estimates how what is seen moves."""

    def flow(self, frames: Sequence[np.ndarray]) -> np.ndarray:
        """Estimate where each pixel of a frame is in the next one.

        Args:
            frames: Two or more RGB frames of one size, uint8 (H,W,3), in their order.

        Returns:
            float16 (N-1,H,W,2) of N frames, as datasets hold it: pixels to the right and down.

        Raises:
            InvalidValueError: There are fewer frames, one is no uint8 (H,W,3) array or the sizes differ.
        """
        ...


def require_interpolator(interpolator: Any) -> Interpolator:
    """An interpolator.

    Raises:
        InvalidValueError: It is none.
    """
    if isinstance(interpolator, type) or not isinstance(interpolator, Interpolator):
        raise InvalidValueError(
            f"interpolator must be an interpolator, as make_interpolator gives, got {type(interpolator).__name__}"
        )
    return interpolator


class Options(Protocol):
    """What an interpolator is made with; see `InterpolatorSpec`, which checks it."""

    @property
    def name(self) -> str: ...

    @property
    def weights(self) -> str | None: ...

    @property
    def device(self) -> str: ...

    @property
    def tile(self) -> int | None: ...

    @property
    def precision(self) -> str: ...


class AlreadyDense:
    """Stands for no interpolation: every frame of the source is a readout."""

    name = "none"
    dense = True

    def describe(self) -> dict[str, object]:
        """See `Interpolator.describe`."""
        return {"name": self.name, "version": 1}

    def between(self, frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
        """See `Interpolator.between`; any time at all raises `InvalidValueError`."""
        check_request(frame0, frame1, times)
        if len(times):
            raise InvalidValueError(
                f"interpolation 'none' takes every frame as a readout and makes none between, got times {list(times)}; "
                "ask for no times or choose another interpolator"
            )
        return iter(())


def check_request(frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> None:
    """Raise `InvalidValueError` unless the arguments are what `Interpolator.between` asks for."""
    for name, frame in (("frame0", frame0), ("frame1", frame1)):
        require_image(frame, name)
    _check_sizes(frame0, frame1)
    for t in require_list(times, "times", "numbers between 0 and 1"):
        if not 0 < require_number(t, "a time") < 1:
            raise InvalidValueError(f"a time must lie strictly between 0 and 1, got {t}; 0 and 1 are the frames given")


def checked_frames(frames: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The frames for `MotionInterpolator.flow`; raise `InvalidValueError` unless they are what it asks for."""
    frames = [
        require_image(frame, "each of frames") for frame in require_list(frames, "frames", "two RGB frames or more")
    ]
    if len(frames) < 2:
        raise InvalidValueError(f"flow goes from one frame to the next and needs two or more, got {len(frames)}")
    for before, after in pairwise(frames):
        _check_sizes(before, after)
    return frames


def _check_sizes(frame0: np.ndarray, frame1: np.ndarray) -> None:
    if frame0.shape != frame1.shape:
        raise InvalidValueError(
            f"both frames must have one size, got {frame0.shape[0]}×{frame0.shape[1]} and "
            f"{frame1.shape[0]}×{frame1.shape[1]}; the frames of a clip may not change their size"
        )
