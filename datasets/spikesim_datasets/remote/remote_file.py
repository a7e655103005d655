"""A file that lies elsewhere, fetched in blocks through the cache."""

from collections.abc import Sequence
from functools import lru_cache

from spikesim.errors import InputFileError
from spikesim.hdf5.source import Piece, Source
from spikesim_datasets.remote.block_cache import cache_of_environment
from spikesim_datasets.remote.url import FileVersion, Url

BLOCK = 1 << 16
"""Bytes of a block: the metadata of a shard are pieces of some kB all over it, its chunks some tens of kB."""

_LONGEST_RUN = 64  # blocks in one request: longer ones are asked for in several at once


class RemoteFile(Source):
    """The file at an address, as it was when this process first met it.

    Args:
        url: The address.

    Raises:
        InputFileError: It cannot be read.
        MissingExtraError: What it is read through is not installed.
        InvalidValueError, OutputError: As for `cache_of_environment`.
    """

    def __init__(self, url: Url) -> None:
        super().__init__()
        self._url, self._cache = url, cache_of_environment()
        self._version = known_version(url)
        self.name, self.size = str(url), self._version.size
        self.version = (url.address, str(self.size), self._version.tag)

    def fetch(self, pieces: Sequence[Piece]) -> list[bytes]:
        numbers = {
            number
            for start, length in pieces
            if length
            for number in range(start // BLOCK, (start + length - 1) // BLOCK + 1)
        }
        blocks = self._blocks(sorted(numbers))
        return [_cut(blocks, start, length) for start, length in pieces]

    def _blocks(self, numbers: Sequence[int]) -> dict[int, bytes]:
        from spikesim_datasets.remote.transport import fetch  # which takes long to import, and few read from elsewhere

        key = repr((*self.version, BLOCK))
        blocks, missing = {}, []
        for number in numbers:
            block = None if self._cache is None else self._cache.get(key, number)
            if block is None or len(block) != min(BLOCK, self.size - number * BLOCK):
                missing.append(number)
            else:
                blocks[number] = block
        runs = _runs(missing)
        parts = [(run.start * BLOCK, min(run.stop * BLOCK, self.size)) for run in runs]
        try:
            fetched = fetch(self._url, parts, self._version) if parts else []
        except InputFileError:
            known_version.cache_clear()  # it may have changed: who opens it again is to see that
            raise
        for run, part in zip(runs, fetched, strict=True):
            new = {number: part[place * BLOCK : (place + 1) * BLOCK] for place, number in enumerate(run)}
            if self._cache is not None:
                self._cache.put(key, new)
            blocks |= new
        return blocks


@lru_cache(maxsize=1 << 16)
def known_version(url: Url) -> FileVersion:
    """The version of a file, which this process asks for once.

    Raises:
        InputFileError, MissingExtraError: As for `RemoteFile`.
    """
    from spikesim_datasets.remote.transport import version_at

    return version_at(url)


def _runs(numbers: Sequence[int]) -> list[range]:
    """Numbers as stretches of neighbours."""
    runs: list[range] = []
    for number in numbers:
        if runs and runs[-1].stop == number and len(runs[-1]) < _LONGEST_RUN:
            runs[-1] = range(runs[-1].start, number + 1)
        else:
            runs.append(range(number, number + 1))
    return runs


def _cut(blocks: dict[int, bytes], start: int, length: int) -> bytes:
    stop = start + length
    parts = [
        blocks[number][max(0, start - number * BLOCK) : stop - number * BLOCK]
        for number in range(start // BLOCK, -(-stop // BLOCK))
    ]
    return b"".join(parts)
