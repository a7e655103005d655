"""A spike stream: the bits a camera put out, packed eight pixels to a byte."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from spikesim.camera import SpikeCamera
from spikesim.checks import require_array, require_instance, require_whole
from spikesim.errors import InvalidValueError
from spikesim.threads import run_on_rows

_SHOWN = 21  # readouts that the images of a notebook average
_LIGHTER = 32  # how much less than integrating light it costs to pack, unpack or count its spikes


@dataclass(frozen=True, eq=False)
class SpikeStream:
    """Spikes of T readouts of H×W pixels, one bit each. Immutable; slices in T share memory.

    Args:
        packed: uint8 (T, H, ceil(W/8)), least significant bit first along W; bits beyond W are zero.
        width: W.
        camera: The camera that made the stream, None where it is not known.

    Raises:
        InvalidValueError: `packed` has another type or shape, no pixels, or holds bits beyond W.

    Example:
        >>> stream = SpikeStream.from_dense(np.array([[[0, 1, 1]], [[1, 0, 1]]], dtype=np.uint8))
        >>> stream.shape, stream.packed.tolist(), stream[1:].counts().tolist()
        ((2, 1, 3), [[[6]], [[5]]], [[1, 0, 1]])
    """

    packed: np.ndarray
    width: int
    camera: SpikeCamera | None = None

    def __post_init__(self) -> None:
        packed = self.packed
        if not isinstance(packed, np.ndarray) or packed.dtype != np.uint8 or packed.ndim != 3:
            found = f"{packed.dtype} {packed.shape}" if isinstance(packed, np.ndarray) else type(packed).__name__
            raise InvalidValueError(f"packed spikes must be a uint8 array (T, H, ceil(W/8)), got {found}")
        object.__setattr__(self, "width", require_whole(self.width, "width"))
        check_pixels(packed.shape[1], self.width)
        if self.camera is not None:
            require_instance(self.camera, "camera", SpikeCamera)
        if packed.shape[2] != -(-self.width // 8):
            raise InvalidValueError(
                f"packed spikes of width {self.width} must have ceil({self.width}/8) bytes a row, got {packed.shape[2]}"
            )
        if self.width % 8 and (packed[..., -1] >> (self.width % 8)).any():
            raise InvalidValueError(
                f"packed spikes hold set bits beyond width {self.width}; is the width right, and the bit order least "
                "significant first?"
            )
        view = np.ascontiguousarray(packed).view()
        view.setflags(write=False)
        object.__setattr__(self, "packed", view)

    @classmethod
    def from_dense(cls, array: np.ndarray, camera: SpikeCamera | None = None) -> Self:
        """The stream of a dense array (T, H, W) that holds only 0 and 1, of any number type.

        Args:
            array: (T, H, W), at least one pixel.
            camera: That made the spikes; None where it is not known.

        Raises:
            InvalidValueError: The array has another shape, no pixels, or other values.
        """
        dense = require_array(array, "dense spikes")
        if dense.ndim != 3:
            raise InvalidValueError(f"dense spikes must have the axes (T, H, W), got shape {dense.shape}")
        check_pixels(*dense.shape[1:])  # before the work: an array of no values may have any number of rows or readouts
        from spikesim.kernels import bits

        if dense.dtype != np.uint8:
            ones = dense == 1
            dense = np.where(ones | (dense == 0), ones, np.uint8(2))
        readouts, height, width = dense.shape
        packed = np.empty((readouts, height, -(-width // 8)), np.uint8)
        binary = np.empty(height, np.bool_)
        run_on_rows(bits.pack, height, readouts * width // _LIGHTER, np.ascontiguousarray(dense), packed, binary)
        if not binary.all():
            raise InvalidValueError("dense spikes must hold only 0 and 1; other values found")
        return cls(packed, width, camera)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, H, W)."""
        return self.packed.shape[0], self.packed.shape[1], self.width

    def __len__(self) -> int:
        return self.packed.shape[0]

    def __repr__(self) -> str:
        readouts, height, width = self.shape
        return f"{type(self).__name__}(T={readouts}, H={height}, W={width}, camera={self.camera})"

    def _repr_html_(self) -> str:
        """What a notebook shows of it: a strip of four TFPs, white where the light is full."""
        from spikesim.light_image import as_light
        from spikesim.notebook import shown_in_notebook

        readouts, height, width = self.shape
        window = min(_SHOWN, readouts)
        facts = {
            "readouts": readouts,
            "pixels": f"{width}×{height}",
            "spikes per pixel and readout": f"{self.rate:.4f}",
        }
        starts = np.linspace(0, readouts - window, 4).astype(int).tolist() if window else []
        images = []
        for start in dict.fromkeys(starts):
            mean = self.counts(start, start + window) / window
            images.append((f"readouts {start} to {start + window - 1}", as_light(mean, self.camera)))
        return shown_in_notebook("SpikeStream", {**facts, "camera": self.camera or "not known"}, images)

    def __getitem__(self, readouts: slice) -> Self:
        """The stream of consecutive readouts, `stream[20:117]`, without a copy."""
        if not isinstance(readouts, slice) or readouts.step not in (None, 1):
            raise InvalidValueError(
                f"a stream is sliced by consecutive readouts, as in stream[20:117]; got {readouts!r}"
            )
        start, stop = (
            None if edge is None else require_whole(edge, f"the {name} of a part of a stream")
            for edge, name in ((readouts.start, "start"), (readouts.stop, "stop"))
        )
        return type(self)(self.packed[start:stop], self.width, self.camera)

    def mirrored(self) -> Self:
        """The stream left to right reversed, as one more view of the same scene to train on."""
        from spikesim.kernels import bits

        readouts, height, width = self.shape
        packed = np.empty_like(self.packed)
        run_on_rows(bits.mirror, height, readouts * width // _LIGHTER, width, self.packed, packed)
        return type(self)(packed, width, self.camera)

    def dense(self, dtype: DTypeLike = np.uint8) -> np.ndarray:
        """The spikes as an array (T, H, W) of 0 and 1, as uint8 eight times the memory.

        Args:
            dtype: Any number type, such as float32, what networks take.

        Raises:
            InvalidValueError: It is none.
        """
        from spikesim.kernels import bits

        readouts, height, width = self.shape
        dense = np.empty(self.shape, _number_type(dtype))
        unpack = bits.unpack_to_float32 if dense.dtype == np.float32 else bits.unpack
        run_on_rows(unpack, height, readouts * width // _LIGHTER, self.packed, dense)
        return dense

    @property
    def rate(self) -> float:
        """Spikes per pixel and readout, 0..1; of nothing, 0."""
        pixels = len(self) * self.shape[1] * self.width
        return int(np.bitwise_count(self.packed).sum(dtype=np.int64)) / max(pixels, 1)

    def counts(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Spikes of each pixel in readouts start..stop−1, uint16 (H, W).

        Args:
            start: First readout, ≥ 0.
            stop: One past the last readout, ≤ T; None means T. At most 65,535 readouts.

        Raises:
            InvalidValueError: The readouts are not in the stream, or too many.
        """
        from spikesim.kernels import reconstruction

        readouts, height, width = self.shape
        start = require_whole(start, "start")
        stop = readouts if stop is None else require_whole(stop, "stop")
        if not 0 <= start <= stop <= readouts:
            raise InvalidValueError(f"readouts {start}..{stop} are not in a stream of {readouts} readouts")
        if stop - start > 65_535:
            raise InvalidValueError(f"counts hold at most 65535 readouts, got {stop - start}; count shorter windows")
        counts = np.empty((height, width), np.uint16)
        cost = (stop - start) * width // _LIGHTER
        run_on_rows(reconstruction.count_spikes, height, cost, self.packed[start:stop], counts)
        return counts


def check_pixels(height: int, width: int) -> None:
    """Refuses a size without pixels; a stream may have no readouts, but what it is of has a size.

    Raises:
        InvalidValueError: H or W is less than 1.
    """
    if height < 1 or width < 1:
        raise InvalidValueError(f"spikes need at least one row and one column of pixels, got H={height}, W={width}")


def _number_type(dtype: DTypeLike) -> np.dtype:
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError):  # the latter where it is text that is none
        found = np.dtype(object)
    if found.kind not in "biufc":
        raise InvalidValueError(f"dtype must be a number type such as np.float32, got {dtype!r}")
    return found


def require_stream(value: Any, name: str = "stream") -> SpikeStream:
    """A spike stream, as `spikesim.checks` checks it.

    Raises:
        InvalidValueError: It is none.
    """
    return require_instance(value, name, SpikeStream, "SpikeStream.from_dense(array) makes one")
