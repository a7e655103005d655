"""`.dat`, the format of real spike cameras: the bits of one readout after the other, and nothing else.

Readouts are row-major, eight pixels a byte, least significant bit first, stored upside down as the sensor reads them,
each padded to whole bytes:

    np.packbits(spikes[:, ::-1].reshape(T, -1), axis=1, bitorder="little")
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.checks import require_flag, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.files import atomic_path, flush_to_disk
from spikesim.formats.decoding import blocks, part_of, reading
from spikesim.formats.known_sizes import KNOWN_SIZES
from spikesim.formats.sidecar import DatLayout, Sidecar, check_replaceable, spikecv_size
from spikesim.stream import SpikeStream


def read(
    path: Path,
    size: tuple[int, int] | None,
    *,
    flip: bool | None = None,
    header_columns: int | None = None,
    start: int = 0,
    stop: int | None = None,
) -> SpikeStream:
    """The stream in a `.dat` file; see `spikesim.read_spikes`."""
    with reading(path):
        length = path.stat().st_size
    sidecar = Sidecar.read(path)
    given = _given(flip, header_columns)
    if size is not None:
        given |= {"height": size[0], "width": size[1]}
    if sidecar is not None:
        sidecar.check_given(path, given)
        layout = sidecar.layout
    else:
        layout = _bare_layout(path, length, given)
    readouts, rest = divmod(length, layout.readout_bytes)
    if rest:
        raise InputFileError(
            f"{path} has {length} bytes, no multiple of the {layout.readout_bytes} bytes of a readout of "
            f"{layout.height}×{layout.width} with {layout.header_columns} header columns: the size is wrong, or the "
            f"file is cut short. {_suggestion(length)}"
        )
    if sidecar is not None and readouts != sidecar.readouts:
        raise InputFileError(
            f"{path} holds {readouts} readouts, but {Sidecar.path(path).name} beside it says {sidecar.readouts}: "
            "the file is cut short, or the description is of another file"
        )
    with reading(path), path.open("rb") as file:
        part = part_of(readouts, start, stop)
        packed = np.empty((part.stop - part.start, layout.height, -(-layout.width // 8)), np.uint8)
        file.seek(part.start * layout.readout_bytes)
        # One buffer for all blocks: it stays in the cache, and its memory is asked for once.
        steps = list(blocks(len(packed), layout.height * layout.row_bits))
        known = sidecar.crc32 if sidecar is not None and len(packed) == readouts else None  # of a part none is known
        crc = 0
        buffer = np.empty((steps[0].stop if steps else 0, layout.readout_bytes), np.uint8)
        for block in steps:
            raw = buffer[: block.stop - block.start]
            if file.readinto(raw.data) != raw.nbytes:
                raise InvalidValueError("it became shorter while it was read")
            if known is not None:
                crc = crc32(raw.data, crc)
            packed[block] = _from_disk(raw, layout)
        if known not in (None, crc):
            raise InvalidValueError(
                f"it has other bytes than when it was written: its checksum differs from that in "
                f"{Sidecar.path(path).name}; get it, or make it, again"
            )
    return SpikeStream(packed, layout.width, sidecar.camera if sidecar else None)


def has_checksum(path: Path) -> bool:
    """Whether damage shows when a whole file is read: whether its description holds its checksum."""
    sidecar = Sidecar.read(path)
    return sidecar is not None and sidecar.crc32 is not None


def write(
    path: Path,
    stream: SpikeStream,
    *,
    flip: bool | None = None,
    header_columns: int | None = None,
    describe: bool = True,
) -> None:
    """Writes a stream and, unless told not to, its description beside it; see `spikesim.write_spikes`."""
    _, height, width = stream.shape
    with grow(
        path, height, width, stream.camera, flip=flip, header_columns=header_columns, describe=describe
    ) as append:
        append(stream.packed)


@contextmanager
def grow(
    path: Path,
    height: int,
    width: int,
    camera: SpikeCamera | None,
    *,
    flip: bool | None = None,
    header_columns: int | None = None,
    describe: bool = True,
) -> Iterator[Callable[[np.ndarray], None]]:
    """Opens a file like that of `write`, and gives the function that adds packed readouts to its end."""
    layout = DatLayout(height, width, **_given(flip, header_columns))
    describe = require_flag(describe, "describe")
    description = Sidecar.path(path)
    check_replaceable(path, describe)
    with ExitStack() as stack:
        new_description = stack.enter_context(atomic_path(description)) if describe else None
        new_spikes = stack.enter_context(atomic_path(path))
        with new_spikes.open("xb") as file:
            crc = 0
            room = np.zeros((0, layout.height, layout.row_bits // 8), np.uint8)

            def append(packed: np.ndarray) -> None:
                nonlocal room, crc
                for block in blocks(len(packed), layout.height * layout.row_bits):
                    if len(room) < block.stop - block.start:
                        room = np.zeros((block.stop - block.start, *room.shape[1:]), np.uint8)
                    raw = _to_disk(packed[block], layout, room).data
                    file.write(raw)
                    crc = crc32(raw, crc)

            yield append
            readouts = file.tell() // layout.readout_bytes
        if new_description is not None:
            new_description.write_text(Sidecar(readouts, layout, camera, crc).to_json(), encoding="utf-8")
        # Two files cannot be renamed at once: a kill in between must not leave new spikes with the old description.
        flush_to_disk(new_spikes)  # the slow part, while the old description is still there
        description.resolve().unlink(missing_ok=True)


def _given(flip: bool | None, header_columns: int | None) -> dict[str, Any]:
    """The options of a layout that the caller gives, checked."""
    given: dict[str, Any] = {}
    if flip is not None:
        given["flip"] = require_flag(flip, "flip")
    if header_columns is not None:
        given["header_columns"] = require_whole(header_columns, "header_columns", 0)
    return given


def _bare_layout(path: Path, length: int, given: dict[str, Any]) -> DatLayout:
    """The layout of a file with no description beside it."""
    if length == 0:
        raise InputFileError(f"{path} is empty; a recording has at least one readout")
    if "height" not in given:
        size = spikecv_size(path.parent)
        if size is None:
            raise InvalidValueError(f"the size of {path} is not known: give height and width. {_suggestion(length)}")
        given = given | {"height": size[0], "width": size[1]}
    return DatLayout(**given)


def _from_disk(raw: np.ndarray, layout: DatLayout) -> np.ndarray:
    """Packed spikes (n, H, ceil(W/8)) of readouts as they are on disk, (n, readout_bytes)."""
    if layout.row_bits % 8 == 0:
        packed = raw.reshape(len(raw), layout.height, -1)[..., : -(-layout.width // 8)]
        if layout.width % 8:
            packed[..., -1] &= (1 << layout.width % 8) - 1  # the rest of that byte are header columns
    else:
        bits = np.unpackbits(raw, axis=1, count=layout.height * layout.row_bits, bitorder="little")
        rows = bits.reshape(len(raw), layout.height, layout.row_bits)
        packed = np.packbits(rows[..., : layout.width], axis=2, bitorder="little")
    return packed[:, ::-1] if layout.flip else packed


def _to_disk(packed: np.ndarray, layout: DatLayout, room: np.ndarray) -> np.ndarray:
    """Readouts as they are on disk, (n, ...) bytes, of packed spikes (n, H, ceil(W/8)).

    `room`, of as many rows of whole bytes or more, is where most of them are put: new memory would cost more than the
    copy. Its header columns are 0.
    """
    if layout.flip:
        packed = packed[:, ::-1]
    if layout.row_bits % 8 == 0:
        rows = room[: len(packed)]
        rows[..., : packed.shape[2]] = packed
        return rows
    bits = np.zeros((*packed.shape[:2], layout.row_bits), np.uint8)
    bits[..., : layout.width] = np.unpackbits(packed, axis=2, count=layout.width, bitorder="little")
    return np.packbits(bits.reshape(len(bits), -1), axis=1, bitorder="little")


def _suggestion(length: int) -> str:
    fitting = [
        f"{height}×{width} ({length // readout_bytes} readouts)"
        for height, width in KNOWN_SIZES
        if length % (readout_bytes := DatLayout(height, width).readout_bytes) == 0
    ]
    if not fitting:
        return "None of the known sizes would fit"
    return f"Known sizes (height×width) that would fit: {', '.join(fitting)}"
