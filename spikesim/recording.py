"""Recording: light in, a spike file out, in memory that does not grow with the length of the stream."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.formats import SpikeWriter
from spikesim.light import frame_stacks
from spikesim.simulation import make_simulator
from spikesim.stream_setup import StreamOptions

_OF_SIMULATION = StreamOptions.__optional_keys__ | {"device"}


@dataclass(frozen=True)
class Recording:
    """What was written to a spike file.

    Attributes:
        shape: T, H, W.
        spikes: Their number.
    """

    shape: tuple[int, int, int]
    spikes: int

    @property
    def rate(self) -> float:
        """Spikes per pixel and readout; of nothing, 0."""
        return self.spikes / max(1, prod(self.shape))


def simulate_to_file(
    light: Iterable[np.ndarray],
    camera: SpikeCamera,
    path: str | os.PathLike[str],
    **options: Any,
) -> Recording:
    """Writes the spikes a camera puts out for light that arrives frame by frame, while it arrives.

    The file holds what `write_spikes(path, simulate(light, camera, ...))` would write, without the whole of light or
    spikes ever being in memory.

    Args:
        light: An iterable of frames (H, W), one a readout, as for `simulate`; also an array (T, H, W), such as a memory
            map.
        camera: The sensor.
        path: The file; an existing one is replaced once all is written. The spikes of an `.npz` or `.npy` stay in
            memory until then; `.dat` and `.h5` grow.
        **options: `seed`, `key`, `charge`, `crop`, `clip` and `device`, as for `simulate`; the others as for
            `write_spikes`.

    Returns:
        What was written.

    Raises:
        InvalidValueError: As for `simulate` and `SpikeWriter`.
        MissingExtraError: As for `simulate`.
        OutputError: The file cannot be written.

    Example:
        >>> frames = (np.full((250, 400), 0.3, np.float32) for _ in range(200_000))
        >>> simulate_to_file(frames, SpikeCamera.preset("realistic"), "ten_seconds.dat", key="ten seconds").shape
        (200000, 250, 400)
    """
    of_simulation = {name: options.pop(name) for name in _OF_SIMULATION & set(options)}
    stacks, (height, width) = frame_stacks(light)
    simulator = make_simulator(camera, height, width, **of_simulation)
    with SpikeWriter(path, height, width, camera, **options) as writer:
        for stack in stacks:
            writer.append(simulator.push(stack))
    return Recording((writer.readouts, height, width), writer.spikes)
