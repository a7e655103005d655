"""A camera at work: light that arrives in pieces becomes spikes, for one camera or several that look at the same."""

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.checks import require_instance, require_list
from spikesim.errors import InvalidValueError
from spikesim.light import checked_light, range_error
from spikesim.randomness import Crop
from spikesim.sensing import Sensing
from spikesim.stream import SpikeStream
from spikesim.stream_setup import StreamSetup
from spikesim.threads import run_on_rows

_CACHED_LIGHT = 1 << 20  # bytes of light that several cameras look at before it leaves the cache


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

    _compiled: ClassVar[bool] = True

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
        setup = StreamSetup.of(camera, (height, width), seed=seed, key=key, charge=charge, crop=crop, clip=clip)
        self.camera, self.shape = setup.camera, setup.shape
        self._clip = setup.clip
        self._readout = 0
        self._begin(setup)

    def __repr__(self) -> str:
        height, width = self.shape
        return f"{type(self).__name__}({self.camera}, H={height}, W={width}, after {self._readout} readouts)"

    def _begin(self, setup: StreamSetup) -> None:
        """Get ready for the first readout."""
        self._sensing = Sensing(setup)

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

    Light is clipped where all of them clip. Where one is strict, light outside [0, 1] is refused, by all.

    Args:
        simulators: At least one, none of them twice, each of the processor's.
        light: As for `Simulator.push`.

    Returns:
        A stream for each simulator.

    Raises:
        InvalidValueError: As for `Simulator.push`, or the simulators are not as above. All are as they were before.
    """
    simulators = _checked_simulators(simulators)
    height, width = simulators[0].shape
    light = checked_light(light, (height, width), clip=all(simulator._clip for simulator in simulators))
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
        raise range_error(light)
    if any(simulator._sensing.alters_bits for simulator in simulators):
        run_on_rows(read_out, height, readouts * width * len(simulators))
    for simulator in simulators:
        simulator._readout += readouts
    return [SpikeStream(packed, width, simulator.camera) for packed, simulator in zip(outputs, simulators, strict=True)]


def _checked_simulators(simulators: Sequence[Simulator]) -> list[Simulator]:
    checked = require_list(simulators, "simulators", "Simulators")
    if not checked:
        raise InvalidValueError("simulators must hold at least one, got none")
    for simulator in checked:
        require_instance(simulator, "a simulator", Simulator)
        if not simulator._compiled:
            raise InvalidValueError(
                "simulators that share their light compute on the processor; push into others alone"
            )
        if simulator.shape != checked[0].shape:
            raise InvalidValueError("simulators that look at the same light must have one size")
    if len({id(simulator) for simulator in checked}) < len(checked):
        raise InvalidValueError("a simulator takes light once: there is one that is given twice")
    return checked
