"""Folders of the code of methods that see images alone: BiT and Motion-ETR."""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from pathlib import Path

import numpy as np

from spikesim.errors import InvalidValueError
from spikesim_datasets.image_files import write_png
from spikesim_datasets.layouts.sample_files import frame_name
from spikesim_datasets.layouts.tool_layout import (
    File,
    ToolLayout,
    ToolShard,
    require_middle_sharp,
    require_one_plan,
    require_plain_names,
)
from spikesim_datasets.layouts.window_runs import window_runs
from spikesim_datasets.shards.reader import ShardReader


class BiTFolder(ToolLayout):
    """Blurry images and sharp frames, numbered in one series.

        OUT/SPLIT_blur/RUN/00003.png        blurry image, with the number of its middle sharp frame
        OUT/SPLIT/RUN/00000.png, ...        sharp frames of all exposures, m of each

    RUN is as for REFID: its loader shows a blurry image with the one before and the one after it. Around the number of
    a blurry image it takes m sharp frames, m odd, at times evenly from 0 to 1.

    Source:
        Zhong et al., "Blur Interpolation Transformer for Real-World Motion from Blur", CVPR 2023;
        github.com/zzh-tech/BiT, `Adobe240` of `data/dataset.py`.
    """

    title = "BiT"
    has_spikes = False

    def check(self, shards: Sequence[ToolShard]) -> None:
        require_plain_names(shards, self.title)
        require_one_plan(shards, self.title)
        for shard in shards:
            sharp, (start, stop) = shard.sharp_readouts, shard.exposure
            if len(sharp) < 3 or len(sharp) % 2 == 0 or (sharp[0], sharp[-1]) != (start, stop - 1):
                raise InvalidValueError(
                    f"{self.title} reads 3, 5, 7, ... sharp frames, from the first readout of an exposure, {start}, "
                    f"to its last, {stop - 1}, {shard.path} has {list(sharp) or 'none'}; build the dataset with "
                    "--sharp sequence and --exposure ssdm"
                )
        self._places = window_runs(shards, self.title)

    def files(self, shard: ToolShard, reader: ShardReader, number: int) -> Iterator[File]:
        run, position = self._places[shard.key, shard.windows[number]]
        frames = len(shard.sharp_readouts)
        first = position * frames
        yield (
            self.out / f"{shard.split}_blur" / run / f"{first + frames // 2:05d}.png",
            lambda path: write_png(path, reader.blur(number)),
        )
        sharp = cache(lambda: reader.sharp(number))  # once, and only where a frame is missing

        def write_sharp(i: int, path: Path) -> None:
            write_png(path, sharp()[i])

        for i in range(frames):
            yield self.out / shard.split / run / f"{first + i:05d}.png", partial(write_sharp, i)


class MotionETRFolder(ToolLayout):
    """`OUT/SPLIT/CLIP_000019.png`: a blurry image, and right of it the raw frame in the middle of its exposure, of this
    number.

    Source:
        Zhang et al., "Exposure Trajectory Recovery from Motion Blur", TPAMI 2021; github.com/yjzhang96/Motion-ETR,
        `data/aligned_dataset.py`.
    """

    title = "Motion-ETR"
    has_spikes = False

    def check(self, shards: Sequence[ToolShard]) -> None:
        require_middle_sharp(shards, self.title)

    def files(self, shard: ToolShard, reader: ShardReader, number: int) -> Iterator[File]:
        name = frame_name(shard.names(shard.windows[number]).middle_frame)
        yield (
            self.out / shard.split / f"{shard.name}_{name}.png",
            lambda path: write_png(path, np.hstack([reader.blur(number), shard.middle_sharp(reader, number)])),
        )
