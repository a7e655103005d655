"""Shot noise: charge comes in electrons."""

from dataclasses import dataclass

from spikesim.checks import require_flag
from spikesim.noise.term import NoiseTerm


@dataclass(frozen=True)
class ShotNoise(NoiseTerm):
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

    purposes = (1,)

    def __post_init__(self) -> None:
        self._require("full_well_e", 1, 1e9, "electrons")
        object.__setattr__(self, "on_dark", require_flag(self.on_dark, "on_dark of ShotNoise"))

    def charge_parameters(self, v_th: float) -> dict[str, float | bool]:
        return {"electrons": self.full_well_e / v_th, "shot_on_dark": self.on_dark}
