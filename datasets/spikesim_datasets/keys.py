"""Names of clips: a split and a name in it, together a key such as `train/GOPR0372_07_00`."""

from spikesim.checks import require_instance
from spikesim.errors import InvalidValueError


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
    """Check that these make a key which says both.

    Raises:
        InvalidValueError: They do not.
    """
    if not require_instance(split, "split", str) or "/" in split or not require_instance(name, "name", str):
        raise InvalidValueError(
            f"a clip has a split and a name, as in train/GOPR0372_07_00; got the split {split!r} and the name {name!r}"
        )
