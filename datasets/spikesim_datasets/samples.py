"""Samples for training with torch: a map-style dataset over a split of shards."""

import os
from collections import OrderedDict
from pathlib import Path
from typing import Literal, TypedDict

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset

from spikesim import to_torch
from spikesim.errors import InvalidValueError
from spikesim_datasets.light import SCALE
from spikesim_datasets.shards import ShardReader, open_dataset
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


class SpikeBlurDataset(TorchDataset[TrainingSample]):
    """Blurry images with their spikes and ground truth, read as they are needed.

    Every process opens the shards for itself, on first use, so loaders may fork, spawn or use a fork server.

    Args:
        path: Folder of the dataset.
        split: `train` or `test`.
        v_th: Threshold of the spikes.
        crop: Side of a random square crop of the blurry image in pixels, a multiple of 32; spikes are cropped to the
            same place. None gives whole samples. The place is drawn from torch's generator, which a loader seeds for
            each worker.
        sharp: Which ground truth to read: None all there is, `middle` the frame in the middle of the exposure, `none`
            none, which leaves `sharp` empty (0, 3, H, W).

    Raises:
        InputFileError: There is no such dataset or it is damaged.
        InvalidValueError: It has no such split or threshold, or the crop does not fit.
    """

    def __init__(
        self,
        path: str | Path,
        split: str,
        v_th: float = 1.0,
        crop: int | None = None,
        sharp: Literal["middle", "none"] | None = None,
    ) -> None:
        self._dataset = open_dataset(path, split)
        self._v_th, self._crop, self._sharp = float(v_th), crop, sharp
        if sharp not in (None, "middle", "none"):
            raise InvalidValueError(f"sharp must be None (all there is), 'middle' or 'none', got {sharp!r}")
        if self._v_th not in self._dataset.thresholds:
            raise InvalidValueError(
                f"{path} has no spikes of threshold {threshold_name(v_th)} in the split {split!r}; it has "
                f"{', '.join(map(threshold_name, self._dataset.thresholds))}"
            )
        if crop is not None and (crop < 1 or crop % (_GRID * SCALE)):
            raise InvalidValueError(f"crop must be a positive multiple of {_GRID * SCALE} pixels, got {crop}")
        self._shards: OrderedDict[Path, ShardReader] = OrderedDict()
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> TrainingSample:
        path, sample = self._dataset.locate(index)
        shard = self._shard(path)
        rows, columns = self._place(shard)
        blur = shard.blur(sample, _scaled(rows), _scaled(columns))
        stream = shard.spikes(sample, self._v_th, rows, columns)
        return {
            "blur": _image(blur),
            "spikes": to_torch(stream),
            "sharp": _image(shard.sharp(sample, _scaled(rows), _scaled(columns), self._frames(shard))),
            "v_th": self._v_th,
            "key": shard.key,
            "window": shard.windows[sample],
        }

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_shards": OrderedDict()}

    def _shard(self, path: Path) -> ShardReader:
        """An open shard; the one used longest ago is closed when there are many."""
        if self._process != os.getpid():  # forked: what the parent has open is the parent's
            self._shards, self._process = OrderedDict(), os.getpid()
        if path not in self._shards:
            self._shards[path] = ShardReader(path)
            if len(self._shards) > _OPEN_SHARDS:
                self._shards.popitem(last=False)[1].close()
        self._shards.move_to_end(path)
        return self._shards[path]

    def _frames(self, shard: ShardReader) -> slice:
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

    def _place(self, shard: ShardReader) -> tuple[slice, slice]:
        """Where to crop, in spike pixels."""
        _, height, width = shard.shape
        if self._crop is None:
            return slice(0, height // SCALE), slice(0, width // SCALE)
        side = self._crop // SCALE
        free = [height // SCALE - side, width // SCALE - side]
        if min(free) < 0:
            raise InvalidValueError(f"crop {self._crop} is larger than the images of {shard.path}, {width}×{height}")
        top = int(torch.randint(free[0] + 1, ()))
        left = int(torch.randint(free[1] // _GRID + 1, ())) * _GRID
        return slice(top, top + side), slice(left, left + side)


def _scaled(pixels: slice) -> slice:
    return slice(pixels.start * SCALE, pixels.stop * SCALE)


def _image(array: np.ndarray) -> torch.Tensor:
    """uint8 (..., H, W, 3) as float32 (..., 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(array, -1, -3))).float() / 255
