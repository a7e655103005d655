"""Light in, spikes out: `simulate` for a whole clip, `Simulator` for light that arrives in pieces."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

import numpy as np

from spikesim import kernels
from spikesim.camera import SpikeCamera
from spikesim.errors import InvalidValueError
from spikesim.noise import InherentSpikes, renewal_tables
from spikesim.randomness import INHERENT_SPIKES, INITIAL_CHARGE, make_key
from spikesim.stream import SpikeStream
from spikesim.threads import run_on_rows

_RESETS = {"modulo": kernels.MODULO, "subtract": kernels.SUBTRACT, "zero": kernels.ZERO}
_CHUNK = 64  # readouts taken at once from an iterator of frames


def simulate(
    light: np.ndarray | Iterable[np.ndarray],
    camera: SpikeCamera,
    *,
    seed: int = 0,
    key: str = "",
    charge: np.ndarray | None = None,
) -> SpikeStream:
    """The spikes a camera puts out for a clip of light.

    Args:
        light: (T, H, W) or an iterable of frames (H, W), one a readout: float32 in [0, 1], or uint8 meaning value/255.
        camera: The sensor.
        seed, key: Name the random numbers: the same seed and key give the same bits, whatever the machine or the number
            of threads. Give every clip a key of its own, or clips share their noise.
        charge: Starting charge (H, W) in the unit of v_th, finite and ≥ 0; None draws what `camera.start` says.

    Returns:
        The stream (T, H, W).

    Raises:
        InvalidValueError: Light, charge, seed or key are not as above.

    Example:
        >>> light = np.full((10, 2, 3), 0.5, np.float32)
        >>> simulate(light, SpikeCamera(start="zero")).counts().tolist()
        [[5, 5, 5], [5, 5, 5]]
    """
    if isinstance(light, np.ndarray):
        if light.ndim != 3:
            raise InvalidValueError(f"light must have the axes (T, H, W), got shape {light.shape}")
        return Simulator(camera, *light.shape[1:], seed=seed, key=key, charge=charge).push(light)
    frames = iter(light)
    first = next(frames, None)
    if first is None:
        raise InvalidValueError(
            "light holds no frame, so the size of the sensor is not known; give at least one readout"
        )
    first = np.asarray(first)
    if first.ndim != 2:
        raise InvalidValueError(f"frames of light must have the axes (H, W), got shape {first.shape}")
    simulator = Simulator(camera, *first.shape, seed=seed, key=key, charge=charge)
    pieces = [simulator.push(chunk).packed for chunk in _chunks(chain([first], frames), first)]
    return SpikeStream(np.concatenate(pieces), first.shape[1], camera)


class Simulator:
    """A camera at work: push light piece by piece; the bits are the same however it is cut.

    Args:
        camera: The sensor.
        height, width: Size of the sensor in pixels.
        seed, key: As for `simulate`.
        charge: As for `simulate`.

    Raises:
        InvalidValueError: An argument is not as above.

    Example:
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
    ) -> None:
        if height < 1 or width < 1:
            raise InvalidValueError(f"a sensor has at least one pixel, got height {height} and width {width}")
        self.camera = camera
        self._height, self._width = height, width
        # The state's own type: a Python float beside float32 charge would round differently.
        self._v_th, self._gain = np.float32(camera.v_th), np.float32(camera.gain)
        self._readout = 0
        philox_key = make_key(seed, key)
        self._charge = self._starting_charge(philox_key) if charge is None else _checked_charge(charge, height, width)
        self._inherent = [
            _InherentState(term, height, width, philox_key) for term in camera.noise if isinstance(term, InherentSpikes)
        ]

    @property
    def charge(self) -> np.ndarray:
        """Charge of every pixel after the light pushed so far, float32 (H, W), in the unit of v_th; a copy."""
        return self._charge.copy()

    def push(self, light: np.ndarray) -> SpikeStream:
        """Integrate further light and give the spikes of its readouts.

        Args:
            light: (T, H, W), or one readout (H, W): float32 in [0, 1], or uint8 meaning value/255.

        Returns:
            The stream of these T readouts.

        Raises:
            InvalidValueError: Light has another size, type or range. The simulator is as it was before.
        """
        light = _checked_light(light, self._height, self._width)
        readouts = light.shape[0]
        packed = np.empty((readouts, self._height, -(-self._width // 8)), np.uint8)
        run_on_rows(
            kernels.integrate_and_fire,
            self._height,
            readouts * self._width,
            light,
            self._charge,
            packed,
            self._gain,
            self._v_th,
            _RESETS[self.camera.reset],
            self.camera.tie_fires,
        )
        for state in self._inherent:
            state.add_to(packed, self._readout)
        self._readout += readouts
        return SpikeStream(packed, self._width, self.camera)

    def _starting_charge(self, philox_key: np.ndarray) -> np.ndarray:
        charge = np.zeros((self._height, self._width), np.float32)
        if self.camera.start == "zero":
            return charge
        run_on_rows(kernels.uniform, self._height, self._width, INITIAL_CHARGE, philox_key, charge)
        if self.camera.start == "uniform":
            return charge * self._v_th
        return np.fmod(charge * self._gain, self._v_th)


class _InherentState:
    """Where every pixel's renewal process stands: when its next spurious spike is due, how many it has drawn."""

    def __init__(self, term: InherentSpikes, height: int, width: int, philox_key: np.ndarray) -> None:
        self._interval_table, first_table = renewal_tables(term)
        self._key = philox_key
        self._due = np.empty((height, width), np.int64)
        self._draws = np.zeros((height, width), np.int64)
        run_on_rows(kernels.first_renewals, height, width, INHERENT_SPIKES, philox_key, first_table, self._due)

    def add_to(self, packed: np.ndarray, first_readout: int) -> None:
        """OR the spurious spikes of these readouts into packed (T, H, ceil(W/8))."""
        height, width = self._due.shape
        run_on_rows(
            kernels.add_renewals,
            height,
            packed.shape[0] * width,
            first_readout,
            INHERENT_SPIKES,
            self._key,
            self._interval_table,
            self._due,
            self._draws,
            packed,
        )


def _chunks(frames: Iterator[np.ndarray], first: np.ndarray) -> Iterator[np.ndarray]:
    """Stacks of at most `_CHUNK` frames, all of the first one's shape and type."""
    position = 0
    while chunk := [np.asarray(frame) for frame in islice(frames, _CHUNK)]:
        for offset, frame in enumerate(chunk):
            if frame.shape != first.shape or frame.dtype != first.dtype:
                raise InvalidValueError(
                    f"frame {position + offset} of light is {frame.dtype} {frame.shape}, the first is "
                    f"{first.dtype} {first.shape}; all must be alike"
                )
        position += len(chunk)
        yield np.stack(chunk)


def _checked_light(light: np.ndarray, height: int, width: int) -> np.ndarray:
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
    valid = np.empty(height, np.bool_)
    run_on_rows(kernels.within_unit_range, height, light.shape[0] * width, light, valid)
    if not valid.all():
        raise InvalidValueError(
            f"light must be finite and in [0, 1], got values from {np.min(light)} to {np.max(light)}; scale it (uint8 "
            "arrays are taken as value/255) or clip it"
        )
    return light


def _checked_charge(charge: np.ndarray, height: int, width: int) -> np.ndarray:
    checked = np.array(charge, np.float32)
    if checked.shape != (height, width):
        raise InvalidValueError(f"charge must be ({height}, {width}) as the sensor is, got shape {checked.shape}")
    if not np.isfinite(checked).all() or (checked < 0).any():
        raise InvalidValueError("charge must be finite and ≥ 0, in the unit of v_th; other values found")
    return checked
