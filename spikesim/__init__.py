"""The spike camera: integrate-and-fire simulation, packed spike streams, file formats, TFP, TFI and TFSTP.

>>> light = np.full((137, 180, 320), 0.25, np.float32)
>>> stream = simulate(light, SpikeCamera.preset("ssdm", v_th=1), seed=1, key="my clip")
>>> image = tfp(stream, centre=68, window=97)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikesim.camera import PRESETS, SpikeCamera
    from spikesim.formats import SpikeWriter, read_spikes, write_spikes
    from spikesim.interchange import to_torch, write_spikecv, write_spikezoo
    from spikesim.light_image import as_light
    from spikesim.outliers import OutlyingPixel, outlying_pixels
    from spikesim.randomness import Crop
    from spikesim.reconstruction import (
        Plasticity,
        fractional_counts,
        tfi,
        tfi_video,
        tfp,
        tfp_video,
        tfstp,
        tfstp_video,
    )
    from spikesim.recording import Recording, simulate_to_file
    from spikesim.simulation import simulate, simulate_cameras
    from spikesim.simulator import Simulator, push_together
    from spikesim.stream import SpikeStream
    from spikesim.threads import thread_limit

__version__ = "0.1.0"

# Loaded on first use: the compiled parts cost a start-up that a program which only names a camera need not pay.
_HOMES = {
    "Crop": "randomness",
    "PRESETS": "camera",
    "SpikeCamera": "camera",
    "SpikeWriter": "formats",
    "read_spikes": "formats",
    "write_spikes": "formats",
    "to_torch": "interchange",
    "write_spikecv": "interchange",
    "write_spikezoo": "interchange",
    "OutlyingPixel": "outliers",
    "outlying_pixels": "outliers",
    "Plasticity": "reconstruction",
    "as_light": "light_image",
    "fractional_counts": "reconstruction",
    "tfi": "reconstruction",
    "tfi_video": "reconstruction",
    "tfp": "reconstruction",
    "tfp_video": "reconstruction",
    "tfstp": "reconstruction",
    "tfstp_video": "reconstruction",
    "Recording": "recording",
    "simulate_to_file": "recording",
    "Simulator": "simulator",
    "push_together": "simulator",
    "simulate": "simulation",
    "simulate_cameras": "simulation",
    "SpikeStream": "stream",
    "thread_limit": "threads",
}

__all__ = [
    "PRESETS",
    "Crop",
    "OutlyingPixel",
    "Plasticity",
    "Recording",
    "Simulator",
    "SpikeCamera",
    "SpikeStream",
    "SpikeWriter",
    "as_light",
    "fractional_counts",
    "outlying_pixels",
    "push_together",
    "read_spikes",
    "simulate",
    "simulate_cameras",
    "simulate_to_file",
    "tfi",
    "tfi_video",
    "tfp",
    "tfp_video",
    "tfstp",
    "tfstp_video",
    "thread_limit",
    "to_torch",
    "write_spikecv",
    "write_spikes",
    "write_spikezoo",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'spikesim' has no attribute {name!r}")
    return getattr(import_module(f"spikesim.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
