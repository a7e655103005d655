"""Teacher targets: the teacher's images of whole samples, made once before a student's first step.

A teacher that is asked for every crop takes most of a step. It never changes, so it can be asked once for each sample
and threshold instead. Its images are kept as shards whose ground truth they are: what reads, crops and mirrors ground
truth serves them as well.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import Dataset as TorchDataset

from spikesim import to_torch
from spikesim_datasets.optics import planes
from spikesim_datasets.samples import SeededIndex, SpikeBlurDataset, TrainingSample
from spikesim_datasets.shards import ShardWriter
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.shards.schema import threshold_name
from ssdm_models.teacher import Teacher


@torch.no_grad()
def write_teacher_targets(
    folder: Path,
    dataset: SpikeBlurDataset,
    teacher: Teacher,
    times: Sequence[int],
    *,
    device: torch.device,
    autocast: Callable[[], AbstractContextManager[None]],
    deadline: float,
    on_sample: Callable[[int, int], None],
) -> bool:
    """Write what the teacher makes of every sample; shards that are there are kept.

    Args:
        folder: For a dataset of each threshold.
        dataset: Samples and thresholds.
        teacher: On the device.
        times: Readouts at which it is asked.
        device: Where it computes.
        autocast: Gives a context for its precision.
        deadline: Time by `time.monotonic` after which no shard is begun.
        on_sample: Called with images made or found, and all there are, in samples.

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
            path = _folder(folder, v_th) / f"{entry.path.removesuffix('.h5')}.h5"
            if not path.exists():
                if time.monotonic() >= deadline:
                    return False
                with (
                    closing(source.open_shard(source.root / entry.path)) as shard,
                    ShardWriter(path, {"choices": {"of": dataset.fingerprint}}) as writer,
                ):
                    for number in range(entry.samples):
                        with autocast():
                            writer.append(_taught(shard.sample(number), v_th, teacher, times, device))
                        on_sample(done + number + 1, total)
            done += entry.samples
            on_sample(done, total)
    return True


def _taught(sample: Sample, v_th: float, teacher: Teacher, times: Sequence[int], device: torch.device) -> Sample:
    """A sample of one threshold with the teacher's images for ground truth."""
    stream = sample.spikes[v_th]
    blur = torch.from_numpy(planes(sample.blur))[None].to(device)
    spikes = to_torch(stream, device)[None]
    # One time after the other: five whole images at once are no faster, and take five times the memory.
    sharp = torch.cat([teacher(blur, spikes, [at], sample.exposure)[0] for at in times]).float()
    taught = (255 * sharp).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return replace(sample, sharp=taught, sharp_readouts=tuple(times), spikes={v_th: stream}, extra={})


class TeacherTargets(TorchDataset[TrainingSample]):
    """Samples with the teacher's images as `sharp`; of several thresholds each item draws one.

    Args:
        folder: What `write_teacher_targets` wrote.
        split, v_th, crop, flip: As for `SpikeBlurDataset`.
    """

    def __init__(self, folder: Path, split: str, v_th: Sequence[float], crop: int, flip: bool) -> None:
        self._datasets = [SpikeBlurDataset(_folder(folder, v), split, v, crop, flip=flip) for v in v_th]

    def __len__(self) -> int:
        return len(self._datasets[0])

    def __getitem__(self, draw: SeededIndex) -> TrainingSample:
        # By other bits of the seed than crop and flips, which are drawn from a generator that it seeds.
        return self._datasets[draw.seed % len(self._datasets)][draw]


def _folder(folder: Path, v_th: float) -> Path:
    return folder / f"vth{threshold_name(v_th)}"
