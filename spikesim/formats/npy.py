"""`.npy`: dense spikes as uint8 0 and 1, what other numpy programs expect; eight times larger, and knows no camera."""

import os
from io import BufferedReader
from math import prod
from pathlib import Path

import numpy as np

from spikesim.brief import short
from spikesim.errors import InvalidValueError
from spikesim.files import atomic_path
from spikesim.formats.axis_order import check_axes
from spikesim.formats.decoding import at_the_end, blocks, dense_stream, reading
from spikesim.stream import SpikeStream

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read(
    path: Path, size: tuple[int, int] | None, *, axes: str | None = None, start: int = 0, stop: int | None = None
) -> SpikeStream:
    """The stream in an `.npy` file; see `spikesim.read_spikes`."""
    check_axes(axes)
    with reading(path), path.open("rb") as file:
        return dense_stream(_StoredArray(file), size, axes, start, stop)


class _StoredArray:
    """An array of three axes in a file, of which parts are read when they are asked for.

    It is no memory map: where another process cuts the file off, a map would end this one.

    Args:
        file: Open at its beginning.

    Raises:
        InvalidValueError: It is of another number of axes or of Python objects, or cut short.
        ValueError: It has no such header.
    """

    def __init__(self, file: BufferedReader) -> None:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            raise InvalidValueError(f"it is of version {version} of the format, which no array of numbers needs")
        self.shape, self._reversed, self.dtype = _HEADERS[version](file)
        if len(self.shape) != 3 or self.dtype.hasobject:
            raise InvalidValueError(f"spikes have three axes, here it holds {self.dtype} of {short(self.shape)}")
        self._file, self._start = file, file.tell()
        if os.fstat(file.fileno()).st_size < self._start + prod(self.shape) * self.dtype.itemsize:
            raise InvalidValueError(f"it is shorter than an array of the shape {short(self.shape)}; it is cut short")

    def __getitem__(self, parts: tuple[slice, ...]) -> np.ndarray:
        wanted = [range(length)[part] for length, part in zip(self.shape, parts, strict=True)]
        _, height, width = self.shape[::-1] if self._reversed else self.shape
        planes, rows, columns = wanted[::-1] if self._reversed else wanted
        array = np.empty((len(planes), len(rows), len(columns)), self.dtype)
        whole_rows = np.empty((len(rows), width), self.dtype)
        for number, plane in zip(planes, array, strict=True):
            target = plane if len(columns) == width else whole_rows
            self._file.seek(self._start + (number * height + rows.start) * width * self.dtype.itemsize)
            if self._file.readinto(target.data) != target.nbytes:
                raise InvalidValueError("it became shorter while it was read")
            if target is whole_rows:
                plane[:] = whole_rows[:, columns.start : columns.stop]
        return array.transpose() if self._reversed else array


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
