"""Gain and dark current of a real camera's pixels, from recordings of darkness and of evenly lit surfaces.

A pixel's drive, in thresholds a readout, is linear in the illuminance E, and a dead time τ [readouts] after each spike
bends its rate r [spikes a readout]:

    x_p = g_p · x(E) + d_p;   r = x / (1 + τ x),   x = r / (1 − τ r)

Source: the calibration of RSIR (Zhu et al., "Recurrent Spike-based Image Restoration under General Illumination", ACM
MM 2023), which takes τ = 1.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spikesim.brief import Brief
from spikesim.camera import SpikeCamera
from spikesim.checks import require_array, require_instance, require_list, require_number, require_path
from spikesim.errors import InvalidValueError
from spikesim.files import atomic_path
from spikesim.noise import DeadTime
from spikesim.noise.measured_pattern import calibrated_fields
from spikesim.stream import SpikeStream, require_stream

_LEAST_READOUTS = 1000
_MOST_SATURATED = 0.01
_LEAST_INTEGRATING = 1e-3  # of the time, at most that dead: a pixel that fires always would have an infinite drive


@dataclass(frozen=True, eq=False, repr=False)
class CalibrationFit(Brief):
    """A measured fixed pattern, and what the recordings say against it.

    Attributes:
        gain: float32 (H, W), factor of light; the median of the pixels that see light is 1, of blind ones it is 0.
        dark: float32 (H, W), thresholds a readout.
        levels: Of each flat, the drive that its light gives a pixel of gain 1, in thresholds a readout.
        residuals: float32 (flats, H, W), drive measured − fitted, in thresholds a readout.
        dead_time: τ in readouts; it belongs to the maps, which mean other rates with another.
        readout_hz: Clock of the recordings, None where not known. Dark current is per readout of it.
    """

    gain: np.ndarray
    dark: np.ndarray
    levels: tuple[float, ...]
    residuals: np.ndarray
    dead_time: float
    readout_hz: float | None

    @property
    def misfits(self) -> tuple[float, ...]:
        """Of each flat the median residual over its level. With the illuminances known, a τ wrong by δ shows here: it
        changes the ratio of two drives by about δ times their difference."""
        live = self.gain > 0
        return tuple(
            float(np.median(residual[live])) / level
            for residual, level in zip(self.residuals, self.levels, strict=True)
        )


def fit_calibration(
    dark: SpikeStream,
    flats: Sequence[SpikeStream],
    levels: Sequence[float] | None = None,
    dead_time: float = 0.0,
    readout_hz: float | None = None,
) -> CalibrationFit:
    """Fit gain and dark current of every pixel.

        d_p = x of darkness;   g_p ∝ Σ_i E_i (x_i − d_p), the least-squares slope through darkness, median 1

    Rates are spikes after the first over the readouts since the first, which knows them to about r/T where a count over
    T readouts knows them to 1/T.

    Args:
        dark: Recording with the lens covered, at least 1000 readouts; 4000 are better: then dark current of 4.5e-3 has
            fired 18 times.
        flats: One or more recordings of an evenly lit surface, as long; two or more test the dead time.
        levels: Illuminance of each flat in any common unit, > 0. None takes the median drive for it, and then the flats
            cannot test the dead time.
        dead_time: τ in readouts, from 0 to 1.
        readout_hz: Clock of the recordings; None takes that of the dark recording's camera, where it is known.

    Returns:
        The fit. A pixel that saw no light has gain 0.

    Raises:
        InvalidValueError: Sizes differ, a recording is too short, a flat is saturated or no brighter than darkness, or
            an argument is not as above.
    """
    flats = require_list(flats, "flats", "recordings")
    recordings = {"the dark recording": dark, **{f"flat {i + 1}": flat for i, flat in enumerate(flats)}}
    for name, stream in recordings.items():
        require_stream(stream, name)
        if stream.shape[1:] != dark.shape[1:]:
            raise InvalidValueError(
                f"{name} is of {stream.shape[1]}×{stream.shape[2]} pixels, the dark recording of "
                f"{dark.shape[1]}×{dark.shape[2]}; calibrate from recordings of one sensor"
            )
        if len(stream) < _LEAST_READOUTS:
            raise InvalidValueError(
                f"{name} has {len(stream)} readouts and knows rates to {1 / max(1, len(stream)):.2g} spikes a readout; "
                f"give at least {_LEAST_READOUTS}, better 4000"
            )
    dark_rate, *flat_rates = (_rate(stream) for stream in recordings.values())
    for name, rate in zip(list(recordings)[1:], flat_rates, strict=True):
        saturated = float((rate >= 1)[dark_rate < 1].mean()) if (dark_rate < 1).any() else 1.0
        if saturated > _MOST_SATURATED:
            raise InvalidValueError(
                f"{name} is saturated: {saturated:.0%} of its pixels fire in every readout; record it with less light"
            )
    if readout_hz is None and dark.camera is not None:
        readout_hz = dark.camera.readout_hz
    return _fit(dark_rate, np.array(flat_rates), levels, dead_time, readout_hz)


def calibration_from_matrices(
    nd: np.ndarray, d_light: np.ndarray, lux: float = 335.0, dead_time: float = 1.0
) -> CalibrationFit:
    """The calibration in the matrices that were published with RSIR and SpikeNeRF.

    They state rates by a law of their own, which has τ = 1. These rates are fitted, as if they were recordings:

        1/r = D_light + 1 at `lux`;   1/r = D_light (lux + Nd) / Nd + 1 in darkness

    Args:
        nd: Dark current as equivalent illuminance [lux], (H, W), ≥ 0.
        d_light: Readouts between spikes in light, (H, W), > 0.
        lux: Illuminance of that light, > 0.
        dead_time: τ of the calibration that is wanted, from 0 to 1. At 1 gain is ∝ 1/c and dark current Nd/c with
            c = D_light (lux + Nd); at any other the maps differ and the rates are the same.

    Raises:
        InvalidValueError: A matrix or number is not as above.
    """
    nd, d_light = _real(nd, "Nd"), _real(d_light, "D_light")
    lux = require_number(lux, "lux", above=0)
    if nd.ndim != 2 or nd.shape != d_light.shape:
        raise InvalidValueError(f"the matrices must be of one sensor (H, W), got shapes {nd.shape} and {d_light.shape}")
    if not (np.isfinite(nd).all() and np.isfinite(d_light).all() and (nd >= 0).all() and (d_light > 0).all()):
        raise InvalidValueError("the matrices must be finite, Nd ≥ 0 and D_light > 0; other values found")
    with np.errstate(divide="ignore"):
        dark_rate = 1 / (d_light * (lux + nd) / nd + 1)
    return _fit(dark_rate, 1 / (d_light[None] + 1), (lux,), dead_time, None)


def write_calibration(path: str | os.PathLike[str], fit: CalibrationFit) -> None:
    """Write a calibration for `spikesim.noise.Calibration`: `gain`, `dark`, `dead_time`, `levels`, `readout_hz`.

    Equal fits make equal files. An unknown clock is NaN.

    Args:
        path: The file, .npz.
        fit: What `fit_calibration` or `calibration_from_matrices` gave.

    Raises:
        InvalidValueError: `fit` is none.
        OutputError: The file cannot be written; what was there before is untouched.
    """
    require_instance(fit, "fit", CalibrationFit, "fit_calibration makes one")
    with atomic_path(require_path(path)) as temporary, temporary.open("xb") as file:
        np.savez(
            file,
            gain=fit.gain,
            dark=fit.dark,
            dead_time=np.float64(fit.dead_time),
            levels=np.array(fit.levels, np.float64),
            readout_hz=np.float64(np.nan if fit.readout_hz is None else fit.readout_hz),
        )


def calibrated(camera: SpikeCamera, path: str | os.PathLike[str]) -> SpikeCamera:
    """A camera with the fixed pattern, dead time and clock of a calibration in place of its own.

    Args:
        camera: What else is wanted, such as `SpikeCamera.preset("realistic")`.
        path: What `write_calibration` wrote.

    Raises:
        InvalidValueError: An argument is of another kind.
        InputFileError: The file is missing or no calibration.
    """
    require_instance(camera, "camera", SpikeCamera)
    return replace(camera, **calibrated_fields(os.fspath(require_path(path)), camera.noise))


def _fit(
    dark_rate: np.ndarray,
    flat_rates: np.ndarray,
    levels: Sequence[float] | None,
    dead_time: float,
    readout_hz: float | None,
) -> CalibrationFit:
    """Fit drives to rates (H, W) and (flats, H, W)."""
    dead_time = DeadTime(dead_time).readouts  # which refuses what is none
    if readout_hz is not None:
        readout_hz = require_number(readout_hz, "readout_hz", above=0)
    flats = len(flat_rates)
    if not flats:
        raise InvalidValueError("a calibration needs a flat besides the dark recording, got none")
    dark = _drive(dark_rate, dead_time)
    light = _drive(flat_rates, dead_time) - dark
    live = (flat_rates > 0).any(axis=0)
    medians = np.median(light[:, live], axis=1) if live.any() else np.zeros(flats)
    for i in np.flatnonzero(medians <= 0):
        raise InvalidValueError(
            f"flat {i + 1} is no brighter than the dark recording; is the order of the recordings right?"
        )
    illuminance = medians if levels is None else _real(levels, "levels")
    if illuminance.shape != (flats,) or not (np.isfinite(illuminance).all() and (illuminance > 0).all()):
        raise InvalidValueError(
            f"levels must be the illuminance of each of the {flats} flats, positive numbers, got {levels!r}"
        )
    # A flat in which a hot pixel always fires says only how bright it is at least.
    usable = flat_rates < 1
    weight = illuminance[:, None, None] * (usable | ~usable.any(axis=0))
    slope = (weight * light).sum(axis=0) / (weight * illuminance[:, None, None]).sum(axis=0)
    unit = float(np.median(slope[slope > 0]))
    gain = np.maximum(slope, 0) / unit
    drives = illuminance * unit
    return CalibrationFit(
        gain.astype(np.float32),
        dark.astype(np.float32),
        tuple(drives.tolist()),
        (light - drives[:, None, None] * gain).astype(np.float32),
        float(dead_time),
        readout_hz,
    )


def _real(values: Any, name: str) -> np.ndarray:
    array = require_array(values, name)
    if array.dtype.kind == "c":
        raise InvalidValueError(f"{name} must be real numbers, got {array.dtype}")
    return np.array(array, np.float64)


def _drive(rate: np.ndarray, dead_time: float) -> np.ndarray:
    return np.asarray(rate / np.maximum(1 - dead_time * rate, _LEAST_INTEGRATING))


def _rate(stream: SpikeStream) -> np.ndarray:
    """Spikes a readout of every pixel, float64 (H, W): from its first spike to its last, or by count where there is at
    most one."""
    readouts, height, width = stream.shape
    rate = np.empty((height, width))
    for y in range(height):
        dense = np.unpackbits(stream.packed[:, y], axis=1, count=width, bitorder="little")
        fired = np.ascontiguousarray(dense.T).view(np.bool_)
        spikes = np.count_nonzero(fired, axis=1)
        span = readouts - 1 - fired[:, ::-1].argmax(axis=1) - fired.argmax(axis=1)
        rate[y] = np.where(spikes > 1, (spikes - 1) / np.maximum(span, 1), spikes / readouts)
    return rate
