"""Reading a clip of the released layout as a shard is read."""

from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from spikesim import read_spikes
from spikesim.checks import require_path
from spikesim.errors import InputFileError
from spikesim_datasets.folders import entries_of
from spikesim_datasets.image_files import image_header
from spikesim_datasets.layouts.description import DESCRIPTION, SPIKES, LayoutShard
from spikesim_datasets.layouts.recorded_clips import is_recorded
from spikesim_datasets.layouts.sample_files import SampleFiles, read_array, read_sized_image
from spikesim_datasets.layouts.shard_descriptions import describe
from spikesim_datasets.optics import Ratio, require_ratio
from spikesim_datasets.shards.axes import Cuts, axis_lengths
from spikesim_datasets.shards.dataset import Dataset, of_split
from spikesim_datasets.shards.field import Field
from spikesim_datasets.shards.fields import BLUR
from spikesim_datasets.shards.index import INDEX, ShardEntry
from spikesim_datasets.shards.sample_reader import SampleReader


class LayoutReader(SampleReader):
    """A clip of a layout; files are read when asked for, images whole, then cropped.

    Args:
        layout: Root of the layout.
        shard: What is said of the clip.
    """

    def __init__(self, layout: Path, shard: LayoutShard) -> None:
        self.path = layout / shard.path
        self.split, self.name, self.windows = shard.split, shard.name, tuple(shard.windows)
        self._files = tuple(shard.files(layout, window) for window in self.windows)
        self.first_frames = tuple(files.first_frame for files in self._files)
        self.exposure, self.sharp_readouts = shard.plan.exposure, tuple(shard.sharp_readouts)
        self.recipe, self.extra = shard.recipe, tuple(shard.extra)
        self.cameras = dict(sorted(shard.cameras.values(), key=lambda camera: camera[0]))
        self._readouts, self._ratio = shard.plan.stream_length, require_ratio(shard.ratio)
        self._folders = {v_th: folder for folder, (v_th, _) in shard.cameras.items()}

    def close(self) -> None:
        """Nothing is kept open."""

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(H, W) of the blurry images and the readouts T of the streams, as (T, H, W)."""
        width, height = image_header(self._files[0].path(BLUR.folder, "png")).size
        return self._readouts, height, width

    @property
    def ratio(self) -> Ratio:
        """How many pixels of the images one of the spikes is wide and high."""
        return self._ratio

    def _load(self, field: Field, number: int, cuts: Cuts, v_th: float | None) -> np.ndarray:
        files, cut = self._files[number], field.cut(cuts)
        if v_th is not None:
            return self._packed(files.path(self._folders[v_th], "dat"))[cut].copy()
        if field.is_image:
            return self._images(field, files, cut)
        lengths = axis_lengths(len(self.sharp_readouts), *self.shape, self._ratio)
        return read_array(files.path(field.folder, f"{field.file}"), field.dtype, field.shape(lengths), cut)

    def _images(self, field: Field, files: SampleFiles, cut: tuple[slice, ...]) -> np.ndarray:
        """Part of a field of images; of several only those that are wanted are read."""
        size = self.shape[1:]
        paths = files.of(field, self.sharp_readouts)
        if "S" not in field.axes:
            return read_sized_image(paths[0], size, "the first blur of its clip")[cut]
        frames, *part = cut
        images = [read_sized_image(path, size, "its blur")[*part] for path in paths[frames]]
        return np.stack(images) if images else np.empty((0, *size, 3), np.uint8)[:, *part]

    def _packed(self, path: Path) -> np.ndarray:
        _, height, width = self.shape
        stream = read_spikes(path, height // self._ratio, width // self._ratio)
        if len(stream) != self._readouts:
            raise InputFileError(f"{path} has {len(stream)} readouts, a stream of this layout has {self._readouts}")
        return stream.packed


def is_layout(root: Path | str) -> bool:
    """Whether a folder is in the released layout, or holds clip folders of recordings and no shards."""
    root = require_path(root, "root")
    if (root / DESCRIPTION).is_file() or entries_of(root, f"*/{SPIKES}"):
        return True
    return not (root / INDEX).is_file() and is_recorded(root)


def open_layout(path: Path | str, split: str, v_th: float | None = None) -> Dataset:
    """The samples of a split of a folder in the released layout, or of recordings; nothing is converted.

    Args:
        path: Its root.
        split: `train` or `test`; recordings are all of `train`.
        v_th: Threshold of the spikes, needed where the layout does not say.

    Raises:
        InputFileError: It is no such layout, or its description is damaged.
        InvalidValueError: The layout has no such split, or the threshold is not known.
    """
    root = require_path(path)
    shards = describe(root, None if (root / DESCRIPTION).is_file() else v_th)
    entries = [ShardEntry(shard.path, shard.split, shard.name, len(shard.windows), 0, "") for shard in shards]
    chosen = of_split(root, entries, split)
    return Dataset(root, split, chosen, partial(_open_clip, root, {root / shard.path: shard for shard in shards}))


def _open_clip(root: Path, shards: Mapping[Path, LayoutShard], path: Path) -> LayoutReader:
    return LayoutReader(root, shards[path])
