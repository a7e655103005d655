"""Rendering of layers at a real-valued time: a shaking camera, moving sprites, occlusion by alpha."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from spikesim_datasets.scenes.paint import PIXELS_PER_UNIT, Array, Canvas

WIDTH, HEIGHT = 1280, 720
"""The part of the world that the resting camera sees, in world units."""

Matrix = Array
"""A homogeneous transform of the plane, `(3, 3)`."""


def place(x: float, y: float, angle: float = 0.0, scale: float = 1.0) -> Matrix:
    """Turns by `angle` radians and scales around the origin, then moves the origin to x, y."""
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y], [0, 0, 1]])


def still(time: float) -> Matrix:
    """The motion of what does not move."""
    return np.eye(3)


@dataclass(frozen=True)
class Layer:
    """A image and how it moves.

    Args:
        image: Premultiplied RGBA, uint8 `(h, w, 4)`.
        to_world: Takes coordinates in the image (its corner is 0, 0; pixel centres at halves) to the layer's own.
        motion: Takes the layer's own coordinates to the world's, as a function of the time in raw frames.
        depth: How far camera shake moves it, 1 at the main distance, more when nearer.
    """

    image: Array
    to_world: Matrix
    motion: Callable[[float], Matrix]
    depth: float

    @classmethod
    def of(cls, canvas: Canvas, motion: Callable[[float], Matrix] = still, depth: float = 1.0) -> "Layer":
        """Makes a layer of a painted canvas."""
        return cls(canvas.image, place(canvas.left, canvas.top, scale=1 / PIXELS_PER_UNIT), motion, depth)

    def reduced(self, scale: float) -> "Layer":
        """Makes a copy with its image averaged down to `scale` < 1 of its size, so that small frames do not alias."""
        height, width = self.image.shape[:2]
        size = max(1, round(width * scale)), max(1, round(height * scale))
        image = cv2.resize(self.image, size, interpolation=cv2.INTER_AREA)
        return Layer(image, self.to_world @ np.diag([width / size[0], height / size[1], 1]), self.motion, self.depth)


@dataclass(frozen=True)
class Shake:
    """The motion of a hand-held camera: per degree of freedom two sines of 2.7 to 7 Hz with seeded phases.

    Being a sum of low sines it is smooth, band-limited and never drifts out of the canvas.
    """

    seed: int

    def view(self, time: float, depth: float) -> Matrix:
        """Takes the world to the image plane of 1280×720 units, for layers at `depth`."""
        phases = np.random.default_rng(self.seed).uniform(0, 2 * np.pi, (4, 2))
        # the main sway goes round, so that no exposure finds the camera at rest
        phases[1, 0] = phases[0, 0] + np.pi / 2
        periods = np.array([(61, 34), (61, 39), (83, 47), (89, 53)])
        sizes = np.array([(10.0, 3.5), (8.5, 3.0), (0.004, 0.003), (0.003, 0.002)])
        x, y, angle, zoom = (sizes * np.sin(2 * np.pi * time / periods + phases)).sum(1)
        centre = place(WIDTH / 2, HEIGHT / 2)
        return centre @ place(depth * x, depth * y, angle, 1 + depth * zoom) @ np.linalg.inv(centre)


def render(layers: Sequence[Layer], shake: Shake, time: float, height: int, width: int) -> Array:
    """Renders the layers, the first at the back.

    The frame shows the largest centred part of 1280×720 world units that has its aspect ratio. Sampling is bilinear at
    about 1.5 image pixels per frame pixel from band-limited images, at exact positions (OpenCV 5) or at multiples of
    1/32 image pixel (OpenCV 4); the blend is rounded to 8 bits per layer.

    Args:
        layers: What to show; the first is opaque and fills every view.
        shake: The camera.
        time: In raw frames.
        height: Of the frame, pixels.
        width: Of the frame, pixels.

    Returns:
        The frame, RGB uint8 `(height, width, 3)`.
    """
    frame = np.zeros((height, width, 4), np.uint8)
    for layer in layers:
        found = _sprite(layer.image, _to_frame(layer, shake, time, height, width), height, width)
        if found is not None:
            place_in_frame, sprite = found
            region = frame[place_in_frame]
            clear = cv2.merge([255 - sprite[..., 3]] * 4)
            region[:] = cv2.add(cv2.multiply(region, clear, scale=1 / 255), sprite)
    return cv2.cvtColor(frame, cv2.COLOR_RGBA2RGB)


def flow_of_layers(
    layers: Sequence[Layer], shake: Shake, start: float, stop: float, height: int, width: int
) -> NDArray[np.float32]:
    """Where each pixel of the frame at `start` is at `stop`.

    Args:
        layers: As for `render`.
        shake: The camera.
        start: In raw frames.
        stop: In raw frames.
        height: Of the frames, pixels.
        width: Of the frames, pixels.

    Returns:
        Pixels to the right and down, float32 `(height, width, 2)`, of the topmost layer that covers half of a pixel.
    """
    flow = np.zeros((height, width, 2), np.float32)
    places = np.stack([*np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), np.ones((height, width))], -1)
    for layer in layers:
        before, after = (_to_frame(layer, shake, time, height, width) for time in (start, stop))
        found = _sprite(layer.image, before, height, width)
        if found is not None:
            place_in_frame, sprite = found
            region = places[place_in_frame]
            moved = region @ (after @ np.linalg.inv(before)).T - region
            covered = sprite[..., 3] >= 128
            flow[place_in_frame][covered] = moved[covered][:, :2]
    return flow


def _to_frame(layer: Layer, shake: Shake, time: float, height: int, width: int) -> Matrix:
    """Takes coordinates in a layer's image to the frame's."""
    scale = max(height / HEIGHT, width / WIDTH)
    to_frame = place(width / 2, height / 2, scale=scale) @ place(-WIDTH / 2, -HEIGHT / 2)
    return to_frame @ shake.view(time, layer.depth) @ layer.motion(time) @ layer.to_world


def _sprite(image: Array, transform: Matrix, height: int, width: int) -> tuple[tuple[slice, slice], Array] | None:
    """A layer's image as the frame sees it, and where in the frame; None outside."""
    rows, columns = image.shape[:2]
    corners = (transform @ np.array([[0, columns, columns, 0], [0, 0, rows, rows], [1, 1, 1, 1]]))[:2]
    left, top = np.maximum(np.floor(corners.min(1)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(corners.max(1)).astype(int) + 1, (width, height))
    if right <= left or bottom <= top:
        return None
    # pixel centres lie at halves here and at integers in OpenCV
    inverse = place(-0.5, -0.5) @ np.linalg.inv(transform) @ place(left + 0.5, top + 0.5)
    sprite = cv2.warpAffine(
        image, inverse[:2], (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    )
    return (slice(top, bottom), slice(left, right)), sprite
