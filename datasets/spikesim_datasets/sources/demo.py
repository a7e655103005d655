"""The built-in demo scenes as clips."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from spikesim.checks import require_choice, require_whole
from spikesim_datasets.scenes import SCENES, SCENES_VERSION
from spikesim_datasets.sources.clip import NamedClip, named_origin, require_span


@dataclass(frozen=True)
class DemoClip(NamedClip):
    """A stretch of a procedural scene; `SCENES[scene].frame(time)` gives the exact truth between its frames.

    Attributes:
        split, name: As in `Clip`.
        scene: Name of the scene.
        n_frames: Frames to give.
        height, width: Size of every frame.

    Raises:
        InvalidValueError: There is no such scene, or a value is of another type.
    """

    scene: str
    n_frames: int = 100
    height: int = 720
    width: int = 1280

    def __post_init__(self) -> None:
        super().__post_init__()
        require_choice(self.scene, "scene", SCENES)
        for name in ("n_frames", "height", "width"):  # which sizes a scene has is checked where it is drawn
            object.__setattr__(self, name, require_whole(getattr(self, name), name, 1))

    @property
    def source(self) -> None:
        return None

    def frames(self, start: int, stop: int) -> Iterator[np.ndarray]:
        """See `Clip.frames`.

        Raises:
            InvalidValueError: The span is none, or the scene cannot be drawn at this size.
        """
        start, stop = require_span(start, stop)
        for time in range(start, min(stop, self.n_frames)):
            yield SCENES[self.scene].frame(time, self.height, self.width)

    def fingerprint(self) -> dict[str, object]:
        """See `Clip.fingerprint`."""
        return {
            "scene": self.scene,
            "version": SCENES_VERSION,
            "opencv": cv2.__version__,  # which draws the images
            "frames": self.n_frames,
            "size": [self.height, self.width],
        }

    def origin(self) -> dict[str, Any]:
        """See `ReopenableClip.origin`."""
        size = {"n_frames": self.n_frames, "height": self.height, "width": self.width}
        return named_origin(self, "demo", scene=self.scene, **size)
