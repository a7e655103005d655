"""A camera at work on a device: the torch twin of `spikesim.simulator`."""

from typing import Any, ClassVar, Unpack

import numpy as np
import torch
from torch import Tensor

from spikesim import simulator
from spikesim.camera import SpikeCamera
from spikesim.checks import require_array
from spikesim.gpu.devices import find_device
from spikesim.gpu.sensor import Sensor
from spikesim.light import check_light, checked_light, range_error
from spikesim.stream import SpikeStream
from spikesim.stream_setup import StreamOptions, StreamSetup


class Simulator(simulator.Simulator):
    """The twin of `spikesim.Simulator` that computes by torch: the same bits, however light is cut.

    Args:
        camera, height, width: As for `spikesim.Simulator`.
        device: `cuda`, `cuda:1`, ...; also `cpu`, where torch is slower than the compiled kernels.
        **options: `seed`, `key`, `charge`, `crop` and `clip`, as for `spikesim.simulate`.

    Raises:
        InvalidValueError: An argument is not as above, or the device is not available.
    """

    _compiled: ClassVar[bool] = False

    def __init__(
        self,
        camera: SpikeCamera,
        height: int,
        width: int,
        *,
        device: str | torch.device = "cuda",
        **options: Unpack[StreamOptions],
    ) -> None:
        self._device = find_device(device)
        super().__init__(camera, height, width, **options)

    def _begin(self, setup: StreamSetup) -> None:
        self._sensor = Sensor(setup, self._device)

    @property
    def charge(self) -> np.ndarray:
        return self._sensor.charge

    def push(self, light: np.ndarray | Tensor) -> SpikeStream:
        """As `spikesim.Simulator.push`; light may also be a tensor, which is not copied where it is on the device."""
        return SpikeStream(self.push_packed(light).cpu().numpy(), self.shape[1], self.camera)

    @torch.no_grad()
    def push_packed(self, light: np.ndarray | Tensor) -> Tensor:
        """The bits that `push` gives, left on the device.

        Args:
            light: As for `push`, (T, H, W) or (H, W).

        Returns:
            uint8 (T, H, ceil(W/8)) on the device, least significant bit first along W.

        Raises:
            InvalidValueError: As for `push`.
        """
        if not isinstance(light, Tensor):
            light = require_array(light, "light")
        if light.ndim == 2:
            light = light[None]
        check_light(tuple(light.shape), str(light.dtype).removeprefix("torch."), self.shape)
        before = self._sensor.state()
        packed = []
        # At least one block, though it be empty.
        for start in range(0, max(1, len(light)), self._sensor.block):
            block = self._to_device(light[start : start + self._sensor.block])
            if block.dtype != torch.uint8 and not ((block >= 0) & (block <= 1)).all():
                self._sensor.restore(before)
                whole = light.detach().float().numpy(force=True) if isinstance(light, Tensor) else light
                raise range_error(checked_light(whole, self.shape, clip=self._clip))
            packed.append(self._sensor.sense(block))
        return torch.cat(packed)

    def _to_device(self, light: Any) -> Tensor:
        """Light as uint8 or float32 on the device, clipped where that is wanted."""
        if isinstance(light, np.ndarray):
            # By way of pinned memory, which the device reads by itself; arrays may be read-only or have any strides.
            kind = torch.uint8 if light.dtype == np.uint8 else torch.float32
            staged = torch.empty(light.shape, dtype=kind, device="cpu", pin_memory=self._device.type == "cuda")
            with np.errstate(over="ignore"):  # too large for float32 is infinite, and so outside [0, 1]
                np.copyto(staged.numpy(), light, casting="same_kind")
            light = staged
        light = light.to(self._device, non_blocking=True)
        if light.dtype == torch.uint8:
            return light
        return light.float().clamp(0, 1) if self._clip else light.float()
