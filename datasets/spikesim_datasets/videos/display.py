"""What a video says of how it is to be shown: which way up, by lines, and with pixels of which shape."""

import struct
from fractions import Fraction
from typing import cast

import av
from av.filter import Graph
from av.sidedata.sidedata import SideData, Type

from spikesim_datasets.orientation import of_display_matrix

_MATRIX = struct.Struct("=9i")
_UNKNOWN = range(len(Type), 64)
"""Numbers of kinds of side data that FFmpeg may know and PyAV does not."""

_PROGRESSIVE = 1  # AV_FIELD_PROGRESSIVE; above are those of two fields, 0 is not known


def orientation_of(image: av.VideoFrame, what: str) -> int | None:
    """Which way up a decoded image lies, see `orientation.UPRIGHT`; videos of phones that were held upright lie turned.

    Args:
        image: A decoded image.
        what: The video, for the message.

    Returns:
        None where the image does not say.

    Raises:
        InputFileError: It is to be turned by an angle that is no multiple of 90°.
    """
    try:
        data = image.side_data
    except ValueError:  # of one kind that it does not know, PyAV tells none
        data = _without_unknown(image).side_data
    matrix = cast("SideData | None", data.get(Type.DISPLAYMATRIX.name))
    return None if matrix is None else of_display_matrix(_MATRIX.unpack_from(bytes(matrix)), what)


def _without_unknown(image: av.VideoFrame) -> av.VideoFrame:
    """The image without side data of kinds that PyAV does not know, such as EXIF in MJPEG."""
    graph = Graph()
    given = graph.add_buffer(
        width=image.width, height=image.height, format=image.format, time_base=image.time_base or Fraction(1)
    )
    deletions = [graph.add("sidedata", f"mode=delete:type={kind}") for kind in _UNKNOWN]
    graph.link_nodes(given, *deletions, graph.add("buffersink")).configure()
    graph.push(image)
    return cast("av.VideoFrame", graph.pull())


def shown_by_lines(stream: av.VideoStream) -> bool:
    """Whether the container says that a video is interlaced; not all codecs repeat it in their images."""
    return stream.codec_context.field_order > _PROGRESSIVE


def pixel_shape(stream: av.VideoStream) -> Fraction:
    """How many times as wide as high the pixels of a video are to be shown; 1 if it does not say."""
    return stream.sample_aspect_ratio or Fraction(1)
