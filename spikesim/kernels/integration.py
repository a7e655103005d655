"""Integrate and fire: light to bits."""

from typing import NamedTuple

import numpy as np
from numba.extending import overload

from spikesim.kernels.compile import kernel
from spikesim.kernels.random import fill_normals, random_words
from spikesim.randomness import COMPARATOR_NOISE, FRAME_NOISE, INTERVAL_NOISE, RESET_NOISE, SHOT_NOISE

MODULO, SUBTRACT, ZERO = 0, 1, 2

_f = np.float32

# Multiplying eight bytes of 0/1 by this gathers them, least significant first, in the top byte.
_GATHER = np.uint64(0x0102040810204080)
_TOP_BYTE = np.uint64(56)

# 1/255 in two parts, of which the first has so few digits that its product with a byte is exact: the sum of both
# products is value/255 correctly rounded, for every byte, without a division.
_HIGH, _LOW = np.float32(0.0039215087890625), np.float32(5.983839201917363e-08)


class Pixel(NamedTuple):
    """What every pixel does, as float32 and plain integers.

    A readout adds light · per_tick · ticks: in two steps, as the release of S-SDM rounds it.
    """

    per_tick: np.float32
    ticks: np.float32
    v_th: np.float32
    reset: int
    tie_fires: bool


class Noise(NamedTuple):
    """Noise that acts on the charge, in the unit of charge; a zero leaves the step out."""

    electrons: np.float32  # per unit of charge
    shot_on_dark: bool
    dead_time: np.float32
    frame_sigma: np.float32
    comparator_sigma: np.float32
    comparator_in_reset: bool
    reset_sigma: np.float32
    intervals: bool
    interval_dead_time: np.float32


def _unit(value):
    """Light as float32 in [0, 1]: float32 as it is, uint8 as value/255."""


@overload(_unit, inline="always")
def _unit_of(value):
    if getattr(value, "bitwidth", 0) == 8:
        return lambda value: _f(value) * _HIGH + _f(value) * _LOW
    return lambda value: value


@kernel
def integrate_and_fire(first, stop, light, charge, packed, pixel):
    """Integrate light (T,H,W) into charge (H,W, changed in place), write bits to packed (T,H,ceil(W/8)); no noise.

    The charge of a row stays in the first cache through all readouts.
    """
    fired = np.zeros(packed.shape[2] * 8, np.uint8)
    for y in range(first, stop):
        for t in range(light.shape[0]):
            _fire(light[t, y], charge[y], fired, pixel)
            _pack(fired, packed[t, y])


@kernel
def _fire(light, charge, fired, pixel):
    """One row, one readout."""
    per_tick, ticks, v_th, reset, tie_fires = pixel
    if reset == MODULO:
        crossed_again = False
        for x in range(light.size):
            full = charge[x] + _unit(light[x]) * per_tick * ticks
            spike = (full > v_th) | (tie_fires & (full == v_th))
            fired[x] = np.uint8(spike)
            left = full - v_th if spike else full
            crossed_again |= spike & (left >= v_th)
            charge[x] = left
        if crossed_again:
            _wrap(charge, fired, v_th)
    elif reset == SUBTRACT:
        for x in range(light.size):
            full = charge[x] + _unit(light[x]) * per_tick * ticks
            spike = (full > v_th) | (tie_fires & (full == v_th))
            fired[x] = np.uint8(spike)
            charge[x] = full - v_th if spike else full
    else:
        for x in range(light.size):
            full = charge[x] + _unit(light[x]) * per_tick * ticks
            spike = (full > v_th) | (tie_fires & (full == v_th))
            fired[x] = np.uint8(spike)
            charge[x] = _f(0) if spike else full


@kernel
def _wrap(charge, fired, v_th):
    """Take all further whole thresholds from pixels that crossed more than once; exact, as fmod of all would be."""
    for x in range(charge.size):
        if fired[x]:
            charge[x] = np.fmod(charge[x], v_th)


@kernel
def _pack(fired, packed):
    """Gather the row's bytes of 0/1 into bits; fired has eight times the length of packed."""
    words = fired.view(np.uint64)
    for b in range(packed.size):
        packed[b] = np.uint8((words[b] * _GATHER) >> _TOP_BYTE)


@kernel
def integrate_and_fire_noisily(
    first, stop, start, light, charge, fired_before, packed, pixel, noise, gain, dark, pixels, key
):
    """As `integrate_and_fire`, with noise; a step whose parameter is zero, or whose map is empty, is left out.

    Args:
        first, stop: Rows.
        start: Number of the first readout.
        light: (T,H,W).
        charge: (H,W) float32, changed in place.
        fired_before: (H,W) uint8, whether a pixel fired in the readout before `start`; changed in place.
        packed: (T,H,ceil(W/8)) uint8, filled.
        pixel, noise: Parameters.
        gain: (H,W) float32 factor of light, or (0,0).
        dark: (H,W) float32 charge a readout, or (0,0).
        pixels: (H,) number of each row's first pixel.
        key: (2,) uint32.
    """
    width = light.shape[2]
    fired = np.zeros(packed.shape[2] * 8, np.uint8)
    drive = np.empty(width, np.float32)
    words = np.empty((4, width), np.uint32)
    shot = np.empty((4, width), np.float32)
    frame = np.empty((4, width), np.float32)
    jitter = np.zeros((4, width), np.float32)
    kick = np.empty((4, width), np.float32)
    for y in range(first, stop):
        fired[:width] = fired_before[y]
        for t in range(light.shape[0]):
            readout = start + t
            lane = readout & 3
            if t == 0 or lane == 0:  # four readouts share the four words of a counter
                if noise.electrons > 0:
                    fill_normals(pixels[y], readout >> 2, SHOT_NOISE, 0, key, words, shot)
                if noise.frame_sigma > 0:
                    fill_normals(pixels[y], readout >> 2, FRAME_NOISE, 0, key, words, frame)
                if noise.comparator_sigma > 0:
                    fill_normals(pixels[y], readout >> 2, COMPARATOR_NOISE, 0, key, words, jitter)
                if noise.reset_sigma > 0:
                    fill_normals(pixels[y], readout >> 2, RESET_NOISE, 0, key, words, kick)
            _load(light[t, y], drive, pixel)
            if gain.size:
                drive *= gain[y]
            if noise.electrons > 0 and not noise.shot_on_dark:
                _shoot(drive, shot[lane], noise.electrons, pixels[y], readout, key)
            if dark.size:
                drive += dark[y]
            if noise.intervals:
                _lengthen(drive, noise.interval_dead_time, pixel.v_th, pixels[y], readout, key)
            if noise.dead_time > 0:
                for x in range(width):
                    drive[x] = drive[x] * (_f(1) - noise.dead_time * _f(fired[x]))
            if noise.electrons > 0 and noise.shot_on_dark:
                _shoot(drive, shot[lane], noise.electrons, pixels[y], readout, key)
            if noise.frame_sigma > 0:
                for x in range(width):
                    drive[x] = drive[x] + noise.frame_sigma * frame[lane, x]
            _fire_noisily(drive, jitter[lane], charge[y], fired, pixel, noise)
            if noise.reset_sigma > 0:
                for x in range(width):
                    charge[y, x] = charge[y, x] + noise.reset_sigma * kick[lane, x] * _f(fired[x])
            _pack(fired, packed[t, y])
        fired_before[y] = fired[:width]


@kernel
def _load(light, drive, pixel):
    for x in range(light.size):
        drive[x] = _unit(light[x]) * pixel.per_tick * pixel.ticks


@kernel
def _shoot(drive, normals, electrons, pixel, readout, key):
    """Replace the drive of a row by a Poisson number of electrons of that mean."""
    per_electron = _f(1) / electrons
    few = False
    for x in range(drive.size):
        mean = drive[x] * electrons
        z = normals[x]
        # The normal expansion of a Poisson number, to second order.
        number = np.floor(mean + np.sqrt(mean) * z + (z * z - _f(1)) * _f(1 / 6) + _f(0.5))
        few_here = mean < _f(30)
        few |= few_here
        drive[x] = -mean if few_here else max(number, _f(0)) * per_electron
    if few:
        for x in range(drive.size):
            if drive[x] <= 0:
                drive[x] = poisson(np.float64(-drive[x]), pixel + x, readout, key) * per_electron


@kernel
def poisson(mean, pixel, readout, key):
    """A Poisson number of a mean below 30, exactly: the inverse of its distribution at a 53-bit uniform; float32."""
    if mean == 0:
        return _f(0)
    words = random_words(pixel, readout, SHOT_NOISE, 1, key)
    u = (np.float64(words[0]) + (np.float64(words[1]) + 0.5) * 2.0**-32) * 2.0**-32
    probability = np.exp(-mean)
    below = probability
    number = 0
    while u >= below and number < 200:
        number += 1
        probability *= mean / number
        below += probability
    return _f(number)


@kernel
def _lengthen(drive, dead_time, v_th, pixel, readout, key):
    """Lengthen the interval that the drive of a row stands for by a dead time and U(0, 1)."""
    for x in range(drive.size):
        if drive[x] > 0:
            word = random_words(pixel + x, readout, INTERVAL_NOISE, 0, key)[0]
            u = _f(np.int32(word >> np.uint32(8))) * _f(2.0**-24)
            drive[x] = v_th / (v_th / drive[x] + dead_time + u)


@kernel
def _fire_noisily(drive, jitter, charge, fired, pixel, noise):
    """One row, one readout, from its drive."""
    _, _, v_th, reset, tie_fires = pixel
    crossed_again = False
    for x in range(drive.size):
        threshold = v_th - noise.comparator_sigma * jitter[x]
        full = charge[x] + drive[x]
        spike = (full > threshold) | (tie_fires & (full == threshold))
        fired[x] = np.uint8(spike)
        left = full - (threshold if noise.comparator_in_reset else v_th)
        left = _f(0) if reset == ZERO else left
        crossed_again |= spike & (left >= v_th)
        charge[x] = left if spike else full
    if crossed_again and reset == MODULO:
        _wrap(charge, fired, v_th)


@kernel
def within_unit_range(first, stop, light, valid):
    """Set valid (H,) to whether every value of the row, in all readouts of light (T,H,W) float32, is in [0, 1]."""
    for y in range(first, stop):
        inside = True
        for t in range(light.shape[0]):
            row = light[t, y]
            for x in range(light.shape[2]):
                inside &= (row[x] >= np.float32(0)) & (row[x] <= np.float32(1))
        valid[y] = inside
