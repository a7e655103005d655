"""The shards that a folder in the released layout, or of recordings, was made of or is read as."""

from collections.abc import Sequence
from pathlib import Path

from spikesim import SpikeCamera
from spikesim.errors import InvalidValueError
from spikesim_datasets.folders import entries_of
from spikesim_datasets.layouts.description import DESCRIPTION, SPIKES, LayoutShard, described, undescribed
from spikesim_datasets.layouts.recorded_clips import is_recorded, recorded_shards


def describe(layout: Path, v_th: float | None, camera: SpikeCamera | None = None) -> Sequence[LayoutShard]:
    """The shards that a layout was made of, or that are made of one that is not ours.

    Args:
        layout: Its root.
        v_th, camera: Threshold and sensor of `spike_data`, as for `layout_to_shards`.

    Raises:
        InputFileError: It is no such layout, or its description is damaged.
        InvalidValueError: The threshold is not known, is none, or contradicts what the layout says; or the layout
            says its sensors itself.
    """
    threshold = None if v_th is None else SpikeCamera(v_th=v_th).v_th  # refuses what is no threshold
    shards = described(layout, threshold)
    if shards is None:
        # In both there may be a folder SPIKES in a folder: of clips in the released layout, of files in recordings.
        recorded = not entries_of(layout, f"*/{SPIKES}/*/*.dat") and is_recorded(layout)
        return recorded_shards(layout, threshold, camera) if recorded else undescribed(layout, threshold, camera)
    if camera is not None:
        raise InvalidValueError(
            f"{layout / DESCRIPTION} says which sensors its spikes are from; leave the preset or camera out"
        )
    return shards
