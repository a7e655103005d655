"""Painting of the static canvases: anti-aliased shapes, lettering and soft light on premultiplied RGBA."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

PIXELS_PER_UNIT = 1.5
"""Canvas pixels per world unit; a world unit is a pixel of a 1280×720 frame."""

MARGIN = 64
"""How far the backdrop reaches beyond 1280×720 world units on every side, for the camera to shake."""

Array = NDArray[Any]
"""Corners of polygons `(..., 2)` as x, y in world units, or values at places in the world."""
Field = Callable[[Array, Array], Array]
"""A value `(h, w)` from the world coordinates x `(1, w)` and y `(h, 1)` of pixels."""
Texture = Callable[[Array, Array], Array]
"""A colour `(h, w, 3)`, 0..255, from the same coordinates."""
Fill = Sequence[float] | Array | Texture

_SUBPIXEL_BITS = 4
_STRIP = 128  # rows blended at a time: bounds the memory of float temporaries


class Canvas:
    """A rectangle of the world that is painted once; `image` is premultiplied RGBA, uint8, transparent at first.

    Args:
        left, top, right, bottom: The rectangle in world units.
    """

    def __init__(self, left: float, top: float, right: float, bottom: float) -> None:
        self.left, self.top = left, top
        size = round((bottom - top) * PIXELS_PER_UNIT), round((right - left) * PIXELS_PER_UNIT), 4
        self.image: Array = np.zeros(size, np.uint8)

    @classmethod
    def backdrop(cls) -> Self:
        """Makes the canvas that fills every view."""
        return cls(-MARGIN, -MARGIN, 1280 + MARGIN, 720 + MARGIN)

    def fill(
        self,
        points: ArrayLike,
        fill: Fill,
        opacity: float = 1.0,
        *,
        soft: float = 0.0,
        atop: bool = False,
        glow: bool = False,
    ) -> None:
        """Paints a polygon.

        Args:
            points: Its corners.
            fill: A colour 0..255, or a texture.
            opacity: 0..1.
            soft: Standard deviation of its edge, world units.
            atop: Paint only where something is already (shading of a sprite) instead of adding to its outline.
            glow: Add light (screen) instead of covering.
        """
        pad = 2 + round(3 * soft * PIXELS_PER_UNIT)
        corners = self._pixels(points)
        low = np.maximum(np.floor(corners.min(0)).astype(int) - pad, 0)
        high = np.minimum(np.ceil(corners.max(0)).astype(int) + pad + 1, self.image.shape[1::-1])
        if (high <= low).any():
            return
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        fixed = np.rint((corners - low) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        if soft:
            mask = cv2.GaussianBlur(mask, (0, 0), soft * PIXELS_PER_UNIT, borderType=cv2.BORDER_REPLICATE)
        self._blend(low[0], low[1], mask, fill, opacity, atop, glow)

    def shade(self, points: ArrayLike, opacity: float, soft: float, *, atop: bool = False) -> None:
        """Paints a soft black shadow; see `fill`."""
        self.fill(points, (0, 0, 0), opacity, soft=soft, atop=atop)

    def line(self, points: ArrayLike, width: float, colour: Sequence[float], *, closed: bool = False) -> None:
        """Paints a polyline of a width in world units."""
        fixed = np.rint(self._pixels(points) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        thickness = max(1, round(width * PIXELS_PER_UNIT))
        cv2.polylines(self.image, [fixed], closed, (*colour, 255), thickness, cv2.LINE_AA, _SUBPIXEL_BITS)

    def polygons(self, shapes: Array, colours: Array) -> None:
        """Paints many small opaque convex polygons: leaves, petals, blades of grass.

        Args:
            shapes: Their corners, `(number, corners, 2)`.
            colours: `(number, 3)`, 0..255.
        """
        fixed = np.rint(self._pixels(shapes) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        for corners, colour in zip(fixed, colours.tolist(), strict=True):
            cv2.fillConvexPoly(self.image, corners, (*colour, 255), cv2.LINE_AA, _SUBPIXEL_BITS)

    def text(
        self,
        text: str,
        at: tuple[float, float],
        height: float,
        fill: Fill,
        opacity: float = 1.0,
        *,
        turns: int = 0,
        soft: float = 0.0,
        glow: bool = False,
    ) -> None:
        """Letters a text, centred at a place.

        Args:
            text: What to write; the letters are those of the OpenCV version at hand.
            at: The place, x and y in world units.
            height: Of a capital letter, world units.
            fill: See `fill`, as for `opacity`, `soft` and `glow`.
            opacity: 0..1.
            turns: Quarter turns to the left.
            soft: World units.
            glow: Add light instead of covering.
        """
        font = cv2.FONT_HERSHEY_DUPLEX
        scale = height * PIXELS_PER_UNIT / cv2.getTextSize("H", font, 1.0, 2)[0][1]
        thickness = max(1, round(2 * scale))
        (width, rise), drop = cv2.getTextSize(text, font, scale, thickness)
        pad = 4 + round(3 * soft * PIXELS_PER_UNIT)
        mask: Array = np.zeros((rise + 2 * (drop + pad), width + 2 * pad), np.uint8)
        cv2.putText(mask, text, (pad, pad + drop + rise), font, scale, 255, thickness, cv2.LINE_AA)
        if soft:
            mask = cv2.GaussianBlur(mask, (0, 0), soft * PIXELS_PER_UNIT)
        mask = np.rot90(mask, turns)
        centre = self._pixels(np.array([at]))[0]
        left, top = (round(c - size / 2) for c, size in zip(centre, mask.shape[::-1], strict=True))
        self._blend(left, top, mask, fill, opacity, False, glow)

    def modulate(self, gain: Texture) -> None:
        """Multiplies all colours by a gain `(h, w, 1 or 3)`: light and shadow over everything painted so far."""
        for top in range(0, len(self.image), _STRIP):
            strip = self.image[top : top + _STRIP]
            x, y = self._grid(0, top, strip.shape[1], strip.shape[0])
            strip[..., :3] = np.clip(np.rint(strip[..., :3] * gain(x, y)), 0, strip[..., 3:])

    def fade(self, gain: Field) -> None:
        """Multiplies the opacity of all that is painted so far by a gain 0..1."""
        x, y = self._grid(0, 0, *self.image.shape[1::-1])
        self.image = np.rint(self.image * gain(x, y)[..., None]).astype(np.uint8)

    def soften(self, sigma: float) -> Self:
        """Blurs everything (standard deviation in world units): band limit, or depth of field; returns itself."""
        self.image = cv2.GaussianBlur(self.image, (0, 0), sigma * PIXELS_PER_UNIT, borderType=cv2.BORDER_REPLICATE)
        return self

    def _pixels(self, points: ArrayLike) -> Array:
        return (np.asarray(points) - (self.left, self.top)) * PIXELS_PER_UNIT - 0.5

    def _grid(self, left: int, top: int, width: int, height: int) -> tuple[Array, Array]:
        x = self.left + (left + np.arange(width) + 0.5) / PIXELS_PER_UNIT
        y = self.top + (top + np.arange(height) + 0.5) / PIXELS_PER_UNIT
        return x[None], y[:, None]

    def _blend(self, left: int, top: int, mask: Array, fill: Fill, opacity: float, atop: bool, glow: bool) -> None:
        mask = mask[max(-top, 0) :, max(-left, 0) :]
        left, top = max(left, 0), max(top, 0)
        for start in range(0, len(mask), _STRIP):
            strip = mask[start : start + _STRIP]
            region = self.image[top + start : top + start + len(strip), left : left + strip.shape[1]]
            height, width = region.shape[:2]
            cover = strip[:height, :width, None] * np.float32(opacity / 255)
            below = region[..., 3:] * np.float32(1 / 255) if atop or glow else np.float32(1)
            source = np.empty((height, width, 4), np.float32)
            source[..., :3] = fill(*self._grid(left, top + start, width, height)) if callable(fill) else fill
            source[..., 3] = 255
            source = np.clip(source, 0, 255) * below
            if glow:
                source[..., 3] = 0
                region[:] = np.rint(region + source * cover * (1 - region * np.float32(1 / 255)))
            else:
                region[:] = np.rint(region + (source - region) * cover)


def box(x: float, y: float, width: float, height: float, radius: float = 0.0) -> Array:
    """Corners of an upright rectangle with its top left at x, y; `radius` rounds its corners."""
    if not radius:
        return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], float)
    centres = [(x + width - radius, y + height - radius), (x + radius, y + height - radius)]
    centres += [(x + radius, y + radius), (x + width - radius, y + radius)]
    quarter = np.linspace(0, np.pi / 2, 8)
    return np.concatenate([polar(radius, quarter + i * np.pi / 2, *centre) for i, centre in enumerate(centres)])


def disc(x: float, y: float, radius_x: float, radius_y: float | None = None) -> Array:
    """Corners of an upright ellipse around x, y; a circle without `radius_y`."""
    circle = polar(1.0, np.linspace(0, 2 * np.pi, 72, endpoint=False))
    return circle * (radius_x, radius_x if radius_y is None else radius_y) + (x, y)


def polar(radius: Array | float, angle: Array | float, x: float = 0.0, y: float = 0.0) -> Array:
    """Points `(..., 2)` at distances and angles (radians, clockwise from the right) from x, y."""
    return np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], -1)


def rounded(corners: ArrayLike) -> Array:
    """Rounds a polygon by cutting its corners three times (Chaikin 1974)."""
    points = np.asarray(corners, float)
    for _ in range(3):
        following = np.roll(points, -1, 0)
        points = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], 1).reshape(-1, 2)
    return points
