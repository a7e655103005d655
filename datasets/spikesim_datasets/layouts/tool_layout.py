"""What makes the folders of other tools differ: which samples their own code takes, and what it finds of each."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from spikesim.errors import InvalidValueError
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.keys import Keyed
from spikesim_datasets.layouts.description import plan_of
from spikesim_datasets.layouts.sample_files import SampleFiles
from spikesim_datasets.shards.reader import ShardReader

File = tuple[Path, Callable[[Path], object]]
"""Where a file lies, and what writes it there."""


@dataclass(frozen=True)
class ToolShard(Keyed):
    """A shard, as far as it decides whether and where a tool finds its samples.

    Attributes:
        path: The file.
        split, name: Of its clip.
        windows, exposure, sharp_readouts, recipe, ratio: As in `ShardReader`.
        size: Height and width of its images.
        readouts: T of its streams.
    """

    path: Path
    split: str
    name: str
    windows: tuple[int, ...]
    exposure: tuple[int, int]
    sharp_readouts: tuple[int, ...]
    recipe: dict[str, Any]
    ratio: int
    size: tuple[int, int]
    readouts: int

    @classmethod
    def of(cls, reader: ShardReader) -> Self:
        """What an open shard is.

        Args:
            reader: Of a file on this machine.
        """
        readouts, *size = reader.shape
        return cls(
            Path(str(reader.path)),
            reader.split,
            reader.name,
            reader.windows,
            reader.exposure,
            reader.sharp_readouts,
            reader.recipe,
            reader.ratio,
            (size[0], size[1]),
            readouts,
        )

    @property
    def spike_size(self) -> tuple[int, int]:
        """Height and width of its spikes."""
        return self.size[0] // self.ratio, self.size[1] // self.ratio

    @cached_property
    def plan(self) -> ExposurePlan:
        """How its clip is cut into exposures.

        Raises:
            InvalidValueError: Its recipe does not say.
        """
        return plan_of(self.recipe, str(self.path))

    @property
    def middle(self) -> int:
        """The readout of its streams at which the raw frame in the middle of the exposure lies.

        Raises:
            InvalidValueError: As for `plan`.
        """
        return self.exposure[0] + self.plan.factor * self.plan.middle_frame

    def middle_sharp(self, reader: ShardReader, number: int) -> np.ndarray:
        """The raw frame in the middle of a sample's exposure, RGB uint8 (H, W, 3), where `require_middle_sharp` saw it.

        Args:
            reader: Of this shard.
            number: Of the sample.
        """
        frame = self.sharp_readouts.index(self.middle)
        sharp: np.ndarray = reader.sharp(number, frames=slice(frame, frame + 1))[0]
        return sharp

    def names(self, window: int) -> SampleFiles:
        """The raw frames by which the files of a sample are named."""
        return SampleFiles(Path(), self.name, window, self.plan)


class ToolLayout(ABC):
    """A folder that a tool's own code reads.

    Args:
        out: The folder.
        shards: All whose samples it is to hold, at least one.
        v_th: Threshold of the spikes; None where there is only one.

    Raises:
        InvalidValueError: The tool reads no such samples.

    Attributes:
        title: What the tool is called in messages.
        has_spikes: Whether it reads spikes at all.
    """

    title: ClassVar[str]
    has_spikes: ClassVar[bool] = True

    def __init__(self, out: Path, shards: Sequence[ToolShard], v_th: float | None) -> None:
        self.out, self.v_th = out, v_th
        self.check(shards)

    @abstractmethod
    def check(self, shards: Sequence[ToolShard]) -> None:
        """Check, before anything is written, that the tool can read the samples of these shards.

        Raises:
            InvalidValueError: It cannot.
        """

    @abstractmethod
    def files(self, shard: ToolShard, reader: ShardReader, number: int) -> Iterator[File]:
        """The files that the tool finds of a sample; what writes them reads from the shard when it is called."""


def require_one_size(shards: Sequence[ToolShard], title: str) -> tuple[int, int]:
    """Height and width of the spikes of all shards.

    Raises:
        InvalidValueError: They differ.
    """
    sizes = {shard.spike_size for shard in shards}
    if len(sizes) > 1:
        raise InvalidValueError(
            f"{title} reads folders of one size, spikes here have {sorted(sizes)}; convert them apart"
        )
    return sizes.pop()


def require_plain_names(shards: Sequence[ToolShard], title: str) -> None:
    """Check that no clip lies deeper than its split, where a loader looks for no folders of folders.

    Raises:
        InvalidValueError: One does.
    """
    for shard in shards:
        if "/" in shard.name:
            raise InvalidValueError(
                f"{title} finds clips in folders of their split alone, {shard.key} would lie deeper; build the dataset "
                "from clips with plain names"
            )


def require_middle_sharp(shards: Sequence[ToolShard], title: str) -> None:
    """Check that the raw frame in the middle of each exposure is kept as ground truth.

    Raises:
        InvalidValueError: One is not, or a recipe does not say how its clip is cut into exposures.
    """
    for shard in shards:
        if shard.middle not in shard.sharp_readouts:
            raise InvalidValueError(
                f"{title} reads the sharp frame in the middle of each exposure, at readout {shard.middle}, "
                f"{shard.path} has {list(shard.sharp_readouts) or 'none'}; build the dataset with --sharp middle, or "
                "with sequence where that has this frame"
            )


def require_one_plan(shards: Sequence[ToolShard], title: str) -> None:
    """Check that all exposures are cut and known alike, where a loader has one number for all clips.

    Raises:
        InvalidValueError: They are not, or a recipe does not say how its clip is cut.
    """
    first = shards[0]
    for shard in shards:
        if (shard.plan, shard.sharp_readouts) != (first.plan, first.sharp_readouts):
            raise InvalidValueError(
                f"{title} reads clips with sharp frames at the same times of the same exposures, {first.path} has them "
                f"at {list(first.sharp_readouts)} of {first.plan}, {shard.path} at {list(shard.sharp_readouts)} of "
                f"{shard.plan}; build all splits with --sharp sequence and one --exposure"
            )
