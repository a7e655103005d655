"""Integrate and fire on the sub-ticks inside a readout, with a hard reset, as SpikingSIM does."""

from typing import NamedTuple

import numpy as np

from spikesim.kernels.bits import draw_from
from spikesim.kernels.compile import inline, kernel
from spikesim.kernels.integration import outside, unit
from spikesim.kernels.random import random_words
from spikesim.noise import DiffusionNoise
from spikesim.noise.distributions import poisson_table

(DIFFUSION_NOISE,) = DiffusionNoise.purposes


class LightSteps(NamedTuple):
    """Random steps of the light inside a readout."""

    amplitude: float = 0.0  # of a step; 0 for none
    below: np.ndarray = poisson_table(1).below  # the law of the sub-ticks between two, and its guide
    guide: np.ndarray = poisson_table(1).guide


@kernel
def integrate_sub_ticks(first, stop, start, light, charge, packed, pixel, steps, pixels, key):
    """Integrate light (T,H,W) into charge (H,W) tick by tick, write bits to packed; the comparator looks at every tick.

    Light is constant between two steps of diffusion noise, so that whole stretches of ticks are taken at once.

    Args:
        first, stop, start, light, charge, packed, pixel, pixels, key: As for `integration.integrate_and_fire_noisily`.
        steps: Of the light.

    Returns:
        Whether there may be light outside [0, 1].
    """
    suspicious = False
    ticks = np.int64(pixel.ticks)
    v_th = np.float64(pixel.v_th)
    for y in range(first, stop):
        for t in range(light.shape[0]):
            packed[t, y] = 0
            for x in range(light.shape[2]):
                suspicious |= outside(light[t, y, x])
                intensity = np.float64(unit(light[t, y, x]))
                a = np.float64(charge[y, x])
                spike = False
                tick, step = 0, 0
                while tick < ticks:
                    until, change = ticks, 0.0
                    if steps.amplitude > 0:
                        words = random_words(pixels[y] + x, start + t, DIFFUSION_NOISE, step, key)
                        until = min(ticks, tick + draw_from(words[0], steps.below, steps.guide))
                        change = steps.amplitude * ((np.float64(words[1]) + 0.5) * 2.0**-32 - 0.5)
                        step += 1
                    a, crossed = _stretch(
                        a, intensity * pixel.per_tick, until - tick, v_th, pixel.fires_at == pixel.v_th
                    )
                    spike |= crossed
                    intensity += change
                    tick = until
                charge[y, x] = np.float32(a)
                packed[t, y, x >> 3] |= np.uint8(spike) << np.uint8(x & 7)
    return suspicious


@inline
def _stretch(charge, drive, ticks, v_th, tie_fires):
    """Charge after some ticks of constant drive, and whether it crossed the threshold."""
    crossed = False
    while ticks > 0 and drive > 0:
        short = (v_th - charge) / drive
        needed = max(np.ceil(short) if tie_fires else np.floor(short) + 1, 1.0)
        if needed > ticks:
            charge += ticks * drive
            ticks = 0
        else:
            charge = 0.0
            ticks -= np.int64(needed)
            crossed = True
    return charge, crossed
