"""Noise terms of the sensor: small frozen dataclasses that a camera holds in its `noise`, in any order, one of a kind.

What a pixel p does in readout n, with all terms present (charge in thresholds of 1, after the camera's gain):

    x  = g_p · gain · L + d_p                          GainPattern, DarkCurrent, Calibration
    x  = x · (1 − τ) if it fired at n − 1              DeadTime
    q  = Poisson(N · x) / N                            ShotNoise
    A += q + σ_f ξ                                     FrameNoise
    s  = A + σ_c ξ ≥ v_th                              ComparatorNoise
    A  = reset(A) + σ_r ξ  where s                     ResetNoise
    out = s, bits dropped or added, dead pixels 0      BitErrors, InherentSpikes, DeadPixels

`DiffusionNoise` acts inside a readout, on the 250 sub-ticks of SpikingSIM; `IntervalNoise` is RSIR's.

Each term is a module of this package, which is found by being here.
"""

from importlib import import_module
from pkgutil import iter_modules

from spikesim.noise.bit_errors import BitErrors
from spikesim.noise.comparator_noise import ComparatorNoise
from spikesim.noise.dark_current import DarkCurrent
from spikesim.noise.dead_pixels import DeadPixels
from spikesim.noise.dead_time import DeadTime
from spikesim.noise.diffusion_noise import DiffusionNoise
from spikesim.noise.frame_noise import FrameNoise
from spikesim.noise.gain_pattern import GainPattern
from spikesim.noise.inherent_spikes import InherentSpikes
from spikesim.noise.interval_noise import IntervalNoise
from spikesim.noise.measured_pattern import Calibration
from spikesim.noise.reset_noise import ResetNoise
from spikesim.noise.shot_noise import ShotNoise
from spikesim.noise.term import NOISE_TERMS, NoiseTerm

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "NOISE_TERMS",
    "BitErrors",
    "Calibration",
    "ComparatorNoise",
    "DarkCurrent",
    "DeadPixels",
    "DeadTime",
    "DiffusionNoise",
    "FrameNoise",
    "GainPattern",
    "InherentSpikes",
    "IntervalNoise",
    "NoiseTerm",
    "ResetNoise",
    "ShotNoise",
]


# A term that has no import above: type checkers do not see it, programs do.
def __getattr__(name: str) -> type[NoiseTerm]:
    if name not in NOISE_TERMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return NOISE_TERMS[name]
