"""A sample: one exposure of a clip and what the colour camera and the spike camera saw of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spikesim import SpikeCamera, SpikeStream
from spikesim.errors import InvalidValueError


@dataclass(frozen=True, eq=False)
class Sample:
    """One exposure and what was seen of it.

    Attributes:
        key: Of its clip; the first part is the split.
        window: Which exposure of the clip.
        first_frame: First raw frame of the exposure.
        exposure: (start, stop) of the exposure in the streams.
        blur: RGB uint8 (H, W, 3), the mean of the exposure's frames.
        sharp: RGB uint8 (S, H, W, 3), the raw frames kept as ground truth; S may be 0.
        sharp_readouts: Readouts of the stream at which they lie, (S,).
        spikes: Stream (T, H/4, W/4) by threshold, ascending.
    """

    key: str
    window: int
    first_frame: int
    exposure: tuple[int, int]
    blur: np.ndarray
    sharp: np.ndarray
    sharp_readouts: tuple[int, ...]
    spikes: dict[float, SpikeStream]


def crop_columns(
    read: Callable[[slice], np.ndarray], columns: slice, width: int, camera: SpikeCamera | None
) -> SpikeStream:
    """The stream of some columns of packed spikes.

    Args:
        read: Gives these bytes of the rows, to be changed.
        columns: Not empty, from a multiple of 8 on.
        width: Of all columns.
        camera: Of the stream.

    Raises:
        InvalidValueError: The columns are not as above.
    """
    start, stop, step = columns.indices(width)
    if start % 8 or stop <= start or step != 1:
        raise InvalidValueError(f"a crop of spikes is of columns from a multiple of 8 on, got {columns}")
    packed = read(slice(start // 8, -(-stop // 8)))
    if stop % 8:
        packed[..., -1] &= (1 << stop % 8) - 1
    return SpikeStream(packed, stop - start, camera)


class SampleReader(Protocol):
    """Samples of one clip, read in whole or in part: what a shard and a clip of the released layout have in common.

    Attributes and methods are those of `ShardReader`.
    """

    path: Path
    key: str
    windows: tuple[int, ...]
    exposure: tuple[int, int]
    sharp_readouts: tuple[int, ...]
    recipe: dict[str, Any]
    cameras: dict[float, SpikeCamera | None]

    @property
    def shape(self) -> tuple[int, int, int]: ...

    def sample(self, number: int, /) -> Sample: ...

    def blur(self, number: int, rows: slice, columns: slice, /) -> np.ndarray: ...

    def sharp(self, number: int, rows: slice, columns: slice, frames: slice, /) -> np.ndarray: ...

    def spikes(self, number: int, v_th: float, rows: slice, columns: slice, /) -> SpikeStream: ...

    def close(self) -> None: ...
