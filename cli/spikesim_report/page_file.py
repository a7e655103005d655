"""A report as one HTML file."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import spikesim
from spikesim.errors import MissingExtraError
from spikesim.files import atomic_path
from spikesim_report.parts import Page

MOST_BYTES = 10_000_000
"""No report is larger, so that it can be sent by mail."""


def write_page(page: Page, out: Path) -> int:
    """Write a report.

    Args:
        page: The report.
        out: The file, which is replaced.

    Returns:
        Its size, bytes.

    Raises:
        MissingExtraError: The extra [report] is not installed.
        OutputError: It cannot be written.
    """
    text = html_of(page)
    with atomic_path(out) as temporary:
        temporary.write_text(text, "utf-8")
    return len(text.encode())


def html_of(page: Page) -> str:
    """The page as HTML, with all it needs.

    Raises:
        MissingExtraError: The extra [report] is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError as error:
        raise MissingExtraError("reports need jinja2; pip install 'spikesim[report]'") from error
    folder = files(__package__) / "page"
    style, program, template = ((folder / name).read_text("utf-8") for name in ("page.css", "page.js", "page.html.j2"))
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        page=page,
        style=style,
        program=program,
        record=_in_a_script(page.record),
        maker=f"spikesim {spikesim.__version__}",
    )


def _in_a_script(record: Mapping[str, object]) -> str:
    """JSON that ends no element of the page, whatever it says."""
    text = json.dumps(record, default=str)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
