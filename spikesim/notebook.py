"""What a notebook shows of an object as the last line of a cell: its facts in a table, and images beside each other."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

_WIDTH = 220  # pixels that an image is shown at


def shown_in_notebook(title: str, facts: Mapping[str, object], images: Sequence[tuple[str, np.ndarray]] = ()) -> str:
    """HTML of an object.

    Args:
        title: What it is.
        facts: What there is to say, by name.
        images: Captions and images, grey (H, W) or RGB (H, W, 3), uint8.
    """
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(fact))}</td></tr>" for name, fact in facts.items())
    figures = "".join(
        f'<figure style="margin:0"><img src="{_address(image)}" width="{_WIDTH}" alt="{escape(caption)}" '
        f'style="image-rendering:pixelated"><figcaption>{escape(caption)}</figcaption></figure>'
        for caption, image in images
    )
    strip = f'<div style="display:flex;flex-wrap:wrap;gap:.5em">{figures}</div>' if figures else ""
    return f"<div><b>{escape(title)}</b><table>{rows}</table>{strip}</div>"


def _address(image: np.ndarray) -> str:
    """A PNG file in an address."""
    from PIL import Image

    file, drawn = io.BytesIO(), Image.fromarray(image)
    drawn.thumbnail((2 * _WIDTH, 4 * _WIDTH))  # smaller images stay as they are
    drawn.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
