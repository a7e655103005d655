"""What happens during a recording, and what a sensor makes of it."""

from typing import Any, NamedTuple, cast

import numpy as np
import torch

from spikesim import SpikeCamera, fractional_counts, simulate
from spikesim_datasets.samples import TrainingSample
from spikesim_datasets.shards.fields import LIGHT

WHITE_LIGHT = int(np.iinfo(LIGHT.dtype).max)
"""Of the field `light`."""


class RecordedScene(NamedTuple):
    """What happens during a recording.

    Attributes:
        blur, sharp: Images (3, H, W) in [0, 1], of the exposure and of one time.
        light: On the sensor, (T, H/4, W/4) in [0, 1].
        time: Readout of the sharp image.
        exposure: First readout of the exposure, and the one after its last.
    """

    blur: np.ndarray
    sharp: np.ndarray
    light: np.ndarray
    time: int
    exposure: tuple[int, int]


def scene_of(item: TrainingSample) -> RecordedScene:
    """The scene of an item that has light and one true image."""
    light = cast(dict[str, Any], item)[LIGHT.name].numpy() * np.float32(1 / WHITE_LIGHT)
    start, stop = item["exposure"].tolist()
    return RecordedScene(
        item["blur"].numpy(), item["sharp"][0].numpy(), light, int(item["sharp_readouts"][0]), (start, stop)
    )


def sense(light: np.ndarray, camera: SpikeCamera, rng: np.random.Generator) -> torch.Tensor:
    """The fractional counts (1, T + 1, h, w) of what a sensor makes of light (T, h, w)."""
    stream = simulate(light, camera, seed=int(rng.integers(2**32)))
    return torch.from_numpy(fractional_counts(stream))[None]
