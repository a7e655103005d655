"""Samples for training with torch: a map-style dataset over a split of shards."""

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

import torch
from torch.utils.data import Dataset as TorchDataset

from spikesim import to_torch
from spikesim.errors import InvalidValueError
from spikesim_datasets.layouts import is_layout, open_layout
from spikesim_datasets.optics import SCALE, planes
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.shards.sample import SampleReader
from spikesim_datasets.shards.schema import threshold_name

# Crops begin where both the spikes' bytes and their quarter of the image do.
_GRID = 8

_OPEN_SHARDS = 16


class TrainingSample(TypedDict):
    """One item of `SpikeBlurDataset`.

    blur (3, H, W) float32 RGB in [0, 1]; spikes (T, H/4, W/4) float32 of 0 and 1; sharp (S, 3, H, W) float32 RGB in [0,
    1], S may be 0; the threshold; the clip's key; the window's number in the clip.
    """

    blur: torch.Tensor
    spikes: torch.Tensor
    sharp: torch.Tensor
    v_th: float
    key: str
    window: int


class SeededIndex(NamedTuple):
    """Which sample, and a seed of all that is random about it: crop, flips and threshold."""

    sample: int
    seed: int


class SpikeBlurDataset(TorchDataset[TrainingSample]):
    """Blurry images with their spikes and ground truth, read as they are needed.

    Every process opens the shards for itself, on first use, so loaders may fork, spawn or use a fork server.

    Args:
        path: Folder of the dataset, or one in the layout of the S-SDM release.
        split: `train` or `test`.
        v_th: Threshold of the spikes; of several each item draws one.
        crop: Side of a random square crop of the blurry image in pixels, a multiple of 32; spikes are cropped to the
            same place. None gives whole samples.
        sharp: Which ground truth to read: None all there is, `middle` the frame in the middle of the exposure, `none`
            none, which leaves `sharp` empty (0, 3, H, W).
        flip: Mirror items at random, left to right and top to bottom.

    What is random is drawn from torch's generator, which a loader seeds for each worker. With
    `dataset[SeededIndex(i, seed)]` it comes from the seed instead, so that it depends neither on the worker nor on the
    items before.

    Attributes:
        source: Whole samples of the split, and where they lie.
        thresholds: Those that items have.
        exposure: (start, stop) of the exposures of the blurry images in the streams.
        fingerprint: Hash of what the samples are, wherever they lie.

    Raises:
        InputFileError: There is no such dataset or it is damaged.
        InvalidValueError: It has no such split or threshold, or the crop does not fit.
    """

    def __init__(
        self,
        path: str | Path,
        split: str,
        v_th: float | Sequence[float] = 1.0,
        crop: int | None = None,
        sharp: Literal["middle", "none"] | None = None,
        *,
        flip: bool = False,
    ) -> None:
        thresholds = [float(v_th)] if isinstance(v_th, int | float) else list(map(float, v_th))
        if not thresholds:
            raise InvalidValueError("spikes need at least one threshold v_th, got none")
        if is_layout(Path(path)):
            self.source = open_layout(path, split, thresholds[0])
        else:
            self.source = open_dataset(path, split)
        self.exposure, self.fingerprint = self.source.exposure, self.source.fingerprint
        self.thresholds, self._crop, self._sharp, self._flip = thresholds, crop, sharp, flip
        if sharp not in (None, "middle", "none"):
            raise InvalidValueError(f"sharp must be None (all there is), 'middle' or 'none', got {sharp!r}")
        for threshold in thresholds:
            if threshold not in self.source.thresholds:
                raise InvalidValueError(
                    f"{path} has no spikes of threshold {threshold_name(threshold)} in the split {split!r}; it has "
                    f"{', '.join(map(threshold_name, self.source.thresholds))}"
                )
        if crop is not None and (crop < 1 or crop % (_GRID * SCALE)):
            raise InvalidValueError(f"crop must be a positive multiple of {_GRID * SCALE} pixels, got {crop}")
        self._shards: OrderedDict[Path, SampleReader] = OrderedDict()
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int | SeededIndex) -> TrainingSample:
        if isinstance(index, SeededIndex):
            number, generator = index.sample, torch.Generator().manual_seed(index.seed)
        else:
            number, generator = index, torch.default_generator
        path, sample = self.source.locate(number)
        shard = self._shard(path)
        rows, columns = self._place(shard, generator)
        v_th = self.thresholds[_below(len(self.thresholds), generator)]
        down, across = (-1 if self._flip and _below(2, generator) else 1 for _ in range(2))  # −1 mirrors that axis
        blur = shard.blur(sample, _scaled(rows), _scaled(columns))
        sharp = shard.sharp(sample, _scaled(rows), _scaled(columns), self._frames(shard))
        stream = shard.spikes(sample, v_th, rows, columns)
        # All is mirrored while it is small, as bytes and bits.
        stream = replace(stream, packed=stream.packed[:, ::down])
        return {
            "blur": torch.from_numpy(planes(blur[::down, ::across])),
            "spikes": to_torch(stream.mirrored() if across < 0 else stream),
            "sharp": torch.from_numpy(planes(sharp[:, ::down, ::across])),
            "v_th": v_th,
            "key": shard.key,
            "window": shard.windows[sample],
        }

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_shards": OrderedDict()}

    def _shard(self, path: Path) -> SampleReader:
        """An open shard; the one used longest ago is closed when there are many."""
        if self._process != os.getpid():  # forked: what the parent has open is the parent's
            self._shards, self._process = OrderedDict(), os.getpid()
        if path not in self._shards:
            self._shards[path] = self.source.open_shard(path)
            if len(self._shards) > _OPEN_SHARDS:
                self._shards.popitem(last=False)[1].close()
        self._shards.move_to_end(path)
        return self._shards[path]

    def _frames(self, shard: SampleReader) -> slice:
        """Which frames of the ground truth to read."""
        if self._sharp is None:
            return slice(None)
        if self._sharp == "none":
            return slice(0, 0)
        middle = sum(shard.exposure) // 2
        if middle not in shard.sharp_readouts:
            raise InvalidValueError(
                f"{shard.path} has no ground truth at the middle readout {middle}, only at {list(shard.sharp_readouts)}"
            )
        number = shard.sharp_readouts.index(middle)
        return slice(number, number + 1)

    def _place(self, shard: SampleReader, generator: torch.Generator) -> tuple[slice, slice]:
        """Where to crop, in spike pixels."""
        _, height, width = shard.shape
        if self._crop is None:
            return slice(0, height // SCALE), slice(0, width // SCALE)
        side = self._crop // SCALE
        free = [height // SCALE - side, width // SCALE - side]
        if min(free) < 0:
            raise InvalidValueError(f"crop {self._crop} is larger than the images of {shard.path}, {width}×{height}")
        top = _below(free[0] + 1, generator)
        left = _below(free[1] // _GRID + 1, generator) * _GRID
        return slice(top, top + side), slice(left, left + side)


def _below(limit: int, generator: torch.Generator) -> int:
    """A random number from 0 to limit − 1; where there is no choice, none is drawn."""
    return int(torch.randint(limit, (), generator=generator)) if limit > 1 else 0


def _scaled(pixels: slice) -> slice:
    return slice(pixels.start * SCALE, pixels.stop * SCALE)
