"""An image as letters of a terminal, to look at over a connection that shows nothing else."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.style import Style
from rich.text import Text

if TYPE_CHECKING:
    import numpy as np

_RAMP = " .:-=+*#%@"
"""Letters by how much of their place is light, for terminals without colours."""


def print_image(console: Console, image: "np.ndarray") -> None:
    """Print an image as wide as the terminal: two pixels to a letter, one above the other.

    Args:
        console: The terminal. Without colours, light and dark letters stand for the pixels.
        image: RGB uint8 (H, W, 3).
    """
    import cv2
    import numpy as np

    columns = max(1, console.width)
    lines = max(1, round(image.shape[0] * columns / image.shape[1] / 2))
    small = cv2.resize(image, (columns, 2 * lines), interpolation=cv2.INTER_AREA).reshape(lines, 2, columns, 3)
    if console.no_color or console.color_system is None:
        levels = (small.mean((1, 3)) * (len(_RAMP) - 1) / 255).round().astype(np.int64)
        for line in levels.tolist():
            console.print("".join(_RAMP[level] for level in line), highlight=False, markup=False)
        return
    for upper, lower in small.tolist():
        text = Text(no_wrap=True)
        for above, below in zip(upper, lower, strict=True):
            text.append("▀", Style(color=_colour(above), bgcolor=_colour(below)))
        console.print(text)


def _colour(pixel: list[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*pixel)
