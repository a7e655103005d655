"""The sensor in torch, for a GPU: the bits of the compiled kernels, from light that may lie on the device already.

Imported on first use, because torch is optional: `spikesim.simulate(..., device="cuda")` comes here.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NoReturn

import numpy as np
import torch
from torch import Tensor

from spikesim.camera import SpikeCamera
from spikesim.errors import InvalidValueError
from spikesim.gpu.sensor import Sensor
from spikesim.pattern import draw_pattern
from spikesim.randomness import Crop, make_key
from spikesim.simulator import Simulator, frame_chunks
from spikesim.stream import SpikeStream

__all__ = ["packed_spikes", "simulate"]

Light = np.ndarray | Tensor | Iterable[np.ndarray]


def simulate(
    light: Light,
    camera: SpikeCamera,
    *,
    seed: int = 0,
    key: str = "",
    charge: np.ndarray | None = None,
    crop: Crop | None = None,
    clip: bool = False,
    device: str | torch.device = "cuda",
) -> SpikeStream:
    """The stream that `spikesim.simulate` gives, computed by torch; only its packed bits come back from the device.

    Args:
        light: As for `spikesim.simulate`, or a tensor (T, H, W), which is not copied where it is on the device.
        camera, seed, key, charge, crop, clip: As for `spikesim.simulate`.
        device: `cuda`, `cuda:1`, ..., or `cpu`.

    Returns:
        The stream (T, H, W).

    Raises:
        InvalidValueError: As for `spikesim.simulate`, or the device is not there.
    """
    packed, width = _sense(light, camera, seed, key, charge, crop, clip, device)
    return SpikeStream(packed.cpu().numpy(), width, camera)


def packed_spikes(
    light: Light,
    camera: SpikeCamera,
    *,
    seed: int = 0,
    key: str = "",
    charge: np.ndarray | None = None,
    crop: Crop | None = None,
    clip: bool = False,
    device: str | torch.device = "cuda",
) -> Tensor:
    """The bits of `simulate`, left on the device, for what goes on there.

    Args:
        light, camera, seed, key, charge, crop, clip, device: As for `simulate`.

    Returns:
        uint8 (T, H, ceil(W/8)) on the device, least significant bit first along W.

    Raises:
        InvalidValueError: As for `simulate`.
    """
    return _sense(light, camera, seed, key, charge, crop, clip, device)[0]


@torch.no_grad()
def _sense(
    light: Light,
    camera: SpikeCamera,
    seed: int,
    key: str,
    charge: np.ndarray | None,
    crop: Crop | None,
    clip: bool,
    name: str | torch.device,
) -> tuple[Tensor, int]:
    """Packed bits on the device, and the width in pixels."""
    device = _device(name)
    chunks: Iterator[np.ndarray | Tensor]
    if isinstance(light, np.ndarray | Tensor):
        if light.ndim != 3:
            raise InvalidValueError(f"light must have the axes (T, H, W), got shape {tuple(light.shape)}")
        chunks, (height, width) = iter([light]), light.shape[1:]
    else:
        chunks, (height, width) = frame_chunks(light)
    # The simulator without noise checks all arguments, draws the starting charge, and refuses light in its own words.
    gate = Simulator(replace(camera, noise=()), height, width, seed=seed, key=key, charge=charge, crop=crop, clip=clip)
    crop = crop or Crop(0, 0, height, width)
    pattern = draw_pattern(camera, (height, width), crop, seed)
    sensor = Sensor(camera, gate.charge, crop, make_key(seed, key), pattern, device)
    packed = []
    for chunk in chunks:
        # At least one block, though it be empty.
        for start in range(0, max(1, len(chunk)), sensor.block):
            block = _to_device(chunk[start : start + sensor.block], clip, device)
            if block is None:
                _refuse(chunk, gate)
            packed.append(sensor.sense(block))
    return torch.cat(packed), width


def _refuse(light: np.ndarray | Tensor, gate: Simulator) -> NoReturn:
    """Raise what the simulator raises on light that it does not take."""
    if isinstance(light, Tensor):
        light = (light.float() if light.is_floating_point() else light).numpy(force=True)
    gate.push(light)
    raise AssertionError("the simulator takes light that was found wrong on the device")


def _device(name: str | torch.device) -> torch.device:
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise InvalidValueError(f"device must be 'cpu', 'cuda' or 'cuda:N', got {name!r}") from error
    if device.type not in ("cpu", "cuda"):
        raise InvalidValueError(f"device must be 'cpu', 'cuda' or 'cuda:N', got {name!r}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InvalidValueError(
            f"torch {torch.__version__} finds {torch.cuda.device_count()} CUDA devices, and {str(name)!r} is none of "
            "them; install the NVIDIA driver and a CUDA build of torch, or leave device out to compute on the CPU"
        )
    return device


def _to_device(light: np.ndarray | Tensor, clip: bool, device: torch.device) -> Tensor | None:
    """Light as uint8 or float32 in [0, 1] on the device; None where it is neither."""
    if isinstance(light, np.ndarray):
        if light.dtype != np.uint8 and not np.issubdtype(light.dtype, np.floating):
            return None
        # By way of pinned memory, which the device reads by itself; arrays may be read-only or have any strides.
        kind = torch.uint8 if light.dtype == np.uint8 else torch.float32
        staged = torch.empty(light.shape, dtype=kind, device="cpu", pin_memory=device.type == "cuda")
        np.copyto(staged.numpy(), light, casting="same_kind")
        light = staged
    light = light.to(device, non_blocking=True)
    if light.dtype == torch.uint8:
        return light
    if not light.is_floating_point():
        return None
    light = light.float().clamp(0, 1) if clip else light.float()
    return light if ((light >= 0) & (light <= 1)).all() else None
