"""Videos that were cut off, seen by what they promise.

Unlike the boxes of MP4, the end of the parts of these formats is not looked for when they are read: a file that was cut
off reads as a shorter video.
"""

from pathlib import Path
from typing import BinaryIO

from spikesim_datasets.videos.containers import opened
from spikesim_datasets.videos.gif import gif_missing_bytes

_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
_Y4M = b"YUV4MPEG2 "
_PACK, _SYSTEM_HEADER = b"\x00\x00\x01\xba", b"\x00\x00\x01\xbb"  # all that tell a length follow the latter
_TAIL = 1 << 20  # bytes, which hold a pack of any program stream


def missing_bytes(path: Path) -> int:
    """How many bytes a file lacks of what it promises: a Matroska, WebM, YUV4MPEG2, GIF or MPEG program file, or 0.

    Source:
        RFC 8794, "Extensible Binary Meta Language", 4 and 5; RFC 9559, "Matroska", 4.5; ISO/IEC 13818-1, 2.5.3.
    """
    length = path.stat().st_size
    with path.open("rb") as file:
        beginning = file.read(len(_Y4M))
        if beginning.startswith(_EBML):
            end = _matroska_end(file, length)
        elif beginning == _Y4M:
            end = _y4m_end(file, path)
        elif beginning.startswith(_PACK):
            end = _program_end(file, length)
        else:
            return gif_missing_bytes(path)
    return max(0, end - length)


def _matroska_end(file: BinaryIO, length: int) -> int:
    """Where the segment ends; of a live recording, whose size is not known, its last element."""
    _, begin = _element(file, 0, length)
    if begin is None:
        return 0
    file.seek(begin)
    if file.read(len(_SEGMENT)) != _SEGMENT:
        return 0
    inside, end = _element(file, begin, length)
    if end is not None:
        return end
    while inside < length:
        content, end = _element(file, inside, length)
        inside = content if end is None else end  # what has no size either is as long as its elements
    return inside


def _element(file: BinaryIO, begin: int, length: int) -> tuple[int, int | None]:
    """Where the content of an element begins and ends; None if its size is not known.

    What is none is taken as all that is left.
    """
    file.seek(begin)
    header = file.read(12)
    name = _digits(header)
    width = _digits(header[name:])
    if name > 4 or width > 8:
        return length, length
    size = int.from_bytes(header[name : name + width], "big") - (1 << 7 * width)
    content = begin + name + width
    if content > length:
        return content, content
    return content, None if size == (1 << 7 * width) - 1 else content + size


def _digits(number: bytes) -> int:
    """Of how many bytes a number is: one more than zeros before its first one; 1 where it was cut off."""
    return 9 - number[0].bit_length() if number else 1


def _y4m_end(file: BinaryIO, path: Path) -> int:
    """Where the last frame ends. Each has a line of its own."""
    with opened(path) as container:
        size = next(container.demux(video=0)).size
    file.seek(0)
    file.readline()
    while file.readline():
        file.seek(size, 1)
    return file.tell()


def _program_end(file: BinaryIO, length: int) -> int:
    """Where the last packet of a program stream ends, by its last pack."""
    tail = max(0, length - _TAIL)
    file.seek(tail)
    begin = tail + file.read().rfind(_PACK)
    while begin < length:
        file.seek(begin)
        header = file.read(14)
        code = header[:4]
        if code == _PACK:
            mpeg2 = header[4:5] >= b"\x40"
            begin += 14 + (header[13] & 7) if mpeg2 and len(header) == 14 else 14 if mpeg2 else 12
        elif code[:3] == _PACK[:3] and code >= _SYSTEM_HEADER:
            begin += 6 + int.from_bytes(header[4:6], "big")
        else:
            return 0
    return begin
