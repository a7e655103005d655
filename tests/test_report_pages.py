"""Reports in a real browser: edges and readouts move, by pointer and keys, in light and dark."""

import base64
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from report_data import reported  # noqa: F401

from spikesim_report.page_file import write_page
from spikesim_report.reports import page_of

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--no-first-run"]  # fmt: skip
WORDS = "h1, h2, h3, p, a, li, th, td, caption, figcaption, label, select, option, button, output, footer, svg text"
CONTRAST = """(WORDS) => {
  const channel = (value) => { const c = value / 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const light = (colour) => {
    const [r, g, b] = colour.match(/[0-9.]+/g).map(Number);
    return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  };
  const paper = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
  };
  const found = [];
  for (const element of document.querySelectorAll(WORDS)) {
    if (element.classList.contains("skip")) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(element instanceof SVGElement ? style.fill : style.color), light(paper(element))].sort();
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.tagName]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if BROWSER is None:
        pytest.skip("there is no Chromium; install the system's package chromium")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=BROWSER, args=SWITCHES)
        yield found
        found.close()


@pytest.fixture(scope="module")
def pages(reported: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:  # noqa: F811
    """A report of each kind."""
    root = tmp_path_factory.mktemp("pages")
    kinds = {"data": ["data"], "spikes": ["spikes.npz"], "runs": ["run", "other", "evaluation"]}
    for kind, names in kinds.items():
        write_page(page_of([reported / name for name in names]), root / f"{kind}.html")
    return {kind: root / f"{kind}.html" for kind in kinds}


@pytest.fixture(params=["light", "dark"])
def opened(browser: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Opens a page, which must have nothing to complain of."""
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1100, "height": 900}, offline=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def go(path: Path) -> Any:
        page.goto(path.as_uri())
        for figure in page.query_selector_all(".scrubber"):
            figure.wait_for_element_state("stable")
        page.wait_for_function(
            "[...document.querySelectorAll('.scrubber')].every((figure) => figure.dataset.ready === 'yes')"
        )
        return page

    yield go
    assert complaints == []
    context.close()


@pytest.mark.parametrize("kind", ["data", "spikes", "runs"])
def test_everything_can_be_read(pages: dict[str, Path], opened: Any, kind: str) -> None:
    page = opened(pages[kind])
    found = page.evaluate(CONTRAST, WORDS)
    assert len(found) > 20
    assert [tag for ratio, tag in found if ratio < 4.5] == []
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_the_edge_moves(pages: dict[str, Path], opened: Any) -> None:
    page = opened(pages["data"])
    figure = page.query_selector(".comparison")
    stack, slider = figure.query_selector(".stack"), figure.query_selector(".edge-place")
    slider.scroll_into_view_if_needed()
    half = stack.screenshot()
    slider.focus()
    page.keyboard.press("End")
    whole = stack.screenshot()
    assert (figure.get_attribute("data-at"), whole != half) == ("100", True)
    page.keyboard.press("Home")
    other = stack.screenshot()
    assert (figure.get_attribute("data-at"), other != whole) == ("0", True)
    box = stack.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 20)
    page.mouse.up()
    assert abs(int(figure.get_attribute("data-at")) - 25) <= 1
    # The same image on both sides has no edge in it.
    figure.query_selector(".right").select_option("0")
    same = stack.screenshot()
    figure.query_selector(".right").select_option("1")
    assert stack.screenshot() != same


def pixels(page: Any) -> list[int]:
    """What the canvas shows, row by row."""
    address = page.evaluate("document.querySelector('.scrubber canvas').toDataURL('image/png')")
    image = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
    found: list[int] = np.asarray(image)[..., 0].ravel().tolist()
    return found


def test_readouts_are_those_of_the_stream(pages: dict[str, Path], opened: Any) -> None:
    """Every third readout of the stream fires; a pixel is dead, and one is hot."""
    page = opened(pages["spikes"])
    slider, look = page.query_selector(".readout"), page.query_selector(".look")
    look.select_option("spikes")
    slider.focus()
    page.keyboard.press("Home")
    fired = pixels(page)
    assert (len(fired), fired.count(0), fired[4 * 37 + 9]) == (21 * 37, 1, 0)
    page.keyboard.press("ArrowRight")
    assert page.query_selector("output").text_content() == "1"
    silent = pixels(page)
    assert (silent.count(255), silent[17 * 37 + 30]) == (1, 255)
    # Means and intervals tell the same rate: a third of full light, which is stretched to white.
    for name in ("tfp", "tfi"):
        look.select_option(name)
        assert sorted({*pixels(page)}) == [0, 255], name
    page.query_selector(".play").click()
    page.wait_for_function("Number(document.querySelector('.readout').value) > 3")
    page.query_selector(".play").click()


def test_streams_are_chosen(pages: dict[str, Path], opened: Any) -> None:
    page = opened(pages["data"])
    page.query_selector(".look").select_option("spikes")
    first = pixels(page)
    page.query_selector(".which").select_option("1")
    second = pixels(page)
    assert 0 < sum(second) < sum(first)
    page.query_selector(".look").select_option("tfp")
    mean = sum(pixels(page)) / len(second)
    assert abs(mean - 127) < 20  # of the light, whatever the threshold
