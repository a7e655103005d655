"""What a file holds, made into a spike stream, or refused with the name of the file: shared by the formats."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.brief import short, shortened
from spikesim.camera import SpikeCamera
from spikesim.checks import require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.formats.axis_order import AXES, axis_order
from spikesim.stream import SpikeStream, check_pixels

_BLOCK_BYTES = 1 << 23  # dense bytes handled at a time: more is no faster, and memory stays small


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns what the `with` block finds wrong with a file into an error that names the file.

    It takes any exception: on damaged bytes the libraries below raise nearly all there are, down to those of Python's
    tokenizer, which numpy asks about old headers.

    Args:
        path: The file that the block reads.

    Raises:
        InputFileError: The block failed.
    """
    try:
        yield
    except InputFileError:
        raise  # which names its file, be it another
    except Exception as error:
        problem = getattr(error, "strerror", None) or shortened(str(error))
        raise InputFileError(f"cannot read {path}: {problem}") from error


def blocks(readouts: int, bytes_each: int) -> Iterator[slice]:
    """Slices that cover `range(readouts)`, each of about as many readouts as are worth handling at a time."""
    step = max(1, _BLOCK_BYTES // max(1, bytes_each))
    for start in range(0, readouts, step):
        yield slice(start, min(start + step, readouts))


def check_size(size: tuple[int, int] | None, shape: tuple[int, ...]) -> None:
    """Refuses a file that states another size than the caller expects, or one without pixels.

    Raises:
        InvalidValueError: They differ, or there are no pixels.
    """
    # Before anything is gone through: a small file may claim any number of readouts of nothing.
    check_pixels(*shape[1:])
    if size is not None and shape[1:] != size:
        raise InvalidValueError(
            f"it holds spikes of height×width {'×'.join(map(str, shape[1:]))}, not {size[0]}×{size[1]}; "
            "leave height and width out, the file knows them"
        )


def part_of(readouts: int, start: int, stop: int | None) -> slice:
    """Where the readouts start..stop−1 are among those of a file; None is its end.

    Raises:
        InvalidValueError: It has no such readouts.
    """
    start, stop = require_whole(start, "start"), readouts if stop is None else require_whole(stop, "stop")
    if not 0 <= start <= stop <= readouts:
        raise InvalidValueError(f"the readouts from start={start} to stop={stop} are not among its {readouts}")
    return slice(start, stop)


def dense_stream(
    array: Any, size: tuple[int, int] | None, axes: str | None = None, start: int = 0, stop: int | None = None
) -> SpikeStream:
    """The stream of dense 0/1 spikes, packed block by block.

    Args:
        array: Three axes; a numpy array, or what gives parts of itself by three slices as one.
        size: Height and width that the caller expects, None if any.
        axes: The order of its axes, a key of `AXES`; None for the usual one, unless something speaks for another.
        start, stop: The readouts wanted, as for `part_of`.

    Raises:
        InvalidValueError: It has another number of axes, another size, other values, or no such readouts; or its axes
            are to be said.
    """
    if len(array.shape) != 3:
        raise InvalidValueError(f"spikes have three axes, here it holds the shape {short(array.shape)}")
    if array.dtype.kind not in "biufc":
        raise InvalidValueError(f"spikes are 0 and 1, here it holds {short(array.dtype)}")
    order = AXES[axis_order(array, size) if axes is None else axes]
    shape = tuple(array.shape[axis] for axis in order)
    check_size(size, shape)
    readouts, height, width = shape
    part = part_of(readouts, start, stop)
    packed = np.empty((part.stop - part.start, height, -(-width // 8)), np.uint8)
    if not len(packed):  # of no readouts there may be any number of rows to go through
        return SpikeStream(packed, width)
    # In the order in which the file holds it, so that it is read once. Where that begins with W, eight columns are a
    # byte.
    outer = order.index(0)
    step, first = (8 if outer == 2 else 1), (part.start if outer == 0 else 0)
    for block in blocks(packed.shape[outer], step * prod(array.shape[1:]) * array.dtype.itemsize):
        wanted, place = [slice(None)] * 3, [slice(None)] * 3
        wanted[order[0]] = part
        wanted[0] = slice(first + step * block.start, first + step * block.stop)
        place[outer] = block
        packed[tuple(place)] = SpikeStream.from_dense(array[tuple(wanted)].transpose(order)).packed
    return SpikeStream(packed, width)


def packed_stream(
    packed: Any,
    shape: Any,
    camera: str,
    size: tuple[int, int] | None,
    start: int = 0,
    stop: int | None = None,
) -> SpikeStream:
    """The stream of packed spikes with the shape and the camera written beside them.

    Args:
        packed: A numpy array, or what gives parts of itself as one.
        shape: T, H, W, as the file holds it.
        camera: As JSON.
        size: Height and width that the caller expects, None if any.
        start, stop: The readouts wanted, as for `part_of`.

    Raises:
        InvalidValueError: They do not belong together, the caller expects another size, or there are no such readouts.
    """
    # The numbers are counted before any is taken: a small file may claim millions.
    lengths = [int(length) for length in shape] if np.shape(shape) == (3,) else []
    if not lengths or packed.shape != (*lengths[:2], -(-lengths[2] // 8)):
        raise InvalidValueError(
            f"its packed spikes are of shape {short(packed.shape)}, which is not a stream of shape "
            f"{short(tuple(lengths)) if lengths else f'with {np.size(shape)} numbers'}"
        )
    check_size(size, tuple(lengths))
    return SpikeStream(packed[part_of(lengths[0], start, stop)], lengths[2], camera_from_json(camera))


def at_the_end(
    write: Callable[[Path, SpikeStream], None],
) -> Callable[[Path, int, int, SpikeCamera | None], AbstractContextManager[Callable[[np.ndarray], None]]]:
    """The function `grow` of a format whose files cannot: it keeps all readouts and writes them at once.

    Args:
        write: The function of that name of the format.
    """

    @contextmanager
    def grow(path: Path, height: int, width: int, camera: SpikeCamera | None) -> Iterator[Callable[[np.ndarray], None]]:
        pieces = [np.empty((0, height, -(-width // 8)), np.uint8)]
        yield lambda packed: pieces.append(packed.copy())
        write(path, SpikeStream(np.concatenate(pieces), width, camera))

    return grow


def camera_to_json(camera: SpikeCamera | None) -> str:
    """The camera of a stream as JSON, `null` where it is not known."""
    return "null" if camera is None else camera.to_json()


def camera_from_json(text: str) -> SpikeCamera | None:
    """The camera that `camera_to_json` wrote.

    Raises:
        InvalidValueError: The text is neither `null` nor a camera.
    """
    return None if text == "null" else SpikeCamera.from_json(text)
