"""Cameras, light and counters of the tests of the sensor in torch."""

from collections import Counter
from typing import Any

import numpy as np
import pytest
from torch.utils._python_dispatch import TorchDispatchMode

from spikesim import PRESETS, SpikeCamera, SpikeStream
from spikesim.noise import (
    BitErrors,
    ComparatorNoise,
    DarkCurrent,
    DeadTime,
    DiffusionNoise,
    FrameNoise,
    GainPattern,
    InherentSpikes,
    IntervalNoise,
    ResetNoise,
    ShotNoise,
)

T, H, W = 41, 157, 161  # odd, unequal, and just above a million bits

CAMERAS = [
    # A threshold that bright light crosses more than once a readout.
    pytest.param(SpikeCamera.preset(name, reset=reset, v_th=0.3), id=f"{name}-{reset}")
    for name in PRESETS
    for reset in ("modulo", "subtract", "zero")
    # Diffusion noise lives in the sub-ticks of a hard reset.
    if reset == PRESETS[name].reset or name != "spikingsim"
]
OTHERS = [
    pytest.param(camera, id=name)
    for name, camera in {
        "own-thresholds-do-not-fire": SpikeCamera(tie_fires=False, start="zero"),
        "wide-jitter": SpikeCamera(noise=(ComparatorNoise(sigma=0.1), FrameNoise(sigma=0.05))),
        "kicks-of-a-hard-reset": SpikeCamera(reset="zero", noise=(ResetNoise(sigma=0.1), DeadTime(readouts=1))),
        "few-electrons": SpikeCamera(noise=(ShotNoise(full_well_e=40), DeadTime(readouts=0.3), DarkCurrent())),
        "many-bit-errors": SpikeCamera(noise=(BitErrors(drop=0.5, false=0.1), InherentSpikes(5, 2))),
        "lost-bits-tire-all-the-same": SpikeCamera(noise=(DeadTime(readouts=0.5), BitErrors(drop=0.9, false=1e-3))),
        "certain-bit-errors": SpikeCamera(noise=(BitErrors(drop=1.0),)),
        "shading": SpikeCamera(v_th=2, noise=(GainPattern(shading=0.3), IntervalNoise(dead_time=1))),
        "ticks-without-ties": SpikeCamera(reset="zero", sub_ticks=10, tie_fires=False, start="zero"),
        "wild-diffusion": SpikeCamera(v_th=0.2, reset="zero", sub_ticks=40, noise=(DiffusionNoise(8, 1.0),)),
    }.items()
]


def make_light() -> np.ndarray:
    """Light with darkness, ones and values that tie with thresholds."""
    light = np.random.default_rng(5).random((T, H, W), dtype=np.float32) ** 2
    light[:, :9] = 0
    light[:, 9:12] = 1
    light[:, 12:15] = 0.5
    return light


def assert_same(stream: SpikeStream, expected: SpikeStream) -> None:
    """Logarithms and exponentials in double precision may differ between machines, so one bit in a million may too."""
    assert stream.shape == expected.shape
    assert stream.camera == expected.camera
    assert np.bitwise_count(stream.packed ^ expected.packed).sum() <= 1e-6 * np.prod(stream.shape)


class Operations(TorchDispatchMode):
    """Counts what torch is asked to do."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.counts[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))
