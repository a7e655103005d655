"""The reference of the command line, made from the commands themselves: docs/commands.md.

`python -m spikesim_cli.command_reference docs/commands.md` writes it; a test compares the file with what it would be.
"""

import inspect
import re
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path

import click

from spikesim_cli.json_option import JsonDocument, documents_of
from spikesim_cli.main import COMMANDS, EXIT_CODES, cli
from spikesim_cli.options import PathType

_HEAD = """\
# Commands

<!-- Made by `make reference` from the commands; do not edit. -->

Every command of `spikesim` with its options, as its help says, and what `--json` prints. Results go to stdout; progress
and messages go to stderr.
"""
_JSON = """\
With `--json`, stdout is one JSON document and nothing else; on bad input nothing is printed there. The keys are
described below for each command, and later versions may add some.

`a.b` is the key b of the object a, `a[].b` that of every object in the list a, and `[].b` that of every object in a
list that is the whole document. `{clip}` stands for names that are data. `a.*` stands for what lies in a and is
described elsewhere. A list of numbers or texts is one key. Paths are texts. A number that JSON does not have, such as
an infinite PSNR, is null.
"""


def reference() -> str:
    """The page, as Markdown."""
    commands = [(name, _command(name)) for name in COMMANDS]
    index = [_wrapped(f"- [`{name}`](#{name}): {_text(_sentence(command))}", indent="  ") for name, command in commands]
    codes = _table(("exit code", "meaning"), ((f"`{code}`", meaning) for code, meaning in EXIT_CODES.items()))
    own = _options(cli, click.Context(cli, info_name="spikesim"))
    return "\n".join(
        [
            *(_HEAD, *index, ""),
            *("## All commands", "", "`-h` or `--help` prints a command's help. `spikesim` itself takes:", "", own),
            *("## Exit codes", "", codes, "## JSON", "", _JSON),
            "\n".join(_section(name, command) for name, command in commands).rstrip(),
            "",
        ]
    )


def _command(name: str) -> click.Command:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return command


def _paragraphs(command: click.Command) -> tuple[list[str], list[str]]:
    """The paragraphs of a command's help, and the examples that it ends with."""
    *paragraphs, examples = inspect.cleandoc(command.help or "").split("\n\n")
    marked, _, *lines = examples.splitlines()
    assert marked == "\b", f"the help of {command.name} does not end with examples"
    return [" ".join(paragraph.split()) for paragraph in paragraphs], [line.strip() for line in lines]


def _sentence(command: click.Command) -> str:
    """The first sentence of a command's help."""
    return re.split(r"(?<=\.) ", _paragraphs(command)[0][0])[0]


def _section(name: str, command: click.Command) -> str:
    """All there is to say of a command."""
    context = click.Context(command, info_name=f"spikesim {name}")
    paragraphs, examples = _paragraphs(command)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    found = [f"## {name}", "", *(line for text in paragraphs for line in (_wrapped(_text(text)), ""))]
    found += ["```text", usage, "```", "", *filter(None, [_arguments(command, context), _options(command, context)])]
    found += [_document(document) for document in documents_of(command)]
    return "\n".join([*found, "Examples:", "", "```bash", *examples, "```", ""])


def _arguments(command: click.Command, context: click.Context) -> str:
    rows = []
    for argument in command.params:
        if isinstance(argument, click.Argument):
            many = "one or more" if argument.nargs == -1 else "required" if argument.required else "may be left out"
            name = argument.metavar or str(argument.name).upper()
            rows.append((f"`{name}`", _values(argument, context), many))
    return _table(("argument", "value", "number"), rows) if rows else ""


def _options(command: click.Command, context: click.Context) -> str:
    rows = [
        (_names(option), _values(option, context), _default(option), _text(option.help or ""))
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    ]
    return _table(("option", "value", "default", "meaning"), rows) if rows else ""


def _names(option: click.Option) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _values(parameter: click.Parameter, context: click.Context) -> str:
    """What a parameter takes, in words."""
    if isinstance(parameter, click.Option) and parameter.is_flag:
        return ""
    kind = parameter.type
    match kind:
        case click.Choice():
            found = ", ".join(f"`{choice}`" for choice in kind.choices)
        case click.types.IntRange() | click.types.FloatRange():
            number = "whole number" if isinstance(kind, click.types.IntRange) else "number"
            found = f"{number} {'>' if kind.min_open else '≥'} {kind.min}"
        case PathType():
            found = "path or address" if kind.elsewhere else "path"
        case _ if kind.name in _NAMES:
            found = _NAMES[kind.name]
        case _:
            written = kind.get_metavar(parameter, context) or kind.name
            found = ", ".join(f"`{choice}`" for choice in written.strip("[]").split("|"))
    if isinstance(parameter, click.Option) and parameter.metavar:
        found = f"`{parameter.metavar}`"
    more = isinstance(parameter, click.Option) and parameter.multiple and "..." not in (parameter.metavar or "")
    return f"{found}; repeatable" if more else found


_NAMES = {"text": "text", "integer": "whole number", "float": "number"}


def _default(option: click.Option) -> str:
    if option.required:
        return "required"
    if isinstance(option.show_default, str):
        return _text(option.show_default)
    if option.is_flag:
        return "" if option.secondary_opts else "off"
    known = isinstance(option.default, str | int | float | Path)
    return f"`{option.default}`" if known else ""


def _document(document: JsonDocument) -> str:
    """The keys of what `--json` prints."""
    title = f"Keys of `--json`, for {_text(document.case)}:" if document.case else "Keys of `--json`:"
    rows = ((f"`{key}`", _text(meaning)) for key, meaning in document.keys.items())
    return "\n".join([title, "", _table(("key", "meaning"), rows)])


def _text(text: str) -> str:
    """Words as Markdown that shows them as they are, options and what is in backticks as code."""
    parts = text.split("`")
    return "`".join(part if number % 2 else _escaped(part) for number, part in enumerate(parts))


def _escaped(text: str) -> str:
    return re.sub(r"(?<![\w-])(--[a-z][a-z-]*\w)", r"`\1`", re.sub(r"([*|<])", r"\\\1", text))


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    written = [f"| {' | '.join(line)} |" for line in (columns, *rows)]
    return "\n".join([written[0], "|---" * len(columns) + "|", *written[1:], ""])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), "utf-8")
