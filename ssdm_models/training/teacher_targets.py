"""Teacher targets: the teacher's images of whole samples, made once before a student's first step.

A teacher that is asked for every crop takes most of a step. It never changes, so it can be asked once for each sample
and threshold instead.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch.utils.data import Dataset as TorchDataset

from spikesim import to_torch
from spikesim_datasets.optics import planes
from spikesim_datasets.samples import Flip, SeededIndex, SpikeBlurDataset, TrainingSample
from spikesim_datasets.shards.sample import Sample
from ssdm_models.objectives.objective import training_times
from ssdm_models.teacher import Teacher
from ssdm_models.training.precomputed import of_threshold


def teach(sample: Sample, v_th: float, teacher: Teacher, length: int, device: torch.device) -> Sample:
    """A sample of one threshold with the teacher's images for ground truth.

    Args:
        sample, v_th: What it is asked for.
        teacher: On the device.
        length: How many readouts around the times at which it is asked must be in the stream.
        device: Where it computes.
    """
    stream = sample.spikes[v_th]
    times = training_times(sample.exposure, len(stream), length)
    blur = torch.from_numpy(planes(sample.blur))[None].to(device)
    spikes = to_torch(stream, device)[None]
    # One time after the other: five whole images at once are no faster, and take five times the memory.
    sharp = torch.cat([teacher(blur, spikes, [at], sample.exposure)[0] for at in times]).float()
    taught = (255 * sharp).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return replace(sample, sharp=taught, sharp_readouts=tuple(times), spikes={v_th: stream}, extra={})


class TeacherTargets(TorchDataset[TrainingSample]):
    """Samples with the teacher's images as `sharp`; of several thresholds each item draws one.

    Args:
        folder: What `precompute` wrote.
        split, v_th, crop, flip: As for `SpikeBlurDataset`.
    """

    def __init__(self, folder: Path, split: str, v_th: Sequence[float], crop: int, flip: Flip) -> None:
        self._datasets = [SpikeBlurDataset(of_threshold(folder, v), split, v, crop, flip=flip) for v in v_th]

    def __len__(self) -> int:
        return len(self._datasets[0])

    def __getitem__(self, draw: SeededIndex) -> TrainingSample:
        # By other bits of the seed than crop and flips, which are drawn from a generator that it seeds.
        return self._datasets[draw.seed % len(self._datasets)][draw]
