"""What docs/scripting.md says to scripts: exit codes, where things are printed, colours, environment variables."""

import ast
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from build_data import write_frames

from spikesim import SpikeStream, write_spikes

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "scripting.md").read_text("utf-8")
SOURCES = [path for name in ("spikesim", "datasets", "cli", "ssdm_models") for path in (ROOT / name).rglob("*.py")]

# Shells make jobs in the background deaf to Ctrl-C, and their children inherit that.
LAUNCH = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "spikesim"
{before}
from spikesim_cli.main import main
main()
"""
_DEFECT = "import spikesim_cli.commands.info as info\ninfo.info.callback = lambda **_: 1 / 0"
_BROKEN = "import spikesim_cli.commands.doctor as doctor\ndoctor._CHECKS = {'planted': lambda: 1 / 0}"

_COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d|10[0-7])(?:;\d+)*m")
_REDRAWN = "\r\x1b[2K"  # what makes a bar move: the line is drawn again


class Ended(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


def program(*arguments: object, before: str = "") -> list[str]:
    return [sys.executable, "-c", LAUNCH.format(before=before), *map(str, arguments)]


def ended(*arguments: object, before: str = "", **options: Any) -> Ended:
    """Run the command line in a process of its own."""
    ran = subprocess.run(
        program(*arguments, before=before), capture_output=True, text=True, encoding="utf-8", check=False, **options
    )
    return Ended(ran.returncode, ran.stdout, ran.stderr)


def into_closed_pipe(*arguments: object) -> Ended:
    """Run it with a stdout that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(program(*arguments), stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    return Ended(ran.returncode, "", ran.stderr)


def interrupted(number: signal.Signals, out: Path) -> Ended:
    """Run what takes long, and send it a signal as soon as it tells how far it is."""
    running = subprocess.Popen(
        program("simulate", "demo:street", out, "--frames", 100),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    first = running.stderr.readline()
    assert first.startswith("readouts: ")
    running.send_signal(number)
    out_text, err = running.communicate()
    return Ended(running.returncode, out_text, first + err)


def on_terminal(*arguments: object, **variables: str) -> tuple[int, str]:
    """Run it on a terminal: its exit code, and all that is written there."""
    chosen = ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE")
    environment = {name: value for name, value in os.environ.items() if name not in chosen}
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        program(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm-256color", **variables},
    )
    os.close(theirs)
    written = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    return running.wait(), written.decode("utf-8")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # Linux says so that nobody writes any more
        return b""


# Exit codes


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of frames, and a dataset of one sample that was built from it; not to be changed."""
    folder = tmp_path_factory.mktemp("scripting")
    write_frames(folder / "clip", 29, 32, 48)
    assert build(folder).code == 0
    return folder


@pytest.fixture
def built(whole: Path, tmp_path: Path) -> Path:
    """A copy of both."""
    return Path(shutil.copytree(whole, tmp_path, dirs_exist_ok=True))


def build(folder: Path) -> Ended:
    arguments = ("--vth", 1, "--interp", "linear", "--workers", 1)
    return ended("build", folder / "clip", "--out", folder / "data", *arguments)


def damaged(folder: Path) -> Path:
    """The dataset, with something behind the end of its shard."""
    (shard,) = (folder / "data").rglob("*.h5")
    shard.write_bytes(shard.read_bytes() + b"planted")
    return folder / "data"


def cut_off(folder: Path) -> Path:
    """A spike file that lacks its last byte."""
    path = recording(folder)
    path.write_bytes(path.read_bytes()[:-1])
    return path


def recording(folder: Path) -> Path:
    write_spikes(folder / "clip.dat", SpikeStream.from_dense(np.zeros((30, 6, 8), np.uint8)))
    return folder / "clip.dat"


def repair(folder: Path) -> Ended:
    """Repair a dataset whose frames have gone since it was built."""
    own = folder / "own"
    shutil.copytree(folder / "clip", own / "clip")
    assert build(own).code == 0
    shutil.rmtree(own / "clip")
    return ended("verify", damaged(own), "--repair")


PLANTED: dict[str, Callable[[Path], list[Ended]]] = {
    "the work is done": lambda folder: [ended("verify", folder / "data"), ended("info", recording(folder))],
    "it was done before, and nothing is left to do": lambda folder: [build(folder)],
    "`--help` or `--version`": lambda _: [ended("--help"), ended("--version"), ended("build", "-h")],
    "the reader of stdout has gone, such as `head`": lambda folder: [
        into_closed_pipe("info", recording(folder)),
        into_closed_pipe("info", recording(folder), "--json"),
        into_closed_pipe("--help"),
    ],
    "a defect of spikesim, with a traceback: please report it": lambda folder: [ended("info", folder, before=_DEFECT)],
    "no command, or a command, option or value that does not exist": lambda folder: [
        ended(),
        ended("buld"),
        ended("info", recording(folder), "--colour"),
        ended("simulate", folder / "clip", folder / "x.dat", "--vth", "one"),
        ended("simulate", folder / "clip", folder / "x.dat", "--vth", -1),
    ],
    "an input is missing, damaged or something else": lambda folder: [
        ended("info", folder / "nothing.dat"),
        ended("info", cut_off(folder)),
        ended("deblur", folder / "clip" / "000000.png", folder / "clip" / "000000.png", folder / "x.png"),
    ],
    "an output exists already, without `--overwrite`": lambda folder: [
        ended("simulate", folder / "clip", recording(folder), "--interp", "linear")
    ],
    "`verify` found something damaged or missing": lambda folder: [
        ended("verify", damaged(folder)),
        ended("verify", damaged(folder), "--json"),
    ],
    "`verify --repair` could not rebuild everything": lambda folder: [repair(folder)],
    "`doctor` found a required part that does not work": lambda folder: [
        ended("doctor", before=_BROKEN, cwd=folder),
        ended("doctor", "--json", before=_BROKEN, cwd=folder),
    ],
    "Ctrl-C (SIGINT)": lambda folder: [interrupted(signal.SIGINT, folder / "x.dat")],
    "SIGTERM, as schedulers send it": lambda folder: [interrupted(signal.SIGTERM, folder / "x.dat")],
}
"""Every case that the page lists, as runs that end so."""


def codes(text: str) -> dict[str, int]:
    """The page's table of exit codes: by case."""
    table = text.partition("## Exit codes")[2].partition("\n## ")[0]
    return {case: int(code) for code, case in re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE)}


def test_the_page_lists_the_cases_that_are_tested() -> None:
    assert set(codes(PAGE)) == set(PLANTED)
    planted = PAGE.replace("| 143 | ", "| 75 | a case that nobody runs |\n| 143 | ")
    assert set(codes(planted)) - set(PLANTED) == {"a case that nobody runs"}


@pytest.mark.parametrize("case", PLANTED)
def test_each_case_ends_with_its_code(case: str, built: Path) -> None:
    for result in PLANTED[case](built):
        assert result.code == codes(PAGE)[case], result
        errors = [line for line in result.err.splitlines() if line.startswith("Error: ")]
        traceback = "Traceback" in result.err
        assert len(errors) == (result.code == 2 and "Commands:" not in result.err), result
        assert traceback == (case.startswith("a defect")), result
        if case.startswith("the reader"):
            assert result.err == ""


def test_json_is_printed_where_something_is_damaged(built: Path) -> None:
    verified = ended("verify", damaged(built), "--json")
    assert (verified.code, json.loads(verified.out)["damaged"]) == (2, 1)
    checked = ended("doctor", "--json", before=_BROKEN, cwd=built)
    assert (checked.code, json.loads(checked.out)[0]["state"]) == (2, "FAILS")


def exits(source: str) -> list[str]:
    """What ends a program, in the code of a module."""
    names = {"SystemExit", "Exit", "_exit", "exit", "abort", "exit_code"}
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name | ast.Attribute)]
    return [name for node in nodes if (name := node.id if isinstance(node, ast.Name) else node.attr) in names]


def test_nothing_else_chooses_an_exit_code() -> None:
    """Else a code could be missing on the page, and no run here would show it."""
    found = {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "cli").rglob("*.py") if exits(path.read_text("utf-8"))
    }
    assert found == {"cli/spikesim_cli/main.py"}
    assert exits("import sys\nif x:\n    sys.exit(3)\n") == ["exit"]
    assert exits("raise SystemExit(3)") == ["SystemExit"]


# Terminals


def test_colours_are_left_out_where_they_are_not_wanted_and_bars_move(built: Path) -> None:
    arguments = ("verify", damaged(built))
    code, coloured = on_terminal(*arguments)
    without, plain = on_terminal(*arguments, NO_COLOR="1")
    assert code == without == 2
    assert _COLOUR.search(coloured)
    assert not _COLOUR.search(plain)
    for written in (coloured, plain):
        assert written.count(_REDRAWN) > 1
        assert "1/1" in written


@pytest.mark.parametrize("escape", ["\x1b[31m", "\x1b[1;32m", "\x1b[38;5;197m", "\x1b[48;2;1;2;3m", "\x1b[97m"])
def test_a_planted_colour_is_found(escape: str) -> None:
    assert _COLOUR.search(f"a{escape}b")


@pytest.mark.parametrize("escape", ["\x1b[0m", "\x1b[1m", "\x1b[2K", "\x1b[?25l", "\x1b[1A"])
def test_other_escapes_are_no_colours(escape: str) -> None:
    assert not _COLOUR.search(f"a{escape}b")


def test_in_pipes_lines_take_the_place_of_the_bar(whole: Path) -> None:
    result = ended("verify", whole / "data")
    assert (result.code, result.out) == (0, "")
    assert "parts: 1 of 1" in result.err
    assert "\x1b" not in result.err


def test_tables_are_as_wide_as_columns_says(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    arguments = ("info", recording(tmp_path))
    widths = [
        max(len(line.rstrip()) for line in ended(*arguments, env={**environment, **more}).out.splitlines())
        for more in ({}, {"COLUMNS": "50"}, {"COLUMNS": "200"})
    ]
    assert widths[1] <= 50 < widths[0] <= 80
    assert widths[2] >= widths[0]


# Environment variables

_OWN = re.compile(r"_?SPIKESIM_[A-Z_]+")
_UNKNOWN = "?"  # a variable whose name is computed


def constants(source: str) -> dict[str, str]:
    """The texts that a module gives names to."""
    return {
        target.id: node.value.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def variables(source: str) -> set[str]:
    """The environment variables that the code of a module reads."""
    known, found = constants(source), set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str() as text) if _OWN.fullmatch(text):
                found.add(text)
            case ast.keyword(arg="envvar", value=name):
                found.add(_named(name, known))
            case ast.Call(func=ast.Attribute(attr="getenv") | ast.Name(id="getenv"), args=[name, *_]):
                found.add(_named(name, known))
            case ast.Call(func=ast.Attribute(value=of, attr="get" | "pop" | "setdefault"), args=[name, *_]) if _is(of):
                found.add(_named(name, known))
            case ast.Subscript(value=of, slice=name, ctx=ast.Load()) if _is(of):
                found.add(_named(name, known))
            case ast.Compare(left=name, ops=[ast.In() | ast.NotIn()], comparators=[of]) if _is(of):
                found.add(_named(name, known))
    return found


def _is(node: ast.expr) -> bool:
    """Whether an expression is the environment: `os.environ`, or what functions call it that take one."""
    match node:
        case ast.Attribute(attr="environ") | ast.Name(id="environ" | "environment"):
            return True
    return False


def _named(node: ast.expr, known: dict[str, str]) -> str:
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Name(id=name):
            return known.get(name, _UNKNOWN)
    return _UNKNOWN


def listed_variables(text: str) -> set[str]:
    """The page's table of what spikesim itself reads."""
    table = text.partition("spikesim itself reads:")[2].partition("\n\n`CUDA")[0]
    return set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def read_variables() -> Iterator[str]:
    for path in SOURCES:
        yield from variables(path.read_text("utf-8"))


def test_the_page_lists_what_is_read_of_the_environment() -> None:
    assert len(SOURCES) > 200
    assert set(read_variables()) == listed_variables(PAGE)


@pytest.mark.parametrize(
    "source",
    [
        "import os\nx = os.environ['PLANTED']",
        "import os\nx = os.environ.get('PLANTED') or 1",
        "import os\ndef f():\n    return os.getenv('PLANTED', '')",
        "from os import environ, getenv\nx = getenv('PLANTED')",
        "from os import environ\nif 'PLANTED' in environ:\n    pass",
        "import os\nNAME = 'PLANTED'\nx = os.environ.get(NAME)",
        "import click\nx = click.option('--x', envvar='PLANTED')",
        "def f(environment):\n    return environment.get('PLANTED')",
    ],
)
def test_a_planted_variable_is_found(source: str) -> None:
    assert variables(source) == {"PLANTED"}


def test_a_variable_of_ours_is_found_wherever_it_is_named() -> None:
    assert variables("f('SPIKESIM_PLANTED')") == {"SPIKESIM_PLANTED"}
    assert variables("import os\nx = os.environ[name + '_X']") == {_UNKNOWN}
    assert variables("import os\nos.environ['PLANTED'] = '1'\nx = {**os.environ}.copy()") == set()
