"""Bytes that lie elsewhere, and a Python file through which HDF5 reads them piece by piece."""

import io
from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Piece = tuple[int, int]
"""Part of a file: where it starts, and its length in bytes."""


class Source(ABC):
    """Bytes that lie elsewhere, whose every piece costs time.

    What was fetched can be held in memory, so that HDF5 is given the bytes that were looked at and waits for none.

    Attributes:
        name: For messages.
        size: In bytes.
        version: What tells this state of the bytes from every other.
        error: What went wrong while HDF5 was reading, until it is raised.
    """

    name: str
    size: int
    version: tuple[str, ...]

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._held: list[tuple[int, bytes]] = []
        self._lock = RLock()

    @abstractmethod
    def fetch(self, pieces: Sequence[Piece]) -> list[bytes]:
        """Several pieces, all within the size, at once.

        Raises:
            InputFileError: They cannot be fetched.
        """

    def read(self, start: int, length: int) -> bytes:
        """A piece; what of it lies beyond the end are zeros.

        Raises:
            InputFileError: As for `fetch`.
        """
        inside = min(length, self.size - start)
        if inside <= 0:
            return bytes(length)
        found = self._find(start, inside)
        if found is None:
            [found] = self.fetch([(start, inside)])
        return found + bytes(length - inside)

    def hold(self, parts: Sequence[tuple[int, bytes]]) -> None:
        """Keep parts in memory, each with where it starts, as long as there is no other of the start that is longer."""
        known = dict(self._held)
        known |= {start: part for start, part in parts if len(part) > len(known.get(start, b""))}
        self._held = sorted(known.items())

    def expect(self, pieces: Sequence[Piece]) -> None:
        """Fetch pieces that will be asked for, as far as there are such, and keep them in memory.

        Raises:
            InputFileError: As for `fetch`.
        """
        wanted = [piece for piece in pieces if 0 <= piece[0] <= self.size - piece[1] and self._find(*piece) is None]
        if wanted:
            self.hold([(start, part) for (start, _), part in zip(wanted, self.fetch(wanted), strict=True)])

    @contextmanager
    def holding(self, pieces: Sequence[Piece]) -> Iterator[None]:
        """Fetch pieces at once, and keep them in memory for the `with` block.

        Raises:
            InputFileError: As for `fetch`.
        """
        before = self._held
        self.expect(pieces)
        try:
            yield
        finally:
            self._held = before

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Raise what kept the `with` block from reading, and not what HDF5 makes of it; for one thread at a time."""
        with self._lock:
            try:
                yield
            finally:
                error, self.error = self.error, None
                if error is not None:
                    raise error from None

    def _find(self, start: int, length: int) -> bytes | None:
        """A piece of what is held."""
        place = bisect_right(self._held, start, key=lambda part: part[0]) - 1
        if place < 0:
            return None
        first, part = self._held[place]
        found = part[start - first : start - first + length]
        return found if len(found) == length else None


class SourceFile(io.RawIOBase):
    """A source as HDF5 wants it: a file that never fails towards it.

    An exception on its way through HDF5 ends the interpreter later, and an interrupt may be lost. So the source keeps
    it, HDF5 is given zeros, which it refuses, and `Source.telling` raises what was kept.
    """

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._position = offset + (0, self._position, self._source.size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        try:
            part = bytes(len(view)) if self._source.error else self._source.read(self._position, len(view))
        except BaseException as error:
            self._source.error = error
            part = bytes(len(view))
        view[:] = part
        self._position += len(view)
        return len(view)
