"""The sensors of published simulators and of the real one: the fields of each that are not those of an ideal camera.

The threshold of each is its own default: `SpikeCamera.preset(name, v_th=...)` changes it.
"""

from typing import Any

from spikesim.noise import (
    BitErrors,
    ComparatorNoise,
    DarkCurrent,
    DeadPixels,
    DeadTime,
    DiffusionNoise,
    GainPattern,
    InherentSpikes,
    IntervalNoise,
    ResetNoise,
    ShotNoise,
)

# SpikingSIM's circuit: dt·η/(λ·C) = 2e-7·1.09e-13/(1.83e-4·15e-15) volts a sub-tick at full light, 250 sub-ticks a
# readout; a threshold voltage of 2.0 is V_th = 1 of the S-SDM paper.
_SPIKINGSIM_GAIN = 250 * (2e-7 * 1.09e-13) / (1.83e-4 * 15e-15) / 2

PRESET_FIELDS: dict[str, dict[str, Any]] = {
    # The mathematics alone.
    "ideal": {},
    # The simulator of the SpikeReveal (S-SDM) release, whose numbers are published. It begins with one unseen readout
    # of random light, which leaves U[0, gain): all phases at V_th 1, half of them at 2, a quarter at 4.
    "ssdm": {
        "gain": _SPIKINGSIM_GAIN,
        "start": _SPIKINGSIM_GAIN,
        "tie_fires": False,
        "noise": (InherentSpikes(),),
        "sub_ticks": 250,
    },
    # SpikingSIM with all its noise; its first readout of random light is left out, the charge it leaves is kept.
    "spikingsim": {
        "gain": _SPIKINGSIM_GAIN,
        "reset": "zero",
        "noise": (DiffusionNoise(), InherentSpikes()),
        "sub_ticks": 250,
    },
    # Spike-Zoo's `video2spike_simulation` with its own default threshold.
    "spikezoo": {"v_th": 2.0, "reset": "subtract"},
    # SpikeCV's video simulator with its own default threshold.
    "spikecv": {"v_th": 5.0, "reset": "subtract"},
    # SCSim: shot noise counted in light and again in the threshold, dark current and mismatch as Gaussians; charge
    # begins in U[0, 0.2105) by a unit that was mixed up.
    "scsim": {
        "reset": "subtract",
        "start": 0.2105,
        "noise": (
            ShotNoise(full_well_e=5e4, on_dark=False),
            DarkCurrent(median=4.68e-3, sigma=0.39, hot_fraction=0.0, distribution="normal"),
            GainPattern(sigma=0.0735),
            ComparatorNoise(sigma=5.82e-3, in_reset=True),
            DeadTime(readouts=0.002),
        ),
    },
    # RSIR without its measured matrices, which are a Calibration to add: Poisson noise of the 8-bit grey value, and
    # intervals lengthened by one readout and by U(0, 1).
    "rsir": {
        "reset": "subtract",
        "noise": (ShotNoise(full_well_e=255, on_dark=False), IntervalNoise(dead_time=0.0)),
    },
    # What a real camera does, from its circuit, its dark and flat frames and a recording (docs/physics.md).
    "realistic": {
        "noise": (ShotNoise(), DarkCurrent(), GainPattern(), ResetNoise(), DeadTime(), BitErrors(), DeadPixels()),
    },
}
"""Fields of `SpikeCamera` by the name of the preset."""
