"""Speed of reading training samples: compared with a loader as common in the field, and with torch's workers.

The field's loader decodes two 720p PNG files (blurry and sharp), unpacks a `.dat` readout by readout with eight shifts,
and crops at the end. spikesim reads the crop from a shard, or from the same folders of PNG and `.dat` files. One sample
is a crop of 512² of the blur and the middle sharp frame, with 128² of 137 readouts. The result is the best pass over
all samples within five seconds. A second measurement uses torch's loader with two workers and batches of 8, without
the sharp frame, as S-SDM trains.

    python benchmarks/loader.py [DATASET]

DATASET is a folder of shards with the threshold 1. Without it, one is built from a built-in scene in about a minute.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from torch.utils.data import DataLoader, Dataset

from spikesim_datasets.build import build_dataset
from spikesim_datasets.layouts import shards_to_layout
from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset, TrainingSample
from spikesim_datasets.shards.index import list_shards

CROP, BATCH, WORKERS = 512, 8, 2
_SECONDS = 5


def plain_sample(layout: Path, split: str, clip: str, name: str) -> tuple[np.ndarray, ...]:
    """Blur, sharp and spikes of one sample, whole, then cropped."""
    blur, sharp = (
        cv2.imread(str(layout / split / folder / clip / f"{name}.png"))[:, :, ::-1]
        .transpose(2, 0, 1)
        .astype(np.float32)
        / 255
        for folder in ("blur_data", "sharp_data")
    )
    height, width = blur.shape[1] // 4, blur.shape[2] // 4
    raw = np.fromfile(layout / split / "spike_data" / clip / f"{name}.dat", np.uint8)
    readouts = raw.size * 8 // (height * width)
    spikes = np.zeros((readouts, height, width), np.uint8)
    for number, readout in enumerate(raw.reshape(readouts, -1)):
        bits = np.stack([np.bitwise_and(readout, np.left_shift(1, bit)) >> bit for bit in range(8)], axis=1)
        spikes[number] = np.flipud(bits.reshape(height, width))
    side = CROP // 4
    return blur[:, :CROP, :CROP], sharp[:, :CROP, :CROP], spikes[:, :side, :side].astype(np.float32)


class Repeated(Dataset[TrainingSample]):
    """So many items from a small dataset, over and over."""

    def __init__(self, dataset: SpikeBlurDataset, items: int) -> None:
        self._dataset, self._items = dataset, items

    def __len__(self) -> int:
        return self._items

    def __getitem__(self, number: int) -> TrainingSample:
        return self._dataset[SeededIndex(number % len(self._dataset), number)]


def rate(read: Callable[[int], object], samples: int) -> float:
    """Samples a second, the best pass: what is fast passes more often, so that all are measured for as long."""
    best, end = 0.0, time.perf_counter() + _SECONDS
    while (start := time.perf_counter()) < end:
        for number in range(samples):
            read(number)
        best = max(best, samples / (time.perf_counter() - start))
    return best


@contextmanager
def dataset_of(path: str | None, folder: Path) -> Iterator[Path]:
    """The dataset given, or a small one."""
    if path is None:
        build_dataset("demo:street", folder / "built", shard_samples=3)
        yield folder / "built"
    else:
        yield Path(path)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?", help="a folder of shards with the threshold 1")
    given = parser.parse_args().dataset
    with tempfile.TemporaryDirectory() as temporary, dataset_of(given, Path(temporary)) as root:
        split = list_shards(root)[0].split
        layout = Path(temporary, "layout")
        shards_to_layout(root, layout)
        shards, folders = (
            SpikeBlurDataset(place, split, crop=CROP, sharp="middle", flip=True) for place in (root, layout)
        )
        names = [(sample.name, f"{sample.first_frame + 6:06d}") for sample in folders.source]
        plain = rate(lambda number: plain_sample(layout, split, *names[number]), len(shards))
        print(f"{len(shards)} samples; a second, in one process:")
        print(f"{'as the field has it':28}{plain:8.1f}")
        for name, dataset in (("from PNG and .dat", folders), ("from shards", shards)):
            ours = rate(lambda number, dataset=dataset: dataset[SeededIndex(number, number)], len(shards))  # type: ignore[misc]
            print(f"{name:28}{ours:8.1f}{ours / plain:8.1f} ×")
        training = Repeated(SpikeBlurDataset(root, split, crop=CROP, sharp="none", flip=True), 480)
        loader = DataLoader(training, BATCH, num_workers=WORKERS, persistent_workers=True)
        best = 0.0
        for _ in range(3):
            start = time.perf_counter()
            for _ in loader:
                pass
            best = max(best, len(training) / (time.perf_counter() - start))
        print(f"{f'batches of {BATCH}, {WORKERS} workers':28}{best:8.1f}")


if __name__ == "__main__":
    main()
