"""Built-in demo scenes: procedural images with camera shake and moving objects, exact at any real-valued time."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spikesim.checks import require_number, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.scenes import desk, garden, street
from spikesim_datasets.scenes.render import HEIGHT, WIDTH, Layer, Shake, flow_of_layers, render

SCENES_VERSION = 1
"""Goes into recipes; a change of the images changes it."""


@dataclass(frozen=True)
class Scene:
    """A built-in scene: the same image for the same time, whatever was asked before.

    Args:
        name: Its name in `SCENES`.
        seed: Of its textures and of its camera shake.
        paint: Paints its layers, the first at the back.
    """

    name: str
    seed: int
    paint: Callable[[np.random.Generator], list[Layer]]

    def frame(self, time: float, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
        """Renders the scene as it is at one instant.

        Args:
            time: In raw frames (of 240 per second); any finite real number.
            height: Of the frame in pixels, a multiple of 4, at least 64.
            width: Of the frame in pixels, a multiple of 4, at least 64.

        Returns:
            The frame, RGB uint8 `(height, width, 3)`: the centre of the scene where the aspect ratio is not 16:9.

        Raises:
            InvalidValueError: The time is not finite, or a size is not a multiple of 4 of at least 64.
        """
        time = require_number(time, "the time of a scene", unit="raw frames")
        return render(self._layers(height, width), Shake(self.seed), time, height, width)

    def flow(self, start: float, stop: float, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.float32]:
        """Where each pixel of the frame at one time is at another.

        Args:
            start: The time of the pixels, in raw frames.
            stop: The other time, in raw frames.
            height: Of the frames in pixels, as for `frame`.
            width: Of the frames in pixels, as for `frame`.

        Returns:
            Pixels to the right and down, float32 `(height, width, 2)`, of the topmost layer that covers half of a pixel
            or more.

        Raises:
            InvalidValueError: As for `frame`.
        """
        start = require_number(start, "start, a time of a scene,", unit="raw frames")
        stop = require_number(stop, "stop, a time of a scene,", unit="raw frames")
        return flow_of_layers(self._layers(height, width), Shake(self.seed), start, stop, height, width)

    def _layers(self, height: int, width: int) -> tuple[Layer, ...]:
        """The layers as frames of a size need them."""
        height, width = require_whole(height, "height"), require_whole(width, "width")
        for name, size in (("height", height), ("width", width)):
            if size < 64 or size % 4:
                raise InvalidValueError(f"the {name} of a scene must be a multiple of 4, at least 64, got {size}")
        scale = max(height / HEIGHT, width / WIDTH)
        return _painted(self) if scale >= 1 else _reduced(self, scale)


@lru_cache(maxsize=4)
def _painted(scene: Scene) -> tuple[Layer, ...]:
    return tuple(scene.paint(np.random.default_rng(scene.seed)))


@lru_cache(maxsize=4)
def _reduced(scene: Scene, scale: float) -> tuple[Layer, ...]:
    return tuple(layer.reduced(scale) for layer in _painted(scene))


SCENES: dict[str, Scene] = {
    scene.name: scene
    for scene in (Scene("street", 1, street.paint), Scene("desk", 2, desk.paint), Scene("garden", 3, garden.paint))
}
"""The built-in scenes by name."""
