"""XVFI-Net with the weights its authors published, which allow research and education only."""

from spikesim_datasets.interpolation.networks.xvfi_release import SCALES, load_released

__all__ = ["SCALES", "load_released"]
