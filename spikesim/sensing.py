"""A camera's kernels set up for one stream: parameters, maps, and the state that passes between readouts.

Which noise the camera has is asked of its terms, none of which is known here.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from spikesim.errors import InvalidValueError
from spikesim.kernels import bits, integration, sub_ticks
from spikesim.noise.bit_events import BitEvents, ChanceEvents
from spikesim.noise.term import NoiseTerm, acting_order
from spikesim.stream_setup import StreamSetup
from spikesim.threads import run_on_rows

RESETS = {"modulo": integration.MODULO, "subtract": integration.SUBTRACT, "zero": integration.ZERO}


class Sensing:
    """One camera looking at one stream of light.

    Args:
        setup: What the stream begins with; its charge is changed by `fire`.

    Raises:
        InvalidValueError: Two noise terms of the camera set the same parameter of a kernel.
    """

    def __init__(self, setup: StreamSetup) -> None:
        camera = setup.camera
        height, width = setup.shape
        self.camera, self.charge = camera, setup.charge
        self._key, self._pixels = setup.key, setup.crop.first_pixels(height)
        # The state's own type: a Python float beside float32 charge would round differently.
        v_th = np.float32(camera.v_th)
        self._pixel = integration.Pixel(
            np.float32(camera.gain / camera.sub_ticks),
            np.float32(camera.sub_ticks),
            v_th,
            v_th if camera.tie_fires else np.nextafter(v_th, np.float32(np.inf)),
            RESETS[camera.reset],
        )
        terms = acting_order(camera.noise)
        on_charge: dict[str, Any] = {
            name: value if isinstance(value, bool) else np.float32(value)
            for name, value in _gathered(terms, lambda term: term.charge_parameters(camera.v_th)).items()
        }
        self._noise = integration.Noise(**on_charge)
        self._light_steps = sub_ticks.LightSteps(**_gathered(terms, lambda term: term.tick_parameters()))
        self._gain, self._dark = setup.pattern.gain, setup.pattern.dark
        self._noisy = bool(on_charge or self._gain.size or self._dark.size)
        self._fired_before = np.zeros((height, -(-width // 8)), np.uint8)
        self._events = [
            _Events(events, setup.shape, self._pixels, setup.key) for term in terms for events in term.bit_events()
        ]
        alive = setup.pattern.alive
        self._alive = np.packbits(alive, axis=1, bitorder="little") if alive.size and not alive.all() else None

    def state(self) -> tuple[np.ndarray, np.ndarray]:
        """A copy of what `fire` changes, to come back to."""
        return self.charge.copy(), self._fired_before.copy()

    def restore(self, state: tuple[np.ndarray, np.ndarray]) -> None:
        """Come back to an earlier state."""
        self.charge[:], self._fired_before[:] = state

    def fire(self, first: int, stop: int, start: int, light: np.ndarray, packed: np.ndarray) -> bool:
        """Turn the light of rows first..stop−1 into spikes.

        Args:
            first, stop: Rows.
            start: Number of the first readout.
            light: (T, H, W) float32 in [0, 1] or uint8.
            packed: uint8 (T, H, ceil(W/8)) to fill.

        Returns:
            Whether there may be light outside [0, 1].
        """
        if self.camera.resets_in_ticks:
            suspicious = sub_ticks.integrate_sub_ticks(
                first, stop, start, light, self.charge, packed, self._pixel, self._light_steps,
                self._pixels, self._key,
            )  # fmt: skip
        elif self._noisy:
            suspicious = integration.integrate_and_fire_noisily(
                first, stop, start, light, self.charge, self._fired_before, packed, self._pixel,
                self._noise, self._gain, self._dark, self._pixels, self._key,
            )  # fmt: skip
        else:
            suspicious = integration.integrate_and_fire(first, stop, light, self.charge, packed, self._pixel)
        return bool(suspicious)

    @property
    def alters_bits(self) -> bool:
        """Whether `read_out` does anything."""
        return bool(self._events) or self._alive is not None

    def read_out(self, first: int, stop: int, start: int, packed: np.ndarray) -> None:
        """What happens to the spikes of rows first..stop−1 on their way out: bits that are wrong, dead pixels.

        Args:
            first, stop, start, packed: As for `fire`.
        """
        for events in self._events:
            events.apply(first, stop, start, packed)
        if self._alive is not None:
            bits.mask_rows(first, stop, self._alive, packed)


def _gathered(terms: Iterable[NoiseTerm], parameters: Callable[[NoiseTerm], Mapping[str, Any]]) -> dict[str, Any]:
    """The parameters of a kernel that the terms set, each of which one term alone may set.

    Raises:
        InvalidValueError: Two terms set the same.
    """
    values: dict[str, Any] = {}
    setters: dict[str, str] = {}
    for term in terms:
        for name, value in parameters(term).items():
            if name in setters:
                raise InvalidValueError(
                    f"{setters[name]} and {type(term).__name__} both set {name!r} of the kernel, which "
                    "takes one value; leave one of these terms out"
                )
            values[name], setters[name] = value, type(term).__name__
    return values


class _Events:
    """Sparse events of every pixel: when the next is due, and how many have been drawn."""

    def __init__(self, events: BitEvents, shape: tuple[int, int], pixels: np.ndarray, key: np.ndarray) -> None:
        first_kernel: Any
        first_law: tuple[Any, ...]
        self._kernel: Any
        self._law: tuple[Any, ...]
        if isinstance(events, ChanceEvents):
            log_of_miss = np.log1p(-min(events.chance, 1 - 1e-12))
            first_kernel, first_law = bits.first_events, (log_of_miss,)
            self._kernel, self._law = bits.apply_events, (log_of_miss, events.sets)
        else:
            first_kernel, first_law = bits.first_renewals, (events.first.below, events.first.guide)
            self._kernel, self._law = bits.add_renewals, (events.interval.below, events.interval.guide)
        self._head = events.purpose, key, pixels
        self._words = np.empty((shape[0], 4, shape[1]), np.uint32)
        self._due = np.empty(shape, np.int64)
        self._draws = np.zeros(shape, np.int32)
        run_on_rows(first_kernel, shape[0], 16 * shape[1], *self._head, *first_law, self._words, self._due)

    def apply(self, first: int, stop: int, start: int, packed: np.ndarray) -> None:
        """Put the events of these readouts into rows of packed (T, H, ceil(W/8))."""
        self._kernel(first, stop, start, *self._head, *self._law, self._words, self._due, self._draws, packed)
