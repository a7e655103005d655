"""What is evaluated: samples of a split, and the true image that each kind of result is compared with."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch

from spikesim import SpikeStream, to_torch
from spikesim.checks import require_instance
from spikesim.errors import InvalidValueError
from spikesim_datasets.layouts import is_layout, open_layout
from spikesim_datasets.optics import Optics, check_ratio, planes
from spikesim_datasets.remote.url import Place, require_place
from spikesim_datasets.samples import neighbours
from spikesim_datasets.shards import open_dataset
from spikesim_datasets.shards.dataset import Dataset
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.shards.schema import threshold_name
from ssdm_models.intensity import luma
from ssdm_models.readout_spans import shown_of

Domain = Literal["colour", "grey", "exposure"]

DOMAINS: dict[Domain, str] = {
    "colour": "Sharp images: colour, full size, against the sharp frame",
    "grey": "What the spike camera sees: grey, quarter size, against the sharp frame made so",
    "exposure": "The whole exposure: grey, full size, against the grey blurry image",
}
"""Kinds of images that can be compared with one another, and what they are compared with."""

Frames = Literal["single", "sequence", "exposure"]
Times = dict[Frames, tuple[int | None, ...]]


@dataclass(frozen=True)
class MethodInput:
    """A sample at one threshold, as methods take it.

    Attributes:
        blur: Blurry image (3, H, W), RGB in [0, 1], on the device.
        stream: Its spikes (T, H/4, W/4).
        spikes: The same as a tensor of 0 and 1, on the device.
        exposure: First readout of the exposure, and the one after its last.
        times: The S readouts wanted.
        neighbours: The blurry images before and after (2, 3, H, W), on the device; the image itself at the ends of a
            clip. None where no method looks at them.
    """

    blur: torch.Tensor
    stream: SpikeStream
    spikes: torch.Tensor
    exposure: tuple[int, int]
    times: Sequence[int]
    neighbours: torch.Tensor | None


class EvaluationSet:
    """The samples of a split that are evaluated, checked before any is computed with.

    Args:
        path: Folder of the dataset, or one in the layout of the S-SDM release; or the address of a dataset elsewhere.
        split: `train` or `test`.
        v_th: Thresholds; none takes those that every shard has.
        sequence: Whether all ground truth is compared with, or the frame in the middle of the exposure alone.
        limit: Only so many samples, ≥ 1, evenly spread; None takes all.

    Attributes:
        thresholds: Ascending.
        exposure: In the streams.
        shape: (T, H, W) of the first shard.
        ratio: How many pixels of the images one of the spikes is wide and high.
        times: The readouts of each kind of result; None stands for the whole exposure.
        all_times: All of them, ascending.
        numbers: Of the samples.
        digest: Names the data: a hash of what shards there are, with their sizes and checksums.
        notes: What is left out, and why.

    Raises:
        InputFileError: There is no such dataset, or it is damaged, of another schema, or cannot be fetched.
        InvalidValueError: It has no such split, threshold or ground truth, or its shards have several exposures or
            ratios.
        MissingExtraError: It lies elsewhere, and the extra `remote` is not installed.
    """

    def __init__(
        self, path: str | Place, split: str, v_th: Sequence[float] = (), sequence: bool = True, limit: int | None = None
    ) -> None:
        root = require_place(path)
        require_instance(split, "split", str)
        if isinstance(root, Path) and is_layout(root):
            self._dataset = open_layout(root, split, next(iter(v_th), None))
        else:
            self._dataset = open_dataset(root, split)
        shards = _survey(self._dataset)
        self.thresholds = self._chosen(v_th, set.intersection(*(shard.thresholds for shard in shards)))
        self.exposure, self.shape, self._optics = shards[0].exposure, shards[0].shape, shards[0].optics
        self.ratio, self._readouts = self._optics.ratio, min(shard.shape[0] for shard in shards)
        self.notes: list[str] = []
        self.times = self._times(sorted(set.intersection(*(shard.sharp_times for shard in shards))), sequence)
        self.all_times = sorted({time for times in self.times.values() for time in times if time is not None})
        total = len(self._dataset)
        samples = total if limit is None else min(limit, total)
        self.numbers = [number * total // samples for number in range(samples)]
        listed = [(entry.path, entry.samples, entry.bytes, entry.sha256) for entry in self._dataset.entries]
        self.digest = sha256(repr(listed).encode()).hexdigest()

    def leave_out(self, length: int) -> None:
        """Leave out the ground truth at times around which a window of a length is not in the streams, with a note.

        Raises:
            InvalidValueError: That is all there is, or all of the exposure.
        """
        shown = shown_of(self.exposure, self._readouts, length)
        if not (left := [time for time in self.all_times if time not in shown]):
            return
        told = (
            f"{length} readouts around a time are looked at, and streams have {self._readouts} (build with more "
            "--padding)"
        )
        self.all_times = [time for time in self.all_times if time in shown]
        if not self.all_times:
            raise InvalidValueError(f"there is ground truth at the readouts {left} alone: {told}")
        self.notes.append(f"ground truth at the readouts {', '.join(map(str, left))} is left out: {told}")
        kept = {frames: tuple(time for time in times if time not in left) for frames, times in self.times.items()}
        self.times = {frames: times for frames, times in kept.items() if len(times) > (frames == "sequence")}

    def name(self, number: int) -> tuple[str, int]:
        """The clip and the window of a sample, without reading it."""
        path, place = self._dataset.locate(number)
        with closing(self._dataset.open_shard(path)) as shard:
            return shard.key, shard.windows[place]

    def sample(self, number: int) -> Sample:
        """A whole sample."""
        return self._dataset[number]

    def neighbours(self, number: int) -> torch.Tensor:
        """The blurry images before and after a sample (2, 3, H, W), RGB in [0, 1]."""
        with ExitStack() as stack:
            blurs = neighbours(
                number, self._dataset, lambda path: stack.enter_context(closing(self._dataset.open_shard(path)))
            )
        return torch.stack([torch.from_numpy(planes(blur)) for blur in blurs])

    def scene(self, sample: Sample, v_th: float, device: torch.device, neighbours: torch.Tensor | None) -> MethodInput:
        """A sample at a threshold, on a device."""
        if neighbours is not None:
            neighbours = neighbours.to(device)
        stream = sample.spikes[v_th]
        blur = torch.from_numpy(planes(sample.blur)).to(device)
        return MethodInput(blur, stream, to_torch(stream, device), self.exposure, self.all_times, neighbours)

    def truth(self, sample: Sample) -> dict[Domain, np.ndarray]:
        """The true images of each domain, float32 (S, C, H, W) in [0, 1]; S are `all_times`, or the one exposure."""
        frames = sample.sharp[[sample.sharp_readouts.index(time) for time in self.all_times]]
        return {
            "colour": planes(frames),
            "grey": np.stack([self._optics.light(frame, sample.misalignment)[None] for frame in frames]),
            "exposure": luma(torch.from_numpy(planes(sample.blur)))[None].clamp(0, 1).numpy(),
        }

    def _chosen(self, v_th: Sequence[float], there: set[float]) -> tuple[float, ...]:
        for threshold in v_th:
            if threshold not in there:
                raise InvalidValueError(
                    f"{self._dataset.root} has no spikes of threshold {threshold_name(threshold)} in every shard of "
                    f"the split {self._dataset.split!r}; it has {', '.join(map(threshold_name, sorted(there)))}"
                )
        return tuple(sorted(map(float, set(v_th) or there)))

    def _times(self, found: list[int], sequence: bool) -> Times:
        middle = sum(self.exposure) // 2
        times: Times = {}
        if middle in found:
            times["single"] = (middle,)
        if sequence and len(found) > 1:
            times["sequence"] = tuple(found)
        if not times:
            raise InvalidValueError(
                f"{self._dataset.root} has no ground truth at the middle readout {middle} in every shard of the split "
                f"{self._dataset.split!r}, only at {found}; build it with --sharp sequence"
            )
        if "single" not in times:
            self.notes.append(f"there is no ground truth at the middle readout {middle}: no single frame")
        if sequence and "sequence" not in times:
            self.notes.append(f"there is ground truth at readout {middle} alone: no sequence (build --sharp sequence)")
        return times | {"exposure": (None,)}


class _Shard(NamedTuple):
    thresholds: set[float]
    sharp_times: set[int]
    exposure: tuple[int, int]
    optics: Optics
    shape: tuple[int, int, int]


def _survey(dataset: Dataset) -> list[_Shard]:
    """What every shard of a split holds.

    Raises:
        InvalidValueError: They cannot be evaluated, or not together.
    """
    found = []
    for entry in dataset.entries:
        with closing(dataset.open_shard(dataset.root / entry.path)) as shard:
            found.append(
                _Shard(set(shard.cameras), set(shard.sharp_readouts), shard.exposure, shard.optics, shard.shape)
            )
        _, height, width = found[-1].shape
        check_ratio(height, width, shard.ratio, f"the blur of {shard.path}")
        for name in ("exposure", "optics"):
            first, this = getattr(found[0], name), getattr(found[-1], name)
            if this != first:
                raise InvalidValueError(
                    f"{shard.path} has the {name} {this}, other shards of the split {first}; evaluate them apart"
                )
    return found
