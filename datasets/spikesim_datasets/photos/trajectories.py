"""How a hand-held camera and what passes before it move: smooth, band-limited, and known at any real-valued time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.scenes.paint import Array
from spikesim_datasets.scenes.render import HEIGHT, WIDTH, Matrix, place

EXPOSURE_FRAMES = ExposurePlan().frames - 1
"""Raw frames from the beginning of a default exposure to its end."""

_PLAN = ExposurePlan()
MIDDLE = _PLAN.windows(_PLAN.frames_for_one_window)[0].first_frame + _PLAN.middle_frame
"""The raw frame in the middle of a clip's first default exposure, at which everything is where it was arranged."""

_SINES = 3
_PERIODS = 28, 140  # raw frames: 1.7 to 8.6 Hz at 240 frames per second, as hands shake
_TRAVEL = 1.0, 80.0  # pixels of a frame 720 high during an exposure
_FLIGHT = 1.0, 160.0  # the same of what passes before the camera
_SPIN = 0.02, 0.5  # radians during an exposure
_GROWTH = 0.002, 0.06  # change of size during an exposure
_SWAY = 2.0, 40.0  # pixels of a frame 720 high that what bends moves by during an exposure
_WAVES = 0.6, 2.0  # of a bend, in its height
_STEEPEST = 0.35  # of a bend, sideways for each pixel down: what is bent little keeps its area in every direction


@dataclass(frozen=True, eq=False)
class Wander:
    """Numbers that change smoothly with time: a steady drift and a sum of sines, all 0 at the time `MIDDLE`.

        value(t) = drift·(t − MIDDLE) + Σ sizes·[sin(2πt/periods + phases) − sin(2π·MIDDLE/periods + phases)]

    Args:
        drift: Per raw frame, `(K,)`.
        sizes: Of the sines, `(K, sines)`.
        periods: Of the sines in raw frames, `(K, sines)`.
        phases: Of the sines in radians, `(K, sines)`.
    """

    drift: Array
    sizes: Array
    periods: Array
    phases: Array

    @classmethod
    def random(cls, rng: np.random.Generator, speeds: Sequence[float], steady: Sequence[bool]) -> "Wander":
        """One of given speeds (root mean square, per raw frame); some of the numbers may drift, the others return."""
        shape = len(speeds), _SINES
        parts = rng.uniform(0.2, 1, shape)
        share = np.where(steady, rng.uniform(0, 0.9, len(speeds)), 0)  # of the drift in the squared speed
        parts *= np.sqrt((1 - share) / (parts**2).sum(1))[:, None]
        sign = rng.choice((-1.0, 1.0), len(speeds))
        shortest, longest = np.log(_PERIODS)
        periods = np.exp(rng.uniform(shortest, longest, shape))
        speed = np.asarray(speeds, float)
        sizes = parts * speed[:, None] * np.sqrt(2) * periods / (2 * np.pi)
        return cls(sign * np.sqrt(share) * speed, sizes, periods, rng.uniform(0, 2 * np.pi, shape))

    def at(self, time: float) -> Array:
        """The numbers `(K,)` at a time in raw frames."""
        turn = 2 * np.pi / self.periods
        sines = np.sin(turn * time + self.phases) - np.sin(turn * MIDDLE + self.phases)
        return self.drift * (time - MIDDLE) + (self.sizes * sines).sum(1)


def camera_motion(rng: np.random.Generator, height: int, width: int, scale: float) -> Callable[[float], Matrix]:
    """A random hand-held camera: shift, turn, zoom and a little perspective.

    Its travel during an exposure is log-uniform from 1 to 80 pixels of a frame 720 high, so that slow and fast ones are
    equally frequent.

    Args:
        rng: Where its randomness comes from.
        height: Of the frame, pixels.
        width: Of the frame, pixels.
        scale: Frame pixels for each pixel of a frame 720 high.

    Returns:
        Takes the frame as it was arranged to the frame at a time in raw frames, as homographies.
    """
    travel = _log_uniform(rng, *_TRAVEL) * scale / EXPOSURE_FRAMES
    direction = rng.uniform(0, 2 * np.pi)
    half = max(np.hypot(height, width), scale * np.hypot(HEIGHT, WIDTH)) / 2
    turn, zoom = (rng.uniform(0.1, 0.6) * travel / half for _ in range(2))
    tilts = rng.uniform(0, 0.15, 2) * travel / half
    shift = np.abs((np.cos(direction), np.sin(direction))) * travel
    wander = Wander.random(rng, (*shift, turn, zoom, *tilts), (True, True, False, False, False, False))
    return partial(_view, wander, height, width, half)


def _view(wander: Wander, height: int, width: int, half: float, time: float) -> Matrix:
    x, y, angle, growth, tilt_x, tilt_y = wander.at(time)
    tilt = np.array([[1, 0, 0], [0, 1, 0], [tilt_x / half, tilt_y / half, 1]])
    centre = place(width / 2, height / 2)
    # Shifted first: however far it has drifted, it turns, zooms and tilts about the middle of the frame.
    return centre @ tilt @ place(0, 0, angle, np.exp(growth)) @ place(x - width / 2, y - height / 2)


def own_motion(rng: np.random.Generator, scale: float) -> Callable[[float], Matrix]:
    """A random motion of something around its own middle, as of what flies past: often faster than the camera's.

    Args:
        rng: Where its randomness comes from.
        scale: Frame pixels for each pixel of a frame 720 high.

    Returns:
        Takes coordinates around its middle, in pixels, to those around where it was arranged, at a time in raw frames.
    """
    travel = _log_uniform(rng, *_FLIGHT) * scale / EXPOSURE_FRAMES
    direction = rng.uniform(0, 2 * np.pi)
    shift = np.abs((np.cos(direction), np.sin(direction))) * travel
    spin, growth = (_log_uniform(rng, *limits) / EXPOSURE_FRAMES for limits in (_SPIN, _GROWTH))
    return partial(_moved, Wander.random(rng, (*shift, spin, growth), (True, True, True, False)))


def _moved(wander: Wander, time: float) -> Matrix:
    x, y, angle, growth = wander.at(time)
    return place(x, y, angle, np.exp(growth))


@dataclass(frozen=True, eq=False)
class Bend:
    """A sheet's rows shifted sideways along a wave that changes with time, none at the time `MIDDLE`.

        x becomes x + most·[tanh(a(t)/most)·sin(frequency·y) + tanh(b(t)/most)·cos(frequency·y)]

    A shear keeps areas, and is undone by subtracting what it adds.

    Args:
        wander: a and b, in texels.
        most: Of either, in texels.
        frequency: Of the wave, radians per texel.
    """

    wander: Wander
    most: float
    frequency: float

    def at(self, time: float) -> tuple[float, float, float]:
        """Size of the sine, size of the cosine and frequency, at a time in raw frames."""
        sine, cosine = self.most * np.tanh(self.wander.at(time) / self.most)
        return float(sine), float(cosine), self.frequency


def bending(rng: np.random.Generator, height: int, scale: float) -> Bend:
    """A random bend, as of cloth, leaves and limbs.

    Args:
        rng: Where its randomness comes from.
        height: Of what bends, texels.
        scale: Texels for each pixel of a frame 720 high.
    """
    frequency = 2 * np.pi / (rng.uniform(*_WAVES) * height)
    speed = _log_uniform(rng, *_SWAY) * scale / EXPOSURE_FRAMES
    return Bend(Wander.random(rng, (speed, speed), (False, False)), _STEEPEST / frequency, frequency)


def _log_uniform(rng: np.random.Generator, least: float, most: float) -> float:
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))
