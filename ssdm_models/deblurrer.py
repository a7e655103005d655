"""What makes sharp frames of blurry images and their spikes, whatever computes it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from spikesim import SpikeStream
from spikesim.checks import require_array
from spikesim.errors import InvalidValueError
from spikesim_datasets.optics import SCALE


class Deblurrer(ABC):
    """A trained network and what computes it: arrays in, arrays out. `load_deblurrer` makes one.

    Attributes:
        title: What messages call the network.
        engine: What computes it, `torch` or `OpenCV`.
        length: How many readouts around a time must be in the stream for the time to be shown.
        v_th: Thresholds of the spikes that the network was trained on, as far as they are known.
    """

    title: str
    engine: str
    length: int
    v_th: tuple[float, ...]

    @abstractmethod
    def frames(
        self,
        blur: np.ndarray,
        stream: SpikeStream,
        times: Sequence[int],
        exposure: tuple[int, int],
        tile: int | None = None,
    ) -> Iterator[np.ndarray]:
        """The sharp frames at several times.

        Args:
            blur: Blurry image, RGB uint8 (H, W, 3).
            stream: Its spikes (T, H/4, W/4).
            times: The readouts to show, each with its whole window in the stream.
            exposure: First readout of the blurry image's exposure, and the one after its last.
            tile: Side of the tiles to compute in, pixels, at least 64; None decides by the size of the image.

        Returns:
            Sharp frames, RGB uint8 (H, W, 3), each computed when it is asked for.

        Raises:
            InvalidValueError: A window or the exposure reaches outside the stream, the spikes are not a quarter of the
                image, the tile is too small or the network has none, or memory ran out; before any frame is computed,
                but for the last.
        """

    @abstractmethod
    def weights(self) -> Iterator[np.ndarray]:
        """The network's weights, float32 arrays of the layers' shapes, in their order: what its frames depend on."""


def require_blur(blur: Any) -> np.ndarray:
    """A blurry image, RGB uint8 (H, W, 3).

    Raises:
        InvalidValueError: It is none.
    """
    if (array := require_array(blur, "blur")).dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise InvalidValueError(f"blur must be RGB uint8 (H, W, 3), got {array.dtype} {array.shape}")
    return array


def require_quarter(spikes: tuple[int, ...], height: int, width: int) -> None:
    """Raise an InvalidValueError where spikes of a shape (..., h, w) are not a quarter of an image."""
    if height % SCALE or width % SCALE or tuple(spikes[-2:]) != (height // SCALE, width // SCALE):
        raise InvalidValueError(
            f"spikes must be a quarter of the blurry image, {width}×{height} pixels, whose sides must be multiples "
            f"of {SCALE}; got spikes {tuple(spikes)}"
        )


def out_of_memory(height: int, width: int, advice: str) -> InvalidValueError:
    """The error of an image that is too large for the machine."""
    return InvalidValueError(f"memory ran out on an image of {width}×{height}; {advice}")
