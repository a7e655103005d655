"""The reference of the command line is that of the program, and leaves nothing out."""

import re
from pathlib import Path

import click
import pytest
from commands import command

from spikesim_cli.command_reference import reference
from spikesim_cli.json_option import documents_of
from spikesim_cli.main import COMMANDS, EXIT_CODES

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"


def sections(text: str) -> dict[str, str]:
    """What stands below each heading of the page."""
    parts = re.split(r"^## (.+)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def first_cells(section: str) -> list[str]:
    """The first cell of every row of a section's tables, without the marks of code."""
    return [row.split(" | ")[0].strip("| ").replace("`", "") for row in section.splitlines() if row.startswith("| ")]


def missing(text: str) -> list[str]:
    """What the program has and a page does not: commands, arguments, options, keys of JSON, examples, exit codes."""
    found = sections(text)
    left_out = [f"exit code {code}" for code in EXIT_CODES if str(code) not in first_cells(found["Exit codes"])]
    for name in COMMANDS:
        if name not in found or f"](#{name}): " not in text:
            left_out.append(name)
            continue
        cells = first_cells(found[name])
        names = {word for cell in cells for word in cell.split(", ")}
        for parameter in command(name).params:
            hidden = isinstance(parameter, click.Option) and parameter.hidden
            option = isinstance(parameter, click.Option)
            words = [*parameter.opts, *parameter.secondary_opts] if option else [parameter.human_readable_name]
            left_out += [f"{name} {word}" for word in words if not hidden and word not in (names if option else cells)]
        keys = [key for document in documents_of(command(name)) for key in document.keys]
        left_out += [f"{name} {key}" for key in keys if cells.count(key) < keys.count(key)]
        examples = str(command(name).help).rpartition("Example")[2].splitlines()[1:]
        left_out += [line.strip() for line in examples if line.strip() not in found[name]]
    return left_out


def test_the_page_is_what_the_program_would_write() -> None:
    assert PAGE.read_text("utf-8") == reference(), "the commands have changed; run `make reference`"


def test_nothing_is_left_out() -> None:
    assert missing(PAGE.read_text("utf-8")) == []


def test_rows_of_tables_have_one_number_of_cells() -> None:
    tables = re.findall(r"(?:^\|.*\n)+", reference(), re.MULTILINE)
    assert len(tables) > len(COMMANDS)
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1


def test_a_planted_option_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = click.Option(["--planted"], type=click.IntRange(3), default=4, help="With a | and a *.")
    found = command("index")
    monkeypatch.setattr(found, "params", [*found.params, planted])
    assert missing(PAGE.read_text("utf-8")) == ["index --planted"]
    assert r"| `--planted` | whole number ≥ 3 | `4` | With a \| and a \*. |" in sections(reference())["index"]
    assert missing(reference()) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("| `--split` | `NAME` | test |", "eval-ssdm --split"),
        ("| `PATH...` | path or address |", "report PATH..."),
        ("| `[].detail` |", "doctor [].detail"),
        ("| `frames` | number of frames in it |", "interpolate frames"),
        ("spikesim convert data/gopro Spike-GOPRO", "spikesim convert data/gopro Spike-GOPRO"),
        ("| `143` |", "exit code 143"),
        ("## view", "view"),
    ],
)
def test_what_is_missing_is_found(line: str, found: str) -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    (number,) = [number for number, each in enumerate(lines) if each.startswith(line)]
    assert missing("\n".join([*lines[:number], *lines[number + 1 :]])) == [found]
