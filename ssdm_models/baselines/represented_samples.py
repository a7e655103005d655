"""Samples as published networks are shown them: made in the processes that read samples."""

from typing import Any, TypedDict

import torch
from torch import Tensor
from torch.utils.data import Dataset

from spikesim_datasets.remote.url import Place
from spikesim_datasets.samples import Flip, SeededIndex, SpikeBlurDataset
from ssdm_models.baselines.baseline import Baseline, Seen
from ssdm_models.stream_view import TensorView


class RepresentedSample(TypedDict):
    """One item of `RepresentedSamples`.

    Attributes:
        blur: (3, H, W) float32, RGB in [0, 1].
        seen: What the network is shown of the spikes, by name.
        sharp: The true images (S, 3, H, W) at the times that it is shown them for.
        v_th, key, window: As of a `TrainingSample`.
    """

    blur: Tensor
    seen: Seen
    sharp: Tensor
    v_th: float
    key: str
    window: int


class RepresentedSamples(Dataset[RepresentedSample]):
    """Samples of a dataset with ground truth, as a published network is shown them.

    Args:
        path, split, v_th, crop, flip: As for `SpikeBlurDataset`.
        network: The network; it may be without memory (device `meta`).

    Attributes:
        exposure, ratio, fingerprint: As of `SpikeBlurDataset`.
        samples: What they are made of.

    Raises:
        InputFileError, InvalidValueError, MissingExtraError: As for `SpikeBlurDataset`.
    """

    def __init__(
        self, path: Place, split: str, v_th: tuple[float, ...], crop: int, flip: Flip, network: Baseline
    ) -> None:
        self.samples = SpikeBlurDataset(
            path, split, v_th, crop, flip=flip, extra=(), neighbours=network.sees_neighbours
        )
        self.exposure, self.ratio = self.samples.exposure, self.samples.ratio
        self.fingerprint, self._network = self.samples.fingerprint, network

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: SeededIndex) -> RepresentedSample:
        item: Any = self.samples[index]
        known = item["sharp_readouts"].tolist()
        # Another number than those by which the sample is cropped and mirrored.
        choice = int(torch.randint(1 << 30, (), generator=torch.Generator().manual_seed(index.seed ^ 0x5EED)))
        times = self._network.training_times(self.exposure, known, choice)
        view = TensorView(item["blur"], item["spikes"], self.exposure, item.get("neighbours"))
        seen = self._network.represent(view, times)
        return {
            "blur": item["blur"],
            "seen": {name: value[0] for name, value in seen.items()},
            "sharp": item["sharp"][[known.index(time) for time in times]],
            "v_th": item["v_th"],
            "key": item["key"],
            "window": item["window"],
        }
