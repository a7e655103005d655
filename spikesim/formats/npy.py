"""`.npy`: dense spikes as uint8 0 and 1, what other numpy programs expect; eight times larger, and knows no camera."""

from pathlib import Path

import numpy as np

from spikesim.files import atomic_path
from spikesim.formats.axis_order import check_axes
from spikesim.formats.decoding import at_the_end, blocks, dense_stream, reading
from spikesim.stream import SpikeStream


def read(
    path: Path, size: tuple[int, int] | None, *, axes: str | None = None, start: int = 0, stop: int | None = None
) -> SpikeStream:
    """The stream in an `.npy` file; see `spikesim.read_spikes`."""
    check_axes(axes)
    with reading(path):
        return dense_stream(np.lib.format.open_memmap(path, mode="r"), size, axes, start, stop)


def has_checksum(path: Path) -> bool:
    """Whether damage shows when a file is read."""
    return False


def write(path: Path, stream: SpikeStream) -> None:
    """Writes a stream as dense (T, H, W); see `spikesim.write_spikes`."""
    readouts, height, width = stream.shape
    header = {"descr": "|u1", "fortran_order": False, "shape": stream.shape}
    with atomic_path(path) as temporary, temporary.open("xb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks(readouts, height * width):
            file.write(stream[block].dense().data)


grow = at_the_end(write)
