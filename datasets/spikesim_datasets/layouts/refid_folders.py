"""Folders of REFID's own code: blurry images, sharp frames, and events between these."""

from collections.abc import Iterator, Sequence
from functools import cache, partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from spikesim import SpikeStream
from spikesim.errors import InvalidValueError
from spikesim.files import atomic_path
from spikesim_datasets.image_files import write_png
from spikesim_datasets.layouts.sample_files import frame_name
from spikesim_datasets.layouts.tool_layout import File, ToolLayout, ToolShard, require_one_plan, require_plain_names
from spikesim_datasets.layouts.window_runs import window_runs
from spikesim_datasets.shards.reader import ShardReader


class REFIDFolder(ToolLayout):
    """Blurry images and sharp frames at the size of the spikes, and spikes as events from each sharp frame to the next.

        OUT/SPLIT/RUN/blur/000019.png          blurry image, named by its middle raw frame
        OUT/SPLIT/RUN/gt/000013.png, ...       its m sharp frames, each named by its raw frame
        OUT/SPLIT_event/RUN/000013.npz, ...    events from the sharp frame of this name to the next one

    RUN is a clip, or as much of one as has exposures that follow each other (`window_runs`): neighbours in its lists
    are neighbours in time. Images are reduced by the mean of each block. A spike is an event at its readout: `x`, `y`,
    `timestamp` in readouts of the clip and `polarity`, always 1. Events of an interval are those after its first frame,
    up to and at its last one.

    Its loader of pairs of blurry images is told m, the sharp frames of an exposure, and n, those between two exposures.
    For blurry images i and i+1 it takes the sharp frames from i(m+n) on, 2m+n of them, and the events from file
    i(m+n)−1 on, 2m+n+1 of them: from the last frame before the first exposure to the first one after the second. Here n
    is 0, and every exposure has m intervals: m−1 in it, and one from its last sharp frame to the first one of the next
    exposure. That one is cut from its own stream, which reaches beyond the exposure, whether or not the next exposure
    is in the dataset. The pair (0, 1) is never taken, as no file ends where exposure 0 begins. Streams of a dataset
    start afresh in every exposure: where the next one takes over, a pixel may have a spike too many or too few.

    Source:
        Sun et al., "Event-Based Frame Interpolation with Ad-hoc Deblurring", CVPR 2023; github.com/AHupuJR/REFID,
        `basicsr/data/image_npy_dataset.py`.
    """

    title = "REFID"

    def check(self, shards: Sequence[ToolShard]) -> None:
        require_plain_names(shards, self.title)
        require_one_plan(shards, self.title)
        for shard in shards:
            if not shard.sharp_readouts:
                raise InvalidValueError(
                    f"{self.title} reads sharp frames, {shard.path} has none; build the dataset with --sharp sequence"
                )
            if (least := _times(shard)[-1] + 1 - shard.readouts) > 0:
                raise InvalidValueError(
                    f"{self.title} reads events up to the next exposure's first sharp frame, {least} readouts behind "
                    f"the streams of {shard.path}; build the dataset with --sharp sequence, or with --padding "
                    f"{shard.plan.padding + least} or more"
                )
        self._places = window_runs(shards, self.title)

    def files(self, shard: ToolShard, reader: ShardReader, number: int) -> Iterator[File]:
        window = shard.windows[number]
        run = self._places[shard.key, window].folder
        images, events = self.out / shard.split / run, self.out / f"{shard.split}_event" / run
        names = shard.names(window)
        yield (
            images / "blur" / f"{frame_name(names.middle_frame)}.png",
            lambda path: write_png(path, _reduced(reader.blur(number), shard.ratio)),
        )
        # Once, though a sample has many files, and only where one of them is missing.
        sharp = cache(lambda: reader.sharp(number))
        stream = cache(lambda: reader.spikes(number, self.v_th))
        first = window * shard.plan.period - shard.exposure[0]

        def write_sharp(i: int, path: Path) -> None:
            write_png(path, _reduced(sharp()[i], shard.ratio))

        def write_events(start: int, stop: int, path: Path) -> None:
            _write_events(path, stream()[start:stop], first + start)

        frames = names.sharp_frames(shard.sharp_readouts)
        for i, (frame, (before, last)) in enumerate(zip(frames, pairwise(_times(shard)), strict=True)):
            yield images / "gt" / f"{frame_name(frame)}.png", partial(write_sharp, i)
            yield events / f"{frame_name(frame)}.npz", partial(write_events, before + 1, last + 1)


def _times(shard: ToolShard) -> tuple[int, ...]:
    """Readouts of the sharp frames of an exposure and of the first one of the next."""
    return (*shard.sharp_readouts, shard.sharp_readouts[0] + shard.plan.period)


def _reduced(image: np.ndarray, ratio: int) -> np.ndarray:
    """The mean of each block of an image, rounded: RGB uint8 (H, W, 3) to (H/ratio, W/ratio, 3)."""
    height, width, _ = image.shape
    blocks = image.reshape(height // ratio, ratio, width // ratio, ratio, 3)
    total = blocks.sum(axis=(1, 3), dtype=np.uint32)
    return ((2 * total + ratio**2) // (2 * ratio**2)).astype(np.uint8)


def _write_events(path: Path, spikes: SpikeStream, first: int) -> None:
    """Write spikes as events, in the order of time.

    Args:
        path: The file.
        spikes: Of an interval.
        first: Its first readout, in those of the clip.
    """
    readout, row, column = np.nonzero(spikes.dense())
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(
            file,
            x=column.astype(np.uint16),
            y=row.astype(np.uint16),
            timestamp=(first + readout).astype(np.int32),
            polarity=np.ones(len(readout), np.int8),
        )
