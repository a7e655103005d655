"""Files that `torch.save` wrote, or that somebody says it wrote: bounded, and without running anything of them."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from zipfile import ZIP_STORED, ZipFile

import torch

from spikesim.errors import InvalidValueError
from spikesim.input_files import require_file
from spikesim_datasets.torch_tools.pickle_check import check_pickle

_ARCHIVE = b"PK\x03\x04"
_PROGRAM = "constants.pkl"  # a record that torch.jit.save writes, and torch.save does not
_OLD_PICKLES = 5  # with which files begin that are no archives; the values of tensors follow


def load_torch_file(path: Path, also: Sequence[Any] = ()) -> Any:
    """What `torch.save` wrote, on the CPU: tensors, numbers, text, and what holds them.

    Args:
        path: The file.
        also: Classes that it may hold beside.

    Raises:
        InputFileError: It is missing or no regular file.
        InvalidValueError: It would take boundless time or memory to read.
        Exception: Whatever torch, pickle and zipfile raise on damaged files, and on those that would have something
            called.
    """
    size = require_file(path).st_size
    with path.open("rb") as file, torch.serialization.safe_globals(list(also)):
        readable: BinaryIO = file
        if file.read(len(_ARCHIVE)) == _ARCHIVE:
            readable = _checked_archive(file, size)
        else:
            file.seek(0)
            for _ in range(_OLD_PICKLES):
                check_pickle(file)
        readable.seek(0)
        return torch.load(readable, map_location="cpu", weights_only=True)


def has_checksums(path: Path) -> bool:
    """Whether a file is an archive, as torch writes since 1.6, whose records have checksums that reading compares."""
    with path.open("rb") as file:
        return file.read(len(_ARCHIVE)) == _ARCHIVE


def _checked_archive(file: BinaryIO, size: int) -> BinaryIO:
    """The records of an archive, whose checksums are right, in one that this process made.

    An archive can be made so that two readers find other records in it. torch meets what was looked at here.
    """
    copy = BytesIO()
    with ZipFile(file) as archive, ZipFile(copy, "w") as checked:
        records = {record.filename: record for record in archive.infolist()}
        if any(PurePosixPath(name).name == _PROGRAM for name in records):
            raise InvalidValueError(
                "it is TorchScript, a program with its tensors in it; give a file of tensors alone, as torch.save "
                "writes them"
            )
        declared = sum(record.file_size for record in records.values())
        if declared > size or any(record.compress_type != ZIP_STORED for record in records.values()):
            raise InvalidValueError(
                f"its {size} bytes would unpack to {declared}, and torch.save packs nothing; if you trust it, load "
                "it with torch and save it again"
            )
        for record in records.values():
            content = archive.read(record)
            if record.filename.lower().endswith(".pkl"):  # torch finds its own by either case
                check_pickle(BytesIO(content))
            checked.writestr(record.filename, content)
    return copy
