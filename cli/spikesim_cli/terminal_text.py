"""Text that may hold anybody's names, made safe for a terminal."""

import unicodedata

_UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, invisible directions, bytes that are no text, ends of lines


def printable(text: str) -> str:
    """A text on one line in which everything that would control a terminal is written as an escape of Python's.

    Names of files are bytes that anybody may choose: one with an escape sequence could hide or forge what is said.
    """
    return "".join(
        letter.encode("unicode_escape").decode("ascii") if unicodedata.category(letter) in _UNSAFE else letter
        for letter in text
    )


def printable_lines(text: str) -> str:
    """As `printable`, but the lines of the text stay lines: for what was laid out by us."""
    return "\n".join(map(printable, text.split("\n")))
