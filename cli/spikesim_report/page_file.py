"""A report as one HTML file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

import spikesim
from spikesim.files import atomic_path
from spikesim_report.extra import require_extra
from spikesim_report.parts import Section

MOST_BYTES = 10_000_000
"""No report is larger, so that it can be sent by mail."""


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title, subtitle: Its heading, and what it is of.
        sections: In their order.
        record: The figures that it shows, as `spikesim info --json` or `eval-ssdm --json` print them.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    record: Mapping[str, object]

    def _repr_html_(self) -> str:
        """What a notebook shows of it: the page itself, in a frame."""
        frame = Element("iframe", {"srcdoc": html_of(self), "width": "100%", "height": "800"})
        return tostring(frame, "unicode", "html")


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
    data = html_of(page).encode()
    with atomic_path(out) as temporary:
        temporary.write_bytes(data)
    return len(data)


def html_of(page: Page) -> str:
    """The page as HTML, with all it needs.

    Raises:
        MissingExtraError: The extra [report] is not installed.
    """
    require_extra()
    from jinja2 import Environment, StrictUndefined

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
