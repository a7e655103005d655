"""Light in, spikes out: `simulate` for a whole clip, `Simulator` for light that arrives in pieces."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.errors import InvalidValueError, MissingExtraError
from spikesim.pattern import draw_pattern, starting_charge
from spikesim.randomness import Crop, make_key
from spikesim.sensing import Sensing
from spikesim.stream import SpikeStream
from spikesim.threads import run_on_rows

_CHUNK = 64  # readouts taken at once from an iterator of frames
_CACHED_LIGHT = 1 << 20  # bytes of light that several cameras look at before it leaves the cache


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
            also be a tensor that lies there.

    Returns:
        The stream (T, H, W).

    Raises:
        InvalidValueError: Light, charge, seed, key or crop are not as above, or the device is not there.
        MissingExtraError: The device needs torch, which is not installed.

    Example:
        >>> light = np.full((10, 2, 3), 0.5, np.float32)
        >>> simulate(light, SpikeCamera(start="zero")).counts().tolist()
        [[5, 5, 5], [5, 5, 5]]
    """
    if device not in (None, "cpu"):
        try:
            from spikesim import gpu
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"device={device!r} needs torch; pip install 'spikesim[ssdm]'") from error
        return gpu.simulate(light, camera, seed=seed, key=key, charge=charge, crop=crop, clip=clip, device=device)
    (stream,) = simulate_cameras(light, [camera], seed=seed, keys=[key], charge=charge, crop=crop, clip=clip)
    return stream


def simulate_cameras(
    light: np.ndarray | Iterable[np.ndarray],
    cameras: Sequence[SpikeCamera],
    *,
    seed: int = 0,
    keys: Sequence[str] | None = None,
    charge: np.ndarray | None = None,
    crop: Crop | None = None,
    clip: bool = False,
) -> list[SpikeStream]:
    """The spikes of several cameras looking at the same light, which is read from memory once.

    Args:
        light, seed, charge, crop, clip: As for `simulate`.
        cameras: The sensors, such as one for each threshold.
        keys: A key for each camera; None gives all the empty one.

    Returns:
        A stream for each camera, the same as `simulate` gives.

    Raises:
        InvalidValueError: As for `simulate`, or the numbers of cameras and keys differ.
    """
    keys = [""] * len(cameras) if keys is None else list(keys)
    if len(keys) != len(cameras) or not cameras:
        raise InvalidValueError(f"there must be a key for each camera, got {len(cameras)} cameras and {len(keys)} keys")
    chunks: Iterator[np.ndarray]
    if isinstance(light, np.ndarray):
        if light.ndim != 3:
            raise InvalidValueError(f"light must have the axes (T, H, W), got shape {light.shape}")
        height, width = light.shape[1:]
        chunks = iter([light])
    else:
        chunks, (height, width) = frame_chunks(light)
    simulators = [
        Simulator(camera, height, width, seed=seed, key=key, charge=charge, crop=crop, clip=clip)
        for camera, key in zip(cameras, keys, strict=True)
    ]
    pieces = [[stream.packed for stream in push_together(simulators, chunk)] for chunk in chunks]
    return [
        SpikeStream(parts[0] if len(parts) == 1 else np.concatenate(parts), width, camera)
        for parts, camera in zip(zip(*pieces, strict=True), cameras, strict=True)
    ]


class Simulator:
    """A camera at work: push light piece by piece; the bits are the same however it is cut.

    Args:
        camera: The sensor.
        height, width: Size of the light in pixels.
        seed, key, charge, crop, clip: As for `simulate`.

    Raises:
        InvalidValueError: An argument is not as above.

    Examples:
        >>> simulator = Simulator(SpikeCamera(start="zero", v_th=2), 2, 3)
        >>> [simulator.push(np.ones((2, 3), np.float32)).counts().max().item() for _ in range(4)]
        [0, 1, 0, 1]
    """

    def __init__(
        self,
        camera: SpikeCamera,
        height: int,
        width: int,
        *,
        seed: int = 0,
        key: str = "",
        charge: np.ndarray | None = None,
        crop: Crop | None = None,
        clip: bool = False,
    ) -> None:
        if height < 1 or width < 1:
            raise InvalidValueError(f"a sensor has at least one pixel, got height {height} and width {width}")
        self.camera = camera
        self.shape = height, width
        self._clip = clip
        crop = crop or Crop(0, 0, height, width)
        crop.check(height, width)
        philox_key = make_key(seed, key)
        if charge is None:
            initial = starting_charge(camera, self.shape, crop, philox_key)
        else:
            initial = _checked_charge(charge, self.shape)
        pattern = draw_pattern(camera, self.shape, crop, seed)
        self._sensing = Sensing(camera, initial, crop, philox_key, pattern)
        self._readout = 0

    @property
    def charge(self) -> np.ndarray:
        """Charge of every pixel after the light pushed so far, float32 (H, W), in the unit of v_th; a copy."""
        return self._sensing.charge.copy()

    def push(self, light: np.ndarray) -> SpikeStream:
        """Integrate further light and give the spikes of its readouts.

        Args:
            light: (T, H, W), or one readout (H, W): float32 in [0, 1], or uint8 meaning value/255.

        Returns:
            The stream of these T readouts.

        Raises:
            InvalidValueError: Light has another size, type or range. The simulator is as it was before.
        """
        (stream,) = push_together([self], light)
        return stream


def push_together(simulators: Sequence[Simulator], light: np.ndarray) -> list[SpikeStream]:
    """Push the same light into several simulators of one size, reading it from memory once.

    Args:
        simulators: At least one.
        light: As for `Simulator.push`.

    Returns:
        A stream for each simulator.

    Raises:
        InvalidValueError: As for `Simulator.push`, or the simulators differ in size.
    """
    height, width = simulators[0].shape
    if any(simulator.shape != (height, width) for simulator in simulators):
        raise InvalidValueError("simulators that look at the same light must have one size")
    light = _checked_light(light, height, width, clip=any(simulator._clip for simulator in simulators))
    readouts = light.shape[0]
    outputs = [np.empty((readouts, height, -(-width // 8)), np.uint8) for _ in simulators]
    # Rows whose light fits into the cache, so that the second camera finds it there.
    rows = height if len(simulators) == 1 else max(1, _CACHED_LIGHT // max(1, readouts * width * light.itemsize))

    def sense(first: int, stop: int) -> None:
        for begin in range(first, stop, rows):
            end = min(begin + rows, stop)
            for simulator, packed in zip(simulators, outputs, strict=True):
                suspicious[begin] |= simulator._sensing.fire(begin, end, simulator._readout, light, packed)

    def read_out(first: int, stop: int) -> None:
        for simulator, packed in zip(simulators, outputs, strict=True):
            simulator._sensing.read_out(first, stop, simulator._readout, packed)

    before = [simulator._sensing.state() for simulator in simulators]
    suspicious = np.zeros(height, np.bool_)
    run_on_rows(sense, height, readouts * width * len(simulators))
    if suspicious.any() and not ((light >= 0) & (light <= 1)).all():
        for simulator, state in zip(simulators, before, strict=True):
            simulator._sensing.restore(state)
        raise InvalidValueError(
            f"light must be finite and in [0, 1], got values from {np.min(light)} to {np.max(light)}; scale it (uint8 "
            "arrays are taken as value/255), or give clip=True"
        )
    if any(simulator._sensing.alters_bits for simulator in simulators):
        run_on_rows(read_out, height, readouts * width * len(simulators))
    for simulator in simulators:
        simulator._readout += readouts
    return [SpikeStream(packed, width, simulator.camera) for packed, simulator in zip(outputs, simulators, strict=True)]


def frame_chunks(frames: Iterable[np.ndarray]) -> tuple[Iterator[np.ndarray], tuple[int, int]]:
    """Stacks of at most `_CHUNK` frames, all of the first one's shape and type; and that shape."""
    iterator = iter(frames)
    head = next(iterator, None)
    if head is None:
        raise InvalidValueError(
            "light holds no frame, so the size of the sensor is not known; give at least one readout"
        )
    first = np.asarray(head)
    if first.ndim != 2:
        raise InvalidValueError(f"frames of light must have the axes (H, W), got shape {first.shape}")

    def stacks() -> Iterator[np.ndarray]:
        position = 0
        rest = chain([first], iterator)
        while chunk := [np.asarray(frame) for frame in islice(rest, _CHUNK)]:
            for offset, frame in enumerate(chunk):
                if frame.shape != first.shape or frame.dtype != first.dtype:
                    raise InvalidValueError(
                        f"frame {position + offset} of light is {frame.dtype} {frame.shape}, the first is "
                        f"{first.dtype} {first.shape}; all must be alike"
                    )
            position += len(chunk)
            yield np.stack(chunk)

    return stacks(), (first.shape[0], first.shape[1])


def _checked_light(light: np.ndarray, height: int, width: int, *, clip: bool) -> np.ndarray:
    """Light as contiguous (T, H, W) of uint8 or float32, without a copy where it is that already."""
    light = np.asarray(light)
    if light.ndim == 2:
        light = light[None]
    if light.shape[1:] != (height, width):
        raise InvalidValueError(f"light must be (T, {height}, {width}) as the sensor is, got shape {light.shape}")
    if light.dtype == np.uint8:
        return np.ascontiguousarray(light)
    if not np.issubdtype(light.dtype, np.floating):
        raise InvalidValueError(f"light must be float32 in [0, 1] or uint8 (value/255), got {light.dtype}")
    light = np.ascontiguousarray(light, np.float32)
    return np.clip(light, 0, 1) if clip else light


def _checked_charge(charge: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    checked = np.array(charge, np.float32)
    if checked.shape != shape:
        raise InvalidValueError(f"charge must be {shape} as the sensor is, got shape {checked.shape}")
    if not np.isfinite(checked).all() or (checked < 0).any():
        raise InvalidValueError("charge must be finite and ≥ 0, in the unit of v_th; other values found")
    return checked
