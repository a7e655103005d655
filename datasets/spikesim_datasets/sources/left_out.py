"""What lies in the folder of a source and becomes no part of a clip: told, and never passed over in silence."""

import warnings
from collections.abc import Iterable
from pathlib import Path

from spikesim.errors import InputFileError, LeftOutWarning
from spikesim_datasets.folders import entries_of

_NOTES = (".txt", ".md", ".json", ".csv", ".yaml", ".yml", ".xml", ".html", ".pdf", ".log", ".sha256")
"""What lies beside recordings and is none."""

_SHOWN = 3


def tell_left_out(folder: Path, taken: Iterable[Path], what: str) -> None:
    """Warn of files and folders in a folder that are not taken, but for notes.

    Args:
        folder: The folder.
        taken: Those in it that are.
        what: What they would have to be, for the message: "no frame by its name".

    Raises:
        InputFileError: One is a link that leads nowhere, as those are to files that were not fetched.
    """
    left = []
    for entry in sorted(set(entries_of(folder)) - set(taken)):
        if not entry.exists():
            raise InputFileError(f"{entry} is a link that leads nowhere; fetch what it leads to, or remove it")
        if any(map(_is_no_note, entries_of(entry, "**/*") if entry.is_dir() else [entry])):
            left.append(entry.name)
    if left:
        shown = ", ".join(left[:_SHOWN]) + (", ..." if len(left) > _SHOWN else "")
        warnings.warn(f"{folder}: left out what is {what}: {shown}", LeftOutWarning, stacklevel=4)


def _is_no_note(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() not in _NOTES
