"""To and from the folder layout of the S-SDM release.

    ROOT/SPLIT/blur_data/CLIP/000019.png            blurry image, named by the raw frame in the middle of its exposure
    ROOT/SPLIT/sharp_data/CLIP/000013.png, ...      ground truth, named by its raw frame
    ROOT/SPLIT/spike_data/CLIP/000019.dat           spikes of one threshold

Further thresholds lie beside it in `spike_data_vth_2` and so on. `spikesim.json` keeps what the layout has no place
for, so that the way back loses nothing; a release of somebody else has none and is read by its names alone.
"""

from spikesim_datasets.layouts.conversion import layout_to_shards, shards_to_layout
from spikesim_datasets.layouts.description import SPIKES
from spikesim_datasets.layouts.layout_reader import is_layout, open_layout
from spikesim_datasets.layouts.layout_verification import verify_layout
from spikesim_datasets.layouts.recorded_clips import RecordedPair, recorded_pairs
from spikesim_datasets.layouts.release_loader import loader_notes
from spikesim_datasets.layouts.tool_folders import Tool, shards_to_tool

__all__ = [
    "SPIKES",
    "RecordedPair",
    "Tool",
    "is_layout",
    "layout_to_shards",
    "loader_notes",
    "open_layout",
    "recorded_pairs",
    "shards_to_layout",
    "shards_to_tool",
    "verify_layout",
]
