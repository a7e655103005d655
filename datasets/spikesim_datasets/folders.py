"""What a folder holds, but for what systems leave in folders: the one place that says what that is."""

from contextlib import suppress
from pathlib import Path

_JUNK = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "icon\r"}
"""Notes of file managers and what comes out of their archives; others begin with a dot."""


def is_junk(name: str) -> bool:
    """Whether a file or folder of this name is hidden or a note of a file manager: `.DS_Store`, `._NAME`, Thumbs.db."""
    return name.startswith(".") or name.lower() in _JUNK


def names_in(folder: Path) -> list[str]:
    """Names of what a folder holds, sorted, but for junk: of thousands of frames, far sooner than their paths.

    None of one that may not be read.
    """
    with suppress(PermissionError):
        return sorted(path.name for path in folder.iterdir() if not is_junk(path.name))
    return []


def entries_of(folder: Path, pattern: str = "*") -> list[Path]:
    """What a folder holds that matches a pattern of `Path.glob`, by name; nothing that is junk, or lies in junk."""
    found = sorted(folder.glob(pattern))
    return [path for path in found if not any(map(is_junk, path.relative_to(folder).parts))]
