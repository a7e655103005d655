"""Clips from still photos: a photo seen by a shaking camera, with cut-outs passing before it, exact at any time."""

from spikesim_datasets.photos.arrangement import MOST_CUTOUTS, arrange
from spikesim_datasets.photos.composition import Composition

__all__ = ["MOST_CUTOUTS", "PHOTOS_VERSION", "Composition", "arrange"]

PHOTOS_VERSION = 1
"""Goes into recipes; a change of what is arranged or rendered changes it."""
