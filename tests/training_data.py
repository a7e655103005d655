"""A small dataset with spikes that are really those of its light, for tests of what learns and evaluates."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from spikesim import SpikeCamera, simulate
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.light import Optics
from spikesim_datasets.shards import ShardWriter
from spikesim_datasets.shards.sample import Sample

PLAN = ExposurePlan()
SHARP = (20, 68, 116)


def moving(seed: int, height: int, width: int) -> np.ndarray:
    """Readouts uint8 (T, H, W, 3) of smooth blobs that move to the right."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    frames = np.zeros((PLAN.stream_length, height, width, 3))
    for _ in range(6):
        top, left, speed = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.02, 0.2)
        colour, size = rng.uniform(0.1, 0.5, 3), rng.uniform(4, 12)
        for t, frame in enumerate(frames):
            blob = np.exp(-((rows - top) ** 2 + (columns - left - speed * t) ** 2) / (2 * size**2))
            frame += blob[..., None] * colour
    return (255 * (0.1 + 0.8 * frames / max(frames.max(), 1))).astype(np.uint8)


def write_moving(
    root: Path,
    clips: dict[str, int],
    *,
    v_th: tuple[float, ...] = (1.0, 2.0),
    size: tuple[int, int] = (64, 96),
    sharp: tuple[int, ...] = SHARP,
) -> None:
    """A dataset of clips with so many samples each."""
    optics = Optics()
    start, stop = PLAN.exposure
    for number, (key, samples) in enumerate(clips.items()):
        with ShardWriter(root / f"{key}.000.h5", {"choices": {"plan": asdict(PLAN)}}, "none") as writer:
            for window in range(1, samples + 1):
                frames = moving(100 * number + window, *size)
                light = np.stack([optics.light(frame) for frame in frames])
                spikes = {v: simulate(light, SpikeCamera.preset("ideal", v_th=v), seed=window) for v in v_th}
                blur = frames[start:stop].mean(0).round().astype(np.uint8)
                first_frame = window * PLAN.period // PLAN.factor
                sample = Sample(key, window, first_frame, PLAN.exposure, blur, frames[list(sharp)], sharp, spikes)
                writer.append(sample)
