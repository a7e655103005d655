"""GIF files: whether they are whole, which decoders do not tell: they make up what is missing."""

from pathlib import Path
from typing import BinaryIO

_EXTENSION, _IMAGE, _TRAILER = b"!", b",", b";"


def gif_missing_bytes(path: Path) -> int:
    """How many bytes at least a GIF file lacks: its blocks say how long they are, and the last one is a trailer.

    0 of whole files, of other files, and where something else than a block stands, which decoders meet themselves.

    Source:
        GRAPHICS INTERCHANGE FORMAT, version 89a (CompuServe, 1990), 15 to 27.
    """
    with path.open("rb") as file:
        if file.read(6) not in (b"GIF87a", b"GIF89a"):
            return 0
        file.seek(4, 1)  # width and height
        _skip_colours(file, after=2)
        while kind := file.read(1):
            if kind == _EXTENSION:
                file.seek(1, 1)  # which extension
            elif kind == _IMAGE:
                file.seek(8, 1)  # its place
                _skip_colours(file, after=1)
            else:
                return 0
            while (length := file.read(1)) not in (b"", b"\0"):
                file.seek(length[0], 1)
        return file.tell() + len(_TRAILER) - path.stat().st_size


def _skip_colours(file: BinaryIO, after: int) -> None:
    """Go behind a table of colours, whose size the byte here says, and the bytes after this one."""
    packed = file.read(1) or b"\0"
    file.seek(after + (3 << (packed[0] & 7) + 1 if packed[0] & 0x80 else 0), 1)
