"""Reading a clip of the released layout as a shard is read."""

from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from PIL import Image

from spikesim import SpikeStream, read_spikes
from spikesim.errors import InputFileError
from spikesim.formats.decoding import reading
from spikesim_datasets.layouts.description import (
    BLUR,
    DESCRIPTION,
    SHARP,
    SPIKES,
    LayoutShard,
    describe,
    frame_name,
    sharp_name,
)
from spikesim_datasets.optics import SCALE
from spikesim_datasets.shards.dataset import Dataset, of_split
from spikesim_datasets.shards.index import ShardEntry
from spikesim_datasets.shards.sample import Sample, crop_columns


class LayoutReader:
    """A clip of a layout, with what `ShardReader` has; files are read when asked for, images whole, then cropped.

    Args:
        layout: Root of the layout.
        shard: What is said of the clip.
    """

    def __init__(self, layout: Path, shard: LayoutShard) -> None:
        self.path = layout / shard.path
        self.key, self.windows = shard.key, tuple(shard.windows)
        self.exposure, self.sharp_readouts = shard.plan.exposure, tuple(shard.sharp_readouts)
        self.recipe = shard.recipe
        self.cameras = dict(sorted(shard.cameras.values(), key=lambda camera: camera[0]))
        self._plan = shard.plan
        self._folders = {v_th: folder for folder, (v_th, _) in shard.cameras.items()}
        self._root = layout / shard.key.split("/", 1)[0]
        self._clip = shard.key.split("/", 1)[1]

    def __len__(self) -> int:
        return len(self.windows)

    def close(self) -> None:
        """Nothing is kept open."""

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(H, W) of the blurry images and the readouts T of the streams, as (T, H, W)."""
        path = self._show_images(BLUR, 0)
        with reading(path), Image.open(path) as image:
            return self._plan.stream_length, image.height, image.width

    def sample(self, number: int) -> Sample:
        """A whole sample.

        Raises:
            InputFileError: A file of it is missing or damaged, or its parts do not fit together.
        """
        blur = self.blur(number)
        spikes = {v_th: self._stream(number, v_th, blur.shape[:2]) for v_th in self._folders}
        sharp = self._sharp(number, slice(None), blur.shape)
        first_frame = self._first_frame(number)
        return Sample(
            self.key, self.windows[number], first_frame, self.exposure, blur, sharp, self.sharp_readouts, spikes
        )

    def blur(self, number: int, rows: slice = slice(None), columns: slice = slice(None)) -> np.ndarray:
        """See `ShardReader.blur`."""
        return _read_png(self._show_images(BLUR, number))[rows, columns]

    def sharp(
        self, number: int, rows: slice = slice(None), columns: slice = slice(None), frames: slice = slice(None)
    ) -> np.ndarray:
        """See `ShardReader.sharp`."""
        _, height, width = self.shape
        return self._sharp(number, frames, (height, width, 3))[:, rows, columns]

    def spikes(self, number: int, v_th: float, rows: slice = slice(None), columns: slice = slice(None)) -> SpikeStream:
        """See `ShardReader.spikes`."""
        stream = self._stream(number, v_th, self.shape[1:])
        return crop_columns(
            lambda bytes_: stream.packed[:, rows, bytes_].copy(), columns, stream.width, self.cameras[v_th]
        )

    def _first_frame(self, number: int) -> int:
        return self.windows[number] * self._plan.period // self._plan.factor

    def _name(self, number: int) -> str:
        return frame_name(self._first_frame(number) + self._plan.middle_frame)

    def _show_images(self, folder: str, number: int) -> Path:
        return self._root / folder / self._clip / f"{self._name(number)}.png"

    def _sharp(self, number: int, frames: slice, shape: tuple[int, ...]) -> np.ndarray:
        readouts = self.sharp_readouts[frames]
        sharp = np.empty((len(readouts), *shape), np.uint8)
        for place, readout in enumerate(readouts):
            path = self._root / SHARP / self._clip / sharp_name(self._first_frame(number), readout, self._plan)
            frame = _read_png(path)
            if frame.shape != shape:
                raise InputFileError(f"{path} is {frame.shape[1]}×{frame.shape[0]}, its blur is {shape[1]}×{shape[0]}")
            sharp[place] = frame
        return sharp

    def _stream(self, number: int, v_th: float, size: tuple[int, ...]) -> SpikeStream:
        path = self._root / self._folders[v_th] / self._clip / f"{self._name(number)}.dat"
        stream = read_spikes(path, size[0] // SCALE, size[1] // SCALE)
        if len(stream) != self._plan.stream_length:
            raise InputFileError(
                f"{path} has {len(stream)} readouts, a stream of this layout has {self._plan.stream_length}"
            )
        return SpikeStream(stream.packed, stream.shape[2], self.cameras[v_th])


def is_layout(root: Path) -> bool:
    """Whether a folder is in the released layout."""
    return (root / DESCRIPTION).is_file() or any(root.glob(f"*/{SPIKES}"))


def open_layout(path: Path | str, split: str, v_th: float | None = None) -> Dataset:
    """The samples of a split of a folder in the released layout; nothing is converted.

    Args:
        path: Its root.
        split: `train` or `test`.
        v_th: Threshold of `spike_data`, needed where the layout does not say.

    Raises:
        InputFileError: It is no such layout, or its description is damaged.
        InvalidValueError: The layout has no such split, or the threshold is not known.
    """
    root = Path(path)
    shards = describe(root, None if (root / DESCRIPTION).is_file() else v_th)
    entries = [
        ShardEntry(shard.path, shard.key, shard.key.split("/")[0], len(shard.windows), 0, "") for shard in shards
    ]
    chosen = of_split(root, entries, split)
    return Dataset(root, split, chosen, partial(_open_clip, root, {root / shard.path: shard for shard in shards}))


def _open_clip(root: Path, shards: Mapping[Path, LayoutShard], path: Path) -> LayoutReader:
    return LayoutReader(root, shards[path])


def _read_png(path: Path) -> np.ndarray:
    with reading(path), Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
