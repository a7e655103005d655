"""How the image of one camera is laid over that of another: a part of it, and a homography."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from spikesim.brief import shortened
from spikesim.checks import require_array, require_list, require_path, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.input_files import require_file
from spikesim_datasets.image_checks import require_image

MOST_OUTSIDE = 0.05
"""Share of the frame that may lie outside of the image: two cameras hardly ever see the same at the rim."""

_MOST_CONDITION = 1e12  # of a matrix that can be inverted; shifts by 10,000 pixels make it 1e8
_MOST_SIDE = (1 << 15) - 2  # pixels that OpenCV warps
_MOST_BYTES = 1 << 16  # of a file of nine numbers with comments
_HELP = 'numpy.savetxt("H.txt", H) writes the matrix H that cv2.findHomography(points_in_image, points_in_frame) gives'


@dataclass(frozen=True)
class Alignment:
    """How an image is laid over the frame that it belongs to.

    The image is warped once, by linear interpolation. Where the frame reaches beyond what the image shows, the nearest
    pixel at the edge is repeated.

    Args:
        homography: 3×3 matrix H that maps pixels of the whole image to those of the frame, for columns
            (x, y, 1): H·(x, y, 1) = s·(x', y', 1), as `cv2.findHomography(points_in_image, points_in_frame)` gives it.
            x goes to the right, y down, and (0, 0) is the middle of the first pixel. None only shifts the crop.
        crop: Part of the image that is used, in pixels: left column, top row, width and height. The homography still
            is about the whole image. None uses all.

    Raises:
        InvalidValueError: The homography is no 3×3 matrix of finite real numbers or has no inverse, or the crop is not
            four whole numbers, the first two of at least 0 and the others of at least 1.
    """

    homography: np.ndarray | Sequence[Sequence[float]] | None = None
    crop: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        if self.homography is not None:
            object.__setattr__(self, "homography", _checked(self.homography))
        if self.crop is not None:
            crop = require_list(self.crop, "crop", "four numbers: left, top, width, height")
            if len(crop) != 4:
                raise InvalidValueError(f"crop must be four numbers: left, top, width, height; got {len(crop)}")
            names = ("left", "top", "width", "height")
            parts = [
                require_whole(part, f"{name} of the crop", least)
                for part, name, least in zip(crop, names, (0, 0, 1, 1), strict=True)
            ]
            object.__setattr__(self, "crop", tuple(parts))

    @classmethod
    def load(cls, path: str | os.PathLike[str], crop: tuple[int, int, int, int] | None = None) -> Self:
        """Read a homography as `numpy.savetxt` writes it: nine numbers, row by row; `#` begins a comment.

        Args:
            path: The file, text. Between numbers are spaces, lines or commas.
            crop: As of the class.

        Returns:
            The alignment.

        Raises:
            InputFileError: The file is missing, no text of nine numbers, or its matrix is no homography.
            InvalidValueError: The crop is none.
        """
        path = require_path(path)
        matrix = np.array(_numbers(path)).reshape(3, 3)
        try:
            cls(matrix)
        except InvalidValueError as error:
            raise InputFileError(f"{path}: {error}") from error
        return cls(matrix, crop)

    @property
    def matrix(self) -> np.ndarray:
        """The map of pixels of the whole image to those of the frame, float64 (3, 3); its inverse leads back."""
        left, top, *_ = self.crop or (0, 0)
        return _shift(-left, -top) if self.homography is None else np.array(self.homography)

    def record(self) -> dict[str, Any]:
        """What is kept of it beside what is made, as JSON values: `matrix` as `homography`, and the crop."""
        return {"homography": self.matrix.tolist(), "crop": self.crop and list(self.crop)}

    def warp(self, image: np.ndarray, height: int, width: int) -> np.ndarray:
        """The frame that an image is laid over.

        Args:
            image: RGB uint8 (H, W, 3).
            height, width: Of the frame, pixels.

        Returns:
            RGB uint8 (height, width, 3). Without a homography it has exactly the pixels of the crop.

        Raises:
            InvalidValueError: The crop reaches outside of the image, or is not of the frame's size and there is no
                homography; more than `MOST_OUTSIDE` of the frame lies outside of the crop; a side is too long for
                OpenCV, 32,766 pixels.
        """
        part = self._part(require_image(image, "image"))
        height, width = require_whole(height, "height", 1), require_whole(width, "width", 1)
        if self.homography is None:
            if part.shape[:2] != (height, width):
                raise InvalidValueError(
                    f"{'the image' if self.crop is None else 'the crop'} is {part.shape[1]}×{part.shape[0]}, expected "
                    f"{width}×{height}; take a part of that size, or give a homography, which also scales"
                )
            return part.copy()
        _require_inside(_share_outside(self._to_part, part, height, width), height, width)
        return _warped(part, self._to_part, height, width)

    @property
    def _to_part(self) -> np.ndarray:
        """The map of pixels of the crop to those of the frame."""
        left, top, *_ = self.crop or (0, 0)
        return _near_one(self.matrix) @ _shift(left, top)

    def _part(self, image: np.ndarray) -> np.ndarray:
        """The crop of an image."""
        if self.crop is None:
            return image
        left, top, width, height = self.crop
        if left + width > image.shape[1] or top + height > image.shape[0]:
            raise InvalidValueError(
                f"the crop takes columns {left} to {left + width - 1} and rows {top} to {top + height - 1}, but the "
                f"image is {image.shape[1]}×{image.shape[0]}; give left, top, width and height of a part of it"
            )
        return image[top : top + height, left : left + width]


def _shift(right: int, down: int) -> np.ndarray:
    return np.array([[1.0, 0, right], [0, 1, down], [0, 0, 1]])


def _near_one(matrix: np.ndarray) -> np.ndarray:
    """The same homography with numbers of which determinants do not overflow; by a power of two, which is exact."""
    return np.ldexp(matrix, -np.frexp(np.abs(matrix).max())[1])


def _checked(homography: Any) -> tuple[tuple[float, ...], ...]:
    """A homography as numbers of Python's own."""
    matrix = require_array(homography, "homography")
    if matrix.shape != (3, 3) or matrix.dtype.kind not in "iuf":
        raise InvalidValueError(
            f"homography must be a 3×3 matrix of real numbers, got {matrix.dtype} {matrix.shape}; {_HELP}"
        )
    matrix = matrix.astype(np.float64)
    if not np.isfinite(matrix).all():
        raise InvalidValueError(f"homography must be of finite numbers, got {matrix.tolist()}; {_HELP}")
    if not matrix.any() or not np.linalg.cond(_near_one(matrix)) <= _MOST_CONDITION:
        raise InvalidValueError(
            f"homography must have an inverse, and {matrix.tolist()} is singular: it lays the image on a line or a "
            f"point; {_HELP}"
        )
    return tuple(tuple(row) for row in matrix.tolist())


def _numbers(path: Path) -> list[float]:
    """The nine numbers of a file."""
    if (size := require_file(path).st_size) > _MOST_BYTES:
        raise InputFileError(f"{path} has {size} bytes, more than a file of nine numbers; {_HELP}")
    try:
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path} is no text, expected one of nine numbers; {_HELP}") from error
    except OSError as error:
        raise InputFileError(f"cannot read {path}: {error.strerror}") from error
    words = [word for line in lines for word in line.partition("#")[0].replace(",", " ").split()]
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise InputFileError(f"{path} holds what is no number ({shortened(str(error))}); {_HELP}") from error
    if len(numbers) != 9:
        raise InputFileError(f"{path} holds {len(numbers)} numbers, expected the nine of a 3×3 matrix; {_HELP}")
    return numbers


def _share_outside(to_frame: np.ndarray, part: np.ndarray, height: int, width: int) -> float:
    """The share of a frame that lies outside of an image, by more than half a pixel."""
    # What lies beyond the horizon of a homography is mapped from behind the camera.
    depth = np.linalg.inv(to_frame)[2] @ [[0, width - 1, 0, width - 1], [0, 0, height - 1, height - 1], [1] * 4]
    if not (depth.min() > 0 or depth.max() < 0):
        raise InvalidValueError(
            f"the horizon of the homography lies in the frame, {width}×{height}, parts of which no image can cover; "
            f"give the map of the image to the frame, not back; {_HELP}"
        )
    ones = np.ones(part.shape[:2], np.uint8)
    covered = _warped(ones, to_frame, height, width, covering=True)
    return (covered.size - np.count_nonzero(covered)) / covered.size


def _require_inside(share: float, height: int, width: int) -> None:
    if share > MOST_OUTSIDE:
        raise InvalidValueError(
            f"{share:.0%} of the frame, {width}×{height}, lie outside of the image that the homography lays over it, "
            f"more than {MOST_OUTSIDE:.0%}; give the map of the image to the frame, not back, and a crop, if any, that "
            "holds what the spikes see"
        )


def _warped(image: np.ndarray, to_frame: np.ndarray, height: int, width: int, *, covering: bool = False) -> np.ndarray:
    """An image as OpenCV warps it, on every processor alike: between its pixels, and beyond its rim the rim's; or, to
    see what it covers, its nearest pixels, and 0 beyond.
    """
    import cv2

    from spikesim_datasets.opencv import without_ipp

    longest = max(height, width, *image.shape[:2])
    if longest > _MOST_SIDE:
        raise InvalidValueError(
            f"OpenCV warps images of at most {_MOST_SIDE} pixels a side, got {longest}; crop the image, or scale it"
        )
    with without_ipp():
        by, border = (cv2.INTER_NEAREST, cv2.BORDER_CONSTANT) if covering else (cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        return cv2.warpPerspective(image, to_frame, (width, height), flags=by, borderMode=border)
