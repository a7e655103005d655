"""What a video says of how it is to be shown: which way up, and with pixels of which shape."""

import struct
from fractions import Fraction
from typing import cast

import av
from av.sidedata.sidedata import SideData, Type

from spikesim_datasets.orientation import UPRIGHT, of_display_matrix

_MATRIX = struct.Struct("=9i")


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


def pixel_shape(stream: av.VideoStream) -> Fraction:
    """How many times as wide as high the pixels of a video are to be shown; 1 if it does not say."""
    return stream.sample_aspect_ratio or Fraction(1)
