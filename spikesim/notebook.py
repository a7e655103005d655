"""What a notebook shows of an object as the last line of a cell: its facts in a table, and images beside each other."""

import base64
import io
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

import numpy as np

_WIDTH = 220  # pixels that an image is shown at


def shown_in_notebook(title: str, facts: Mapping[str, object], images: Sequence[tuple[str, np.ndarray]] = ()) -> str:
    """HTML of an object.

    Args:
        title: What it is.
        facts: What there is to say, by name.
        images: Captions and images, grey (H, W) or RGB (H, W, 3), uint8.
    """
    whole = Element("div")
    SubElement(whole, "b").text = title
    table = SubElement(whole, "table")
    for name, fact in facts.items():
        row = SubElement(table, "tr")
        SubElement(row, "th").text, SubElement(row, "td").text = name, str(fact)
    strip = SubElement(whole, "div", {"style": "display: flex; flex-wrap: wrap; gap: 8px"})
    for caption, image in images:
        figure = SubElement(strip, "figure", {"style": "margin: 0"})
        looks = {"width": str(_WIDTH), "style": "image-rendering: pixelated"}
        SubElement(figure, "img", {"src": _address(image), "alt": caption, **looks})
        SubElement(figure, "figcaption").text = caption
    return tostring(whole, "unicode", "html")


def _address(image: np.ndarray) -> str:
    """A PNG file in an address."""
    from PIL import Image

    file, drawn = io.BytesIO(), Image.fromarray(image)
    drawn.thumbnail((2 * _WIDTH, 4 * _WIDTH))  # smaller images stay as they are
    drawn.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
