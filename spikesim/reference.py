"""The sensor's mathematics in plain numpy, one readout after the other, importing no kernel.

It is what the compiled code is compared with, bit for bit, and the place to read what is computed. Not fast.
"""

import numpy as np

from spikesim.camera import SpikeCamera
from spikesim.noise import InherentSpikes, renewal_tables
from spikesim.randomness import INHERENT_SPIKES, INITIAL_CHARGE, make_key


def simulate(
    light: np.ndarray, camera: SpikeCamera, *, seed: int = 0, key: str = "", charge: np.ndarray | None = None
) -> np.ndarray:
    """The spikes of light (T, H, W), dense uint8 (T, H, W); arguments as for `spikesim.simulate`, unchecked."""
    v_th, gain = np.float32(camera.v_th), np.float32(camera.gain)
    state = (
        starting_charge(camera, light.shape[1], light.shape[2], seed, key)
        if charge is None
        else np.array(charge, np.float32)
    )
    spikes = np.zeros(light.shape, np.uint8)
    for t, frame in enumerate(light):
        intensity = frame / np.float32(255) if frame.dtype == np.uint8 else frame.astype(np.float32)
        full = state + intensity * gain
        spike = full >= v_th if camera.tie_fires else full > v_th
        left = {"modulo": np.fmod(full, v_th), "subtract": full - v_th, "zero": np.zeros_like(full)}[camera.reset]
        state = np.where(spike, left, full)
        spikes[t] = spike
    for term in camera.noise:
        if isinstance(term, InherentSpikes):
            spikes |= inherent_spikes(term, light.shape, seed, key)
    return spikes


def starting_charge(camera: SpikeCamera, height: int, width: int, seed: int, key: str) -> np.ndarray:
    """The charge float32 (H, W) that `camera.start` gives."""
    if camera.start == "zero":
        return np.zeros((height, width), np.float32)
    words = random_words(np.arange(height * width), INITIAL_CHARGE, 0, make_key(seed, key))
    fraction = ((words >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)).reshape(height, width)
    if camera.start == "uniform":
        return fraction * np.float32(camera.v_th)
    return np.fmod(fraction * np.float32(camera.gain), np.float32(camera.v_th))


def inherent_spikes(term: InherentSpikes, shape: tuple[int, ...], seed: int, key: str) -> np.ndarray:
    """The spurious spikes of thermal noise, dense uint8 (T, H, W): all pixels side by side, draw by draw."""
    readouts, height, width = shape
    interval_table, first_table = renewal_tables(term)
    philox_key = make_key(seed, key)
    spikes = np.zeros((readouts, height * width), np.uint8)
    pixels = np.arange(height * width)
    due = np.searchsorted(first_table, random_words(pixels, INHERENT_SPIKES, 0, philox_key), side="right")
    draw = 0
    while (due < readouts).any():
        inside = due < readouts
        spikes[due[inside], pixels[inside]] = 1
        draw += 1
        due = due + np.searchsorted(
            interval_table, random_words(pixels, INHERENT_SPIKES, draw, philox_key), side="right"
        )
    return spikes.reshape(shape)


def random_words(pixels: np.ndarray, purpose: int, draw: int, key: np.ndarray) -> np.ndarray:
    """The random 32-bit words (in uint64) of pixels (P,) for a purpose and a draw."""
    zero = np.zeros(len(pixels), np.uint64)
    counter = (pixels.astype(np.uint64), zero, zero + np.uint64(purpose | draw << 8), zero)
    return philox4x32(counter, (zero + key[0], zero + key[1]))[0]


def philox4x32(counter: tuple[np.ndarray, ...], key: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Philox4x32-10 of arrays of 32-bit words held in uint64 (Salmon et al., SC 2011, Fig. 2)."""
    c0, c1, c2, c3 = counter
    for round_number in range(10):
        k0 = (key[0] + np.uint64(round_number * 0x9E3779B9 & 0xFFFFFFFF)) % 2**32
        k1 = (key[1] + np.uint64(round_number * 0xBB67AE85 & 0xFFFFFFFF)) % 2**32
        high0, low0 = np.divmod(c0 * np.uint64(0xD2511F53), 2**32)
        high1, low1 = np.divmod(c2 * np.uint64(0xCD9E8D57), 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
    return c0, c1, c2, c3


def counts(spikes: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Spikes of dense (T, H, W) in readouts start..stop−1, (H, W)."""
    return spikes[start:stop].sum(axis=0, dtype=np.int64)


def tfi(spikes: np.ndarray, centre: int) -> np.ndarray:
    """One over the interval of dense (T, H, W) that covers `centre`, float32 (H, W), 0 where none does."""
    picture = np.zeros(spikes.shape[1:], np.float32)
    for y, x in np.ndindex(*picture.shape):
        times = np.flatnonzero(spikes[:, y, x])
        before, after = times[times <= centre], times[times > centre]
        if len(before) and len(after):
            picture[y, x] = np.float32(1) / np.float32(after[0] - before[-1])
    return picture
