"""Random variants of the built-in demo scenes as clips."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from spikesim.checks import require_choice, require_number
from spikesim_datasets.scenes import SCENES, SCENES_VERSION, Scene
from spikesim_datasets.sources.rendered import RenderedClip

_LONGEST_WAIT = 4000.0  # raw frames: until then traffic, birds and leaves have been everywhere


@dataclass(frozen=True)
class DemoVariant(RenderedClip):
    """A built-in scene with other textures, another camera shake, and at another time of its motions.

    Attributes:
        split, name, seed, number, n_frames, height, width: As in `RenderedClip`.
        scene: Name of the scene.

    Raises:
        InvalidValueError: There is no such scene, a size is no multiple of 4 of at least 64, or a value is of another
            type.
    """

    scene: str

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice(self.scene, "scene", SCENES)

    @property
    def source(self) -> None:
        return None

    def at(self, time: float) -> np.ndarray:
        """See `ExactClip.at`."""
        time = require_number(time, "time", unit="raw frames")
        scene, begin = self._variant()
        return scene.frame(begin + time, self.height, self.width)

    def flow(self, start: float, stop: float) -> np.ndarray:
        """See `ExactClip.flow`."""
        start, stop = require_number(start, "start", unit="raw frames"), require_number(stop, "stop", unit="raw frames")
        scene, begin = self._variant()
        return scene.flow(begin + start, begin + stop, self.height, self.width)

    def fingerprint(self) -> dict[str, object]:
        """See `Clip.fingerprint`."""
        return {
            "scene": self.scene,
            "version": SCENES_VERSION,
            "opencv": cv2.__version__,  # which draws the images
            **self._form(),
        }

    def origin(self) -> dict[str, Any]:
        """See `ReopenableClip.origin`."""
        return self._origin("variant", scene=self.scene)

    def _variant(self) -> tuple[Scene, float]:
        """The scene, and its time at which the clip begins."""
        scene = SCENES[self.scene]
        rng = np.random.default_rng((self.seed, self.number, scene.seed))
        seed, begin = int(rng.integers(2**32)), float(rng.uniform(0, _LONGEST_WAIT))
        return replace(scene, seed=seed), begin
