"""Where something lies elsewhere: its address, and which version of it is there."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from spikesim.addresses import is_address, without_secrets
from spikesim.brief import short
from spikesim.checks import require_path
from spikesim.errors import InvalidValueError

_SCHEMES = ("http", "https", "s3")
_LONGEST = 4096


@dataclass(frozen=True)
class Url:
    """A place that others can be found below, as with a `Path`.

    Args:
        address: `s3://BUCKET/KEY`, `https://HOST/PLACE` or `http://HOST/PLACE`. What follows a question mark is kept
            for every place below, so that an address signed for a folder works.

    Raises:
        InvalidValueError: It is none of these, or that of a bucket with credentials in it.
    """

    address: str

    def __post_init__(self) -> None:
        given = self.address
        if not isinstance(given, str) or len(given) > _LONGEST or not given.isprintable():
            told = without_secrets(given) if isinstance(given, str) else given
            raise InvalidValueError(f"an address must be printable text, got {short(told)}")
        shown = short(str(self))
        try:
            parts = urlsplit(given)
            host = parts.hostname
            parts.port  # noqa: B018 - it raises where it is no number
        except ValueError as error:
            raise InvalidValueError(f"{shown} is no address ({error})") from error
        if parts.scheme not in _SCHEMES or not host or " " in host:
            raise InvalidValueError(
                f"datasets elsewhere are read from s3://BUCKET/KEY, https://HOST/PLACE or http://HOST/PLACE, got "
                f"{shown}; copy others to this machine"
            )
        if self.is_s3 and "@" in parts.netloc:  # a name that no bucket has, and which errors of others would quote
            raise InvalidValueError(
                f"the address of a bucket holds no credentials, got some in that of {shown}; give them as to other "
                "programs, by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or ~/.aws"
            )

    @property
    def is_s3(self) -> bool:
        """Whether it is in a bucket."""
        return self.address[:3].lower() == "s3:"

    @property
    def bucket_and_key(self) -> tuple[str, str]:
        """Of what is in a bucket."""
        bucket, _, key = self.address.partition("://")[2].partition("/")
        return bucket, key

    @property
    def suffix(self) -> str:
        """Extension of the name of a file, in lower case."""
        return PurePosixPath(str(self)).suffix.lower()

    def __truediv__(self, place: str) -> "Url":
        if self.is_s3:
            return Url(f"{self.address.rstrip('/')}/{place}")
        parts = urlsplit(self.address)
        return Url(urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{quote(place)}")))

    def __repr__(self) -> str:
        return f"Url({str(self)!r})"

    def __str__(self) -> str:
        """The address without what may be a password or a signature, which no message is to show."""
        return without_secrets(self.address)


@dataclass(frozen=True)
class FileVersion:
    """Which version of a file something is of.

    Attributes:
        size: Of the whole file, in bytes.
        tag: What the server calls this version: its ETag, or the time of its last change; empty where it says neither.
    """

    size: int
    tag: str


Place = Path | Url
"""Where a dataset or a part of it lies."""


def require_place(value: Any, name: str = "path") -> Place:
    """A path, or an address given as text.

    Raises:
        InvalidValueError: It is neither.
    """
    if isinstance(value, Url):
        return value
    return Url(value) if isinstance(value, str) and is_address(value) else require_path(value, name)
