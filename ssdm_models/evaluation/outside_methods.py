"""Methods of other packages, found by their entry points, and held to the contract."""

from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np

from spikesim import SpikeStream
from spikesim.errors import InvalidValueError, SpikesimError

GROUP = "spikesim.methods"
"""Entry-point group. An entry is called with the file that is given for it, or None, and gives an `OutsideMethod`."""


class OutsideMethod(Protocol):
    """Any way from a blurry image and its spikes to sharp images."""

    def __call__(
        self, blur: np.ndarray, spikes: SpikeStream, exposure: tuple[int, int], times: Sequence[int]
    ) -> np.ndarray:
        """The sharp images.

        Args:
            blur: RGB uint8 (H, W, 3).
            spikes: Its stream (T, h, w): `spikes.dense()` is uint8 of 0 and 1, `spikes.counts(a, b)` counts them.
            exposure: First readout of the blurry image's exposure, and the one after its last.
            times: The S readouts to show.

        Returns:
            RGB, floating-point in [0, 1], (S, H, W, 3).
        """
        ...


def outside_names() -> list[str]:
    """Names of the methods that installed packages offer."""
    return sorted(entry_points(group=GROUP).names)


def make_outside(name: str, path: str | None = None) -> "CheckedMethod":
    """Make a method of another package.

    Args:
        name: Of its entry point.
        path: The file that is given for it, if any.

    Raises:
        InvalidValueError: There is none of this name, or it cannot be imported or made.
    """
    if name not in outside_names():
        raise InvalidValueError(
            f"no installed package offers a method {name!r} by an entry point of {GROUP!r}; there are "
            f"{', '.join(outside_names()) or 'none'}"
        )
    entry = entry_points(group=GROUP)[name]
    try:
        return CheckedMethod(entry.load()(path), name)
    except SpikesimError:
        raise
    except Exception as error:  # somebody else's code, which may raise anything
        raise InvalidValueError(
            f"the method {name!r} of {entry.value} cannot be made ({type(error).__name__}: {error})"
        ) from error


class CheckedMethod:
    """A method whose images are checked, so that nothing of another size or range is scored.

    Args:
        method: The method.
        name: Of its row.
    """

    def __init__(self, method: OutsideMethod, name: str) -> None:
        self._method, self.name = method, name

    def __call__(
        self, blur: np.ndarray, spikes: SpikeStream, exposure: tuple[int, int], times: Sequence[int]
    ) -> np.ndarray:
        """See `OutsideMethod`.

        Raises:
            InvalidValueError: It fails, or what it gives is none of these.
        """
        try:
            images = np.asarray(self._method(blur, spikes, exposure, times))
        except SpikesimError:
            raise
        except Exception as error:  # as above
            raise InvalidValueError(f"the method {self.name!r} failed ({type(error).__name__}: {error})") from error
        wanted = (len(times), *blur.shape)
        if images.dtype.kind != "f" or images.shape != wanted:
            raise InvalidValueError(
                f"the method {self.name!r} must give floating-point images {wanted}, it gave {images.dtype} "
                f"{images.shape}"
            )
        if not np.isfinite(images).all() or images.min() < 0 or images.max() > 1:
            raise InvalidValueError(
                f"the method {self.name!r} must give images in [0, 1], it gave values from {np.nanmin(images):.4g} to "
                f"{np.nanmax(images):.4g}; clip them"
            )
        return images
