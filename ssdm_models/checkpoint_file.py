"""The file of a checkpoint: safetensors with a card in its metadata, as torch and what does without it both read it."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import safetensors

from spikesim.checks import require_path
from spikesim.errors import InputFileError
from spikesim.formats.decoding import reading
from spikesim.input_files import parse_json, require_file

CARD = "spikesim"
"""Entry of the card in the file's metadata."""

CHECKSUM = "sha256"
"""Entry of the checksum of card and tensors, there as well; older checkpoints have none."""

FORMAT = 1
"""Of cards."""


class Bytes(NamedTuple):
    """What a checksum is taken of a tensor: torch's name of its type, its shape, and its numbers."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview


def is_ours(path: str | os.PathLike[str]) -> bool:
    """Whether a file is one of safetensors, as checkpoints are, rather than of torch's, as authors' are.

    Args:
        path: The file.

    Raises:
        InvalidValueError: It is no path.
        InputFileError: It is missing or a folder.
    """
    path = require_path(path)
    if path.is_dir():
        raise InputFileError(
            f"{path} is a folder; give the file of a network in it, such as {path / 'ldn'}.safetensors"
        )
    require_file(path)
    with reading(path), path.open("rb") as file:
        return file.read(9)[8:] == b"{"  # the length of the header, then JSON


def has_checksum(path: str | os.PathLike[str]) -> bool:
    """Whether a checkpoint holds a checksum, with which it is compared when it is read; older ones hold none.

    Args:
        path: The file.

    Raises:
        InvalidValueError: It is no path.
        InputFileError: It is missing, damaged or no checkpoint.
    """
    with opened(require_path(path), "np") as file:
        return CHECKSUM in (file.metadata() or {})


def read_arrays(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The card of a checkpoint as JSON, not looked at any further, and its tensors as arrays of their shapes.

    Args:
        path: The file.

    Raises:
        InvalidValueError: It is no path.
        InputFileError: It is missing, damaged or no checkpoint.
    """
    path = require_path(path)
    with opened(path, "np") as file:
        metadata = file.metadata() or {}
        arrays: dict[str, np.ndarray] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it has no other iterator
    held = {name: Bytes(f"torch.{array.dtype}", array.shape, array.data) for name, array in arrays.items()}
    return card_of(path, metadata, held), arrays


def card_of(path: Path, metadata: Mapping[str, str], tensors: Mapping[str, Bytes]) -> dict[str, Any]:
    """The card in a checkpoint's metadata, as JSON, after the tensors have been compared with the checksum there.

    Raises:
        InputFileError: There is none, it is damaged or of another format, or the checksum differs.
    """
    if CARD not in metadata:
        raise InputFileError(f"{path} has no card that says what its tensors are: it is no checkpoint of spikesim")
    if metadata.get(CHECKSUM) not in (None, checksum(metadata[CARD], tensors)):
        raise InputFileError(
            f"{path} holds other bytes than when it was written: its checksum differs; take another copy of the "
            "checkpoint"
        )
    try:
        card: dict[str, Any] = parse_json(metadata[CARD])
        written = card.pop("format")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise damaged(path, str(error)) from error
    if written != FORMAT:
        raise InputFileError(f"{path} has a card of another format than {FORMAT}; read it with a newer spikesim")
    return card


def checksum(card: str, tensors: Mapping[str, Bytes]) -> str:
    """SHA-256 of a card and of tensors with their names, types and shapes."""
    digest = sha256(card.encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.data)
    return digest.hexdigest()


@contextmanager
def opened(path: Path, framework: Literal["pt", "np"]) -> Iterator[Any]:
    """An open file of safetensors, whose tensors are those of torch or arrays.

    Raises:
        InputFileError: It is missing or damaged, in our words.
    """
    require_file(path)
    try:
        with safetensors.safe_open(path, framework=framework) as file:
            yield file
    except safetensors.SafetensorError as error:
        raise InputFileError(
            f"the weights file {path} is truncated, damaged or no checkpoint of spikesim at all ({error}); the files "
            "that the authors of S-SDM released are read by load_released"
        ) from error
    except OSError as error:
        raise InputFileError(f"cannot read the weights file {path}: {error.strerror or error}") from error


def damaged(path: str | os.PathLike[str], problem: str) -> InputFileError:
    """The error of a card that cannot be understood."""
    return InputFileError(f"the card in {path} is damaged: {problem}; take another copy of the checkpoint")
