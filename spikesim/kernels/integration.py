"""Integrate and fire: light to bits."""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import overload

from spikesim.kernels.compile import inline, kernel
from spikesim.kernels.lanes import (
    FLOAT,
    LANES,
    Lanes,
    bits_of,
    bytes_to_float,
    choose,
    float_lanes,
    floor,
    int_to_float,
    load,
    load_bits,
    mask_of,
    prefetch,
    rarely_any,
    remainder,
    square_root,
    store,
    store_bits,
    store_four,
    view_word,
    word_to_int,
)
from spikesim.kernels.random import lanes_of_normals, lanes_of_words, random_words
from spikesim.noise import ComparatorNoise, FrameNoise, IntervalNoise, ResetNoise, ShotNoise

(SHOT_NOISE,) = ShotNoise.purposes
(FRAME_NOISE,) = FrameNoise.purposes
(RESET_NOISE,) = ResetNoise.purposes
(COMPARATOR_NOISE,) = ComparatorNoise.purposes
(INTERVAL_NOISE,) = IntervalNoise.purposes

MODULO, SUBTRACT, ZERO = 0, 1, 2

# A block of rows goes through all readouts before the next one, so that its charge stays in the cache while light is
# read in long stretches; four readouts of sixteen pixels go together, and their charge stays in a register. Light is
# asked for some pixels before its turn, because four streams of it are too many for the processor to foresee.
_ROWS, _TOGETHER, _AHEAD = 32, 4, 256

_f = np.float32
_NONE = np.uint16(0)
_FEW = np.float32(30)  # electrons, below which a Poisson number is drawn exactly

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

    electrons: np.float32 = np.float32(0)  # per unit of charge
    shot_on_dark: bool = True
    dead_time: np.float32 = np.float32(0)
    frame_sigma: np.float32 = np.float32(0)
    comparator_sigma: np.float32 = np.float32(0)
    comparator_in_reset: bool = False
    reset_sigma: np.float32 = np.float32(0)
    intervals: bool = False
    interval_dead_time: np.float32 = np.float32(0)


def unit(light):
    """Light, a number or lanes, as float32 in [0, 1]: float32 as it is, uint8 as value/255."""


@overload(unit, inline="always")
def _unit_of(light):
    if light == types.uint8:
        return lambda light: _f(light) * _HIGH + _f(light) * _LOW
    if light == Lanes(types.uint8):
        return lambda light: bytes_to_float(light) * _HIGH + bytes_to_float(light) * _LOW
    return lambda light: light


def outside(light):
    """Whether light, a number or lanes, may be outside [0, 1], by its bits: in [0, 1] they are at most those of 1.

    Quick, and wrong for −0 alone, which the caller looks at again.
    """


@overload(outside, inline="always")
def _outside_of(light):
    if light == types.float32:
        return lambda light: np.float32(light).view(np.uint32) > np.uint32(0x3F800000)
    if light == FLOAT:
        return lambda light: view_word(light) > np.uint32(0x3F800000)
    if light == Lanes(types.uint8):
        return lambda light: mask_of(_NONE)
    return lambda light: False


@kernel
def integrate_and_fire(first, stop, light, charge, packed, pixel):
    """Integrate light (T,H,W) into charge (H,W, changed in place), write bits to packed (T,H,ceil(W/8)); no noise.

    Returns:
        Whether there may be light outside [0, 1].
    """
    readouts, _, width = light.shape
    whole = width - width % LANES
    suspicious = mask_of(_NONE)
    for block in range(first, stop, _ROWS):
        for begin in range(0, readouts, _TOGETHER):
            end = min(begin + _TOGETHER, readouts)
            for y in range(block, min(block + _ROWS, stop)):
                for x in range(0, whole, LANES):
                    before = after = most = load(charge, (y, x), LANES)
                    for t in range(begin, end):
                        prefetch(light, (t, y, x + _AHEAD))
                        intensity = load(light, (t, y, x), LANES)
                        suspicious = suspicious | outside(intensity)
                        after, spike = _fire(after + _drive(intensity, pixel), pixel.fires_at, pixel.v_th, pixel)
                        most = choose(after > most, after, most)
                        store_bits(packed, (t, y, x >> 3), LANES, spike)
                    store(charge, (y, x), LANES, after)
                    if pixel.reset == MODULO and rarely_any(most >= pixel.v_th):
                        store(charge, (y, x), LANES, before)
                        _integrate_with_care(y, x, LANES, begin, end, light, charge, packed, pixel)
                if whole < width and _integrate_with_care(
                    y, whole, width - whole, begin, end, light, charge, packed, pixel
                ):
                    suspicious = mask_of(np.uint16(1))
    return bits_of(suspicious) != 0


@kernel
def _integrate_with_care(y, x, count, begin, end, light, charge, packed, pixel):
    """Some readouts of `count` pixels, any of which may cross the threshold more than once in a readout."""
    suspicious = mask_of(_NONE)
    full = load(charge, (y, x), count)
    for t in range(begin, end):
        intensity = load(light, (t, y, x), count)
        suspicious = suspicious | outside(intensity)
        full, spike = _fire(full + _drive(intensity, pixel), pixel.fires_at, pixel.v_th, pixel)
        again = spike & (full >= pixel.v_th)
        if pixel.reset == MODULO and rarely_any(again):
            full = choose(again, remainder(full, pixel.v_th), full)
        store_bits(packed, (t, y, x >> 3), count, spike)
    store(charge, (y, x), count, full)
    return bits_of(suspicious) != 0


@inline
def _drive(intensity, pixel):
    """The charge that light adds in a readout."""
    drive = unit(intensity) * pixel.per_tick
    return drive * pixel.ticks if pixel.ticks != 1 else drive


@inline
def _fire(full, fires_at, taken, pixel):
    """Compare the charge of sixteen pixels with the threshold, and reset those that fire; once, also where modulo would
    take more than one threshold.

    Returns:
        The charge that is left; the pixels that fire.
    """
    spike = full >= fires_at
    if pixel.reset == ZERO:
        return choose(spike, _f(0), full), spike
    return full - choose(spike, taken, _f(0)), spike


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
        fired_before: (H,ceil(W/8)) uint8, packed bits of the readout before `start`; changed in place.
        packed: (T,H,ceil(W/8)) uint8, filled.
        pixel, noise: Parameters.
        gain: (H,W) float32 factor of light, or (0,0).
        dark: (H,W) float32 charge a readout, or (0,0).
        pixels: (H,) number of each row's first pixel.
        key: (2,) uint32.

    Returns:
        Whether there may be light outside [0, 1].
    """
    readouts, _, width = light.shape
    suspicious = mask_of(_NONE)
    # Sixteen numbers for each of four readouts, which share the four words of a counter.
    shot, frame, kick = np.empty(4 * LANES, _f), np.empty(4 * LANES, _f), np.empty(4 * LANES, _f)
    jitter, spread = np.zeros(4 * LANES, _f), np.zeros(4 * LANES, np.uint32)
    means, numbers = np.empty(LANES, _f), np.empty(LANES, _f)
    for y in range(first, stop):
        end = 0
        while end < readouts:
            begin, end = end, min(readouts, end + 4 - (start + end & 3))
            counter = start + begin >> 2
            for x in range(0, width, LANES):
                count = min(LANES, width - x)
                number = pixels[y] + x
                if noise.electrons > 0:
                    store_four(shot, lanes_of_normals(number, counter, SHOT_NOISE, 0, key))
                if noise.frame_sigma > 0:
                    store_four(frame, lanes_of_normals(number, counter, FRAME_NOISE, 0, key))
                if noise.comparator_sigma > 0:
                    store_four(jitter, lanes_of_normals(number, counter, COMPARATOR_NOISE, 0, key))
                if noise.reset_sigma > 0:
                    store_four(kick, lanes_of_normals(number, counter, RESET_NOISE, 0, key))
                if noise.intervals:
                    store_four(spread, lanes_of_words(number, counter, INTERVAL_NOISE, 0, key))
                if begin > 0:
                    spike = load_bits(packed, (begin - 1, y, x >> 3), count)
                else:
                    spike = load_bits(fired_before, (y, x >> 3), count)
                full = load(charge, (y, x), count)
                factor = load(gain, (y, x), count) if gain.size else float_lanes(_f(1))
                leak = load(dark, (y, x), count) if dark.size else float_lanes(_f(0))
                for t in range(begin, end):
                    lane = (start + t & 3) * LANES
                    prefetch(light, (t + 4, y, x))
                    intensity = load(light, (t, y, x), count)
                    suspicious = suspicious | outside(intensity)
                    drive = _drive(intensity, pixel) * factor
                    if noise.shot_on_dark:
                        drive = _with_dark(drive, leak, spike, load(spread, (lane,), LANES), pixel, noise)
                    if noise.electrons > 0:
                        mean = drive * noise.electrons
                        electrons = _many_electrons(mean, load(shot, (lane,), LANES))
                        if rarely_any((mean > _f(0)) & (mean < _FEW)):
                            store(means, (0,), LANES, mean)
                            store(numbers, (0,), LANES, electrons)
                            _count_few(means, numbers, number, start + t, key)
                            electrons = load(numbers, (0,), LANES)
                        drive = electrons * (_f(1) / noise.electrons)
                    if not noise.shot_on_dark:
                        drive = _with_dark(drive, leak, spike, load(spread, (lane,), LANES), pixel, noise)
                    if noise.frame_sigma > 0:
                        drive = drive + load(frame, (lane,), LANES) * noise.frame_sigma
                    earlier = load(jitter, (lane,), LANES) * noise.comparator_sigma
                    taken = pixel.v_th - earlier * _f(noise.comparator_in_reset)
                    full, spike = _fire(full + drive, pixel.fires_at - earlier, taken, pixel)
                    again = spike & (full >= pixel.v_th)
                    if pixel.reset == MODULO and rarely_any(again):
                        full = choose(again, remainder(full, pixel.v_th), full)
                    if noise.reset_sigma > 0:
                        full = full + choose(spike, load(kick, (lane,), LANES) * noise.reset_sigma, _f(0))
                    store_bits(packed, (t, y, x >> 3), count, spike)
                store(charge, (y, x), count, full)
        if readouts > 0:
            fired_before[y] = packed[readouts - 1, y]
    return bits_of(suspicious) != 0


@inline
def _with_dark(drive, leak, fired, words, pixel, noise):
    """What light adds, with dark current, lengthened intervals, and dead time after a spike."""
    drive = drive + leak
    if noise.intervals:
        # Longer by a dead time and U(0, 1). No drive is an endless interval, and stays none.
        u = int_to_float(word_to_int(words >> 8)) * _f(2.0**-24)
        drive = pixel.v_th / (pixel.v_th / drive + noise.interval_dead_time + u)
    return drive * (_f(1) - choose(fired, noise.dead_time, _f(0)))


@inline
def _many_electrons(mean, z):
    """A Poisson number made of a normal one, z: the expansion of its quantile to second order."""
    number = floor(mean + square_root(mean) * z + (z * z - _f(1)) * _f(1 / 6) + _f(0.5))
    return choose((number > _f(0)) & (mean > _f(0)), number, _f(0))


@kernel
def _count_few(means, numbers, pixel, readout, key):
    """Replace the numbers (16,) of means (16,) below 30, for which the expansion is too coarse."""
    for i in range(LANES):
        if 0 < means[i] < _FEW:
            numbers[i] = poisson(np.float64(means[i]), pixel + i, readout, key)


@kernel
def poisson(mean, pixel, readout, key):
    """A Poisson number of a small mean, exactly: the inverse of its distribution at a 53-bit uniform; float32."""
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
