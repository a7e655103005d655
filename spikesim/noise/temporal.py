"""Noise that is new in every readout and acts on the charge."""

from dataclasses import dataclass

from spikesim.noise.checks import require


@dataclass(frozen=True)
class ShotNoise:
    """Photon and dark shot noise: the charge of a readout is a Poisson number of electrons.

        q = Poisson(N · x / v_th) · v_th / N

    Every spike takes N electrons, so the relative spread of an interval is 1/√N whatever the rate. Below 30 electrons a
    readout the Poisson law is drawn exactly, above by its normal expansion to second order (error of the distribution
    function below 0.0014).

    Args:
        full_well_e: Electrons N that fill a pixel to its threshold, from 1 to 1e9. 29,646 follows from the circuit of
            the Vidar sensor (4.348 fF, 1.0924 V); the real recording gives 28,600 ± 2,500.
        on_dark: Whether dark current has shot noise too, as physics says. SCSim and RSIR give it to light alone.

    Raises:
        InvalidValueError: A value is outside its range.

    Source:
        The circuit's constants are those of SCSim: Hu et al., "SCSim: A Realistic Spike Cameras Simulator",
        arXiv:2405.16790, and "Spike Stream Denoising via Spike Camera Simulation", arXiv:2304.03129.
    """

    full_well_e: float = 29_646.0
    on_dark: bool = True

    def __post_init__(self) -> None:
        require(self, "full_well_e", 1, 1e9, "electrons")


@dataclass(frozen=True)
class FrameNoise:
    """White noise on the charge of every readout.

    Args:
        sigma: Standard deviation in thresholds, from 0 to 1. Below 1.5e-3 in real recordings.

    Raises:
        InvalidValueError: The value is outside its range.
    """

    sigma: float

    def __post_init__(self) -> None:
        require(self, "sigma", 0, 1, "thresholds")


@dataclass(frozen=True)
class ResetNoise:
    """kTC noise: what a reset leaves varies.

    Args:
        sigma: Standard deviation in thresholds, from 0 to 1; √(kT/C)/ΔV = 8.93e-4 for 4.348 fF and 1.0924 V at 300 K.

    Raises:
        InvalidValueError: The value is outside its range.
    """

    sigma: float = 8.93e-4

    def __post_init__(self) -> None:
        require(self, "sigma", 0, 1, "thresholds")


@dataclass(frozen=True)
class ComparatorNoise:
    """Jitter of the comparator: the threshold differs from readout to readout.

    Args:
        sigma: Standard deviation in thresholds, from 0 to 1. Below 1e-3 in real recordings.
        in_reset: Whether a reset subtracts the threshold as it was at that readout (SCSim), or the nominal one.

    Raises:
        InvalidValueError: The value is outside its range.
    """

    sigma: float
    in_reset: bool = False

    def __post_init__(self) -> None:
        require(self, "sigma", 0, 1, "thresholds")


@dataclass(frozen=True)
class DiffusionNoise:
    """SpikingSIM's diffusion noise: inside every readout the light takes small random steps.

    At sub-ticks t_j = Σ Poisson(interval) the light changes by amplitude · (U − ½) and keeps the change until the
    readout ends. Needs a camera with `sub_ticks`.

    Args:
        interval: Mean interval between two steps in sub-ticks, from 1 to 1e4.
        amplitude: Range of a step in units of full-scale light, from 0 to 1.

    Raises:
        InvalidValueError: A value is outside its range.

    Source:
        Zhao et al., "SpikingSIM: A Bio-inspired Spiking Simulator", ISCAS 2022.
    """

    interval: float = 25.0
    amplitude: float = 1e-3

    def __post_init__(self) -> None:
        require(self, "interval", 1, 1e4, "sub-ticks")
        require(self, "amplitude", 0, 1)


@dataclass(frozen=True)
class IntervalNoise:
    """RSIR's quantisation noise: the interval that a drive stands for is lengthened by U(0, 1) in every readout.

        x = 1 / (1/x + dead_time + U)

    Real recordings do not have it (the clock quantises by itself, and the rate falls by a tenth); it is here to repeat
    RSIR.

    Args:
        dead_time: Readouts that every interval is lengthened by besides, from 0 to 10; 1 beside a measured calibration
            of theirs.

    Raises:
        InvalidValueError: The value is outside its range.

    Source:
        Zhu et al., "Recurrent Spike-based Image Restoration under General Illumination" (RSIR), ACM MM 2023.
    """

    dead_time: float = 0.0

    def __post_init__(self) -> None:
        require(self, "dead_time", 0, 10, "readouts")
