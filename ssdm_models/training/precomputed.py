"""What is made of whole samples once, before the first step, and kept as shards.

What reads, crops and mirrors the samples of a dataset then serves what is made of them as well.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import torch

from spikesim_datasets.samples import SpikeBlurDataset
from spikesim_datasets.shards import ShardWriter
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.shards.schema import threshold_name


@torch.no_grad()
def precompute(
    folder: Path,
    dataset: SpikeBlurDataset,
    make: Callable[[Sample, float], Sample],
    *,
    autocast: Callable[[], AbstractContextManager[None]],
    deadline: float,
    on_sample: Callable[[int, int], None],
) -> bool:
    """Write what is made of every sample; shards that are there are kept.

    Args:
        folder: For a dataset of each threshold.
        dataset: Samples and thresholds.
        make: Makes a sample of one and the threshold to look at.
        autocast: Gives a context for its precision.
        deadline: Time by `time.monotonic` after which no shard is begun.
        on_sample: Called with samples made or found, and all there are.

    Returns:
        Whether all are written.

    Raises:
        InputFileError: A sample is damaged.
        OutputError: The disk is full or not writable.
    """
    source, done = dataset.source, 0
    total = len(source) * len(dataset.thresholds)
    for v_th in dataset.thresholds:
        for entry in source.entries:
            path = of_threshold(folder, v_th) / f"{entry.path.removesuffix('.h5')}.h5"
            if not path.exists():
                if time.monotonic() >= deadline:
                    return False
                with (
                    closing(source.open_shard(source.root / entry.path)) as shard,
                    ShardWriter(path, {"choices": {"of": dataset.fingerprint}}) as writer,
                ):
                    for number in range(entry.samples):
                        with autocast():
                            writer.append(make(shard.sample(number), v_th))
                        on_sample(done + number + 1, total)
            done += entry.samples
            on_sample(done, total)
    return True


def of_threshold(folder: Path, v_th: float) -> Path:
    """The dataset of what was made of the spikes of a threshold."""
    return folder / f"vth{threshold_name(v_th)}"
