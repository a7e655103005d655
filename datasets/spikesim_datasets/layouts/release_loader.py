"""What the loader of the S-SDM release does not read of a layout, or not as it is meant."""

from pathlib import Path
from typing import get_args

from spikesim.checks import require_path
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.layouts.description import SPIKES
from spikesim_datasets.layouts.layout_reader import LayoutReader
from spikesim_datasets.layouts.shard_descriptions import describe
from spikesim_datasets.shards.schema import threshold_name
from spikesim_datasets.sources.clip import Split

SIZE = (720, 1280)
"""(H, W) that the loader takes all images to have."""


def loader_notes(layout: Path | str) -> list[str]:
    """What the release's loader and scripts do not read of a layout that spikesim wrote, or not as it is meant.

    Args:
        layout: Its root.

    Returns:
        Sentences; none where they read it as it is meant.

    Raises:
        InvalidValueError: It is no path.
        InputFileError: It is no such layout, or damaged.

    Source:
        github.com/chenkang455/S-SDM, `codes/dataset.py` and the `train_*.py` that call it.
    """
    layout = require_path(layout, "layout")
    shards = describe(layout, None)
    plan, notes = ExposurePlan(), []
    beside = sorted({v_th for shard in shards for folder, (v_th, _) in shard.cameras.items() if folder != SPIKES})
    if beside:
        notes.append(
            f"it reads {SPIKES} alone, not the thresholds {', '.join(map(threshold_name, beside))} beside it; --vth "
            f"writes the spikes of one threshold, as {SPIKES}"
        )
    sizes = {LayoutReader(layout, shard).shape[1:] for shard in shards}
    if others := sorted(sizes - {SIZE}):
        height, width = others[0]
        notes.append(
            f"it takes all images to be {SIZE[1]}×{SIZE[0]}, and these are {width}×{height}; change width and height "
            "in its codes/dataset.py"
        )
    if lengths := sorted({shard.plan.stream_length for shard in shards if shard.plan != plan}):
        notes.append(
            f"its scripts take readouts {plan.exposure[0]} to {plan.exposure[1] - 1} of {plan.stream_length} for the "
            f"exposure; streams here have {lengths[0]} readouts"
        )
    bare = {shard.key for shard in shards if not {*shard.plan.sharp_readouts("middle")} <= {*shard.sharp_readouts}}
    if bare:
        notes.append(
            f"it reads the sharp frame in the middle of every exposure, which is missing in {sorted(bare)[0]}; build "
            "with --sharp middle or sequence"
        )
    if missing := sorted({*get_args(Split)} - {shard.split for shard in shards}):
        notes.append(f"its scripts want both splits, and there is no {missing[0]}")
    return notes
