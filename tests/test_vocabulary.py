"""One word for one thing: what the project calls things, and no other name of theirs, in code, documents and help."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from spikesim_cli.main import COMMANDS, cli

ROOT = Path(__file__).parents[1]

RETIRED = {
    r"pictures?": "image",
    r"films?": "video",
    r"findings?": "diagnostics",
    r"lessons?": "teacher targets",
    r"footage": "evaluation set, or video",
    r"enlarg\w*": "upsample, upsampler",
    r"brightness": "intensity scale",
    r"contents": "decoding, or content",
    r"(?-i:Draws?)": "SeededBatches, SeededIndex",
    r"light,? not spikes": "normalised spikes",
    r"made anew": "rebuilt",
    r"(is|are|was|were) not there": "missing",
    r"(can|cannot|could) be had": "available",
}
"""Patterns of words that were given up, and what is said instead."""

# Old names in the records of earlier versions, and this list.
EXEMPT = {"ssdm_models/old_names.py", "tests/test_old_runs.py", "tests/test_vocabulary.py"}


def retired_words(text: str) -> list[str]:
    """Retired words in a text, each with what to say instead."""
    return [
        f"{found.group()}: say {instead}"
        for pattern, instead in RETIRED.items()
        for found in re.finditer(rf"(?i)(?<![a-z]){pattern}(?![a-z])", text)
    ]


def texts() -> Iterator[tuple[str, str]]:
    """Every source, document and build file of the project by its place in it."""
    folders = ("spikesim", "datasets", "ssdm_models", "cli", "benchmarks", "tests", "docs")
    places = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md")]
    places += [*ROOT.glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml"]
    for path in places:
        if (place := path.relative_to(ROOT).as_posix()) not in EXEMPT:
            yield place, path.read_text("utf-8")


def test_no_retired_word_is_in_the_project() -> None:
    places = dict(texts())
    assert len(places) > 250
    # Names are looked at as well: of `sample_film` the words are sample and film.
    found = {place: words for place, text in places.items() if (words := retired_words(f"{place} {text}"))}
    assert not found


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_no_retired_word_is_in_the_help(name: str | None) -> None:
    result = CliRunner().invoke(cli, [*([name] if name else []), "--help"])
    assert result.exit_code == 0
    assert retired_words(result.output) == []


@pytest.mark.parametrize(
    "text",
    ["A Film.", "tfp_film(stream)", "write_pictures", "Lessons", "the light, not spikes", "Enlarger", "it can be had"],
)
def test_a_planted_word_is_found(text: str) -> None:
    assert len(retired_words(text)) == 1


@pytest.mark.parametrize("text", ["A video draws on drawn images.", "microfilms", "the content of a file"])
def test_other_words_are_left_alone(text: str) -> None:
    assert retired_words(text) == []
