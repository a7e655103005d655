"""Video files: which frames they hold, those frames by their numbers, and new ones.

Here, and nowhere else, PyAV is used itself and not through imageio. Reading, because imageio's plug-in finds frames by
the mean rate, where presentation times are wanted, and passes damaged ones on. Writing, because it says neither the
quality nor the matrix of the colours.
"""

from spikesim_datasets.videos.colours import Colours, to_rgb
from spikesim_datasets.videos.containers import is_video
from spikesim_datasets.videos.frame_index import VideoIndex, index_video
from spikesim_datasets.videos.frame_reading import read_frames
from spikesim_datasets.videos.writing import CONTAINERS, FINE_CRF, find_encoder, write_video

__all__ = [
    "CONTAINERS",
    "FINE_CRF",
    "Colours",
    "VideoIndex",
    "find_encoder",
    "index_video",
    "is_video",
    "read_frames",
    "to_rgb",
    "write_video",
]
