"""The sensor in torch, for a GPU: the bits of the compiled kernels, from light that may lie on the device already.

Imported on first use, because torch is optional: `spikesim.simulate(..., device="cuda")` comes here.
"""

from collections.abc import Iterable
from typing import Unpack

import numpy as np
import torch
from torch import Tensor

from spikesim.camera import SpikeCamera
from spikesim.gpu.devices import find_device
from spikesim.gpu.simulator import Simulator
from spikesim.light import light_stacks
from spikesim.stream import SpikeStream
from spikesim.stream_setup import StreamOptions

__all__ = ["Simulator", "find_device", "packed_spikes", "simulate"]

Light = np.ndarray | Tensor | Iterable[np.ndarray]


def simulate(
    light: Light, camera: SpikeCamera, *, device: str | torch.device = "cuda", **options: Unpack[StreamOptions]
) -> SpikeStream:
    """The stream that `spikesim.simulate` gives, computed by torch; only its packed bits come back from the device.

    Args:
        light: As for `spikesim.simulate`, or a tensor (T, H, W), which is not copied where it is on the device.
        camera: The sensor.
        device: As for `Simulator`.
        **options: `seed`, `key`, `charge`, `crop` and `clip`, as for `spikesim.simulate`.

    Returns:
        The stream (T, H, W).

    Raises:
        InvalidValueError: As for `spikesim.simulate`.
    """
    packed, width = _sense(light, camera, device, options)
    return SpikeStream(packed.cpu().numpy(), width, camera)


def packed_spikes(
    light: Light, camera: SpikeCamera, *, device: str | torch.device = "cuda", **options: Unpack[StreamOptions]
) -> Tensor:
    """The bits of `simulate`, left on the device, for what goes on there.

    Args:
        light, camera, device, **options: As for `simulate`.

    Returns:
        uint8 (T, H, ceil(W/8)) on the device, least significant bit first along W.

    Raises:
        InvalidValueError: As for `simulate`.
    """
    return _sense(light, camera, device, options)[0]


def _sense(light: Light, camera: SpikeCamera, device: str | torch.device, options: StreamOptions) -> tuple[Tensor, int]:
    """Packed bits on the device, and the width in pixels."""
    stacks, (height, width) = light_stacks(light, (np.ndarray, Tensor))
    simulator = Simulator(camera, height, width, device=device, **options)
    return torch.cat([simulator.push_packed(stack) for stack in stacks]), width
