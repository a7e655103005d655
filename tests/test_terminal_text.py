"""Names that anybody may choose, in what the command line says."""

import os
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
