"""Folders of Spike-Zoo and of SpikeCV."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from spikesim import write_spikecv, write_spikezoo
from spikesim.interchange import require_multiple_of_8
from spikesim_datasets.image_files import write_png
from spikesim_datasets.layouts.tool_layout import File, ToolLayout, ToolShard, require_one_size
from spikesim_datasets.shards.reader import ShardReader


class SpikeZooFolder(ToolLayout):
    """`OUT/SPLIT/spike/CLIP_WINDOW.dat` and, where the sharp frame in the middle of the exposure is known, that as
    `OUT/SPLIT/gt/CLIP_WINDOW.png`, grey and of the size of the spikes, as the spike camera sees it.

    Source:
        github.com/chenkang455/Spike-Zoo, `spikezoo/datasets/base_dataset.py`.
    """

    title = "Spike-Zoo"

    def check(self, shards: Sequence[ToolShard]) -> None:
        require_multiple_of_8(*require_one_size(shards, self.title))

    def files(self, shard: ToolShard, reader: ShardReader, number: int) -> Iterator[File]:
        name = f"{shard.name}_{shard.windows[number]:05d}"
        root = self.out / shard.split
        middle = sum(shard.exposure) // 2

        def write_grey(path: Path) -> None:
            frame = shard.sharp_readouts.index(middle)
            sharp = reader.sharp(number, frames=slice(frame, frame + 1))[0]
            light = reader.optics.light(sharp, reader.misalignment(number))
            grey = np.rint(255 * light).astype(np.uint8)
            write_png(path, np.repeat(grey[..., None], 3, axis=2))

        if middle in shard.sharp_readouts:
            yield root / "gt" / f"{name}.png", write_grey
        yield (
            root / "spike" / f"{name}.dat",
            lambda path: write_spikezoo(self.out, name, reader.spikes(number, self.v_th), split=shard.split),
        )


class SpikeCVFolder(ToolLayout):
    """`OUT/SPLIT/CLIP/WINDOW.dat`.

    Source:
        github.com/Zyj061/SpikeCV, `spkData/load_dat.py`.
    """

    title = "SpikeCV"

    def check(self, shards: Sequence[ToolShard]) -> None:
        require_multiple_of_8(*require_one_size(shards, self.title))

    def files(self, shard: ToolShard, reader: ShardReader, number: int) -> Iterator[File]:
        name = f"{shard.key}/{shard.windows[number]:05d}"
        yield (
            self.out / f"{name}.dat",
            lambda path: write_spikecv(self.out, name, reader.spikes(number, self.v_th)),
        )
