"""How the spike camera of a pair sees the scene of the colour camera: elsewhere, at another time, by another gain."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Self

import numpy as np

from spikesim.checks import require_array, require_number, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.alignment import Alignment

Places = tuple[np.ndarray, np.ndarray]
"""x and y of places in pixels of the image: (0, 0) is the middle of the first pixel."""

Matrix = tuple[tuple[float, ...], ...]

IDENTITY: Matrix = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

VALUES = (
    *(f"homography_{row}{column}" for row in range(3) for column in range(3)),
    *("parallax", "edge_x", "edge_y", "edge_angle", "edge_width", "offset", "gain"),
)
"""What the numbers of the field `misalignment` are, in their order."""

MOST_STEEPNESS = 0.25
"""Most that parallax may be of the width of its edge: beyond it, the map would begin to fold."""

_NEAR = 1e-6  # pixels
_MOST_STEPS = 64


@dataclass(frozen=True)
class Misalignment:
    """What lies between the two cameras of one pair.

    What the colour camera has at p, the spike camera has at M(p), both in pixels of the image:

        M(p) = H p + (parallax · s(p), 0)

    s goes from 0 (far) to 1 (near) across an edge, a straight line that is `edge_width` wide, by 3u² − 2u³: what is
    near lies further to the right. Unlike behind things nothing is hidden, so that M has an inverse everywhere.

    Args:
        homography: H, 3×3, for columns (x, y, 1), as `cv2.findHomography(points_in_image, points_in_spikes)` gives it
            with points of both in pixels of the image; it is what `Alignment` takes to lay the image over the spikes.
        parallax: By how many pixels near things lie further to the right, at most a quarter of `edge_width`.
        edge_x, edge_y: A place on the edge, pixels.
        edge_angle: Of the direction from far to near, radians: 0 to the right, π/2 down.
        edge_width: > 0, pixels.
        offset: Readout k of the spikes is of the time of readout k + offset of an aligned stream.
        gain: > 0; the light of the spike camera is so many times that of the colour camera, 1 at most.

    Raises:
        InvalidValueError: A value is out of range, or the homography has no inverse.
    """

    homography: Matrix = IDENTITY
    parallax: float = 0.0
    edge_x: float = 0.0
    edge_y: float = 0.0
    edge_angle: float = 0.0
    edge_width: float = 1.0
    offset: int = 0
    gain: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "homography", Alignment(self.homography).homography)
        for name in ("parallax", "edge_x", "edge_y", "edge_angle"):
            object.__setattr__(self, name, require_number(getattr(self, name), name))
        for name in ("edge_width", "gain"):
            object.__setattr__(self, name, require_number(getattr(self, name), name, above=0))
        object.__setattr__(self, "offset", require_whole(self.offset, "offset", unit="readouts"))
        if abs(self.parallax) > MOST_STEEPNESS * self.edge_width:
            raise InvalidValueError(
                f"parallax must be at most {MOST_STEEPNESS:g} of edge_width, {self.edge_width:g} pixels, got "
                f"{self.parallax:g}; take a wider edge"
            )

    @property
    def values(self) -> np.ndarray:
        """Its numbers, as `VALUES` names them, float64 (16,)."""
        rest = [getattr(self, field.name) for field in fields(self)][1:]
        return np.array([*(number for row in self.homography for number in row), *rest], np.float64)

    @property
    def sees_the_same(self) -> bool:
        """Whether the spike camera sees just what the colour camera sees, if at another time."""
        return self.homography == IDENTITY and not self.parallax and self.gain == 1

    @classmethod
    def of_values(cls, values: np.ndarray | Sequence[float]) -> Self:
        """The misalignment that has these numbers.

        Args:
            values: Numbers in the order of `VALUES`, of shape (len(VALUES),).

        Raises:
            InvalidValueError: They are not as `values` gives them.
        """
        numbers = require_array(values, "values")
        if numbers.shape != (len(VALUES),) or numbers.dtype.kind not in "iuf" or not np.isfinite(numbers).all():
            raise InvalidValueError(f"values must be {len(VALUES)} finite numbers, {', '.join(VALUES)}; got {numbers}")
        found = numbers.tolist()
        named = dict(zip(VALUES[9:], found[9:], strict=True))
        if named["offset"] != int(named["offset"]):
            raise InvalidValueError(
                f"the offset among the values must be a whole number of readouts, got {named['offset']:g}"
            )
        matrix = tuple(tuple(found[row : row + 3]) for row in (0, 3, 6))
        return cls(matrix, **(named | {"offset": int(named["offset"])}))

    def alignment(self, height: int, width: int, ratio: int) -> np.ndarray:
        """The map that undoes it, as the field `alignment` holds it: where what an image shows lies in the spikes.

        Args:
            height, width: Of the image, pixels.
            ratio: How many of them one of the spikes is wide and high.

        Returns:
            M(p) − p of the middle p of each block of ratio×ratio pixels, float32 (height/ratio, width/ratio, 2): pixels
            of the image to the right and down. `undo` takes it.

        Raises:
            InvalidValueError: The horizon of the homography lies in the image.
        """
        x, y = middles(height, width, ratio)
        there_x, there_y = self._mapped(x, y)
        return np.stack(np.broadcast_arrays(there_x - x, there_y - y), -1).astype(np.float32)

    def gaze(self, height: int, width: int, ratio: int) -> np.ndarray:
        """Where the pixels of the spike camera look: M⁻¹(q) − q of the middle q of each, sizes as in `alignment`.

        Args:
            height, width: Of the image, pixels.
            ratio: How many of them one of the spikes is wide and high.

        Returns:
            float32 (height/ratio, width/ratio, 2): pixels of the image to the right and down.

        Raises:
            InvalidValueError: The horizon of the homography lies in the image.
        """
        sizes = (require_whole(number, "a size or ratio", 1) for number in (height, width, ratio))
        return _gaze(self, *sizes)

    def _mapped(self, x: np.ndarray, y: np.ndarray) -> Places:
        """M of places."""
        there_x, there_y = _projected(self.homography, x, y)
        return there_x + self.parallax * self._nearness(x, y), there_y

    def _nearness(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        # Rounded, because the last bits are others on other processors.
        across, down = (round(function(self.edge_angle), 12) for function in (math.cos, math.sin))
        distance = (x - self.edge_x) * across + (y - self.edge_y) * down
        part = np.clip(distance / self.edge_width + 0.5, 0, 1)
        return np.asarray(part * part * (3 - 2 * part))

    def _looked_at(self, x: np.ndarray, y: np.ndarray) -> Places:
        """M⁻¹ of places, to a millionth of a pixel."""
        back = _inverse(self.homography)
        there_x, there_y = _projected(back, x, y)
        if not self.parallax:
            return there_x, there_y
        for _ in range(_MOST_STEPS):  # each leaves less than half of the error, see MOST_STEEPNESS
            last_x, last_y = there_x, there_y
            there_x, there_y = _projected(back, x - self.parallax * self._nearness(last_x, last_y), y)
            if max(np.abs(there_x - last_x).max(), np.abs(there_y - last_y).max()) < _NEAR:
                return there_x, there_y
        raise InvalidValueError(
            f"the map of {self} cannot be turned round; take less parallax, or a homography nearer to the identity"
        )


def undo(image: np.ndarray, alignment: np.ndarray, ratio: int) -> np.ndarray:
    """What an image of the spikes' size would be, had the pair been aligned; its time and gain stay.

    Args:
        image: Light, TFP or the like of the spike camera, float32 (h, w).
        alignment: Field `alignment` of its sample, (h, w, 2).
        ratio: How many pixels of the images one of the spikes is wide and high.

    Returns:
        float32 (h, w), by linear interpolation. Where the spike camera did not see (`seen`), the nearest pixel at its
        rim is repeated.

    Raises:
        InvalidValueError: The arrays are not of these shapes.
    """
    import cv2

    from spikesim_datasets.opencv import without_ipp

    image = require_array(image, "image")
    across, down = _pixels_of_spikes(alignment, ratio)
    if image.shape != across.shape or image.dtype.kind != "f":
        raise InvalidValueError(
            f"image must be floating-point numbers {across.shape} as the alignment, got {image.dtype} {image.shape}"
        )
    with without_ipp():
        return np.asarray(
            cv2.remap(image.astype(np.float32), across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        )


def seen(alignment: np.ndarray, ratio: int) -> np.ndarray:
    """Which blocks of an image its spike camera sees, bool (h, w); arguments as of `undo`.

    Raises:
        InvalidValueError: The array is no alignment.
    """
    across, down = _pixels_of_spikes(alignment, ratio)
    height, width = across.shape
    return np.asarray((across >= 0) & (across <= width - 1) & (down >= 0) & (down <= height - 1))


def middles(height: int, width: int, ratio: int) -> Places:
    """The middles of all blocks of ratio×ratio pixels of an image, in pixels of it: x (1, w) and y (h, 1)."""
    height, width, ratio = (require_whole(number, "a size or ratio", 1) for number in (height, width, ratio))
    x, y = (ratio * (np.arange(side // ratio) + 0.5) - 0.5 for side in (width, height))
    return x[None], y[:, None]


def share_past(homography: Matrix, height: int, width: int) -> float:
    """The share of a spike camera that looks past an image, by a homography alone, measured at 128×128 places.

    Raises:
        InvalidValueError: Its horizon lies in the image.
    """
    x, y = (side * (np.arange(128) + 0.5) / 128 - 0.5 for side in (width, height))
    there_x, there_y = _projected(_inverse(Misalignment(homography).homography), x[None], y[:, None])
    past = (np.abs(there_x - (width - 1) / 2) > width / 2) | (np.abs(there_y - (height - 1) / 2) > height / 2)
    return float(np.mean(past))


@lru_cache(maxsize=32)
def _gaze(misalignment: Misalignment, height: int, width: int, ratio: int) -> np.ndarray:
    """See `Misalignment.gaze`: asked for once for each readout, and the same for all of a sample."""
    x, y = middles(height, width, ratio)
    there_x, there_y = misalignment._looked_at(x, y)
    gaze = np.stack(np.broadcast_arrays(there_x - x, there_y - y), -1).astype(np.float32)
    gaze.flags.writeable = False
    return gaze


def _pixels_of_spikes(alignment: Any, ratio: int) -> Places:
    """Where an alignment leads, in pixels of the spikes, float32 (h, w) each."""
    ratio, there = require_whole(ratio, "ratio", 1), require_array(alignment, "alignment")
    if there.ndim != 3 or there.shape[2] != 2 or there.dtype.kind != "f":
        raise InvalidValueError(
            f"alignment must be floating-point numbers (h, w, 2), as the field of a sample, got {there.dtype} "
            f"{there.shape}"
        )
    height, width, _ = there.shape
    across, down = there[..., 0] / ratio + np.arange(width), there[..., 1] / ratio + np.arange(height)[:, None]
    return across.astype(np.float32), down.astype(np.float32)


def _projected(matrix: Matrix, x: np.ndarray, y: np.ndarray) -> Places:
    """Places as a homography maps them.

    Written out, as `_inverse` is: products of matrices have other last bits on other processors.
    """
    (a, b, c), (d, e, f), (g, h, i) = matrix
    depth = g * x + h * y + i
    if not (depth.min() > 0 or depth.max() < 0):
        raise InvalidValueError(
            "the horizon of the homography lies in the image, parts of which no camera can see; give a map of pixels "
            "of the image to those of the spikes that is near the identity"
        )
    return (a * x + b * y + c) / depth, (d * x + e * y + f) / depth


def _inverse(matrix: Matrix) -> Matrix:
    """The homography that leads back, but for a factor."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    return (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
