"""Going through the metadata of an HDF5 file: run as a script by a process that may crash or hang.

It visits every group, dataset, attribute and list of chunks, as a reader would, and refuses what leads out of the file
(external links, external storage, virtual datasets), what declares more than the file can hold, filters that damaged
values may crash, and chunks that are of another size than they should be: HDF5 lets filters take what memory they like,
and reads beyond what they give. What chunks of gzip and LZF hold is seen when they are read (`spikesim.hdf5.values`).

A file may also lie elsewhere: then the process that asks gives its bytes. To look at all chunks of zstd would fetch all
of it, so they too are seen when they are read.
"""

import io
import json
import os
import signal
import sys
from functools import partial
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import h5py

_MOST_OBJECTS = 100_000
_MOST_ATTRIBUTE_BYTES = 1 << 23
_MOST_CHUNK_BYTES = 1 << 28
_SMALL = 1 << 28  # bytes that any file may declare
_MOST_RATIO = 1100  # bytes declared for one that is there: more than deflate can make of it
_MEMORY = 1 << 29  # that the process may take: what it reads of a file, the one that asks will read too
_LONGEST_PROBLEM = 1000  # characters: names in a file have no end

# Numbers of filters.
GZIP, SHUFFLE, FLETCHER32, LZF, ZSTD = 1, 2, 3, 32000, 32015
_PLACES = {SHUFFLE: 0, GZIP: 1, LZF: 1, ZSTD: 1, FLETCHER32: 2}  # the order in which writers apply them
CHECKSUM_BYTES = 4  # that FLETCHER32 adds
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_HEADER = 18  # bytes at most of a zstd frame


class RefusedError(Exception):
    """What is wrong with a file."""


def inspect(path: "str | io.RawIOBase") -> None:
    """Go through a file.

    Args:
        path: Where it lies, or what gives its bytes.

    Raises:
        RefusedError: It is not to be read.
        Exception: Whatever h5py raises on damaged files.
    """
    import h5py

    with h5py.File(path, "r", **({"locking": False} if isinstance(path, str) else {})) as file:
        held = file.id.get_filesize()
        declared = stored = absent = 0
        seen: set[int] = set()
        _visit_attributes(file.id)
        groups: list[h5py.h5g.GroupID] = [h5py.h5g.open(file.id, b"/")]
        while groups:
            group = groups.pop()
            for name in group:
                if not _is_hard(group, name):
                    continue
                item = h5py.h5o.open(group, name)
                address = h5py.h5o.get_info(item).addr
                if address in seen:
                    continue
                seen.add(address)
                if len(seen) > _MOST_OBJECTS:
                    raise RefusedError(f"it holds more than {_MOST_OBJECTS} objects")
                _visit_attributes(item)
                if isinstance(item, h5py.h5g.GroupID):
                    groups.append(item)
                elif isinstance(item, h5py.h5d.DatasetID):
                    size, there, taken = _visit_dataset(item, file, held)
                    declared += size
                    stored += taken
                    absent += max(0, size - there)
    if stored > held:
        raise RefusedError("its values take more bytes than there are; they lie in one another")
    if declared > max(_SMALL, _MOST_RATIO * held):
        raise RefusedError(
            f"its {held} bytes declare {declared} bytes of values; it is damaged, or made to fill the memory"
        )
    if absent > _SMALL:
        raise RefusedError(
            f"{absent} bytes of its values were never written; it is damaged, or made to fill the memory. Copy what "
            "was written to a file of its own"
        )


def _is_hard(group: "h5py.h5g.GroupID", name: bytes) -> bool:
    """Whether an entry of a group is an object, and no soft link to one.

    A soft link is not followed: what it leads to in this file is visited in its own place, and on the way there may be
    a link to another file.

    Raises:
        RefusedError: It is a link to another file, or its name is a path, which would be followed.
    """
    import h5py

    link = group.links.get_info(name).type
    if b"/" not in name and link == h5py.h5l.TYPE_HARD:
        return True
    place = f"{_name(group).rstrip('/')}/{name.decode(errors='replace')}"
    if b"/" in name:
        raise RefusedError(f"the name of its {place} has a slash; it is damaged")
    if link != h5py.h5l.TYPE_SOFT:
        raise RefusedError(
            f"its {place} is a link to another file, which is not followed; make one file of both, for example with "
            "h5copy"
        )
    return False


def _name(item: Any) -> str:
    import h5py

    return (h5py.h5i.get_name(item) or b"").decode(errors="replace")


def _visit_attributes(item: Any) -> None:
    import h5py
    import numpy as np

    for number in range(h5py.h5a.get_num_attrs(item)):
        attribute = h5py.h5a.open(item, index=number)
        dtype, shape = attribute.dtype, attribute.shape
        if shape is None:  # it holds nothing
            continue
        declared = prod(shape) * dtype.itemsize
        if declared <= _MOST_ATTRIBUTE_BYTES:
            values = np.empty(shape, dtype)
            try:
                attribute.read(values, mtype=h5py.h5t.py_create(dtype))
            except Exception as error:  # how long strings and lists are is known when they fill the memory
                problem = str(error) or type(error).__name__
                raise RefusedError(
                    f"the attribute {_of(attribute)} of {_name(item)} cannot be read ({problem})"
                ) from error
            if dtype.hasobject:
                declared = sum(len(value) for value in values.flat if isinstance(value, bytes | np.ndarray))
        if declared > _MOST_ATTRIBUTE_BYTES:
            raise RefusedError(
                f"the attribute {_of(attribute)} of {_name(item)} is of {declared} bytes; copy the rest without it"
            )


def _of(attribute: "h5py.h5a.AttrID") -> str:
    return attribute.name.decode(errors="replace")


def _visit_dataset(dataset: "h5py.h5d.DatasetID", file: "h5py.File", file_bytes: int) -> tuple[int, int, int]:
    """Bytes of values that are declared and that are there, and bytes of the file that they take."""
    import h5py

    created = dataset.get_create_plist()
    layout = created.get_layout()
    if layout == h5py.h5d.VIRTUAL or created.get_external_count():
        raise RefusedError(
            f"the values of {_name(dataset)} lie in other files, which are not followed; copy it to a file of its own, "
            "for example with h5repack"
        )
    declared = 0 if dataset.shape is None else prod(dataset.shape) * dataset.dtype.itemsize
    if layout == h5py.h5d.CHUNKED:
        chunk = prod(created.get_chunk()) * dataset.get_type().get_size()
        return declared, *_visit_chunks(dataset, file, chunk, _filters(dataset, created), file_bytes)
    length = dataset.get_storage_size()
    if layout == h5py.h5d.CONTIGUOUS and length:
        _refuse_beyond(dataset, dataset.get_offset() + length, file_bytes)
    return declared, length, length


def _visit_chunks(
    dataset: "h5py.h5d.DatasetID", file: "h5py.File", chunk: int, filters: list[int], file_bytes: int
) -> tuple[int, int]:
    """Bytes of values that are there in chunks of a size, and bytes of the file that they take."""
    if chunk > max(_MOST_CHUNK_BYTES, file_bytes):
        raise RefusedError(f"{_name(dataset)} is stored in chunks of {chunk} bytes")
    size_of = _sizes(dataset, file, filters)
    number = held = 0

    def visit(info: Any) -> None:
        nonlocal number, held
        number += 1
        held += info.size
        _refuse_beyond(dataset, info.byte_offset + info.size, file_bytes)
        if (size := size_of(info)) not in (None, chunk):
            raise RefusedError(
                f"a chunk of {_name(dataset)} holds {size} bytes instead of the {chunk} that are its size"
            )

    dataset.chunk_iter(visit)
    return number * chunk, held


def _filters(dataset: "h5py.h5d.DatasetID", created: "h5py.h5p.PropDCID") -> list[int]:
    """Numbers of the filters of a dataset, all of them such that damaged values do not crash them."""
    filters = []
    for place in range(created.get_nfilters()):
        number, _, _, name = created.get_filter(place)
        if number not in _PLACES:
            raise RefusedError(
                f"{_name(dataset)} is stored by the filter {number} ({name[:40].decode(errors='replace')}), which "
                "damaged values can crash; if you trust the file, copy it to one with gzip, by "
                "h5repack -f GZIP=1 OLD NEW or by h5py"
            )
        filters.append(number)
    places = [_PLACES[number] for number in filters]
    if places != sorted(set(places)):
        raise RefusedError(
            f"the filters of {_name(dataset)} are in an order that nobody uses; copy it by h5repack -f GZIP=1 OLD NEW"
        )
    return filters


def _sizes(dataset: "h5py.h5d.DatasetID", file: "h5py.File", filters: list[int]) -> "Callable[[Any], int | None]":
    """Tells of a chunk how many bytes HDF5 makes of it; None where only decompressing it tells."""
    if dataset.dtype.hasobject:  # its values are no numbers, and are not read
        return lambda _: None
    codec = next((place for place, number in enumerate(filters) if _PLACES[number] == 1), None)
    checksum = filters.index(FLETCHER32) if FLETCHER32 in filters else None
    header: Callable[[Any], bytes] | None
    if file.driver == "fileobj":
        header = None  # it lies elsewhere
    elif file.userblock_size:  # with one, versions of HDF5 differ in where places are counted from
        header = partial(_stored, dataset)
    else:
        header = partial(_beginning, file.id.get_vfd_handle())

    def size(info: Any) -> int | None:
        if codec is None or info.filter_mask >> codec & 1:
            checked = checksum is not None and not info.filter_mask >> checksum & 1
            return int(info.size) - CHECKSUM_BYTES * checked
        return zstd_content(header(info)) if filters[codec] == ZSTD and header else None

    return size


def _stored(dataset: "h5py.h5d.DatasetID", info: Any) -> bytes:
    stored: bytes = dataset.read_direct_chunk(info.chunk_offset)[1]
    return stored


def _beginning(file: int, info: Any) -> bytes:
    return os.pread(file, _HEADER, info.byte_offset)


def zstd_content(header: bytes) -> int:
    """Bytes that a zstd frame says it holds, which the decompressor keeps to; 0 where it does not say it.

    Source:
        RFC 8878, section 3.1.1.1.
    """
    if len(header) < 5 or not header.startswith(_ZSTD_MAGIC):
        return 0
    descriptor = header[4]
    single = descriptor >> 5 & 1
    size = (single, 2, 4, 8)[descriptor >> 6]
    start = 5 + (1 - single) + (0, 1, 2, 4)[descriptor & 3]
    return int.from_bytes(header[start : start + size], "little") + (256 if size == 2 else 0)


def _refuse_beyond(dataset: "h5py.h5d.DatasetID", end: int, file_bytes: int) -> None:
    if end > file_bytes:
        raise RefusedError(f"values of {_name(dataset)} lie beyond the end of the file; it is cut short or damaged")


class _Asked(io.RawIOBase):
    """A file whose bytes are asked for on stdout, and come on stdin."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size, self._position = size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)  # waiting is no hanging
        print(json.dumps([self._position, len(view)]), flush=True)
        given = sys.stdin.buffer.read(len(view))
        if len(given) < len(view):
            os._exit(1)  # nobody asks any more
        signal.setitimer(signal.ITIMER_REAL, left)
        view[:] = given
        self._position += len(view)
        return len(view)


def _serve(seconds: float) -> None:
    import resource

    import h5py  # noqa: F401 - what it takes itself is not counted

    if (taken := Path("/proc/self/statm")).exists():  # macOS has none, and no such limit
        memory = int(taken.read_text().split()[0]) * resource.getpagesize() + _MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while line := sys.stdin.buffer.readline():  # and no further: what follows may be bytes of a file
        signal.setitimer(signal.ITIMER_REAL, seconds)  # ends a process that hangs, even when nobody waits any more
        try:
            file = json.loads(line)
            inspect(file if isinstance(file, str) else _Asked(file))
            problem = ""
        except Exception as error:  # on damaged bytes h5py raises nearly all there are
            problem = (str(error) or type(error).__name__)[:_LONGEST_PROBLEM]
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(problem), flush=True)


if __name__ == "__main__":
    _serve(float(sys.argv[1]))
