"""What the public callables of `spikesim_datasets` are given in `dataset_callables`: files, light, samples, doubles."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import torch
from shard_data import make_sample, write_shard

from spikesim import write_spikes
from spikesim_datasets import (
    exposure,
    image_files,
    layouts,
    optics,
    samples,
    shards,
    videos,
)
from spikesim_datasets.interpolation.linear import LinearInterpolator
from spikesim_datasets.shards import fields, index
from spikesim_datasets.shards.axes import axis_lengths
from spikesim_datasets.shards.field import Field
from spikesim_datasets.sources.clip import NamedClip, Split

FRAMES, HEIGHT, WIDTH = 8, 32, 48
PLAN = exposure.ExposurePlan(frames=3, factor=4, gap=3, padding=2)
RNG = np.random.default_rng(3)
VIDEO = RNG.integers(0, 256, (FRAMES, HEIGHT, WIDTH, 3), np.uint8)
FRAME = VIDEO[0]
LINEAR = LinearInterpolator()
WINDOWS = PLAN.windows(FRAMES)
SAMPLE = make_sample(1, HEIGHT, WIDTH, key="train/a")
STREAM = SAMPLE.spikes[1.0]
LENGTHS = axis_lengths(2, 13, HEIGHT, WIDTH, 4)
CUTS = {"H": slice(0, 8), "W": slice(0, 8)}
DRIFT = Field("drift", ("S-1", "H", "W", 2), "float16", mirror_signs={"W": (-1, 1), "H": (1, -1)})
SHARD = "dataset/train/a.000.h5"
OPTIONS = {"downscale": "area", "linear_light": False, "cuts": "skip", "sharp": "middle", "seed": 3}
CHOICES = {**OPTIONS, "plan": PLAN, "optics": optics.Optics(), "shard_samples": 2, "compression": "none"}
LAYOUT_RECIPE = {"choices": {"plan": asdict(replace(PLAN, padding=0))}}


@dataclass(frozen=True)
class NoiseClip(NamedClip):
    """A clip of noise that lies nowhere."""

    split: Split = "train"
    name: str = "noise"
    n_frames: int = FRAMES
    height: int = HEIGHT
    width: int = WIDTH
    source: Path | None = None

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        return iter(VIDEO[start:stop])

    def fingerprint(self) -> dict[str, object]:
        return {}


CLIP = NoiseClip()


class Midway(torch.nn.Module):
    def forward(self, frame0: torch.Tensor, frame1: torch.Tensor, t: float) -> torch.Tensor:
        return (1 - t) * frame0 + t * frame1


def prepare(folder: Path) -> None:
    """The files that the calls read, in the folder that they are made in."""
    for place in ("frames", "gopro/train/scene"):
        (folder / place).mkdir(parents=True)
        for number, frame in enumerate(VIDEO):
            image_files.write_png(folder / place / f"{number:06d}.png", frame)
    np.savetxt(folder / "homography.txt", np.eye(3))
    (folder / "recordings" / "a").mkdir(parents=True)
    image_files.write_png(folder / "recordings" / "a" / "1.png", FRAME)
    write_spikes(folder / "recordings" / "a" / "1.dat", STREAM)
    image_files.write_png(folder / "photo.png", np.tile(FRAME, (3, 3, 1)))
    videos.write_video(folder / "video.mp4", iter(VIDEO), 30, 12)
    for root, readouts in (("dataset", {}), ("other", {"sharp_readouts": (0, 8), "readouts": 9})):
        changes: dict[str, Any] = {"height": HEIGHT, "width": WIDTH, "key": "train/a", **readouts}
        made = [make_sample(window, **changes) for window in (1, 2)]
        if readouts:
            made = [replace(sample, exposure=(0, 9)) for sample in made]
        path = write_shard(folder / root / "train" / "a.000.h5", *made, recipe=LAYOUT_RECIPE)
        index.write_index(folder / root, {"choices": {}})
        assert path.is_file()
    layouts.shards_to_layout(folder / "other", folder / "layout")


def item_of_seed(sample: Any, seed: Any) -> None:
    """An item by its number and its seed, which only a seeded index puts together."""
    samples.SpikeBlurDataset("dataset", "train", crop=32, flip=True)[samples.SeededIndex(sample, seed)]


def item(index: Any) -> None:
    samples.SpikeBlurDataset("dataset", "train", (1.0, 2.5))[index]


@wraps(shards.ShardWriter, updated=())
def write(path: Any, recipe: Any, compression: Any, replace: Any, before: Any) -> None:
    """A shard of one sample; a shard without would be refused for that."""
    with shards.ShardWriter(path, recipe, compression, replace=replace, before=before) as made:
        made.append(SAMPLE)


def writer() -> shards.ShardWriter:
    """A shard in the making, with a sample."""
    made = shards.ShardWriter("out.h5", {}).__enter__()
    made.append(SAMPLE)
    return made


def reader() -> shards.ShardReader:
    return shards.ShardReader(SHARD)


@wraps(fields.declare)
def declare(field: Any) -> None:
    """A field declared, and forgotten again."""
    try:
        fields.declare(field)
    finally:
        fields.FIELDS.pop(DRIFT.name, None)
