"""Folders of SpkDeblurNet's own code: GOPRO_Large, and spikes beside it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from spikesim import SpikeStream, write_spikes
from spikesim.errors import InvalidValueError
from spikesim.files import atomic_path
from spikesim.interchange import require_multiple_of_8
from spikesim_datasets.image_files import write_png
from spikesim_datasets.layouts.sample_files import frame_name
from spikesim_datasets.layouts.tool_layout import (
    File,
    ToolLayout,
    ToolShard,
    require_middle_sharp,
    require_one_size,
    require_plain_names,
)
from spikesim_datasets.shards.reader import ShardReader

HALF = 28
"""Readouts that its loader takes before the middle of a stream, and from there on."""


class SpkDeblurNetFolder(ToolLayout):
    """Blurry images, the sharp frames in the middle of their exposures, and 56 readouts around them at half the size.

        OUT/GOPRO_Large/SPLIT/CLIP/blur_gamma/000019.png         blurry image, named by its middle raw frame
        OUT/GOPRO_Large/SPLIT/CLIP/sharp/000019.png              that raw frame
        OUT/GOPRO_Large_spike_seq/SPLIT/CLIP/spike/000019.dat    28 readouts before it, and 28 from it on

    Spikes of ¼ and ⅛ of the image's size have their pixels repeated 2×2 and 4×4. Its loader takes `.DS_Store`, a file
    manager's note on the authors' machine, off the list of clips of a split and fails where there is none; so there is
    one, and it is empty.

    Source:
        Chen et al., "Enhancing Motion Deblurring in High-Speed Scenes with Spike Streams", NeurIPS 2023;
        github.com/hnmizuho/SpkDeblurNet, `codes/dataset/gopro_sequence.py`.
    """

    title = "SpkDeblurNet"

    def check(self, shards: Sequence[ToolShard]) -> None:
        require_plain_names(shards, self.title)
        require_middle_sharp(shards, self.title)
        for shard in shards:
            if shard.ratio == 1:
                raise InvalidValueError(
                    f"{self.title} reads spikes of half the size of images, those of {shard.path} have their whole "
                    "size; build the dataset with --ratio 2, 4 or 8"
                )
            if (least := max(HALF - shard.middle, shard.middle + HALF - shard.readouts)) > 0:
                raise InvalidValueError(
                    f"{self.title} reads {HALF} readouts before the middle of an exposure and {HALF} from there on, "
                    f"the {shard.readouts} of {shard.path} have their middle at {shard.middle}; build the dataset with "
                    f"--padding {shard.plan.padding + least} or more"
                )
        height, width = require_one_size(shards, self.title)
        times = shards[0].ratio // 2
        require_multiple_of_8(times * height, times * width)

    def files(self, shard: ToolShard, reader: ShardReader, number: int) -> Iterator[File]:
        name = frame_name(shard.names(shard.windows[number]).middle_frame)
        images, spikes = self.out / "GOPRO_Large" / shard.split, self.out / "GOPRO_Large_spike_seq" / shard.split
        part = slice(shard.middle - HALF, shard.middle + HALF)
        yield images / ".DS_Store", _write_nothing
        yield (
            images / shard.name / "blur_gamma" / f"{name}.png",
            lambda path: write_png(path, reader.blur(number)),
        )
        yield (
            images / shard.name / "sharp" / f"{name}.png",
            lambda path: write_png(path, shard.middle_sharp(reader, number)),
        )
        yield (
            spikes / shard.name / "spike" / f"{name}.dat",
            lambda path: write_spikes(
                path, _repeated(reader.spikes(number, self.v_th)[part], shard.ratio // 2), describe=False
            ),
        )


def _repeated(stream: SpikeStream, times: int) -> SpikeStream:
    """A stream whose pixels are so many pixels wide and high."""
    return SpikeStream.from_dense(stream.dense().repeat(times, 1).repeat(times, 2), stream.camera)


def _write_nothing(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.touch()
