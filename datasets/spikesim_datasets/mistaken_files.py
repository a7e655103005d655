"""Files whose name promises something else than they hold."""

from pathlib import Path

_BEGINNING = 512  # bytes
_POINTER = b"version https://git-lfs.github.com/spec/"
_LISTS = "#extm3u", "ffconcat version"


def mistaken(path: Path) -> str:
    """What a file is that is no image or video, to be added to a message: " (it is text)"; empty if nobody knows."""
    try:
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING)
    except OSError:
        return ""
    if beginning.startswith(_POINTER):
        return " (it is a pointer of Git LFS; `git lfs pull` fetches the file itself)"
    if not beginning or any(byte < 32 and byte not in b"\t\n\r\f" for byte in beginning):
        return ""
    try:
        # The last character may be cut.
        text = beginning.decode("utf-8", "strict" if len(beginning) < _BEGINNING else "ignore").lstrip().lower()
    except UnicodeDecodeError:
        return ""
    if text.startswith(_LISTS):
        return " (it is a list of other files; give these themselves)"
    return " (it is a web page)" if text.startswith(("<!doctype html", "<html")) else " (it is text)"
