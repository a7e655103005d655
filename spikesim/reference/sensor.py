"""The sensor, one readout after the other, term by term of noise."""

from dataclasses import dataclass

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.noise import (
    Calibration,
    ComparatorNoise,
    DarkCurrent,
    DeadPixels,
    DeadTime,
    DiffusionNoise,
    FrameNoise,
    GainPattern,
    IntervalNoise,
    ResetNoise,
    ShotNoise,
)
from spikesim.noise.bit_events import BitEvents, ChanceEvents
from spikesim.noise.distributions import poisson_table
from spikesim.noise.term import acting_order
from spikesim.randomness import INITIAL_CHARGE, PATTERN_NAME, Crop, make_key
from spikesim.reference.random import normals, random_words, uniforms

(SHOT_NOISE,) = ShotNoise.purposes
(FRAME_NOISE,) = FrameNoise.purposes
(RESET_NOISE,) = ResetNoise.purposes
(COMPARATOR_NOISE,) = ComparatorNoise.purposes
(INTERVAL_NOISE,) = IntervalNoise.purposes
(DIFFUSION_NOISE,) = DiffusionNoise.purposes
(GAIN_PATTERN,) = GainPattern.purposes
(DARK_CURRENT,) = DarkCurrent.purposes
(DEAD_PIXELS,) = DeadPixels.purposes

_f = np.float32


def simulate(
    light: np.ndarray,
    camera: SpikeCamera,
    *,
    seed: int = 0,
    key: str = "",
    charge: np.ndarray | None = None,
    crop: Crop | None = None,
) -> np.ndarray:
    """The spikes of light (T, H, W), dense uint8 (T, H, W); arguments as for `spikesim.simulate`, unchecked."""
    _, height, width = light.shape
    crop = crop or Crop(0, 0, height, width)
    pixels = crop.first_pixels(height)[:, None] + np.arange(width)
    philox_key = make_key(seed, key)
    state = starting_charge(camera, pixels, philox_key) if charge is None else np.array(charge, _f)
    pattern_key = make_key(seed, PATTERN_NAME)
    sensor = _Sensor(camera, pixels, philox_key, *pattern(camera, pixels, crop, pattern_key))
    fire = _fire_in_ticks if camera.resets_in_ticks else _fire
    spikes = np.zeros(light.shape, np.uint8)
    fired = np.zeros((height, width), bool)
    for readout, frame in enumerate(light):
        intensity = frame.astype(_f) / _f(255) if frame.dtype == np.uint8 else frame.astype(_f)
        fired, state = fire(sensor, intensity, state, fired, readout)
        spikes[readout] = fired
    for term in acting_order(camera.noise):
        for events in term.bit_events():
            happened = bit_events(events, light.shape, pixels, philox_key)
            takes_away = isinstance(events, ChanceEvents) and not events.sets
            spikes = spikes & (1 - happened) if takes_away else spikes | happened
    if (dead := camera.term(DeadPixels)) is not None:
        spikes *= (uniforms(pixels, DEAD_PIXELS, 0, pattern_key) >= dead.fraction).astype(np.uint8)
    return spikes


def starting_charge(camera: SpikeCamera, pixels: np.ndarray, key: np.ndarray) -> np.ndarray:
    """The charge float32 (H, W) that `camera.start` gives."""
    if camera.start == "zero":
        return np.zeros(pixels.shape, _f)
    fraction = uniforms(pixels, INITIAL_CHARGE, 0, key)
    if camera.start == "uniform":
        return fraction * _f(camera.v_th)
    return np.fmod(fraction * _f(camera.start), _f(camera.v_th))


def pattern(
    camera: SpikeCamera, pixels: np.ndarray, crop: Crop, key: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Gain and dark charge a readout of every pixel, float32 (H, W), None where there is no such term."""
    gain = dark = None
    if (term := camera.term(GainPattern)) is not None:
        gain = np.maximum(_f(0.1), _f(1) + _f(term.sigma) * normals(pixels, 0, GAIN_PATTERN, key)[0])
        if term.shading:
            rows, columns = np.divmod(pixels, crop.sensor_width)
            y, x = (rows + 0.5) / crop.sensor_height * 2 - 1, (columns + 0.5) / crop.sensor_width * 2 - 1
            gain = gain * ((1 - term.shading * ((y**2 + x**2) / 2)) / (1 - term.shading / 3)).astype(_f)
    if (current := camera.term(DarkCurrent)) is not None:
        normal = normals(pixels, 0, DARK_CURRENT, key)[0]
        if current.distribution == "normal":
            dark = np.maximum(_f(0), _f(current.median) * (_f(1) + _f(current.sigma) * normal))
        else:
            hot = uniforms(pixels, DARK_CURRENT, 1, key) < current.hot_fraction
            times = 5.0 * (130.0 / 5.0) ** uniforms(pixels, DARK_CURRENT, 2, key).astype(float)
            usual = current.median * np.exp(current.sigma * normal.astype(float))
            dark = np.where(hot, usual * times, usual).astype(_f)
        dark = dark * _f(camera.v_th)
    if (calibration := camera.term(Calibration)) is not None:
        rows, columns = np.divmod(pixels, crop.sensor_width)
        gain, dark = (whole[rows, columns] for whole in calibration.maps())
        dark = dark * _f(camera.v_th)
    return gain, dark


@dataclass(frozen=True, eq=False)
class _Sensor:
    """A camera's pixels (H, W), the key of their random numbers, and their fixed pattern."""

    camera: SpikeCamera
    pixels: np.ndarray
    key: np.ndarray
    gain: np.ndarray | None
    dark: np.ndarray | None


def _fire(
    sensor: _Sensor, intensity: np.ndarray, charge: np.ndarray, fired: np.ndarray, readout: int
) -> tuple[np.ndarray, np.ndarray]:
    """One readout: which pixels fire, and the charge they are left with."""
    camera, pixels, key = sensor.camera, sensor.pixels, sensor.key
    v_th = _f(camera.v_th)

    def normal(purpose: int) -> np.ndarray:
        return normals(pixels, readout >> 2, purpose, key)[readout & 3]

    x = intensity * _f(camera.gain / camera.sub_ticks) * _f(camera.sub_ticks)
    if sensor.gain is not None:
        x = x * sensor.gain
    shot = camera.term(ShotNoise)
    if shot and not shot.on_dark:
        x = _shoot(x, _f(shot.full_well_e / camera.v_th), normal(SHOT_NOISE), readout, pixels, key)
    if sensor.dark is not None:
        x = x + sensor.dark
    if (interval := camera.term(IntervalNoise)) is not None:
        word = random_words(pixels, readout >> 2, INTERVAL_NOISE, 0, key)[readout & 3]
        u = (word >> np.uint32(8)).astype(_f) * _f(2.0**-24)
        with np.errstate(divide="ignore"):
            x = v_th / (v_th / x + _f(interval.dead_time) + u)
    if (dead_time := camera.term(DeadTime)) is not None and dead_time.readouts > 0:
        x = x * (_f(1) - _f(dead_time.readouts) * fired.astype(_f))
    if shot and shot.on_dark:
        x = _shoot(x, _f(shot.full_well_e / camera.v_th), normal(SHOT_NOISE), readout, pixels, key)
    if (frame := camera.term(FrameNoise)) is not None and frame.sigma > 0:
        x = x + _f(frame.sigma * camera.v_th) * normal(FRAME_NOISE)
    threshold = np.full(charge.shape, v_th)
    jitter = camera.term(ComparatorNoise)
    if jitter is not None and jitter.sigma > 0:
        threshold = v_th - _f(jitter.sigma * camera.v_th) * normal(COMPARATOR_NOISE)
    full = charge + x
    fired = full >= threshold if camera.tie_fires else full > threshold
    taken = threshold if jitter is not None and jitter.in_reset else v_th
    if camera.reset == "modulo":
        left = np.where(full - taken >= v_th, np.fmod(full - taken, v_th), full - taken)
    else:
        left = full - taken if camera.reset == "subtract" else np.zeros_like(full)
    charge = np.where(fired, left, full)
    if (kick := camera.term(ResetNoise)) is not None and kick.sigma > 0:
        charge = charge + _f(kick.sigma * camera.v_th) * normal(RESET_NOISE) * fired.astype(_f)
    return fired, charge


def _shoot(
    x: np.ndarray, electrons: np.float32, normal: np.ndarray, readout: int, pixels: np.ndarray, key: np.ndarray
) -> np.ndarray:
    """A Poisson number of electrons of this mean, as charge."""
    mean = x * electrons
    number = np.floor(mean + np.sqrt(mean) * normal + (normal * normal - _f(1)) * _f(1 / 6) + _f(0.5))
    number = np.maximum(number, _f(0))
    words = random_words(pixels, readout, SHOT_NOISE, 1, key)
    u = (words[0].astype(float) + (words[1].astype(float) + 0.5) * 2.0**-32) * 2.0**-32
    for place in zip(*np.nonzero(mean < 30), strict=True):
        number[place] = 0 if mean[place] == 0 else _poisson_at(float(mean[place]), u[place])
    return number * (_f(1) / electrons)


def _poisson_at(mean: float, u: float) -> int:
    """The inverse of the Poisson distribution."""
    probability = below = np.exp(-mean)
    number = 0
    while u >= below and number < 200:
        number += 1
        probability *= mean / number
        below += probability
    return number


def _fire_in_ticks(
    sensor: _Sensor, intensity: np.ndarray, charge: np.ndarray, _fired: np.ndarray, readout: int
) -> tuple[np.ndarray, np.ndarray]:
    """One readout of a camera whose comparator looks after every sub-tick and resets to zero, pixel by pixel."""
    camera = sensor.camera
    fired, left = np.zeros(charge.shape, bool), charge.copy()
    noise = camera.term(DiffusionNoise)
    table = None if noise is None else poisson_table(noise.interval)
    per_tick = _f(camera.gain / camera.sub_ticks)
    for place in np.ndindex(*charge.shape):
        a, light, tick, step = float(charge[place]), float(intensity[place]), 0, 0
        while tick < camera.sub_ticks:
            until, change = camera.sub_ticks, 0.0
            if noise is not None and table is not None and noise.amplitude > 0:
                words = random_words(sensor.pixels[place], readout, DIFFUSION_NOISE, step, sensor.key)
                until = min(until, tick + int(np.searchsorted(table.below, words[0].astype(np.uint64), side="right")))
                change = noise.amplitude * ((float(words[1]) + 0.5) * 2.0**-32 - 0.5)
                step += 1
            drive, ticks = light * float(per_tick), until - tick
            while ticks > 0 and drive > 0:
                short = (float(_f(camera.v_th)) - a) / drive
                needed = max(1, int(np.ceil(short)) if camera.tie_fires else int(short) + 1)
                if needed > ticks:
                    a += ticks * drive
                    break
                a, ticks = 0.0, ticks - needed
                fired[place] = True
            light, tick = light + change, until
        left[place] = a
    return fired, left


def bit_events(events: BitEvents, shape: tuple[int, ...], pixels: np.ndarray, key: np.ndarray) -> np.ndarray:
    """Where sparse events happen, dense uint8 (T, H, W): all pixels' processes side by side, draw after draw."""

    def law(words: np.ndarray, draw: int) -> np.ndarray:
        if isinstance(events, ChanceEvents):
            log_of_miss = np.log1p(-min(events.chance, 1 - 1e-12))
            trials = 1 + np.floor(np.log((words + 0.5) * 2.0**-32) / log_of_miss)
            return trials.astype(np.int64) - (draw == 0)
        table = events.first if draw == 0 else events.interval
        return np.searchsorted(table.below, words.astype(np.uint64), side="right")

    happened = np.zeros((shape[0], pixels.size), np.uint8)
    numbers = pixels.ravel()
    due = law(random_words(numbers, 0, events.purpose, 0, key)[0], 0)
    draw = 0
    while (inside := due < shape[0]).any():
        happened[due[inside], np.flatnonzero(inside)] = 1
        draw += 1
        due = due + law(random_words(numbers, 0, events.purpose, draw >> 2, key)[draw & 3], draw)
    return happened.reshape(shape)
