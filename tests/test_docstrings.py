"""Docstrings of public names say what signatures say, and the pages of the reference name all that is public."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docstrings
import numpy as np
import pytest
from docstrings import PAGES, Public, all_public, entries, errors_of, has_shape, problems, public

import spikesim
import ssdm_models
from spikesim import interchange
from spikesim.checks import require_whole
from spikesim.errors import InputFileError, InvalidValueError

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
ENTRIES = [entry for page in PAGES for entry in entries(page.read_text("utf-8"))]
KNOWN = all_public()


def test_docstrings_describe_what_they_are_of() -> None:
    assert len(KNOWN) > 400
    found = {name: wrong for name, each in KNOWN.items() if (wrong := problems(each, KNOWN))}
    assert found == {}


def test_every_name_is_documented_where_it_can_be_imported_from() -> None:
    text = (ROOT / "docs" / "api" / "spikesim.md").read_text("utf-8").partition("## Interchange")[0]
    above = {name.removeprefix("spikesim.") for name, _ in entries(text)}
    of_interchange = {each.found.__name__ for each in public("", interchange)} & {*spikesim.__all__}
    assert of_interchange
    assert above | of_interchange == set(spikesim.__all__)
    assert not above & of_interchange
    assert {f"ssdm_models.{name}" for name in ssdm_models.__all__} <= {name for name, _ in ENTRIES}


def test_what_pages_import_is_documented() -> None:
    documented = {id(found) for _, found in ENTRIES} | {id(each.found) for each in KNOWN.values()}
    imported = {name: id(found) for page in DOCS for name, found in imports(page.read_text("utf-8"))}
    assert len(imported) > 30
    assert sorted(name for name, found in imported.items() if found not in documented) == []


def imports(text: str) -> Iterator[tuple[str, Any]]:
    """What the Python of a page imports from this project, but for its errors and noise terms, by its name."""
    for code in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(code)):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if module.startswith(("spikesim", "ssdm_models")):
                assert isinstance(node, ast.ImportFrom)
                for alias in node.names:
                    yield f"{module}.{alias.name}", docstrings.resolve_name(f"{module}.{alias.name}")


# The guard itself


def sound(image: np.ndarray, size: int = 3) -> np.ndarray:
    """The image, made smaller.

    Args:
        image: (H, W).
        size: At least 1.

    Returns:
        (size, size).

    Raises:
        InvalidValueError: The size is no whole number.
    """
    require_whole(size, "size", 1)
    return image[:size, :size]


def following(image: np.ndarray, size: int = 3) -> np.ndarray:
    """The image again; see `sound`."""
    return sound(image, size)


def lost(image: np.ndarray) -> None:
    """The image again; see `none_such.at_all`."""


def other_parameter(image: np.ndarray, extent: int) -> None:
    """Nothing.

    Args:
        image: (H, W).
        size: At least 1.
    """


def missing_parameter(image: np.ndarray, size: int) -> None:
    """Nothing.

    Args:
        image: (H, W).
    """


def superfluous(image: np.ndarray) -> None:
    """Nothing.

    Args:
        image, size: Both of the same shape.
    """


def without_shape(image: np.ndarray) -> np.ndarray:
    """An image.

    Args:
        image: Of light.
    """
    return image


def without_error(path: str) -> int:
    """Nothing.

    Args:
        path: A file.

    Raises:
        InputFileError: It is missing.
    """
    if not path:
        raise InvalidValueError("no path")
    return 0


def turned_error(path: str) -> None:
    """Nothing.

    Args:
        path: A file.

    Raises:
        InputFileError: It is missing, or is none.
    """
    try:
        require_whole(path, "path")
    except ValueError as error:
        raise InputFileError("no path") from error


def without_result(path: str) -> int:
    """Read a file.

    Args:
        path: The file.
    """
    return len(path)


def bare(path: str) -> None: ...


class Base:
    """A class.

    Args:
        size: At least 1.

    Attributes:
        area: In pixels.
        volume: Of nothing.
    """

    def __init__(self, size: int) -> None:
        self.area = size * size

    def method(self, time: float) -> None:
        """What is done.

        Args:
            time: In readouts.
        """


class Derived(Base):
    """A class.

    Args:
        area: In pixels.
    """

    def method(self, time: float) -> None: ...


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (sound, []),
        (following, []),
        (turned_error, []),
        (lost, ["it refers to `none_such.at_all`, which is nothing public", "the parameter image is not described"]),
        (other_parameter, ["the parameter extent is not described", "size is described and no parameter"]),
        (missing_parameter, ["the parameter size is not described"]),
        (superfluous, ["size is described and no parameter"]),
        (without_shape, ["the shape of image is not said", "the shape of what it gives is not said"]),
        (without_error, ["the error InvalidValueError is not described"]),
        (without_result, ["what it gives is not described"]),
        (bare, ["there is no docstring"]),
        (Base, ["volume is described and no attribute"]),
        (Derived, ["the parameter size is not described", "area is described and no parameter"]),
    ],
)
def test_planted_mismatches_are_found(found: Callable[..., Any], wrong: list[str]) -> None:
    known = {"planted.sound": Public("planted.sound", sound)}
    assert problems(Public("planted", found), known) == wrong


def test_errors_are_found_of_what_pages_name() -> None:
    assert errors_of(spikesim.tfp) == {"InvalidValueError"}
    assert errors_of(spikesim.SpikeCamera.load) == {"InputFileError", "InvalidValueError"}
    assert errors_of(sound) is None


def test_methods_may_leave_a_docstring_to_what_they_override() -> None:
    (own, method) = public("planted", Derived)
    assert (own.found, problems(method, {})) == (Derived, [])


@pytest.mark.parametrize(
    "entry", ["::: spikesim.nothing", "::: spikesim.errors\n    options:\n      members: [Nothing]"]
)
def test_a_planted_entry_of_nothing_is_found(entry: str) -> None:
    with pytest.raises(AttributeError):
        list(entries(f"# Page\n\n{entry}\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("float32 (T − window + 1, H, W) in [0, 1]", True), ("(..., S, 3)", True), ("uint8 (T, H, ceil(W/8))", True),
        ("of the same shape", True), ("(a file, or all of a folder)", False), ("Of light (relative)", False),
    ],
)  # fmt: skip
def test_shapes_are_told_from_other_words(text: str, said: bool) -> None:
    assert has_shape(text) == said
