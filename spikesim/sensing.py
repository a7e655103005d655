"""A camera's kernels set up for one stream: parameters, maps, and the state that passes between readouts."""

from functools import cache
from typing import Any

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.kernels import bits, integration, sub_ticks
from spikesim.noise import (
    BitErrors,
    ComparatorNoise,
    DeadTime,
    DiffusionNoise,
    FrameNoise,
    InherentSpikes,
    IntervalNoise,
    ResetNoise,
    ShotNoise,
)
from spikesim.noise.readout import guide_of, poisson_table, renewal_tables
from spikesim.pattern import FixedPattern
from spikesim.randomness import DROPPED_BITS, FALSE_BITS, INHERENT_SPIKES, Crop
from spikesim.threads import run_on_rows

RESETS = {"modulo": integration.MODULO, "subtract": integration.SUBTRACT, "zero": integration.ZERO}


class Sensing:
    """One camera looking at one stream of light.

    Args:
        camera: The camera.
        charge: Starting charge, float32 (H, W); changed by `fire`.
        crop: Part of the sensor.
        key: Of the stream's random numbers, uint32 (2,).
        pattern: What the pixels are.
    """

    def __init__(
        self, camera: SpikeCamera, charge: np.ndarray, crop: Crop, key: np.ndarray, pattern: FixedPattern
    ) -> None:
        height, _ = charge.shape
        self.camera, self.charge = camera, charge
        self._key, self._pixels = key, crop.first_pixels(height)
        # The state's own type: a Python float beside float32 charge would round differently.
        v_th = np.float32(camera.v_th)
        self._pixel = integration.Pixel(
            np.float32(camera.gain / camera.sub_ticks),
            np.float32(camera.sub_ticks),
            v_th,
            v_th if camera.tie_fires else np.nextafter(v_th, np.float32(np.inf)),
            RESETS[camera.reset],
        )
        self._pattern = pattern
        self._noise = _noise_on_charge(camera)
        self._noisy = self._noise is not NO_NOISE or bool(self._pattern.gain.size or self._pattern.dark.size)
        self._fired_before = np.zeros((charge.shape[0], -(-charge.shape[1] // 8)), np.uint8)
        self._events = _events(camera, charge.shape, self._pixels, key)
        alive = self._pattern.alive
        self._alive = np.packbits(alive, axis=1, bitorder="little") if alive.size and not alive.all() else None
        if camera.resets_in_ticks:
            diffusion = camera.term(DiffusionNoise) or DiffusionNoise(amplitude=0.0)
            table = poisson_table(diffusion.interval)
            self._steps = diffusion.amplitude, table, guide_of(table)

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
                first, stop, start, light, self.charge, packed, self._pixel, *self._steps,
                self._pixels, self._key,
            )  # fmt: skip
        elif self._noisy:
            suspicious = integration.integrate_and_fire_noisily(
                first, stop, start, light, self.charge, self._fired_before, packed, self._pixel,
                self._noise, self._pattern.gain, self._pattern.dark, self._pixels, self._key,
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
        for event in self._events:
            event.apply(first, stop, start, packed)
        if self._alive is not None:
            bits.mask_rows(first, stop, self._alive, packed)


NO_NOISE = integration.Noise(
    np.float32(0), True, np.float32(0), np.float32(0), np.float32(0), False, np.float32(0), False, np.float32(0)
)


def _noise_on_charge(camera: SpikeCamera) -> integration.Noise:
    """The kernels' parameters of what acts on the charge."""
    shot, dead = camera.term(ShotNoise), camera.term(DeadTime)
    frame, jitter = camera.term(FrameNoise), camera.term(ComparatorNoise)
    reset, interval = camera.term(ResetNoise), camera.term(IntervalNoise)
    if not any((shot, dead, frame, jitter, reset, interval)):
        return NO_NOISE
    v_th = camera.v_th
    return integration.Noise(
        np.float32(0 if shot is None else shot.full_well_e / v_th),
        shot is None or shot.on_dark,
        np.float32(0 if dead is None else dead.readouts),
        np.float32(0 if frame is None else frame.sigma * v_th),
        np.float32(0 if jitter is None else jitter.sigma * v_th),
        jitter is not None and jitter.in_reset,
        np.float32(0 if reset is None else reset.sigma * v_th),
        interval is not None,
        np.float32(0 if interval is None else interval.dead_time),
    )


class _Events:
    """Sparse events of every pixel: when the next is due, and how many have been drawn."""

    def __init__(
        self,
        shape: tuple[int, ...],
        first_kernel: Any,
        next_kernel: Any,
        head: tuple[Any, ...],
        first_law: tuple[Any, ...],
        next_law: tuple[Any, ...],
    ) -> None:
        self._kernel, self._head, self._law = next_kernel, head, next_law
        self._words = np.empty((shape[0], 4, shape[1]), np.uint32)
        self._due = np.empty(shape, np.int64)
        self._draws = np.zeros(shape, np.int32)
        run_on_rows(first_kernel, shape[0], 16 * shape[1], *head, *first_law, self._words, self._due)

    def apply(self, first: int, stop: int, start: int, packed: np.ndarray) -> None:
        """Put the events of these readouts into rows of packed (T, H, ceil(W/8))."""
        self._kernel(first, stop, start, *self._head, *self._law, self._words, self._due, self._draws, packed)


def _events(camera: SpikeCamera, shape: tuple[int, ...], pixels: np.ndarray, key: np.ndarray) -> list[_Events]:
    """What happens to the bits after they were fired, in order."""
    events = []
    errors = camera.term(BitErrors)
    for chance, purpose, sets in (
        (errors.drop if errors else 0.0, DROPPED_BITS, False),
        (errors.false if errors else 0.0, FALSE_BITS, True),
    ):
        if chance > 0:
            law = (np.log1p(-min(chance, 1 - 1e-12)),)
            head = (purpose, key, pixels)
            events.append(_Events(shape, bits.first_events, bits.apply_events, head, law, (*law, sets)))
    if (term := camera.term(InherentSpikes)) is not None:
        head = (INHERENT_SPIKES, key, pixels)
        events.append(_Events(shape, bits.first_renewals, bits.add_renewals, head, *_renewal_laws(term)))
    return events


@cache
def _renewal_laws(term: InherentSpikes) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """The law of the first event and that of the next ones: a distribution and its guide."""
    interval, first = renewal_tables(term)
    return (first, guide_of(first)), (interval, guide_of(interval))
