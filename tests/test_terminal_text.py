"""Names that anybody may choose, in what the command line says."""

import io
import json
import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from commands import Run, assert_refused, run
from hypothesis import given
from hypothesis import strategies as st

from spikesim_cli.terminal_text import printable

__all__ = ["run"]

CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")

ESCAPE = "\x1b[2J\x1b]0;owned\x07\x1b[31m"


@given(st.text(st.characters()))
def test_nothing_that_controls_a_terminal_is_left(text: str) -> None:
    shown = printable(text)
    assert not [letter for letter in shown if unicodedata.category(letter) in CONTROLS]
    shown.encode()  # which any terminal takes


@given(st.text(st.characters(exclude_categories=[*CONTROLS])))
def test_what_is_text_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("command", [["info"], ["view", "x.png"], ["verify"], ["build", "--out", "o"]])
@pytest.mark.parametrize("name", [f"a{ESCAPE}.mp4", "a\nall is well.npz", "a\r.npz", "a\u202egnp.npz"])
def test_names_with_controls_are_escaped_in_messages(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(b"nothing of use")
    result = run(command[0], path, *command[1:])
    assert_refused(result)
    assert result.err.count("\n") == 1
    assert "\x1b" not in result.err
    assert "\r" not in result.err


@pytest.mark.parametrize("command", ["info", "verify"])
def test_a_name_that_is_not_utf8_gives_a_line(run: Run, tmp_path: Path, command: str) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.npz"))
    path.write_bytes(b"nothing of use")
    result = run(command, path)
    assert result.code == 2
    assert r"\udcff\udcfe.npz" in result.err
    assert result.err.encode()


def test_spikes_of_a_name_that_is_not_utf8_are_described(run: Run, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.npz"))
    with path.open("wb") as file:
        np.savez(file, spikes=np.zeros((3, 5, 7), np.uint8))
    result = run("info", path)
    assert result.code == 0, result.err
    assert result.out.encode()


def printed(run: Run, monkeypatch: pytest.MonkeyPatch, encoding: str, *arguments: object) -> str:
    """What a command writes to a stdout of an encoding."""
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding) as stdout, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        assert run(*arguments).code == 0
        stdout.flush()
        return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_what_an_encoding_lacks_is_escaped(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with Path("7×5 日本.npz").open("wb") as file:
        np.savez(file, spikes=np.zeros((3, 5, 7), np.uint8))
    table = printed(run, monkeypatch, encoding, "info", "7×5 日本.npz")
    assert ("日本.npz" if encoding == "utf-8" else r"\u65e5\u672c.npz") in table
    assert (r"7\xd75" if encoding == "ascii" else "7×5") in table
    if encoding != "utf-8":  # whose wide letters take two columns
        assert len({*map(len, table.splitlines())}) == 1
    record = json.loads(printed(run, monkeypatch, encoding, "info", "7×5 日本.npz", "--json"))
    assert record["path"] == "7×5 日本.npz"


def test_who_chose_what_becomes_of_such_letters_gets_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "spikes.npy", np.zeros((3, 5, 7), np.uint8))
    stdout = io.TextIOWrapper(io.BytesIO(), "ascii", "replace")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stdout)
        assert run("info", tmp_path / "spikes.npy").code == 0
    assert stdout.errors == "replace"
