"""Folders that a conversion is filling: they say so until they are whole, and the same conversion finishes them.

The file that describes a whole folder (`dataset.json`, `spikesim.json`) is there from the beginning, with another
schema: whoever wants to read the folder has to read it, and finds that there is nothing whole to read yet.
"""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from spikesim.errors import InputFileError, OutputError
from spikesim.files import atomic_path, remove_stale_temporaries
from spikesim.input_files import read_json
from spikesim.locks import LOCK

OF_DATASET = "dataset.json"
"""Describes a whole dataset."""

OF_LAYOUT = "spikesim.json"
"""Describes a whole layout."""

_SCHEMA = "spikesim.conversion/1"
_HEAD = f'{{"schema": "{_SCHEMA}"'


@dataclass(frozen=True)
class Conversion:
    """What is converted; equal ones give equal folders.

    Attributes:
        source: Where it lies, for messages.
        sha256: Of names, sizes and times of change of its files, and of what else decides the result.
    """

    source: str
    sha256: str

    @classmethod
    def of(cls, source: Path, files: Iterable[Path], choices: Any) -> Self:
        """The conversion of a folder.

        Args:
            source: The folder.
            files: What is read of it.
            choices: What else decides the result, as JSON values.
        """
        digest = hashlib.sha256(json.dumps(choices, sort_keys=True).encode())
        for file in files:
            with suppress(FileNotFoundError):  # which reading it will tell
                state = file.stat()
                digest.update(f"\n{file.relative_to(source)} {state.st_size} {state.st_mtime_ns}".encode())
        return cls(str(source), digest.hexdigest())

    @property
    def recipe(self) -> dict[str, Any]:
        """What the description of a whole folder holds of it, under `recipe`."""
        return {"conversion": {"source": self.source, "sha256": self.sha256}}

    def begin(self, out: Path, description: str) -> bool:
        """Say in a folder, which this process has locked, that it is being filled.

        Args:
            out: The folder.
            description: Name of the file that describes it once it is whole.

        Returns:
            Whether it was whole already, unless files have been taken from it since.

        Raises:
            OutputError: It holds something else.
        """
        remove_stale_temporaries(out)
        path = out / description
        found = _read(path)
        if found.get("recipe", {}).get("conversion", {}).get("sha256") == self.sha256:
            return found.get("schema") != _SCHEMA
        if found.get("schema") == _SCHEMA:
            raise OutputError(
                f"{out} holds the beginning of another conversion, or of a source that has changed since; choose "
                "another folder, or remove it"
            )
        if any(place.name != LOCK for place in out.iterdir()):
            raise OutputError(f"{out} exists already and is not an empty folder; choose another")
        with atomic_path(path) as temporary:
            temporary.write_text(f"{_HEAD}, {json.dumps({'recipe': self.recipe})[1:]}\n", "utf-8")
        return False


def refuse_unfinished(folder: Path) -> None:
    """Refuse a folder that a conversion has begun to fill, as a dataset or as a layout, and has not finished.

    Raises:
        InputFileError: It is one, or that cannot be seen.
    """
    for description in (folder / OF_DATASET, folder / OF_LAYOUT):
        if description.is_file() and _is_mark(description):
            raise InputFileError(
                f"{folder} is what a conversion has begun and not finished; run the same `spikesim convert` again, "
                "which goes on where it stopped"
            )


def _is_mark(description: Path) -> bool:
    """Whether a file is there in place of a description, until there is something whole to describe."""
    try:
        with description.open("rb") as file:
            return file.read(len(_HEAD)) == _HEAD.encode()
    except OSError as error:
        raise InputFileError(f"cannot read {description}: {error.strerror or error}") from error


def _read(path: Path) -> dict[str, Any]:
    """What a description says; nothing where there is none."""
    if path.is_file():
        with suppress(InputFileError, KeyError, TypeError, AttributeError):
            found = read_json(path)
            if isinstance(found["recipe"].get("conversion", {}), dict):
                return dict(found)
    return {}
