"""Decoded images of a video: their colours, and which way up they lie."""

import struct
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideData, Type
from av.video.reformatter import Interpolation

from spikesim.checks import require_instance
from spikesim_datasets.orientation import UPRIGHT, of_display_matrix

# By itself FFmpeg drops fractions, which makes images a level of 255 darker, gives two neighbours one colour, and
# leaves the last bits to the processor.
_CONVERSION = (
    Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND | Interpolation.BITEXACT
)

_MATRIX = struct.Struct("=9i")


def to_rgb(image: av.VideoFrame) -> np.ndarray:
    """The colours of a decoded image as it is coded, uint8 (H,W,3), rounded, on every processor alike."""
    require_instance(image, "image", av.VideoFrame)
    return image.to_ndarray(format="rgb24", interpolation=_CONVERSION)


def orientation_of(image: av.VideoFrame, what: str) -> int:
    """Which way up a decoded image lies, see `orientation.UPRIGHT`; videos of phones that were held upright lie turned.

    Args:
        image: A decoded image.
        what: The video, for the message.

    Raises:
        InputFileError: It is to be turned by an angle that is no multiple of 90°.
    """
    matrix = cast("SideData | None", image.side_data.get(Type.DISPLAYMATRIX.name))
    return UPRIGHT if matrix is None else of_display_matrix(_MATRIX.unpack_from(bytes(matrix)), what)
