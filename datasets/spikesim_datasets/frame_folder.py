"""A folder of frames that says what they are, so that running again after an interruption finishes it."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from spikesim.errors import InputFileError, OutputError
from spikesim.files import atomic_path, remove_stale_temporaries
from spikesim.input_files import read_json
from spikesim.locks import LOCK, locked


@dataclass(frozen=True)
class FrameFolder:
    """Where frames are written, one PNG each, and beside it a description of what they are.

    The description of `frames/` is `frames.json`: other programs take all that lies in the folder for frames.

    Args:
        path: The folder.
        what: What the frames are, for messages: "interpolated frames".
        inside: What earlier versions called the description, which they wrote into the folder.
        frame_name: What the whole name of a frame matches.
        description: Everything that decides what the frames are, as JSON values; `schema` tells the kind.
    """

    path: Path
    what: str
    inside: str
    frame_name: re.Pattern[str]
    description: dict[str, Any]

    @property
    def beside(self) -> Path:
        """The description."""
        return Path(f"{self.path.resolve()}.json")

    def locked(self) -> AbstractContextManager[None]:
        """Keep the folder for this process; see `spikesim.locks.locked`."""
        self._refuse_file()
        return locked(self.path)

    def frames_there(self, overwrite: bool) -> set[str]:
        """Names of the frames in the folder that are what the description says.

        Args:
            overwrite: Whether frames of another description may be replaced; then they do not count.

        Raises:
            OutputError: The folder holds something else, or what lies beside it under the description's name is none.
        """
        self._refuse_file()
        described = self._described()
        if not self.path.is_dir():
            return set()
        remove_stale_temporaries(self.path)
        names = {path.name for path in self.path.iterdir()} - {LOCK}
        if not names:
            return set()
        if described is None:
            raise OutputError(f"{self.path} exists already and is no folder of {self.what}; choose another")
        expected = json.loads(json.dumps(self.description))
        if described == expected:
            return {name for name in names if self.frame_name.fullmatch(name)}
        differing = [key for key in {**expected, **described} if described.get(key) != expected.get(key)]
        if not overwrite:
            raise OutputError(
                f"{self.path} holds frames that were made otherwise (other {', '.join(differing)}); choose another "
                "folder, or replace them with --overwrite"
            )
        return set()

    def begin(self, kept: set[str], overwrite: bool) -> Callable[[], None] | None:
        """Say what the frames of the folder are going to be; all but those that are kept go first.

        Args:
            kept: Names of frames that stay.
            overwrite: As for `frames_there`.

        Returns:
            Where frames of another description may be replaced, nothing is done yet, and this does it: to be called
            when the first new frame is whole, before it has its name, so that what fails earlier loses nothing.

        Raises:
            OutputError: It cannot be written.
        """
        if overwrite and not kept:
            return partial(self._begin, kept)
        self._begin(kept)
        return None

    def _begin(self, kept: set[str]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        for path in self.path.iterdir():
            if self.frame_name.fullmatch(path.name) and path.name not in kept:
                path.unlink()
        with atomic_path(self.beside) as temporary:
            temporary.write_text(json.dumps(self.description, indent=1) + "\n", "utf-8")
        (self.path / self.inside).unlink(missing_ok=True)

    def _described(self) -> dict[str, Any] | None:
        """What the frames in the folder are; None where nothing of ours says so."""
        beside = self._read(self.beside)
        if beside is None and self.beside.exists():
            raise OutputError(
                f"{self.beside} exists already and does not describe {self.what}; it is where those of {self.path} "
                "are described, so choose another folder"
            )
        return self._read(self.path / self.inside) if beside is None else beside

    def _read(self, path: Path) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = read_json(path)
            return found if found["schema"] == self.description["schema"] else None
        except (InputFileError, KeyError, TypeError):
            return None

    def _refuse_file(self) -> None:
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"cannot write frames to {self.path}: a file has that name; choose another")
