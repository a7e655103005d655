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
"""

from spikesim.noise.pattern import Calibration, DarkCurrent, DeadPixels, GainPattern
from spikesim.noise.readout import BitErrors, DeadTime, InherentSpikes
from spikesim.noise.temporal import (
    ComparatorNoise,
    DiffusionNoise,
    FrameNoise,
    IntervalNoise,
    ResetNoise,
    ShotNoise,
)

NoiseTerm = (
    ShotNoise
    | DarkCurrent
    | GainPattern
    | Calibration
    | ResetNoise
    | ComparatorNoise
    | FrameNoise
    | DiffusionNoise
    | IntervalNoise
    | InherentSpikes
    | DeadTime
    | BitErrors
    | DeadPixels
)
"""Any noise term a camera can hold."""

NOISE_TERMS: dict[str, type[NoiseTerm]] = {
    term.__name__: term
    for term in (
        ShotNoise,
        DarkCurrent,
        GainPattern,
        Calibration,
        ResetNoise,
        ComparatorNoise,
        FrameNoise,
        DiffusionNoise,
        IntervalNoise,
        InherentSpikes,
        DeadTime,
        BitErrors,
        DeadPixels,
    )
}
"""Noise terms by the name they have in files."""

__all__ = ["NOISE_TERMS", "NoiseTerm", *NOISE_TERMS]
