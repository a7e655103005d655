"""Names of clips: a split and a name in it, together a key such as `train/GOPR0372_07_00`."""

import unicodedata

from spikesim.checks import require_instance
from spikesim.errors import InvalidValueError
from spikesim_datasets.folders import is_junk

_CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # control characters, bytes that are not UTF-8, ends of lines and paragraphs
_DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_LONGEST = 200  # bytes: what is appended to it, as .000.h5, must fit into a file name as well


class Keyed:
    """What belongs to a clip.

    Attributes:
        split: Of the clip, `train` or `test`.
        name: Of the clip in its split.
    """

    split: str
    name: str

    @property
    def key(self) -> str:
        """Split and name of the clip as one word, unique in a dataset: `train/GOPR0372_07_00`."""
        return f"{self.split}/{self.name}"


def parse_key(key: str, split: str | None = None) -> tuple[str, str]:
    """Split and name of a clip, where a file holds only its key.

    Args:
        key: Of the clip.
        split: Where the file says that, too.

    Raises:
        InvalidValueError: It is no key, or one of another split.
    """
    found, _, name = require_instance(key, "key", str).partition("/")
    check_clip(found, name)
    if split not in (None, found):
        raise InvalidValueError(f"the clip {key!r} is not of the split {split!r}")
    return found, name


def check_clip(split: str, name: str) -> None:
    """Check that these make a key which says both, and that files can be named by: the one place where that is decided.

    Raises:
        InvalidValueError: They do not.
    """
    if not require_instance(split, "split", str) or "/" in split or not require_instance(name, "name", str):
        raise InvalidValueError(
            f"a clip has a split and a name, as in train/GOPR0372_07_00; got the split {split!r} and the name {name!r}"
        )
    for part in (split, *name.split("/")):
        if why := _unfit(part):
            raise InvalidValueError(f"no clip can be called {f'{split}/{name}'!r}: {why}; rename its file or folder")


def check_place(path: str) -> str:
    """The path of a shard in its dataset, that a file gives: where a dataset's shards are looked for, and nowhere else.

    Raises:
        InvalidValueError: It is none, or not relative, or has other than forward slashes.
    """
    parts = require_instance(path, "the path of a shard", str).split("/")
    for part in parts:
        if why := _unfit(part, longest=255):
            raise InvalidValueError(f"{path!r} is no path in a dataset: {why}")
    if len(parts) < 2 or not path.endswith(".h5"):
        raise InvalidValueError(f"{path!r} is no path in a dataset: a shard has one like train/GOPR0372_07_00.000.h5")
    return path


def _unfit(part: str, longest: int = _LONGEST) -> str:
    """Why neither a file nor a folder is to be called so; empty if it may be."""
    if not part:
        return "a name in it is empty"
    if part.startswith("."):  # which is how . and .. lead elsewhere
        return "what begins with a dot is hidden, and skipped by all that read folders"
    if is_junk(part):
        return "file managers call their notes so, which are skipped by all that read folders"
    if any(unicodedata.category(letter) in _CONTROLS or letter in _DIRECTIONS for letter in part):
        return "it holds characters that control a terminal or are no text"
    if len(part.encode()) > longest:
        return f"a name in it is longer than {longest} bytes"
    return ""
