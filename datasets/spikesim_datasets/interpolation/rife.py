"""RIFE v4.6, v4.25 and v4.26 with the weights their authors published."""

from spikesim_datasets.interpolation.networks.rife_release import VERSIONS, load_released

__all__ = ["VERSIONS", "load_released"]
