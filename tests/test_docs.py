"""What README and docs show is true: their Python runs and prints what they say, their commands and links exist."""

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import imageio.v3 as iio
import numpy as np
import pytest

from spikesim import PRESETS
from spikesim.noise import NOISE_TERMS
from spikesim_cli.main import COMMANDS, cli
from spikesim_datasets.build import build_clips
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.sources import DemoClip

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*(ROOT / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md")), *(ROOT / "docs").rglob("*.md")]
)

_FENCE = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")

ORIGINALS = [page for page in PAGES if not page.name.endswith(".zh.md") and page.name != "gallery.md"]
"""Pages whose Python is run here: that of translations is the same (test_translations.py), that of the
gallery is run for its images (test_gallery.py)."""

every_page = pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES])


def programs(text: str) -> Iterator[tuple[str, str | None]]:
    """Every block of Python, and what the page says it prints: the `text` block that follows it directly."""
    fences = list(_FENCE.finditer(text))
    for fence, following in zip(fences, [*fences[1:], None], strict=False):
        if fence["language"] == "python":
            shown = following is not None and following["language"] == "text"
            adjacent = following is not None and not text[fence.end() : following.start()].strip()
            yield fence["code"], following["code"] if following is not None and shown and adjacent else None


def run(text: str) -> None:
    """Run the Python of a page, block after block in one namespace, and compare what it prints with what is shown."""
    namespace = {"__name__": "__main__"}
    interrupted = signal.getsignal(signal.SIGINT)
    try:
        _run_blocks(text, namespace)
    finally:
        signal.signal(signal.SIGINT, interrupted)  # dask_jobqueue takes it when it is imported


def _run_blocks(text: str, namespace: dict[str, Any]) -> None:
    for code, shown in programs(text):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, code, "exec"), namespace)
        if shown is not None:
            assert printed.getvalue() == shown


def outputs(text: str) -> Iterator[tuple[list[str], str]]:
    """Every block of commands that is followed directly by a `text` block: its commands, and what they are to print."""
    fences = list(_FENCE.finditer(text))
    for fence, following in pairwise(fences):
        adjacent = not text[fence.end() : following.start()].strip()
        if adjacent and (fence["language"], following["language"]) == ("bash", "text"):
            yield lines_of(fence[0], "spikesim"), following["code"]


def check_outputs(text: str) -> int:
    """Run the commands of a page whose output it shows, compare what they print to stdout, and count them."""
    count = 0
    for lines, shown in outputs(text):
        result = [subprocess.run(shlex.split(line), **_AS_SHOWN) for line in lines]
        assert [ran.returncode for ran in result] == [0] * len(lines), result[-1].stderr
        printed = "".join(ran.stdout for ran in result)
        assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()
        count += 1
    return count


# The environment of these tests need not be activated.
_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

_AS_SHOWN: dict[str, Any] = {
    "capture_output": True,
    "text": True,
    "encoding": "utf-8",
    "check": False,
    "env": {**os.environ, "COLUMNS": "80", "PATH": _PATH},
}


def lines_of(text: str, program: str) -> list[str]:
    """Every command line of a program in a page, in blocks of bash and in the text."""
    blocks = "\n".join(fence["code"] for fence in _FENCE.finditer(text) if fence["language"] == "bash")
    lines = [*blocks.replace("\\\n", " ").splitlines(), *_INLINE.findall(_FENCE.sub("", text))]
    return [line for line in lines if line.startswith(f"{program} ")]


def parse(line: str) -> None:
    """Parse a command line of `spikesim` without running it.

    Raises:
        click.UsageError: The command or an option does not exist, or a value is of another type.
    """
    words = shlex.split(line, comments=True)[1:]
    with contextlib.suppress(click.exceptions.Exit):  # of --help
        context = cli.make_context("spikesim", list(words))
        name, command, arguments = cli.resolve_command(context, words)
        assert command is not None
        try:
            command.make_context(name, list(arguments))
        except click.MissingParameter:
            if arguments:  # text may name a command alone
                raise


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings: what the site and the code host both make of them."""
    headings = re.findall(r"^#+ +(.+?) *$", _FENCE.sub("", text), re.MULTILINE)
    found = set()
    for heading in headings:
        words = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
        # The site joins several blanks and hyphens to one, the host keeps each.
        if (slug := re.sub(r"[-\s]+", "-", words)) == re.sub(r"\s", "-", words) and slug.isascii():
            found.add(slug)
    return found


def missing_links(page: Path, text: str) -> list[str]:
    """Links to files that are missing, or to headings that their pages do not have."""
    missing = []
    for link in _LINK.findall(text):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(text if not name else target.read_text("utf-8"))):
            missing.append(link)
    return missing


def page_rows(text: str, folder: str = "") -> list[str]:
    """The rows of a page's tables of pages, with links as from docs."""
    rows = [line for line in text.splitlines() if line.startswith(("| [", "| **"))]
    return [row.replace(f"]({folder}", "](") for row in rows]


def listed(text: str, prefix: str = "") -> set[str]:
    """The words of code that begin the rows of a page's tables, after a prefix."""
    return set(re.findall(rf"^\| `{prefix}([\w-]+)", text, re.MULTILINE))


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pages work with: a dataset data/gopro, a GOPRO tree and clip.mp4, all small."""
    folder = tmp_path_factory.mktemp("docs")
    clip = DemoClip("train", "GOPR0372_07_00", "street", 29, 512, 512)
    build_clips([clip], folder / "data" / "gopro", make_recipe((1, 2, 4), interpolation="linear"), workers=1)
    frames = list(DemoClip("train", "clip", "desk", 29, 64, 96).frames(0, 29))
    iio.imwrite(folder / "clip.mp4", np.stack(frames), plugin="pyav", codec="libx264", fps=240)
    scene = folder / "GOPRO" / "train" / "GOPR0372_07_00"
    scene.mkdir(parents=True)
    for number, frame in enumerate(frames):
        iio.imwrite(scene / f"{number:06d}.png", frame)
    return folder


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in ORIGINALS])
def test_python_runs_and_prints_what_is_shown(page: Path, material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(material)
    run(page.read_text("utf-8"))


@every_page
def test_command_lines_parse(page: Path) -> None:
    for line in lines_of(page.read_text("utf-8"), "spikesim"):
        try:
            parse(line)
        except click.ClickException as error:
            pytest.fail(f"{line}: {error.format_message()}")


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    assert missing_links(page, page.read_text("utf-8")) == []


@every_page
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    words = [word for line in lines_of(page.read_text("utf-8"), "make") for word in shlex.split(line, comments=True)]
    assert {word for word in words if "=" not in word} <= targets | {"make"}


def test_the_readme_lists_every_command() -> None:
    assert listed((ROOT / "README.md").read_text("utf-8"), "spikesim ") == set(COMMANDS)


def test_the_readme_and_the_start_page_list_the_same_pages() -> None:
    start = page_rows((ROOT / "docs" / "index.md").read_text("utf-8"))
    assert page_rows((ROOT / "README.md").read_text("utf-8"), "docs/") == start
    assert len(start) > 20
    assert page_rows("| [A](docs/a.md) | B |\n|---|\n| c | d |", "docs/") == ["| [A](a.md) | B |"]


def test_the_start_page_lists_every_page_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:\n")[2].partition("\n\n")[0]
    pages = re.findall(r"- (\S+\.md)$", navigation, re.MULTILINE)
    linked = {link for row in page_rows((ROOT / "docs" / "index.md").read_text("utf-8")) for link in _LINK.findall(row)}
    assert {"index.md", *linked} == set(pages)
    assert len(pages) == len(set(pages))


@pytest.mark.parametrize("names", [PRESETS, NOISE_TERMS], ids=["presets", "noise terms"])
def test_physics_lists_every_name(names: dict[str, object]) -> None:
    assert set(names) <= listed((ROOT / "docs" / "physics.md").read_text("utf-8"))


def test_the_readme_shows_what_is_tested() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert list(programs(text))
    assert len(lines_of(text, "spikesim")) > len(COMMANDS)
    assert {"make demo", "make test"} <= {line.split("#")[0].strip() for line in lines_of(text, "make")}


@pytest.mark.parametrize(
    "line",
    [
        "spikesim nothing x",
        "spikesim build clip.mp4 --out d --no-such",
        "spikesim deblur x.png",
        "spikesim demo --workers x",
    ],
)
def test_a_planted_command_line_is_found(line: str) -> None:
    (found,) = lines_of(f"```bash\n{line}  # planted\n```\n", "spikesim")
    with pytest.raises(click.UsageError):
        parse(found)


@pytest.mark.parametrize(
    ("page", "error"),
    [
        ("```python\nimport spikesim\nspikesim.nothing\n```\n", AttributeError),
        ("```python\nx = 1\n```\n\nThen:\n\n```python\nprint(x)\n```\n\n```text\n2\n```\n", AssertionError),
    ],
)
def test_planted_python_is_found(page: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        run(page)


def test_outputs_are_what_commands_print(material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(material)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert sum(check_outputs(page.read_text("utf-8")) for page in ORIGINALS) > 0


def test_a_planted_output_is_found(material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(material)
    with pytest.raises(AssertionError):
        check_outputs("```bash\nspikesim --version\n```\n\n```text\nspikesim, version 0\n```\n")
    assert check_outputs("```bash\nspikesim --version\n```\nprints\n```text\nspikesim, version 0\n```\n") == 0


def test_examples_train_on_crops_that_the_docs_recommend() -> None:
    """Trained on smaller ones, BSN does not work on whole images."""
    text = (ROOT / "docs" / "training.md").read_text("utf-8")
    (least,) = map(int, re.findall(r"(\d+) pixels \(\d+ of spikes\) were enough", text))
    command = cli.get_command(click.Context(cli), "train-ssdm")
    assert command is not None
    shown = [line.strip() for line in str(command.help).splitlines() if line.strip().startswith("spikesim train-ssdm")]
    for page in PAGES:
        shown += lines_of(page.read_text("utf-8"), "spikesim train-ssdm")
    crops = []
    for line in shown:
        words = [word for word in shlex.split(line, comments=True)[2:] if word != "..."]
        with (
            contextlib.suppress(click.MissingParameter, click.exceptions.Exit),
            command.make_context("train-ssdm", words) as context,
        ):
            if context.params["stage"] in ("all", "bsn") and context.params["crop"] is not None:
                crops.append(context.params["crop"])
    assert crops
    assert min(crops) >= least


def test_a_planted_link_is_found() -> None:
    text = (
        "# Here, there\n[a](formats.md#shards) [b](nowhere.md) [c](https://example.org#any) ![d](images/nothing.png) "
        "[e](formats.md#shards-of-glass) [f](#here-there) [g](#nowhere)\n```bash\n# nowhere\n```\n"
    )
    assert missing_links(ROOT / "docs" / "index.md", text) == [
        "nowhere.md", "images/nothing.png", "formats.md#shards-of-glass", "#nowhere",
    ]  # fmt: skip


def test_anchors_that_the_site_and_the_host_make_differently_are_none() -> None:
    assert anchors("# One heading\n## Losses, and λ\n### A – b\n#### `c` of *d*") == {"one-heading", "c-of-d"}


def test_images_are_small_files() -> None:
    sizes = {path.name: path.stat().st_size for path in (ROOT / "docs" / "images").iterdir()}
    assert len(sizes) > 10
    assert {name: size for name, size in sizes.items() if size >= 300_000} == {}
