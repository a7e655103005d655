"""Spike files: read and written by extension, one module a format."""

import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.checks import require_instance, require_path
from spikesim.errors import InvalidValueError, OutputError
from spikesim.files import write_error
from spikesim.formats import dat, h5, npy, npz
from spikesim.formats.sidecar import DatLayout
from spikesim.input_files import require_file
from spikesim.stream import SpikeStream, require_stream

FORMATS: dict[str, ModuleType] = {".dat": dat, ".npz": npz, ".npy": npy, ".h5": h5}
"""The module of each extension: `read(path, size, **options)`, `write(path, stream, **options)`, `has_checksum(path)`;
of those that can grow, also `grow(path, height, width, camera, **options)`."""


def read_spikes(
    path: str | os.PathLike[str], height: int | None = None, width: int | None = None, **format_options: Any
) -> SpikeStream:
    """The spike stream in a file; the extension says the format.

    | extension | holds | options |
    |---|---|---|
    | `.dat` | the bits alone, as real cameras write them | `flip`, `header_columns`, `start`, `stop` |
    | `.npz` | what `write_spikes` wrote, or one dense array | `key`, `axes`, `start`, `stop` |
    | `.npy` | a dense array | `axes`, `start`, `stop` |
    | `.h5` | what `write_spikes` wrote, or a dense dataset `raw_spike` | `axes`, `start`, `stop` |

    A `.dat` file does not know its size. It is what the caller says; else what `NAME.json` beside it says, which
    `write_spikes` wrote; else `spike_h` and `spike_w` of a SpikeCV `config.yaml` in the same folder or one above.

    Args:
        path: The file.
        height: H, > 0, together with `width`. Only a `.dat` file needs them; elsewhere they are checked.
        width: W, > 0.
        **format_options: `flip` (bool, True): the first row on disk is the bottom of the image. `header_columns` (int,
            0): columns at the right of each row to drop; real 250×400 recordings can have 16. For these two, too,
            `NAME.json` knows better, and must not be contradicted. `start` (int, 0) and `stop` (int, None for the end):
            only the readouts start..stop−1; of `.dat`, `.npy` and `.h5` the rest is not touched. `key` (str): which
            array of several. `axes` (`"THW"`, `"HWT"`, `"TWH"` or `"WHT"`): axis order of a dense array. Where it is
            not said, T, H, W is taken, unless another order gives the size of a known sensor, or the spikes themselves
            speak for another: then it has to be said.

    Returns:
        The stream, (T, H, W), with the camera where the file knows it.

    Raises:
        InvalidValueError: The extension, an option or a value is not one there is, or the size of a `.dat` file is not
            known.
        InputFileError: The file is missing, damaged, or not what the size and the options say.
    """
    file = require_path(path)
    read = _function(file, "read", format_options)
    if (height is None) != (width is None):
        raise InvalidValueError(f"height and width go together, got height={height} and width={width}")
    size = None
    if height is not None and width is not None:
        layout = DatLayout(height, width)  # refuses what is no size
        size = (layout.height, layout.width)
    require_file(file)
    stream: SpikeStream = read(file, size, **format_options)
    return stream


def write_spikes(path: str | os.PathLike[str], stream: SpikeStream, **format_options: Any) -> None:
    """Writes a spike stream to a file that `read_spikes` reads back equal; the extension says the format.

    `.dat` (the camera's format, with a description `NAME.json` beside it), `.npz` and `.h5` (packed) keep the camera;
    `.npy` is dense uint8 (T, H, W) without it. Missing folders are made; a file under its final name is whole.

    Args:
        path: The file; an existing one is replaced.
        stream: The spikes.
        **format_options: Of `.dat`: `flip` (bool, True): the bottom row of the image comes first on disk.
            `header_columns` (int, 0): empty columns to add at the right of each row. `describe` (bool, True): whether
            to write `NAME.json` beside it; some tools of the field take every file of a folder for spikes.

    Raises:
        InvalidValueError: The extension, an option or a value is not one there is, or `stream` is no stream.
        OutputError: The file cannot be written, or its description would be that of another file as well, or replace
            one that is something else.
    """
    file = require_path(path)
    write = _function(file, "write", format_options)
    write(file, require_stream(stream), **format_options)


class SpikeWriter:
    """A spike file that grows: a stream longer than memory, written piece by piece.

        with SpikeWriter("long.dat", 250, 400, camera) as writer:
            for light in pieces:
                writer.append(simulator.push(light))

    The file has its name only once the block has ended well; if it ends by an exception, what was there before is
    untouched. `write_spikes` writes the same spikes at once; `read_spikes(path, start=..., stop=...)` reads a part.
    Only `.dat` and `.h5` grow on the disk; the spikes of an `.npz` or `.npy` stay in memory until the end.

    Args:
        path: The file; an existing one is replaced.
        height: H, > 0.
        width: W, > 0.
        camera: The camera that makes the spikes, None where it is not known.
        **format_options: As for `write_spikes`.

    Attributes:
        readouts, spikes: How many have been written.

    Raises:
        InvalidValueError: The extension, an option or a value is not one there is.
        OutputError: When the block begins or ends: as for `write_spikes`.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        height: int,
        width: int,
        camera: SpikeCamera | None = None,
        **format_options: Any,
    ) -> None:
        self._path = require_path(path)
        grow = _function(self._path, "grow", format_options)
        layout = DatLayout(height, width)  # refuses what is no size
        self.shape = layout.height, layout.width
        self.camera = None if camera is None else require_instance(camera, "camera", SpikeCamera)
        self.readouts = self.spikes = 0
        self._file = grow(self._path, *self.shape, camera, **format_options)
        self._append: Callable[[np.ndarray], None] | None = None

    def __enter__(self) -> Self:
        self._append = self._file.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._append = None
        # What went wrong in the block is the caller's to see, not what the unfinished file makes of it.
        with suppress(OutputError) if error is not None else nullcontext():
            self._file.__exit__(kind, error, trace)

    def append(self, stream: SpikeStream) -> None:
        """Writes the readouts of a stream behind those written so far.

        Args:
            stream: Spikes (T, H, W) of the size of the file.

        Raises:
            InvalidValueError: It is no stream, of another size or another camera, or the file is not open.
            OutputError: The disk did not take it.
        """
        require_stream(stream)
        if self._append is None:
            raise InvalidValueError(f"{self._path} is not open; append inside the `with` block of its SpikeWriter")
        if stream.shape[1:] != self.shape:
            raise InvalidValueError(
                f"{self._path} holds readouts of height×width {self.shape[0]}×{self.shape[1]}, the stream to append is "
                f"{stream.shape[1]}×{stream.shape[2]}"
            )
        if None not in (stream.camera, self.camera) and stream.camera != self.camera:
            raise InvalidValueError(
                f"{self._path} holds the spikes of one camera, and the stream to append is of another; write that to a "
                f"file of its own. Expected {self.camera}, got {stream.camera}"
            )
        try:
            self._append(stream.packed)
        except OSError as error:
            raise write_error(self._path, error) from error
        self.readouts += len(stream)
        self.spikes += int(np.bitwise_count(stream.packed).sum(dtype=np.int64))


def require_format(path: str | os.PathLike[str]) -> ModuleType:
    """The format that a file name's extension says.

    Raises:
        InvalidValueError: There is no such format.
    """
    extension = require_path(path).suffix.lower()
    if extension not in FORMATS:
        raise InvalidValueError(
            f"{path}: spike files are {', '.join(FORMATS)}, not {extension or 'without an extension'}"
        )
    return FORMATS[extension]


def options_of(spike_format: ModuleType, name: str) -> list[str]:
    """The options that a format's function of this name takes."""
    parameters = signature(getattr(spike_format, name)).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


def _function(path: Path, name: str, options: dict[str, Any]) -> Any:
    spike_format = require_format(path)
    known = options_of(spike_format, name)
    if unknown := sorted(set(options) - set(known)):
        raise InvalidValueError(
            f"{', '.join(unknown)}: no such option to {name} {path.suffix} files; "
            f"they have {', '.join(known) or 'none'}"
        )
    return getattr(spike_format, name)
