"""Integrate and fire: light to bits."""

from typing import NamedTuple

import numpy as np
from numba.extending import overload

from spikesim.kernels.compile import inline, kernel
from spikesim.kernels.random import fill_normals, fill_words, random_words
from spikesim.randomness import COMPARATOR_NOISE, FRAME_NOISE, INTERVAL_NOISE, RESET_NOISE, SHOT_NOISE

MODULO, SUBTRACT, ZERO = 0, 1, 2

_ROWS = 32  # that go through all readouts together

_f = np.float32

# Eight bytes of all or no bits: masked and multiplied, their bits gather in the top byte, the first one lowest.
_ONES = np.uint64(0x0101010101010101)
_GATHER = np.uint64(0x0102040810204080)
_TOP_BYTE = np.uint64(56)

# 1/255 in two parts, of which the first has so few digits that its product with a byte is exact: the sum of both
# products is value/255 correctly rounded, for every byte, without a division.
_HIGH, _LOW = np.float32(0.0039215087890625), np.float32(5.983839201917363e-08)


class Pixel(NamedTuple):
    """What every pixel does, as float32 and plain integers.

    A readout adds light · per_tick · ticks: in two steps, as the release of S-SDM rounds it. `fires_at` is the least
    charge that fires: v_th, or the next number above it where ties do not fire.
    """

    per_tick: np.float32
    ticks: np.float32
    v_th: np.float32
    fires_at: np.float32
    reset: int


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


def _outside(value):
    """Whether light may be outside [0, 1], by its bits: those of a float32 in [0, 1] are at most those of 1.

    Quick, and wrong for −0 alone, which the caller looks at again.
    """


@overload(_outside, inline="always")
def _outside_of(value):
    if getattr(value, "bitwidth", 0) == 8:
        return lambda value: False
    return lambda value: np.float32(value).view(np.uint32) > np.uint32(0x3F800000)


@kernel
def integrate_and_fire(first, stop, light, charge, packed, pixel):
    """Integrate light (T,H,W) into charge (H,W, changed in place), write bits to packed (T,H,ceil(W/8)); no noise.

    A block of rows goes through all readouts before the next one, so that its charge stays in the cache while light is
    read in long stretches.

    Returns:
        Whether there may be light outside [0, 1].
    """
    fired = np.zeros(packed.shape[2] * 8, np.uint8)
    eights = fired.view(np.uint64)
    suspicious = False
    for block in range(first, stop, _ROWS):
        for t in range(light.shape[0]):
            for y in range(block, min(block + _ROWS, stop)):
                suspicious |= _fire(light[t, y], charge[y], fired, pixel)
                _pack(eights, packed[t, y])
    return suspicious


@inline
def _fire(light, charge, fired, pixel):
    """One row, one readout; whether there may be light outside [0, 1]."""
    per_tick, ticks, v_th, fires_at, reset = pixel
    suspicious = False
    if reset == MODULO:
        look = False  # one flag for both: the loop is as fast as its instructions are few
        for x in range(light.size):
            look |= _outside(light[x])
            full = charge[x] + _unit(light[x]) * per_tick * ticks
            spike = full >= fires_at
            fired[x] = np.uint8(255) if spike else np.uint8(0)
            look |= full >= v_th + v_th
            charge[x] = full - (v_th if spike else _f(0))
        if look:
            _wrap(charge, fired, v_th)
            for x in range(light.size):
                suspicious |= _outside(light[x])
    elif reset == SUBTRACT:
        for x in range(light.size):
            suspicious |= _outside(light[x])
            full = charge[x] + _unit(light[x]) * per_tick * ticks
            spike = full >= fires_at
            fired[x] = np.uint8(255) if spike else np.uint8(0)
            charge[x] = full - (v_th if spike else _f(0))
    else:
        for x in range(light.size):
            suspicious |= _outside(light[x])
            full = charge[x] + _unit(light[x]) * per_tick * ticks
            spike = full >= fires_at
            fired[x] = np.uint8(255) if spike else np.uint8(0)
            charge[x] = _f(0) if spike else full
    return suspicious


@kernel
def _wrap(charge, fired, v_th):
    """Take all further whole thresholds from pixels that crossed more than once; exact, as fmod of all would be."""
    for x in range(charge.size):
        if fired[x] and charge[x] >= v_th:
            charge[x] = np.fmod(charge[x], v_th)


@inline
def _pack(eights, packed):
    """Gather a row's bytes of 0 or 255, eight to each number, into bits."""
    for b in range(packed.size):
        packed[b] = np.uint8(((eights[b] & _ONES) * _GATHER) >> _TOP_BYTE)


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

    Returns:
        Whether there may be light outside [0, 1].
    """
    suspicious = False
    width = light.shape[2]
    fired = np.zeros(packed.shape[2] * 8, np.uint8)
    eights = fired.view(np.uint64)
    drive = np.empty(width, np.float32)
    words = np.empty((4, width), np.uint32)
    shot = np.empty((4, width), np.float32)
    frame = np.empty((4, width), np.float32)
    jitter = np.zeros((4, width), np.float32)
    kick = np.empty((4, width), np.float32)
    spread = np.empty((4, width), np.uint32)
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
                if noise.intervals:
                    fill_words(pixels[y], readout >> 2, INTERVAL_NOISE, 0, key, spread)
            suspicious |= _load(light[t, y], drive, pixel)
            if gain.size:
                _multiply(drive, gain[y])
            if noise.electrons > 0 and not noise.shot_on_dark:
                _shoot(drive, shot[lane], noise.electrons, pixels[y], readout, key)
            if dark.size:
                _add(drive, dark[y], _f(1))
            if noise.intervals:
                _lengthen(drive, noise.interval_dead_time, pixel.v_th, spread[lane])
            if noise.dead_time > 0:
                _rest(drive, fired, noise.dead_time)
            if noise.electrons > 0 and noise.shot_on_dark:
                _shoot(drive, shot[lane], noise.electrons, pixels[y], readout, key)
            if noise.frame_sigma > 0:
                _add(drive, frame[lane], noise.frame_sigma)
            _fire_noisily(drive, jitter[lane], charge[y], fired, pixel, noise)
            if noise.reset_sigma > 0:
                _kick(charge[y], fired, kick[lane], noise.reset_sigma)
            _pack(eights, packed[t, y])
        fired_before[y] = fired[:width]
    return suspicious


@kernel
def _load(light, drive, pixel):
    """The drive of a row; whether there may be light outside [0, 1]."""
    suspicious = False
    for x in range(light.size):
        suspicious |= _outside(light[x])
        drive[x] = _unit(light[x]) * pixel.per_tick * pixel.ticks
    return suspicious


@kernel
def _multiply(drive, factor):
    for x in range(drive.size):
        drive[x] = drive[x] * factor[x]


@kernel
def _add(drive, term, factor):
    for x in range(drive.size):
        drive[x] = drive[x] + factor * term[x]


@kernel
def _rest(drive, fired, dead_time):
    """Take the dead time out of the drive of pixels that have just fired."""
    for x in range(drive.size):
        drive[x] = drive[x] * (_f(1) - (dead_time if fired[x] else _f(0)))


@kernel
def _kick(charge, fired, normals, sigma):
    """Leave reset noise in pixels that fired."""
    for x in range(charge.size):
        charge[x] = charge[x] + (sigma * normals[x] if fired[x] else _f(0))


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
        drive[x] = -mean if few_here else (number if number > 0 else _f(0)) * per_electron
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
def _lengthen(drive, dead_time, v_th, words):
    """Lengthen the interval that the drive of a row stands for by a dead time and U(0, 1)."""
    for x in range(drive.size):
        u = _f(np.int32(words[x] >> np.uint32(8))) * _f(2.0**-24)
        drive[x] = v_th / (v_th / drive[x] + dead_time + u)  # no drive is an endless interval, and stays none


@kernel
def _fire_noisily(drive, jitter, charge, fired, pixel, noise):
    """One row, one readout, from its drive."""
    _, _, v_th, fires_at, reset = pixel
    wrap = False
    for x in range(drive.size):
        earlier = noise.comparator_sigma * jitter[x]
        full = charge[x] + drive[x]
        spike = full >= fires_at - earlier
        fired[x] = np.uint8(255) if spike else np.uint8(0)
        left = full - (v_th - (earlier if noise.comparator_in_reset else _f(0)))
        left = _f(0) if reset == ZERO else left
        wrap |= spike & (left >= v_th)
        charge[x] = left if spike else full
    if wrap and reset == MODULO:
        _wrap(charge, fired, v_th)
