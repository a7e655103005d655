"""Clips from still photos: a photo seen by a shaking camera, with cut-outs passing before it, exact at any time."""

from spikesim_datasets.photos.arrangement import CUT_PHOTOS, MOST_CUTOUTS, arrange
from spikesim_datasets.photos.composition import Composition

__all__ = ["CUT_PHOTOS", "MOST_CUTOUTS", "PHOTOS_VERSION", "Composition", "arrange"]

PHOTOS_VERSION = 3
"""Goes into recipes; a change of what is arranged or rendered changes it."""
