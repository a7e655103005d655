"""`--json`, and what each command promises to print by it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import click

from spikesim_cli.options import F


@dataclass(frozen=True)
class JsonDocument:
    """What `--json` prints, always or in one case.

    Attributes:
        keys: What each key means, with its unit. `a.b` is the key b of the object a, `a[].b` that of every object in
            the list a, and `[].b` that of every object of a list that is the whole document. `{clip}` stands for names
            that are data. `a.*` stands for what lies in a and is described elsewhere. A list of numbers or texts is one
            key.
        case: What it is printed of, in words; empty where there is no other.
    """

    keys: Mapping[str, str]
    case: str = ""


class JsonOption(click.Option):
    """`--json` of a command.

    Args:
        documents: What it prints, one for each case.
        arguments, options: As for `click.Option`.
    """

    def __init__(self, *arguments: Any, documents: tuple[JsonDocument, ...], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.documents = documents


def json_option(*documents: JsonDocument) -> Callable[[F], F]:
    """`--json`, for a command whose parameter is `as_json`.

    Args:
        documents: What it prints, one for each case.
    """
    return click.option(
        "--json", "as_json", cls=JsonOption, documents=documents, is_flag=True, help="Print the result as JSON."
    )


def documents_of(command: click.Command) -> tuple[JsonDocument, ...]:
    """What `--json` of a command prints; nothing where it has no such option."""
    return next((option.documents for option in command.params if isinstance(option, JsonOption)), ())
