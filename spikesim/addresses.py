"""Addresses of what lies elsewhere: how they are told from paths, and what of them is never shown or stored."""

import re
import shlex
import sys

# Where one has become a `Path`, a slash is lost.
_BEGINNING = r"([A-Za-z][A-Za-z0-9+.-]*://|(?:s3|https?):/)"
_ADDRESS = re.compile(_BEGINNING, re.IGNORECASE)
_USER = re.compile(rf"{_BEGINNING}[^/?#]*@", re.IGNORECASE)
_QUERY = re.compile(r"(https?:/[^?#]*)[?#].*", re.IGNORECASE | re.DOTALL)


def is_address(text: str) -> bool:
    """Whether a text names a place elsewhere, such as `s3://BUCKET/KEY`, and no path."""
    return _ADDRESS.match(text) is not None


def without_secrets(text: str) -> str:
    """A text with an address in it, without what may be a password or a signature.

    That is all before an `@` of its host, and on the web all from a question mark or a `#` on.
    """
    return _QUERY.sub(r"\1", _USER.sub(r"\1", text))


def command_line(program: str) -> str:
    """The command that this process runs, as a shell takes it, without secrets of addresses.

    Args:
        program: What it is called.
    """
    return shlex.join([program, *map(without_secrets, sys.argv[1:])])
