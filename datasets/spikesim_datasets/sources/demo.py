"""The built-in demo scenes as clips."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from spikesim_datasets.scenes import SCENES, SCENES_VERSION
from spikesim_datasets.sources.clip import NamedClip


@dataclass(frozen=True)
class DemoClip(NamedClip):
    """A stretch of a procedural scene; `SCENES[scene].frame(time)` gives the exact truth between its frames.

    Attributes:
        split, name: As in `Clip`.
        scene: Name of the scene.
        n_frames: Frames to give.
        height, width: Size of every frame.
    """

    scene: str
    n_frames: int = 100
    height: int = 720
    width: int = 1280

    @property
    def source(self) -> None:
        return None

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        for time in range(start, min(stop, self.n_frames)):
            yield SCENES[self.scene].frame(time, self.height, self.width)

    def fingerprint(self) -> dict[str, object]:
        return {
            "scene": self.scene,
            "version": SCENES_VERSION,
            "opencv": cv2.__version__,  # which draws the images
            "frames": self.n_frames,
            "size": [self.height, self.width],
        }
