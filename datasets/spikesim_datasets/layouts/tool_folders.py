"""Samples as other tools of the field read them: folders of Spike-Zoo and of SpikeCV."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from spikesim import write_spikecv, write_spikezoo
from spikesim.checks import require_choice, require_number, require_path
from spikesim.errors import InvalidValueError
from spikesim.files import atomic_path
from spikesim.hdf5 import looked_through
from spikesim.interchange import require_multiple_of_8
from spikesim.locks import locked
from spikesim_datasets.image_files import write_png
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.shards.dataset import shards_to_convert
from spikesim_datasets.shards.reader import ShardReader
from spikesim_datasets.unfinished import OF_LAYOUT, Conversion

Tool = Literal["spikezoo", "spikecv"]
TOOL_SCHEMA = "spikesim.tool/1"


def shards_to_tool(
    dataset: Path | str,
    out: Path | str,
    tool: Tool,
    v_th: float | None = None,
    *,
    on_progress: OnProgress | None = None,
) -> int:
    """Write the spikes of a dataset as another tool reads them.

    For `spikezoo` they are `OUT/SPLIT/spike/CLIP_WINDOW.dat`, and the sharp frame in the middle of the exposure, grey
    and of their size as the spike camera sees it, `OUT/SPLIT/gt/CLIP_WINDOW.png`, where it is known. For `spikecv` they
    are `OUT/SPLIT/CLIP/WINDOW.dat`. `OUT/config.yaml` tells the size, `OUT/spikesim.json` what was converted. Files
    that are there already are kept, so that running again after an interruption finishes the work.

    Args:
        dataset: The dataset.
        out: Folder to write; it must not exist yet, be empty, or hold this conversion, whole or not.
        tool: Which.
        v_th: Threshold of the spikes; None where there is only one.
        on_progress: Told of samples.

    Returns:
        The number of samples.

    Raises:
        InputFileError: There is no dataset or it is damaged.
        InvalidValueError: The tool is unknown, the threshold is missing or to be chosen from several, sizes differ, or
            the pixels of a readout are no multiple of 8, which these tools cannot read.
        OutputError: `out` holds something else, another process writes it, or it cannot be written.
    """
    dataset, out = require_path(dataset, "dataset"), require_path(out, "out")
    require_choice(tool, "tool", get_args(Tool))
    v_th, tell = None if v_th is None else require_number(v_th, "v_th"), teller(on_progress)
    files = shards_to_convert(dataset)
    counts, sizes = [], set()
    for file in looked_through(files):
        with ShardReader(file) as shard:
            shard.threshold(v_th)
            counts.append((shard.key, len(shard)))
            sizes.add(tuple(side // shard.ratio for side in shard.shape[1:]))
    if len(sizes) > 1:
        raise InvalidValueError(
            f"{tool} reads folders of one size, spikes here have {sorted(sizes)}; convert them apart"
        )
    ((height, width),) = sizes
    require_multiple_of_8(height, width)
    conversion = Conversion.of(dataset, files, [tool, v_th])
    with locked(out):
        conversion.begin(out, OF_LAYOUT)
        tally = Tally(counts, 0, tell)
        for place, file in enumerate(files):
            with ShardReader(file) as shard:
                for _ in _written(shard, out, tool, v_th):
                    tally.step(place)
        with atomic_path(out / OF_LAYOUT) as temporary:
            record = {"schema": TOOL_SCHEMA, "tool": tool, "recipe": conversion.recipe}
            temporary.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    return sum(count for _, count in counts)


def _written(shard: ShardReader, out: Path, tool: Tool, v_th: float | None) -> Iterator[None]:
    """Write the samples of a shard one by one."""
    middle = sum(shard.exposure) // 2
    for number, window in enumerate(shard.windows):
        if tool == "spikecv":
            name = f"{shard.split}/{shard.name}/{window:05d}"
            if not (out / f"{name}.dat").exists():
                write_spikecv(out, name, shard.spikes(number, v_th))
        else:
            name = f"{shard.name}_{window:05d}"
            image = out / shard.split / "gt" / f"{name}.png"
            if middle in shard.sharp_readouts and not image.exists():
                frame = shard.sharp_readouts.index(middle)
                sharp = shard.sharp(number, frames=slice(frame, frame + 1))[0]
                light = shard.optics.light(sharp, shard.misalignment(number))
                grey = np.rint(255 * light).astype(np.uint8)
                write_png(image, np.repeat(grey[..., None], 3, axis=2))
            if not (out / shard.split / "spike" / f"{name}.dat").exists():
                write_spikezoo(out, name, shard.spikes(number, v_th), split=shard.split)
        yield
