"""A folder of frames that says what they are, so that running again after an interruption finishes it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikesim.errors import OutputError
from spikesim.files import atomic_path, remove_stale_temporaries


@dataclass(frozen=True)
class FrameFolder:
    """Where frames are written, one PNG each, beside a description of what they are.

    Args:
        path: The folder.
        what: What the frames are, for messages: "interpolated frames".
        file_name: Of the description.
        frame_name: What the whole name of a frame matches.
        description: Everything that decides what the frames are, as JSON values; `schema` tells the kind.
    """

    path: Path
    what: str
    file_name: str
    frame_name: re.Pattern[str]
    description: dict[str, Any]

    def frames_there(self, overwrite: bool) -> set[str]:
        """Names of the frames in the folder that are what the description says.

        Args:
            overwrite: Whether frames of another description may be replaced; then they do not count.

        Raises:
            OutputError: The folder holds something else.
        """
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"cannot write frames to {self.path}: a file has that name; choose another")
        if not self.path.is_dir():
            return set()
        remove_stale_temporaries(self.path)
        names = {path.name for path in self.path.iterdir()}
        if not names:
            return set()
        expected = json.loads(json.dumps(self.description))
        try:
            found = json.loads((self.path / self.file_name).read_text("utf-8"))
            ours = found["schema"] == expected["schema"]
        except (OSError, ValueError, KeyError, TypeError):
            ours = False
        if not ours:
            raise OutputError(f"{self.path} exists already and is no folder of {self.what}; choose another")
        if found == expected:
            return {name for name in names if self.frame_name.fullmatch(name)}
        differing = [key for key in expected if found.get(key) != expected[key]]
        if not overwrite:
            raise OutputError(
                f"{self.path} holds frames that were made otherwise (other {', '.join(differing)}); choose another "
                "folder, or replace them with --overwrite"
            )
        return set()

    def begin(self) -> None:
        """Say what the frames of the folder are going to be; those of another description go first.

        Raises:
            OutputError: It cannot be written.
        """
        if self.path.is_dir():
            for path in self.path.iterdir():
                if self.frame_name.fullmatch(path.name):
                    path.unlink()
        with atomic_path(self.path / self.file_name) as temporary:
            temporary.write_text(json.dumps(self.description, indent=1) + "\n", "utf-8")
