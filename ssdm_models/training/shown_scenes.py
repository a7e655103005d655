"""Shown scenes: what a network is adapted on where there is no ground truth.

The network shows the scene of every recording, and the recording's own sensor senses that scene again, as often as
training asks. So there are recordings whose truth is known: that sensor's noise at that threshold, and scenes that move
and look as these do. What the network shows is first corrected so that its mean over the exposure is the blurry image,
which must not be lost.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset as TorchDataset

from spikesim import SpikeCamera, to_torch
from spikesim.errors import InvalidValueError
from spikesim_datasets.optics import Optics, planes
from spikesim_datasets.remote.url import Place
from spikesim_datasets.samples import Flip, SeededIndex, SpikeBlurDataset
from spikesim_datasets.shards.dataset import Dataset
from spikesim_datasets.shards.fields import LIGHT
from spikesim_datasets.shards.sample import Sample
from ssdm_models.deblur import deblur_sequence
from ssdm_models.deblurring_network import DeblurringNetwork
from ssdm_models.exposures import counted_scale, exposure_planes
from ssdm_models.recorded_scenes import WHITE_LIGHT, scene_of, sense
from ssdm_models.sensed_samples import SensedSample
from ssdm_models.training.precomputed import of_threshold

_APART = 8  # readouts from one time that is shown to the next, at most


def show(sample: Sample, v_th: float, network: DeblurringNetwork, optics: Optics, device: torch.device) -> Sample:
    """The scene of a sample as a network shows it, as ground truth and as light.

        L(t) ← L(t) + B − mean over the exposure of L

    Args:
        sample, v_th: The recording.
        network: On the device.
        optics: Turns images into the light of the sensor.
        device: Where it computes.

    Returns:
        The sample with the network's images during the exposure as `sharp`, and with the field `light`.

    Source:
        The mean of sharp images is the blurry one: Chen et al., "SpikeReveal", NeurIPS 2024; learning from
        images that are degraded once more: Xu et al., "Noisy-As-Clean", IEEE TIP 2020.
    """
    stream, (start, stop) = sample.spikes[v_th], sample.exposure
    blur = torch.from_numpy(planes(sample.blur)).to(device)
    times = shown_times(len(stream), sample.exposure)
    weights = _weights(times, len(stream))
    images = deblur_sequence(network, blur, to_torch(stream, device), times, sample.exposure)
    over_exposure = torch.from_numpy(weights[start:stop].mean(0)).to(images)
    images = images + (blur - torch.einsum("s,schw->chw", over_exposure, images))
    shown = (255 * images.clamp(0, 1)).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    light = np.tensordot(weights, np.stack([optics.light(image) for image in shown]), 1)
    during = [number for number, time in enumerate(times) if start <= time < stop]
    return replace(
        sample,
        sharp=shown[during],
        sharp_readouts=tuple(times[number] for number in during),
        spikes={v_th: stream},
        extra={LIGHT.name: np.rint(light * WHITE_LIGHT).astype(LIGHT.dtype)},
    )


def shown_times(readouts: int, exposure: tuple[int, int]) -> list[int]:
    """The readouts of a stream that are shown: its first and last, those of the exposure, and evenly between them."""
    start, stop = exposure
    found: set[int] = set()
    for first, last in ((0, start), (start, stop - 1), (stop - 1, readouts - 1)):
        found.update(np.linspace(first, last, -(-(last - first) // _APART) + 1).round().astype(int).tolist())
    return sorted(found)


def _weights(times: Sequence[int], readouts: int) -> np.ndarray:
    """How much of the image of each time is in that of every readout, (readouts, times)."""
    return np.stack([np.interp(np.arange(readouts), times, one) for one in np.eye(len(times))], 1)


def optics_of(dataset: Dataset) -> Optics:
    """How light comes to a dataset's sensors; where it does not say, as in the release."""
    return Optics.of_choices(dataset.choices)


def sensors(dataset: Dataset, v_th: float) -> dict[Place, SpikeCamera]:
    """The sensor of every shard.

    Raises:
        InvalidValueError: It is not known.
    """
    found: dict[Place, SpikeCamera] = {}
    for path in (dataset.root / entry.path for entry in dataset.entries):
        with closing(dataset.open_shard(path)) as shard:
            if (camera := shard.cameras[v_th]) is None:
                raise InvalidValueError(
                    f"{path} does not say which sensor its spikes are from, which would sense its scenes again; say it "
                    "when the recording is converted, such as `spikesim convert RECORDING DATASET --preset realistic`"
                )
        found[path] = camera
    return found


class ShownScenes(TorchDataset[SensedSample]):
    """Crops of recordings' scenes at one time each, as a network showed them, sensed again by the recordings' sensor.

    Args:
        folder: What `precompute` wrote with `show`.
        split, crop, flip: As for `SpikeBlurDataset`.
        v_th: Thresholds; of several each item draws one.

    What is random about `samples[SeededIndex(i, seed)]` comes from the seed alone.
    """

    def __init__(self, folder: Path, split: str, v_th: Sequence[float], crop: int, flip: Flip) -> None:
        self._datasets = [
            SpikeBlurDataset(of_threshold(folder, v), split, v, crop, "one", flip=flip, extra=(LIGHT.name,))
            for v in v_th
        ]
        self._sensors = [sensors(dataset.source, v) for dataset, v in zip(self._datasets, v_th, strict=True)]

    def __len__(self) -> int:
        return len(self._datasets[0])

    def __getitem__(self, draw: SeededIndex) -> SensedSample:
        # By other bits of the seed than crop and flips, which are drawn from a generator that it seeds.
        number = draw.seed % len(self._datasets)
        dataset, (path, _) = self._datasets[number], self._datasets[number].source.locate(draw.sample)
        item = dataset[draw]
        scene = scene_of(item)
        counts = sense(scene.light, self._sensors[number][path], np.random.default_rng(draw.seed))
        scale = counted_scale(item["blur"][None], counts, scene.exposure)
        return {
            "blur": item["blur"],
            "planes": exposure_planes(counts, scene.time, scene.exposure, scale)[0],
            "sharp": item["sharp"][0],
            "v_th": item["v_th"],
            "key": item["key"],
            "window": item["window"],
        }
