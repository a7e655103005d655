"""What messages advise can be done: the commands, options and arguments that they name are there."""

import ast
import re
from collections.abc import Iterator

import click
import pytest
from test_architecture import HOMES

from spikesim_cli.main import COMMANDS, cli

COMMAND = re.compile(r"`spikesim ([^`]*)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
ARGUMENT = re.compile(r"\b([a-z_]{2,})=(?![={])")  # `name={}` tells what was given

# Arguments that only a caller from Python can have got wrong, and those of a camera, which are lines of its file.
PYTHON_ALONE = {
    "spikesim/camera.py": {"sub_ticks", "reset"},
    "spikesim/light.py": {"clip"},
    "ssdm_models/bsn.py": {"square"},
}


def messages(source: str) -> Iterator[str]:
    """Every text of a module that is not for its readers; what is filled in later is `{}`."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    filled = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    parts = {id(part) for node in filled for part in node.values}
    for node in filled:
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone | parts:
            yield node.value


def options(commands: set[str]) -> set[str]:
    """The options of some commands."""
    found = {"--help", "--version"}
    for name in commands:
        command = cli.get_command(click.Context(cli), name)
        if command is None:
            continue
        for parameter in command.params:
            found |= {*parameter.opts, *parameter.secondary_opts}
    return found


def impossible(place: str, message: str) -> list[str]:
    """What a message of a module names and there is not."""
    found = []
    for line in COMMAND.findall(message):
        command, *words = line.split()
        if command != "{}" and command not in COMMANDS:
            found.append(f"spikesim {command}")
        found += [word for word in words if OPTION.fullmatch(word) and word not in options({command})]
    module = re.fullmatch(r"spikesim_cli/commands/(\w+)\.py", place)
    # A message of a library may reach the terminal by any command.
    own = {name for name, home in COMMANDS.items() if module and home == module[1]} or {*COMMANDS}
    there = options(own)
    found += [option for option in OPTION.findall(COMMAND.sub("", message)) if option not in there]
    for name in ARGUMENT.findall(message):
        if f"--{name.replace('_', '-')}" not in there and name not in PYTHON_ALONE.get(place, set()):
            found.append(f"{name}=")
    return found


def modules() -> dict[str, str]:
    return {
        f"{package}/{path.relative_to(home).as_posix()}": path.read_text("utf-8")
        for package, home in HOMES.items()
        for path in sorted(home.rglob("*.py"))
    }


def sentences() -> list[tuple[str, str]]:
    """The texts of all modules that have a space: names and patterns have none."""
    return [(place, text) for place, source in modules().items() for text in messages(source) if " " in text]


def test_what_messages_advise_can_be_done() -> None:
    advice = [(place, text) for place, text in sentences() if OPTION.search(text) or COMMAND.search(text)]
    assert len(advice) > 40
    assert [(place, text, wrong) for place, text in sentences() if (wrong := impossible(place, text))] == []


def test_what_only_python_can_do_is_still_said() -> None:
    said = {(place, name) for place, text in sentences() for name in ARGUMENT.findall(text)}
    assert {(place, name) for place, names in PYTHON_ALONE.items() for name in names} <= said


PLANTED = {
    "a command that is none": ("spikesim/a.py", 'raise E("run `spikesim rebuild DIR` first")', ["spikesim rebuild"]),
    "an option of another command": (
        "ssdm_models/a.py", 'raise E(f"{path}: `spikesim verify --sharp sequence {path}`")', ["--sharp"],
    ),
    "an option that is none": ("spikesim/a.py", 'E("give " "it with --colour, or --vth 1")', ["--colour"]),
    "another command's, in a command": ("spikesim_cli/commands/verify.py", 'E("or give --vth 1")', ["--vth"]),
    "an argument that is none": ("spikesim/a.py", 'E(f"{path}: say with axis= which it is")', ["axis="]),
    "one for Python elsewhere": ("spikesim/a.py", 'E("or use BSN(square=False)")', ["square="]),
}  # fmt: skip


@pytest.mark.parametrize(("place", "source", "wrong"), PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_found(place: str, source: str, wrong: list[str]) -> None:
    assert [name for text in messages(source) for name in impossible(place, text)] == wrong


def test_what_is_there_and_what_is_told_are_no_faults() -> None:
    source = '''
"""Its --docstring is for readers."""
raise E(f"`spikesim convert A B --vth 1`; got fps={fps}, x == {x}; or {other} --overwrite, or seed=3")
'''
    assert [impossible("spikesim/a.py", text) for text in messages(source)] == [[]]
