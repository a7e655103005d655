"""Samples as other tools read them: Spike-Zoo, SpikeCV, and the code of published methods of deblurring."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from spikesim.checks import require_choice, require_number, require_path
from spikesim.errors import InvalidValueError
from spikesim.files import atomic_path
from spikesim.hdf5 import looked_through
from spikesim.locks import locked
from spikesim_datasets.layouts.image_tool_folders import BiTFolder, MotionETRFolder
from spikesim_datasets.layouts.refid_folders import REFIDFolder
from spikesim_datasets.layouts.spike_tool_folders import SpikeCVFolder, SpikeZooFolder
from spikesim_datasets.layouts.spkdeblurnet_folders import SpkDeblurNetFolder
from spikesim_datasets.layouts.tool_layout import ToolLayout, ToolShard
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.shards.dataset import shards_to_convert
from spikesim_datasets.shards.reader import ShardReader
from spikesim_datasets.unfinished import OF_LAYOUT, Conversion

Tool = Literal["spikezoo", "spikecv", "spk-gopro", "refid", "bit", "motion-etr"]
TOOLS: dict[Tool, type[ToolLayout]] = {
    "spikezoo": SpikeZooFolder,
    "spikecv": SpikeCVFolder,
    "spk-gopro": SpkDeblurNetFolder,
    "refid": REFIDFolder,
    "bit": BiTFolder,
    "motion-etr": MotionETRFolder,
}
"""What each tool's own code reads; where its files lie is told there."""

TOOL_SCHEMA = "spikesim.tool/1"


def shards_to_tool(
    dataset: Path | str,
    out: Path | str,
    tool: Tool,
    v_th: float | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> int:
    """Write a dataset as another tool, or the code of a published method, reads it.

    | tool | whose code | what it finds |
    |---|---|---|
    | `spikezoo` | Spike-Zoo | spikes, and the middle sharp frames in grey at their size |
    | `spikecv` | SpikeCV | spikes |
    | `spk-gopro` | SpkDeblurNet | blurry images, middle sharp frames, 56 readouts at half the size of images |
    | `refid` | REFID | blurry images and sharp frames at the size of the spikes, spikes as events |
    | `bit` | BiT | blurry images and sharp frames |
    | `motion-etr` | Motion-ETR | each blurry image beside its middle sharp frame |

    `OUT/spikesim.json` tells what was converted. Files that are there already are kept, so that running again after an
    interruption finishes the work.

    Args:
        dataset: The dataset.
        out: Folder to write; it must not exist yet, be empty, or hold this conversion, whole or not.
        tool: Which.
        v_th: Threshold of the spikes; None where there is only one, or the tool reads none.
        on_progress: Told of samples.

    Returns:
        The number of samples.

    Raises:
        InputFileError: There is no dataset or it is damaged.
        InvalidValueError: The tool is unknown or cannot read such samples; the threshold is missing, to be chosen from
            several, or given for a tool that reads no spikes; or an exposure is there twice.
        OutputError: `out` holds something else, another process writes it, or it cannot be written.
    """
    dataset, out = require_path(dataset, "dataset"), require_path(out, "out")
    kind = TOOLS[require_choice(tool, "tool", TOOLS)]
    v_th, tell = None if v_th is None else require_number(v_th, "v_th"), teller(on_progress)
    if v_th is not None and not kind.has_spikes:
        raise InvalidValueError(f"{kind.title} reads images alone, got v_th={v_th:g}; leave the threshold out")
    files = shards_to_convert(dataset)
    shards = []
    for file in looked_through(files):
        with ShardReader(file) as reader:
            if kind.has_spikes:
                reader.threshold(v_th)
            shards.append(ToolShard.of(reader))
    _refuse_repeated(shards)
    layout = kind(out, shards, v_th)
    conversion = Conversion.of(dataset, files, [tool, v_th])
    with locked(out):
        conversion.begin(out, OF_LAYOUT)
        tally = Tally([(shard.key, len(shard.windows)) for shard in shards], 0, tell)
        for place, shard in enumerate(shards):
            with ShardReader(shard.path) as reader:
                for number in range(len(reader)):
                    for path, write in layout.files(shard, reader, number):
                        if not path.exists():
                            write(path)
                    tally.step(place)
        with atomic_path(out / OF_LAYOUT) as temporary:
            record = {"schema": TOOL_SCHEMA, "tool": tool, "recipe": conversion.recipe}
            temporary.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return sum(len(shard.windows) for shard in shards)


def _refuse_repeated(shards: Sequence[ToolShard]) -> None:
    """Refuse shards that have an exposure twice, of which a folder could hold one.

    Raises:
        InvalidValueError: They have.
    """
    holders: dict[tuple[str, int], Path] = {}
    for shard in shards:
        for window in shard.windows:
            if (exposure := (shard.key, window)) in holders:
                both = " and ".join(dict.fromkeys([str(holders[exposure]), str(shard.path)]))
                raise InvalidValueError(
                    f"{both} would give exposure {window} of {shard.key} more than once, a folder holds one of it; "
                    "convert datasets with equal clips one by one"
                )
            holders[exposure] = shard.path
