"""Which way up pixels lie, and how they are turned upright: the same for image files and videos."""

from collections.abc import Sequence

import numpy as np

from spikesim.errors import InputFileError

UPRIGHT = 1
"""The orientation of pixels that lie as they are to be shown.

Orientations are those of EXIF, 1 to 8, by what is to be done: 1 nothing, 2 mirror left to right, 3 turn by 180°,
4 mirror top to bottom, 5 swap rows and columns, 6 turn clockwise, 7 swap them from the other corner, 8 turn
anticlockwise.

Source:
    EXIF 2.32 (CIPA DC-008), tag 0x0112.
"""

TURNS = (
    *("upright", "mirrored left to right", "turned by 180°", "mirrored top to bottom", "rows and columns swapped"),
    *("turned by 90° clockwise", "rows and columns swapped, turned by 180°", "turned by 90° anticlockwise"),
)
"""What is done to pixels of each orientation from 1 on, in words."""

_BY_MATRIX = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}


def swaps_sides(orientation: int) -> bool:
    """Whether height becomes width."""
    return orientation > 4


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels (H, W, ...) as they are to be shown, (W, H, ...) where rows become columns."""
    if swaps_sides(orientation):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def of_display_matrix(matrix: Sequence[int], what: str) -> int:
    """The orientation that the display matrix of a video says.

    Args:
        matrix: Nine numbers a b u c d v x y w: a pixel at (p, q), right and down, is shown at (ap + cq, bp + dq).
        what: Has this matrix, for the message.

    Raises:
        InputFileError: It turns by an angle that is no multiple of 90°.

    Source:
        ISO/IEC 14496-12, 6.2.2.
    """
    turning = [matrix[0], matrix[1], matrix[3], matrix[4]]
    largest = max(map(abs, turning))
    # Sides of pixels that are not square may be in it as well, so only the directions count.
    signs = tuple((abs(value) > largest / 100) * (1 if value > 0 else -1) for value in turning)
    if signs not in _BY_MATRIX:
        raise InputFileError(
            f"{what} is to be shown turned by an angle that is no multiple of 90° (display matrix {list(matrix)}); "
            "turn it upright with a video editor"
        )
    return _BY_MATRIX[signs]
