"""Translated pages say what the English ones say: the same code, headings, links, tables and words of code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.zh.md"), *(ROOT / "docs").rglob("*.zh.md")])

_FENCE = re.compile(r"^```\w*\n.*?^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) ", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`[^`\n]+`")


def english_of(page: Path) -> Path:
    return page.with_name(page.name.replace(".zh.md", ".md"))


def sections(text: str) -> list[str]:
    """What stands before the first heading, and below each."""
    return re.split(r"^#+ .*$", _FENCE.sub("", text), flags=re.MULTILINE)


def differences(english: str, translated: str) -> list[str]:
    """What is not alike in a page and its translation, by section."""
    found = []
    codes, translated_codes = _FENCE.findall(english), _FENCE.findall(translated)
    if len(codes) != len(translated_codes):
        found.append(f"{len(codes)} blocks of code, {len(translated_codes)} in the translation")
    for number, (code, other) in enumerate(zip(codes, translated_codes, strict=False)):
        if code != other:
            found.append(f"block of code {number}: {code.splitlines()[1]}")
    levels, translated_levels = (_HEADING.findall(_FENCE.sub("", text)) for text in (english, translated))
    if levels != translated_levels:
        return [*found, f"headings: {levels}, in the translation {translated_levels}"]
    for number, (part, other) in enumerate(zip(sections(english), sections(translated), strict=True)):
        for what, of_part, of_other in (
            ("links", targets(part), targets(other)),
            ("code in the text", sorted(_INLINE.findall(part)), sorted(_INLINE.findall(other))),
            ("rows of tables and items", rows(part), rows(other)),
        ):
            if of_part != of_other:
                found.append(f"section {number}, {what}: {of_part}, in the translation {of_other}")
    return found


def targets(text: str) -> list[str]:
    """Where links lead, in any order; to a page and to its translation is the same."""
    return sorted(link.replace(".zh.md", ".md") for link in _LINK.findall(text))


def rows(text: str) -> int:
    return len(re.findall(r"^(?:\||- )", text, re.MULTILINE))


def test_there_are_translations() -> None:
    assert [page.relative_to(ROOT).as_posix() for page in PAGES] == ["README.zh.md", "docs/quickstart.zh.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_translation_says_the_same(page: Path) -> None:
    assert differences(english_of(page).read_text("utf-8"), page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_and_its_translation_link_to_each_other(page: Path) -> None:
    english = english_of(page)
    assert page.name in _LINK.findall(english.read_text("utf-8"))
    assert english.name in _LINK.findall(page.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sections_are_translated(page: Path) -> None:
    """Every section of prose holds Chinese, so none was copied."""
    chinese = re.compile(r"[\u4e00-\u9fff]")
    for part in sections(page.read_text("utf-8")):
        assert not re.search(r"[a-z]{4}", _INLINE.sub("", _LINK.sub("", part))) or chinese.search(part)


ENGLISH = (
    "# A\n\nText with `x` and [b](b.md#c).\n\n```bash\nmake demo\n```\n\n## B\n\n| a |\n|---|\n| 1 |\n\n- [d](d.md)\n"
)
PLANTED = {
    "code": ("make demo", "make test"),
    "a block left out": ("```bash\nmake demo\n```\n", ""),
    "a level": ("## B", "### B"),
    "a heading left out": ("## B\n", ""),
    "a link": ("b.md#c", "b.md"),
    "a link left out": ("[d](d.md)", "d"),
    "code in the text": ("`x`", "`y`"),
    "a row": ("| 1 |\n", ""),
    "an item": ("- [d](d.md)", "[d](d.md)"),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_difference_is_found(planted: str) -> None:
    old, new = PLANTED[planted]
    assert old in ENGLISH
    assert len(differences(ENGLISH, ENGLISH.replace(old, new))) == 1


def test_a_translation_may_lead_to_translations() -> None:
    assert differences(ENGLISH, ENGLISH.replace("d.md", "d.zh.md").replace("Text with", "含有")) == []
