"""TIFF files byte by byte, as no library here writes them."""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

Tags = Mapping[int, int | str | tuple[int, ...]]
Page = tuple[np.ndarray, Tags]


def write_tiff(path: Path, *pages: Page) -> Path:
    """An uncompressed little-endian TIFF file with a strip a page.

    Args:
        path: The file.
        pages: Pixels (H, W) or (H, W, C) each, and tags beside those that say their form, or in place of them; planes
            (C, H, W) with the tag 284.
    """
    content, link = bytearray(b"II*\0\0\0\0\0"), 4
    for pixels, more in pages:
        planes = np.moveaxis(pixels, -1, 0) if more.get(284) == 2 and pixels.ndim == 3 else pixels[None]
        starts = [len(content) + number * planes[0].nbytes for number in range(len(planes))]
        content += planes.tobytes()
        height, width, *channels = pixels.shape
        samples = channels[0] if channels else 1
        form = {256: width, 257: height, 258: (8 * pixels.itemsize,) * samples, 262: 2 if samples == 3 else 1}
        form |= {273: tuple(starts), 277: samples, 279: (planes[0].nbytes,) * len(planes)}
        entries = b""
        for tag, value in sorted((form | dict(more)).items()):
            if isinstance(value, str):
                kind, count, packed = 2, len(value) + 1, value.encode() + b"\0"
            else:
                values = value if isinstance(value, tuple) else (value,)
                kind, count, packed = 4, len(values), struct.pack(f"<{len(values)}I", *values)
            if len(packed) > 4:
                content += packed
                packed = struct.pack("<I", len(content) - len(packed))
            entries += struct.pack("<HHI", tag, kind, count) + packed.ljust(4, b"\0")
        content[link : link + 4] = struct.pack("<I", len(content))
        content += struct.pack("<H", len(entries) // 12) + entries
        link = len(content)
        content += bytes(4)
    path.write_bytes(content)
    return path
