"""Recording: light in, a spike file out, in memory that does not grow with the length of the stream."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.formats import SpikeWriter
from spikesim.randomness import Crop
from spikesim.simulator import Simulator, frame_chunks


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
        """Spikes per pixel and readout."""
        return self.spikes / prod(self.shape)


def simulate_to_file(
    light: Iterable[np.ndarray],
    camera: SpikeCamera,
    path: str | os.PathLike[str],
    *,
    seed: int = 0,
    key: str = "",
    charge: np.ndarray | None = None,
    crop: Crop | None = None,
    clip: bool = False,
    **format_options: Any,
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
        seed, key, charge, crop, clip: As for `simulate`.
        **format_options: As for `write_spikes`.

    Returns:
        What was written.

    Raises:
        InvalidValueError: As for `simulate` and `SpikeWriter`.
        OutputError: The file cannot be written.

    Example:
        >>> frames = (np.full((250, 400), 0.3, np.float32) for _ in range(200_000))
        >>> simulate_to_file(frames, SpikeCamera.preset("realistic"), "ten_seconds.dat", key="ten seconds").shape
        (200000, 250, 400)
    """
    chunks, (height, width) = frame_chunks(light)
    simulator = Simulator(camera, height, width, seed=seed, key=key, charge=charge, crop=crop, clip=clip)
    with SpikeWriter(path, height, width, camera, **format_options) as writer:
        for chunk in chunks:
            writer.append(simulator.push(chunk))
    return Recording((writer.readouts, height, width), writer.spikes)
