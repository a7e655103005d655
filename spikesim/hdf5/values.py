"""Reading the values of a dataset: numbers alone, from chunks that hold what their size says."""

import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cached_property
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from spikesim.errors import InvalidValueError
from spikesim.hdf5.inspection import CHECKSUM_BYTES, FLETCHER32, GZIP, LZF, ZSTD, zstd_content
from spikesim.hdf5.source import Piece, Source

if TYPE_CHECKING:
    import h5py
    import numpy as np

_LONGEST_MATCH = 7  # of LZF, in the first byte; what is longer takes another


class Values:
    """A dataset of numbers, of which parts are read as of an array.

    HDF5 takes what a filter gives for a whole chunk, and reads beyond its end where it is less. What zstd gives is
    known from its header (`spikesim.hdf5.inspection`); chunks of gzip and LZF are decompressed here to see it, before
    HDF5 does. Of a file that lies elsewhere, the chunks of a part are fetched at once, and zstd is looked at here too.

    Args:
        dataset: Of a file that `open_hdf5` opened, or `open_hdf5_of`.
        source: Where the bytes of the file lie, if that is elsewhere.

    Raises:
        InvalidValueError: It holds something else than numbers. Strings and lists of any length may all be one of the
            file's, and fill the memory.
    """

    def __init__(self, dataset: "h5py.Dataset", source: Source | None = None) -> None:
        if dataset.shape is None or dataset.dtype.kind not in "biufc":
            raise InvalidValueError(f"its {dataset.name} holds no numbers, but {dataset.dtype}")
        self._dataset, self._source = dataset, source
        self.shape: tuple[int, ...] = dataset.shape
        self.dtype: np.dtype[Any] = dataset.dtype
        self._filters = _filters(dataset)

    @property
    def has_checksums(self) -> bool:
        """Whether each of its chunks has a checksum."""
        return FLETCHER32 in self._filters

    def __getitem__(self, parts: Any) -> "np.ndarray":
        """Part of the values, by slices and numbers of some of its axes.

        Raises:
            InvalidValueError: A chunk holds more or less than its size.
            OSError: What HDF5 raises on damaged chunks.
        """
        with ExitStack() as stack:
            checked = {GZIP, LZF}
            if self._source is not None:
                checked |= {ZSTD}
                stack.enter_context(self._source.telling())
                stack.enter_context(self._source.holding(self._stored_in(parts)))
            if checked.intersection(self._filters):
                for chunk in self._chunks(parts):
                    self._check(chunk)
            values: np.ndarray = self._dataset[parts]
            return values

    def _stored_in(self, parts: Any) -> list[Piece]:
        """Where in the file the chunks of a part lie, as far as there are chunks.

        Raises:
            InvalidValueError: One takes far more bytes than it holds.
        """
        if self._dataset.chunks is None:
            return []
        pieces = [self._places[chunk] for chunk in self._chunks(parts) if chunk in self._places]
        longest = 2 * self._chunk_bytes + 4096  # no filter makes them so long
        if any(length > longest for _, length in pieces):
            raise InvalidValueError(f"a chunk of its {self._dataset.name} takes more bytes than it can need")
        return pieces

    @cached_property
    def _places(self) -> dict[tuple[int, ...], Piece]:
        """Where each chunk lies, by where it begins: asked one by one, HDF5 goes through all of them every time."""
        places: dict[tuple[int, ...], Piece] = {}

        def note(info: Any) -> None:
            places[info.chunk_offset] = info.byte_offset, info.size

        self._dataset.id.chunk_iter(note)
        return places

    @property
    def _chunk_bytes(self) -> int:
        return prod(self._dataset.chunks) * int(self._dataset.id.get_type().get_size())

    def _chunks(self, parts: Any) -> Iterator[tuple[int, ...]]:
        """Where the chunks begin that a part lies in."""
        parts = parts if isinstance(parts, tuple) else (parts,)
        starts = []
        for number, (length, side) in enumerate(zip(self.shape, self._dataset.chunks, strict=True)):
            wanted = range(length)[parts[number]] if number < len(parts) else range(length)
            wanted = range(wanted, wanted + 1) if isinstance(wanted, int) else wanted
            if not wanted:
                return
            first, last = sorted((wanted[0], wanted[-1]))
            starts.append(range(first // side * side, last + 1, side))
        yield from product(*starts)

    def _check(self, start: tuple[int, ...]) -> None:
        array = self._dataset.id
        if array.get_chunk_info_by_coord(start).byte_offset is None:  # never written
            return
        skipped, stored = array.read_direct_chunk(start)
        applied = [number for place, number in enumerate(self._filters) if not skipped >> place & 1]
        size = self._chunk_bytes
        if FLETCHER32 in applied:
            stored = stored[:-CHECKSUM_BYTES]
        if (
            (GZIP in applied and _gzip_content(stored, size + 1) != size)
            or (LZF in applied and _lzf_content(stored) != size)
            or (ZSTD in applied and zstd_content(stored) != size)
        ):
            raise InvalidValueError(
                f"a chunk of its {self._dataset.name} holds more or less than {size} bytes, its size"
            )


def _filters(dataset: "h5py.Dataset") -> list[int]:
    created = dataset.id.get_create_plist()
    return [created.get_filter(place)[0] for place in range(created.get_nfilters())]


def _gzip_content(stored: bytes, most: int) -> int:
    """Bytes that a chunk decompresses to, as far as that many."""
    try:
        return len(zlib.decompressobj().decompress(stored, most))
    except zlib.error as error:
        raise InvalidValueError(f"a chunk is damaged ({error})") from error


def _lzf_content(stored: bytes) -> int:
    """Bytes that a chunk decompresses to.

    Source:
        liblzf: a byte below 32 comes before so many and one more bytes as they are, any other begins a match.
    """
    content = place = 0
    try:
        while place < len(stored):
            control = stored[place]
            if control < 32:
                content += control + 1
                place += control + 2
                continue
            length = control >> 5
            if length == _LONGEST_MATCH:
                place += 1
                length += stored[place]
            content += length + 2
            place += 2
    except IndexError:  # it ends within a match
        return -1
    return content
