"""Spike files: read and written by extension, one module a format."""

import os
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

from spikesim.errors import InvalidValueError
from spikesim.formats import dat, h5, npy, npz
from spikesim.formats.contents import reading
from spikesim.formats.sidecar import Layout
from spikesim.stream import SpikeStream

FORMATS: dict[str, ModuleType] = {".dat": dat, ".npz": npz, ".npy": npy, ".h5": h5}
"""The module of each extension: `read(path, size, **options)` and `write(path, stream, **options)`."""


def read_spikes(
    path: str | os.PathLike[str], height: int | None = None, width: int | None = None, **format_options: Any
) -> SpikeStream:
    """The spike stream in a file; the extension says the format.

    | extension | holds | options |
    |---|---|---|
    | `.dat` | the bits alone, as real cameras write them | `flip`, `header_columns` |
    | `.npz` | what `write_spikes` wrote, or one dense array | `key`, `axes` |
    | `.npy` | a dense array | `axes` |
    | `.h5` | what `write_spikes` wrote, or a dense dataset `raw_spike` (T, H, W) | |

    A `.dat` file does not know its size. It is what the caller says; else what `NAME.json` beside it says, which
    `write_spikes` wrote; else `spike_h` and `spike_w` of a SpikeCV `config.yaml` in the same folder.

    Args:
        path: The file.
        height: H, > 0, together with `width`. Only a `.dat` file needs them; elsewhere they are checked.
        width: W, > 0.
        **format_options: `flip` (bool, True): the first row on disk is the bottom of the image. `header_columns` (int,
            0): columns at the right of each row to drop; real 250×400 recordings can have 16. For these two, too,
            `NAME.json` knows better, and must not be contradicted. `key` (str): which array of several. `axes`
            (`"THW"` or `"HWT"`, `"THW"`): axis order of a dense array.

    Returns:
        The stream, (T, H, W), with the camera where the file knows it.

    Raises:
        InvalidValueError: The extension, an option or a value is not one there is, or the size of a `.dat` file is not
            known.
        InputFileError: The file is missing, damaged, or not what the size and the options say.
    """
    file = Path(path)
    read = _function(file, "read", format_options)
    if (height is None) != (width is None):
        raise InvalidValueError(f"height and width go together, got height={height} and width={width}")
    size = None
    if height is not None and width is not None:
        layout = Layout(height, width)  # refuses what is no size
        size = (layout.height, layout.width)
    with reading(file):
        file.open("rb").close()
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
        OutputError: The file cannot be written, or its description would replace a file that is something else.
    """
    file = Path(path)
    write = _function(file, "write", format_options)
    if not isinstance(stream, SpikeStream):
        raise InvalidValueError(
            f"what is written is a SpikeStream, got a {type(stream).__name__}; SpikeStream.from_dense(array) makes one"
        )
    write(file, stream, **format_options)


def require_format(path: str | os.PathLike[str]) -> ModuleType:
    """The format that a file name's extension says.

    Raises:
        InvalidValueError: There is no such format.
    """
    extension = Path(path).suffix.lower()
    if extension not in FORMATS:
        raise InvalidValueError(
            f"{path}: spike files are {', '.join(FORMATS)}, not {extension or 'without an extension'}"
        )
    return FORMATS[extension]


def _function(path: Path, name: str, options: dict[str, Any]) -> Any:
    function = getattr(require_format(path), name)
    known = [p.name for p in signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise InvalidValueError(
            f"{', '.join(unknown)}: no such option to {name} {path.suffix} files; they have {', '.join(known) or 'none'}"
        )
    return function
