"""Going through the metadata of an HDF5 file: run as a script by a process that may crash or hang.

It visits every group, dataset, attribute and list of chunks, as a reader would, and refuses what leads out of the file
(external links, external storage, virtual datasets), what declares more than the file can hold, and chunks that a zstd
or gzip filter would make larger than they may be: HDF5 lets filters take what memory they like.
"""

import json
import os
import signal
import sys
import zlib
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import h5py

_MOST_OBJECTS = 100_000
_MOST_ATTRIBUTE_BYTES = 1 << 26
_MOST_CHUNK_BYTES = 1 << 28
_SMALL = 1 << 28  # bytes that any file may declare
_MOST_RATIO = 1100  # bytes declared for one that is there: more than deflate can make of it
_MEMORY = 4 << 30  # address space of the process

# Numbers of filters.
_GZIP, _FLETCHER32, _ZSTD = 1, 3, 32015
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_HEADER = 18  # bytes at most of a zstd frame


class RefusedError(Exception):
    """What is wrong with a file."""


def inspect(path: str) -> None:
    """Go through a file.

    Raises:
        RefusedError: It is not to be read.
        Exception: Whatever h5py raises on damaged files.
    """
    import h5py

    with h5py.File(path, "r", locking=False) as file:
        held, declared = file.id.get_filesize(), 0
        seen: set[int] = set()
        groups: list[h5py.Group] = [file]
        _visit_attributes(file)
        while groups:
            group = groups.pop()
            for name in group:
                _refuse_leading_out(group, name)
                if (item := group.get(name)) is None:  # a soft link that leads nowhere
                    continue
                address = h5py.h5o.get_info(item.id).addr
                if address in seen:
                    continue
                seen.add(address)
                if len(seen) > _MOST_OBJECTS:
                    raise RefusedError(f"it holds more than {_MOST_OBJECTS} objects")
                _visit_attributes(item)
                if isinstance(item, h5py.Group):
                    groups.append(item)
                elif isinstance(item, h5py.Dataset):
                    declared += _visit_dataset(item, held)
        if declared > max(_SMALL, _MOST_RATIO * held):
            raise RefusedError(
                f"its {held} bytes declare {declared} bytes of values; it is damaged, or made to fill the memory"
            )


def _refuse_leading_out(group: "h5py.Group", name: str) -> None:
    import h5py

    link = group.id.links.get_info(name.encode(), lapl=None).type
    if link not in (h5py.h5l.TYPE_HARD, h5py.h5l.TYPE_SOFT):
        raise RefusedError(
            f"its {group.name.rstrip('/')}/{name} is a link to another file, which is not followed; make one file of "
            "both, for example with h5copy"
        )


def _visit_attributes(item: Any) -> None:
    for name in item.attrs:
        attribute = item.attrs.get_id(name)
        if (declared := prod(attribute.shape) * attribute.dtype.itemsize) > _MOST_ATTRIBUTE_BYTES:
            raise RefusedError(f"the attribute {name} of {item.name} is of {declared} bytes")
        _ = item.attrs[name]


def _visit_dataset(dataset: "h5py.Dataset", file_bytes: int) -> int:
    """Bytes of values that a dataset declares."""
    import h5py

    created = dataset.id.get_create_plist()
    if created.get_layout() == h5py.h5d.VIRTUAL or created.get_external_count():
        raise RefusedError(
            f"the values of {dataset.name} lie in other files, which are not followed; copy it to a file of its own, "
            "for example with h5repack"
        )
    if created.get_layout() == h5py.h5d.CHUNKED:
        _visit_chunks(dataset, file_bytes)
    elif created.get_layout() == h5py.h5d.CONTIGUOUS and (length := dataset.id.get_storage_size()):
        _refuse_beyond(dataset, dataset.id.get_offset() + length, file_bytes)
    return dataset.size * dataset.dtype.itemsize if dataset.shape is not None else 0


def _visit_chunks(dataset: "h5py.Dataset", file_bytes: int) -> None:
    chunk = prod(dataset.chunks) * dataset.dtype.itemsize
    if chunk > max(_MOST_CHUNK_BYTES, file_bytes):
        raise RefusedError(f"{dataset.name} is stored in chunks of {chunk} bytes")
    exceeds = _check_of_compression(dataset, chunk)
    held = 0

    def visit(info: Any) -> None:
        nonlocal held
        held += info.size
        _refuse_beyond(dataset, info.byte_offset + info.size, file_bytes)
        if exceeds is not None and exceeds(info):
            raise RefusedError(f"a chunk of {dataset.name} holds more than the {chunk} bytes that are its size")

    dataset.id.chunk_iter(visit)
    if held > file_bytes:
        raise RefusedError(f"the chunks of {dataset.name} take more bytes than there are; they lie in one another")


def _check_of_compression(dataset: "h5py.Dataset", chunk: int) -> "Callable[[Any], bool] | None":
    """Tells of a chunk whether decompressing it gives more than its size; None where nothing is compressed."""
    created = dataset.id.get_create_plist()
    filters = [created.get_filter(number)[0] for number in range(created.get_nfilters())]
    while filters and filters[-1] == _FLETCHER32:
        filters.pop()
    if not {_GZIP, _ZSTD}.intersection(filters):
        return None
    if filters[-1] not in (_GZIP, _ZSTD) or {_GZIP, _ZSTD}.intersection(filters[:-1]):
        raise RefusedError(f"the filters of {dataset.name} are in an order that nobody uses; repack it with h5repack")
    skipped = 1 << (len(filters) - 1)
    stored = partial(_stored, dataset.id)
    if filters[-1] == _GZIP:
        return lambda info: not info.filter_mask & skipped and _gzip_exceeds(info, stored, chunk)
    if not dataset.file.userblock_size:  # with one, versions of HDF5 differ in where places are counted from
        stored = partial(_beginning, dataset.file.id.get_vfd_handle())
    return lambda info: not info.filter_mask & skipped and _zstd_content(stored(info)) > chunk


def _stored(dataset: "h5py.h5d.DatasetID", info: Any) -> bytes:
    stored: bytes = dataset.read_direct_chunk(info.chunk_offset)[1]
    return stored


def _beginning(file: int, info: Any) -> bytes:
    return os.pread(file, _HEADER, info.byte_offset)


def _gzip_exceeds(info: Any, stored: "Callable[[Any], bytes]", chunk: int) -> bool:
    if _MOST_RATIO * info.size <= _MOST_CHUNK_BYTES:
        return False
    try:
        return len(zlib.decompressobj().decompress(stored(info), chunk + 1)) > chunk
    except zlib.error:  # HDF5 will say so
        return False


def _zstd_content(header: bytes) -> int:
    """Bytes that a zstd frame says it holds, and for which the filter takes memory; 0 where it does not say it.

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


def _refuse_beyond(dataset: "h5py.Dataset", end: int, file_bytes: int) -> None:
    if end > file_bytes:
        raise RefusedError(f"values of {dataset.name} lie beyond the end of the file; it is cut short or damaged")


def _serve(seconds: float) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_REAL, seconds)  # ends a process that hangs, even when nobody waits any more
        try:
            inspect(json.loads(line))
            problem = ""
        except Exception as error:  # on damaged bytes h5py raises nearly all there are
            problem = str(error) or type(error).__name__
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(problem), flush=True)


if __name__ == "__main__":
    _serve(float(sys.argv[1]))
