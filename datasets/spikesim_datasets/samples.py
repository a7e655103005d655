"""Samples for training with torch: a map-style dataset over a split of shards."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, NotRequired, TypedDict, cast

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset

from spikesim import to_torch
from spikesim.brief import brief_object
from spikesim.checks import (
    require_flag,
    require_instance,
    require_list,
    require_number,
    require_whole,
)
from spikesim.errors import InvalidValueError
from spikesim_datasets.layouts import is_layout, open_layout
from spikesim_datasets.optics import planes
from spikesim_datasets.remote.url import Place, require_place
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.shards.axes import WHOLE, Cuts, cuts_at
from spikesim_datasets.shards.dataset import Dataset
from spikesim_datasets.shards.field import Field
from spikesim_datasets.shards.fields import BLUR, FIELDS, SHARP, SPIKES
from spikesim_datasets.shards.sample_reader import SampleReader
from spikesim_datasets.shards.schema import threshold_name

# Crops begin where both the spikes' bytes and their quarter of the image do.
_GRID = 8

_OPEN_SHARDS = 16

TURN = "turn"
Flip = bool | Literal["turn"]
"""Whether items are mirrored at random; with `turn`, rows and columns are exchanged at random as well."""


class TrainingSample(TypedDict):
    """One item of `SpikeBlurDataset`; an optional field that the dataset has is one more tensor, by its name.

    Attributes:
        blur: (3, H, W) float32 RGB in [0, 1].
        spikes: (T, H/4, W/4) float32 of 0 and 1.
        sharp: (S, 3, H, W) float32 RGB in [0, 1]; S may be 0.
        v_th: Threshold of the spikes.
        key: Of the clip.
        window: Number of the exposure in the clip.
        sharp_readouts: int64 (S,), the readouts of the stream at which the frames of `sharp` lie.
        exposure: int64 (2,), start and stop of the exposure in the stream.
        neighbours: Where they are asked for, the blurry images of the exposures before and after (2, 3, H, W),
            likewise; the image itself where the clip begins or ends.

    Optional fields are float32, cropped, mirrored and turned as the rest, with channels before rows: a flow stored as
    (S−1, H, W, 2) is (S−1, 2, H, W).

    torch's default collation stacks tensors: in a batch of N, `sharp_readouts` is (N, S) and `exposure` (N, 2), a row
    for each sample, as `sharp` is (N, S, 3, H, W). Shards with differing S do not stack; `sharp="middle"` makes it 1.
    """

    blur: torch.Tensor
    spikes: torch.Tensor
    sharp: torch.Tensor
    v_th: float
    key: str
    window: int
    sharp_readouts: torch.Tensor
    exposure: torch.Tensor
    neighbours: NotRequired[torch.Tensor]


class SeededIndex(NamedTuple):
    """Which sample, and a seed of all that is random about it: crop, flips, turn and threshold.

    Args:
        sample: Number of the sample, from 0.
        seed: The seed, ≥ 0.
    """

    sample: int
    seed: int


class SpikeBlurDataset(TorchDataset[TrainingSample]):
    """Blurry images with their spikes and ground truth, read as they are needed.

    Every process opens the shards for itself, on first use, so loaders may fork, spawn or use a fork server.

    Args:
        path: Folder of the dataset, or one in the layout of the S-SDM release; or the address of a dataset elsewhere,
            `s3://BUCKET/KEY` or `https://HOST/PLACE`, of which what is read is kept in a cache on the disk.
        split: `train` or `test`.
        v_th: Threshold of the spikes; of several each item draws one.
        crop: Side of a random square crop of the blurry image in pixels, a multiple of 32 where spikes have a quarter
            of its size, of 8 spike pixels elsewhere; spikes are cropped to the same place. None gives whole samples.
        sharp: Which ground truth to read: None all there is, `middle` the frame in the middle of the exposure, `one`
            one of them at random, `none` none, which leaves `sharp` empty (0, 3, H, W).
        flip: Mirror items at random, left to right and top to bottom. `turn` exchanges rows and columns at random as
            well, so that items are turned by 90°, too; whole samples that are not square then have one of two shapes.
        extra: Optional fields to read; None all that every shard has.
        neighbours: Whether to read the blurry images before and after as well.

    What is random is drawn from torch's generator, which a loader seeds for each worker. With
    `dataset[SeededIndex(i, seed)]` it comes from the seed instead, so that it depends neither on the worker nor on the
    items before.

    Attributes:
        source: Whole samples of the split, and where they lie.
        thresholds: Those that items have.
        exposure: (start, stop) of the exposures of the blurry images in the streams.
        ratio: How many pixels of the images one of the spikes is wide and high.
        fingerprint: Hash of what the samples are, wherever they lie.

    Raises:
        InputFileError: There is no such dataset, or it is damaged or cannot be fetched.
        InvalidValueError: It has no such split, threshold or optional field, the crop does not fit, or an argument has
            another type.
        MissingExtraError: It lies elsewhere, and the extra `remote` is not installed.
    """

    def __init__(
        self,
        path: str | Place,
        split: str,
        v_th: float | Sequence[float] = 1.0,
        crop: int | None = None,
        sharp: Literal["middle", "one", "none"] | None = None,
        *,
        flip: Flip = False,
        extra: Sequence[str] | None = None,
        neighbours: bool = False,
    ) -> None:
        path = require_place(path)
        one = isinstance(v_th, str | bytes) or not isinstance(v_th, Iterable)
        several = [v_th] if one else require_list(v_th, "v_th", "thresholds")
        self.thresholds = [require_number(threshold, "v_th") for threshold in several]
        if not self.thresholds:
            raise InvalidValueError("spikes need at least one threshold v_th, got none")
        if sharp is not None and (not isinstance(sharp, str) or sharp not in ("middle", "one", "none")):
            raise InvalidValueError(f"sharp must be None (all there is), 'middle', 'one' or 'none', got {sharp!r}")
        self._crop = None if crop is None else require_whole(crop, "crop", unit="pixels")
        self._sharp, self._flip = sharp, require_flip(flip)
        self._neighbours = require_flag(neighbours, "neighbours")
        if isinstance(path, Path) and is_layout(path):
            self.source = open_layout(path, split, self.thresholds[0])
        else:
            self.source = open_dataset(path, split)
        self.ratio = self.source.ratio
        grid = _GRID * self.ratio
        if self._crop is not None and (self._crop < 1 or self._crop % grid):
            raise InvalidValueError(f"crop must be a positive multiple of {grid} pixels, got {crop}")
        self.exposure, self.fingerprint = self.source.exposure, self.source.fingerprint
        for threshold in self.thresholds:
            if threshold not in self.source.thresholds:
                raise InvalidValueError(
                    f"{path} has no spikes of threshold {threshold_name(threshold)} in the split {split!r}; it has "
                    f"{', '.join(map(threshold_name, self.source.thresholds))}"
                )
        self._fields = [BLUR.name, SPIKES.name, SHARP.name, *self._chosen(extra)]
        if self._flip == TURN and (fixed := [name for name in self._fields if not FIELDS[name].turnable]):
            raise InvalidValueError(
                f"rows and columns of {', '.join(fixed)} cannot be exchanged; leave turns out, or these fields by extra"
            )
        self._shards: OrderedDict[Place, SampleReader] = OrderedDict()
        self._process = os.getpid()

    def __len__(self) -> int:
        return len(self.source)

    def __repr__(self) -> str:
        described = {"source": self.source, "thresholds": self.thresholds, "crop": self._crop, "sharp": self._sharp}
        return brief_object(self, described)

    def __getitem__(self, index: int | SeededIndex) -> TrainingSample:
        if isinstance(index, SeededIndex):
            number, generator = index.sample, _seeded(index.seed)
        else:
            number, generator = index, torch.default_generator
        path, sample = self.source.locate(number)
        shard = self._shard(path)
        rows, columns = self._place(shard, generator)
        v_th = self.thresholds[_below(len(self.thresholds), generator)]
        down, across = (self._flip is not False and _below(2, generator) == 1 for _ in range(2))
        turned = self._flip == TURN and _below(2, generator) == 1
        frames = self._frames(shard, generator)
        cuts = cuts_at(rows, columns, frames, shard.ratio)
        item: dict[str, Any] = {}
        for field in map(FIELDS.__getitem__, self._fields):
            value = (
                shard.spikes(sample, v_th, rows, columns) if field is SPIKES else shard.array(field.name, sample, cuts)
            )
            # All is mirrored while it is small, as bytes and bits.
            value = field.mirrored(value, down, across)
            item[field.name] = _tensor(field, field.turned(value) if turned else value)
        if self._neighbours:
            around = neighbours(number, self.source, self._shard, cuts)
            blurs = [BLUR.mirrored(blur, down, across) for blur in around]
            item["neighbours"] = torch.stack([_tensor(BLUR, BLUR.turned(blur) if turned else blur) for blur in blurs])
        item |= {
            "v_th": v_th,
            "key": shard.key,
            "window": shard.windows[sample],
            "sharp_readouts": torch.tensor(shard.sharp_readouts[frames], dtype=torch.int64),
            "exposure": torch.tensor(shard.exposure, dtype=torch.int64),
        }
        return cast(TrainingSample, item)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_shards": OrderedDict()}

    def _shard(self, path: Place) -> SampleReader:
        """An open shard; the one used longest ago is closed when there are many."""
        if self._process != os.getpid():  # forked: what the parent has open is the parent's
            self._shards, self._process = OrderedDict(), os.getpid()
        if path not in self._shards:
            self._shards[path] = self.source.open_shard(path)
            if len(self._shards) > _OPEN_SHARDS:
                self._shards.popitem(last=False)[1].close()
        self._shards.move_to_end(path)
        return self._shards[path]

    def _chosen(self, extra: Sequence[str] | None) -> Sequence[str]:
        """The optional fields to read."""
        if extra is not None and (isinstance(extra, str) or not isinstance(extra, Sequence)):
            raise InvalidValueError(f"extra must be a list of names of optional fields, or None for all, got {extra!r}")
        available = () if extra is not None and not extra else self.source.extra
        names = available if extra is None else extra
        for name in names:
            if require_instance(name, "each of extra", str) not in available:
                raise InvalidValueError(
                    f"{self.source.root} has no {name!r} in every shard of the split {self.source.split!r}; beside "
                    f"blur, sharp and spikes it has {', '.join(available) or 'nothing'}"
                )
        return names

    def _frames(self, shard: SampleReader, generator: torch.Generator) -> slice:
        """Which frames of the ground truth to read."""
        if self._sharp is None:
            return slice(0, len(shard.sharp_readouts))
        if self._sharp == "none":
            return slice(0, 0)
        if self._sharp == "one":
            if not shard.sharp_readouts:
                raise InvalidValueError(f"{shard.path} has no ground truth; build the dataset with --sharp sequence")
            number = _below(len(shard.sharp_readouts), generator)
            return slice(number, number + 1)
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
            return slice(0, height // shard.ratio), slice(0, width // shard.ratio)
        side = self._crop // shard.ratio
        free = [height // shard.ratio - side, width // shard.ratio - side]
        if min(free) < 0:
            raise InvalidValueError(f"crop {self._crop} is larger than the images of {shard.path}, {width}×{height}")
        top = _below(free[0] + 1, generator)
        left = _below(free[1] // _GRID + 1, generator) * _GRID
        return slice(top, top + side), slice(left, left + side)


def neighbours(
    number: int, source: Dataset, opened: Callable[[Place], SampleReader], cuts: Cuts = WHOLE
) -> list[np.ndarray]:
    """The blurry images of the exposures before a sample and after it, RGB uint8 (H, W, 3); at the ends of a clip, and
    where one was left out, that of the sample itself.

    Args:
        number: Of the sample.
        source: The samples of the split.
        opened: Gives the shard at a path.
        cuts: Which part of images.
    """
    path, sample = source.locate(number)
    shard, found = opened(path), []
    key, window = shard.key, shard.windows[sample]
    for step in (-1, 1):
        there, place = shard, sample
        if 0 <= number + step < len(source):
            path, other = source.locate(number + step)
            candidate = opened(path)
            if (candidate.key, candidate.windows[other]) == (key, window + step):
                there, place = candidate, other
        found.append(there.array(BLUR.name, place, cuts))
    return found


def require_flip(flip: object) -> Flip:
    """A `Flip`.

    Raises:
        InvalidValueError: It is none.
    """
    if isinstance(flip, str) and flip == TURN:
        return "turn"
    if not isinstance(flip, bool | np.bool_):
        raise InvalidValueError(f"flip must be True, False or {TURN!r}, got {flip!r}")
    return bool(flip)


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(require_whole(seed, "seed", -(2**63), 2**64 - 1))


def _below(limit: int, generator: torch.Generator) -> int:
    """A random number from 0 to limit − 1; where there is no choice, none is drawn."""
    return int(torch.randint(limit, (), generator=generator)) if limit > 1 else 0


def _tensor(field: Field, value: Any) -> torch.Tensor:
    """A field as items hold it."""
    if field is SPIKES:
        return to_torch(value)
    if field.is_image:
        return torch.from_numpy(planes(value))
    if field.has_channels:
        value = np.moveaxis(value, -1, -3)
    return torch.from_numpy(np.ascontiguousarray(value, np.float32))
