"""Archives of arrays, `.npz`, that somebody else may have made."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import numpy as np

from spikesim.errors import InvalidValueError
from spikesim.input_files import require_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALL = 1 << 28  # bytes that any archive may unpack to
_MOST_RATIO = 200  # bytes unpacked for one that is there


@contextmanager
def open_npz(path: str | os.PathLike[str]) -> Iterator[Mapping[str, "NDArray[np.generic]"]]:
    """The arrays of an archive, each read when it is asked for.

    Raises:
        InputFileError: It is missing or no regular file.
        InvalidValueError: It would unpack to far more than it holds.
        Exception: Whatever numpy and zipfile raise on damaged archives; see `formats.decoding.reading`.
    """
    held = require_file(path).st_size
    # Opened here: on a damaged archive numpy would leave the file open.
    with Path(path).open("rb") as file:
        with ZipFile(file) as archive:
            declared = sum(member.file_size for member in archive.infolist())
        if declared > max(_SMALL, _MOST_RATIO * held):
            raise InvalidValueError(
                f"its {held} bytes would unpack to {declared}; if they are meant to, unpack it (unzip) and give the "
                ".npy file in it"
            )
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            yield arrays
