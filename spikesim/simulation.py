"""Light in, spikes out, for a whole clip: on the processor or on a GPU, by one camera or by several."""

from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Unpack

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.checks import parse_device, require_list
from spikesim.errors import InvalidValueError, MissingExtraError
from spikesim.light import light_stacks
from spikesim.randomness import Crop
from spikesim.simulator import Simulator, push_together
from spikesim.stream import SpikeStream
from spikesim.stream_setup import SharedOptions, StreamOptions


def simulate(
    light: np.ndarray | Iterable[np.ndarray],
    camera: SpikeCamera,
    *,
    seed: int = 0,
    key: str = "",
    charge: np.ndarray | None = None,
    crop: Crop | None = None,
    clip: bool = False,
    device: str | None = None,
) -> SpikeStream:
    """The spikes a camera puts out for a clip of light.

    Args:
        light: (T, H, W) or an iterable of frames (H, W), one a readout: float32 in [0, 1], or uint8 meaning value/255.
        camera: The sensor.
        seed, key: Name the random numbers: the same seed and key give the same bits, whatever the machine or the number
            of threads. Give every clip a key of its own, or clips share their noise. The fixed pattern depends on the
            seed alone: one seed is one sensor.
        charge: Starting charge (H, W) in the unit of v_th, finite and ≥ 0; None draws what `camera.start` says.
        crop: The part of the sensor the light falls on; None means it is the whole sensor.
        clip: Clip light to [0, 1] instead of refusing it; NaN is refused all the same.
        device: None or `cpu`: compiled kernels on the processor; `cuda`, `cuda:1`, ...: torch on a GPU, where light may
            also be a tensor that lies there; `auto`: a GPU where there is one and torch is installed.

    Returns:
        The stream (T, H, W).

    Raises:
        InvalidValueError: An argument is not as above, or the device is not available.
        MissingExtraError: The device needs torch, which is not installed.

    Example:
        >>> light = np.full((10, 2, 3), 0.5, np.float32)
        >>> simulate(light, SpikeCamera(start="zero")).counts().tolist()
        [[5, 5, 5], [5, 5, 5]]
    """
    if (gpu := _torch_sensor(device)) is not None:
        return gpu.simulate(light, camera, device=device, seed=seed, key=key, charge=charge, crop=crop, clip=clip)
    (stream,) = simulate_cameras(light, [camera], keys=[key], seed=seed, charge=charge, crop=crop, clip=clip)
    return stream


def simulate_cameras(
    light: np.ndarray | Iterable[np.ndarray],
    cameras: Sequence[SpikeCamera],
    *,
    keys: Sequence[str] | None = None,
    **options: Unpack[SharedOptions],
) -> list[SpikeStream]:
    """The spikes of several cameras looking at the same light, which is read from memory once.

    Args:
        light: As for `simulate`.
        cameras: The sensors, such as one for each threshold.
        keys: A key for each camera; None gives all the empty one.
        **options: `seed`, `charge`, `crop` and `clip`, as for `simulate`.

    Returns:
        A stream for each camera, the same as `simulate` gives.

    Raises:
        InvalidValueError: As for `simulate`, or the numbers of cameras and keys differ.
    """
    cameras = require_list(cameras, "cameras", "cameras")
    keys = [""] * len(cameras) if keys is None else require_list(keys, "keys", "names")
    if len(keys) != len(cameras) or not cameras:
        raise InvalidValueError(f"there must be a key for each camera, got {len(cameras)} cameras and {len(keys)} keys")
    stacks, (height, width) = light_stacks(light)
    simulators = [
        Simulator(camera, height, width, key=key, **options) for camera, key in zip(cameras, keys, strict=True)
    ]
    pieces = [[stream.packed for stream in push_together(simulators, stack)] for stack in stacks]
    return [
        SpikeStream(parts[0] if len(parts) == 1 else np.concatenate(parts), width, camera)
        for parts, camera in zip(zip(*pieces, strict=True), cameras, strict=True)
    ]


def make_simulator(
    camera: SpikeCamera, height: int, width: int, *, device: str | None = None, **options: Unpack[StreamOptions]
) -> Simulator:
    """The simulator of a device, for light that arrives in pieces.

    Args:
        camera, height, width: As for `Simulator`.
        device, **options: As for `simulate`.

    Raises:
        InvalidValueError: As for `Simulator`, or the device is not available.
        MissingExtraError: The device needs torch, which is not installed.
    """
    if (gpu := _torch_sensor(device)) is not None:
        return gpu.Simulator(camera, height, width, device=device, **options)
    return Simulator(camera, height, width, **options)


def _torch_sensor(device: str | None) -> ModuleType | None:
    """`spikesim.gpu` where a device is meant that torch computes on, None where the compiled kernels do."""
    # Tensors name their device by an object, whose text is the name.
    if device is None or parse_device(device if isinstance(device, str) else str(device)) == "cpu":
        return None
    try:
        from spikesim import gpu
    except ModuleNotFoundError as error:
        if device == "auto":
            return None
        raise MissingExtraError(f"device={device!r} needs torch; pip install 'spikesim[ssdm]'") from error
    return None if device == "auto" and gpu.find_device(device).type == "cpu" else gpu
