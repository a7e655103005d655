"""Rigs of two cameras: how far pairs that they take may be misaligned, and what a clip or a sample has of it."""

import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

import numpy as np

from spikesim.brief import short, shortened
from spikesim.checks import require_choice, require_instance, require_number, require_path, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.input_files import require_file
from spikesim.randomness import make_key
from spikesim_datasets.alignment import MOST_OUTSIDE, Alignment
from spikesim_datasets.misalignment import IDENTITY, MOST_STEEPNESS, Matrix, Misalignment, share_past

Per = Literal["clip", "sample"]

SCHEMA = "spikesim.rig/1"
"""The first line of a file that describes a rig."""

_MOST_BYTES = 1 << 16
_EDGE_WIDTH = 1 / 8  # of the image's width: of the edge between far and near
_MOST_SHARE = MOST_STEEPNESS * _EDGE_WIDTH
_MOST_GAIN = 10.0
_MOST_OFFSET = 1 << 10  # readouts


@dataclass(frozen=True)
class Rig:
    """What is left between two cameras after they were set up: ranges that a `Misalignment` is drawn from, evenly.

    Lengths are shares of the image's width.

    Args:
        shift: Most that the spike camera looks to the side, and up or down, < 1/32.
        corners: Most that each corner of its image is out of place besides, to the side, and up or down, < 1/32: it is
            turned, scaled and tilted.
        parallax: Most that what is near lies to the side of what is far, ≤ 1/32.
        offset: Most readouts that its time is ahead of that of the colour camera, or behind.
        gain: Most that its light is times that of the colour camera, or the other way round; from 1 to 10, drawn evenly
            in the logarithm.
        homography: What is always there, before shift and corners: from pixels of the image to those of the spikes, as
            `Misalignment` has it.
        per: What has a misalignment of its own: each clip, as a rig that nobody touches, or each sample.

    Raises:
        InvalidValueError: A value is out of range.
    """

    shift: float = 0.0
    corners: float = 0.0
    parallax: float = 0.0
    offset: int = 0
    gain: float = 1.0
    homography: Matrix = IDENTITY
    per: Per = "clip"

    def __post_init__(self) -> None:
        for name in ("shift", "corners", "parallax"):
            share = require_number(getattr(self, name), name)
            if not 0 <= share <= _MOST_SHARE:
                raise InvalidValueError(
                    f"{name} is a share of the image's width from 0 to {_MOST_SHARE:g}, got {share:g}; 0.005 are "
                    "6.4 of 1280 pixels"
                )
            object.__setattr__(self, name, share)
        object.__setattr__(self, "offset", require_whole(self.offset, "offset", 0, _MOST_OFFSET, unit="readouts"))
        gain = require_number(self.gain, "gain")
        if not 1 <= gain <= _MOST_GAIN:
            raise InvalidValueError(
                f"gain is from 1 to {_MOST_GAIN:g}, drawn from 1/gain to gain, got {gain:g}; 1 leaves light as it is"
            )
        object.__setattr__(self, "gain", gain)
        object.__setattr__(self, "homography", Alignment(self.homography).homography)
        require_choice(self.per, "per", get_args(Per))

    @classmethod
    def of(cls, described: "Rig | str | os.PathLike[str] | Mapping[str, Any]") -> "Rig":
        """The rig that is meant.

        Args:
            described: A name of `RIGS`; a file for `load`; or what `record` gave.

        Raises:
            InvalidValueError: It is none of these, or a value is out of range.
            InputFileError: The file is missing or describes no rig.
        """
        if isinstance(described, Rig):
            return described
        if isinstance(described, Mapping):
            return cls(**_known(described, "a rig of this version"))
        if isinstance(described, str) and described in RIGS:
            return RIGS[described]
        path = require_path(described, "misalign")
        if path.suffix.lower() not in (".toml", ".txt"):
            raise InvalidValueError(
                f"a rig is {', '.join(RIGS)}, a .toml file that describes one, or a .txt file of a homography, got "
                f"{os.fspath(path)!r}"
            )
        return cls.load(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a rig.

        Args:
            path: A TOML file with `schema = "spikesim.rig/1"` and arguments of the class; or a homography, `.txt`, as
                `Alignment.load` reads it, and nothing but that.

        Returns:
            The rig.

        Raises:
            InvalidValueError: `path` is no path.
            InputFileError: The file is missing, or describes no rig.
        """
        path = require_path(path)
        if path.suffix.lower() == ".txt":
            return cls(homography=Alignment.load(path).homography)  # type: ignore[arg-type]
        if (size := require_file(path).st_size) > _MOST_BYTES:
            raise InputFileError(f"{path} has {size} bytes, more than a file of a rig")
        try:
            described = tomllib.loads(path.read_bytes().decode("utf-8"))
            if (schema := described.pop("schema", None)) != SCHEMA:
                raise InvalidValueError(f'its first line must be schema = "{SCHEMA}", here it is {short(schema)}')
            return cls(**_known(described, "a file of a rig"))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise InputFileError(
                f"{path} describes no rig ({shortened(str(error))}); write lines as shift = 0.005 and offset = 2"
            ) from error

    def record(self) -> dict[str, Any]:
        """What a recipe says of it, as JSON values."""
        return {**asdict(self), "homography": [list(row) for row in self.homography]}

    def check(self, height: int, width: int, clip: str) -> None:
        """Refuse, before any work, images of which a spike camera of this rig may miss too much.

        Args:
            height, width: Of the image, pixels.
            clip: What it is of, for the message.

        Raises:
            InvalidValueError: More than `alignment.MOST_OUTSIDE` of the spike camera may look past it, or the horizon
                of the homography lies in it.
        """
        height, width = (require_whole(number, "a size", 1) for number in (height, width))
        require_instance(clip, "clip", str)
        aside = self.shift + self.corners
        always = share_past(self.homography, height, width)
        past = 1 - (1 - always) * max(0, 1 - aside - self.parallax) * max(0, 1 - aside * width / height)
        if past > MOST_OUTSIDE:
            raise InvalidValueError(
                f"{past:.0%} of the spike camera of this rig may look past the image of {clip}, {width}×{height}, more "
                f"than {MOST_OUTSIDE:.0%}, and {always:.0%} by its homography alone; take a homography nearer to the "
                "identity, or smaller shares"
            )

    def draw(self, clip: str, window: int, seed: int, height: int, width: int) -> Misalignment:
        """The misalignment of a sample.

        Args:
            clip: Key of its clip.
            window: Number of its exposure, which matters where each sample has its own.
            seed: Of all that is random.
            height, width: Of its image, pixels.

        Raises:
            InvalidValueError: The clip is no text, or another argument no whole number of at least 0.
        """
        require_instance(clip, "clip", str)
        window, height, width = (require_whole(number, "a number", 0) for number in (window, height, width))
        name = f"misalignment/{clip}" + (f"/{window}" if self.per == "sample" else "")
        rng = np.random.default_rng(make_key(seed, name))
        shift = rng.uniform(-1, 1, 2) * self.shift * width
        corners = rng.uniform(-1, 1, (4, 2)) * self.corners * width
        parallax, edge_x, edge_y, angle, light = rng.uniform(-1, 1, 5).tolist()
        return Misalignment(
            _product(_moved_corners((shift + corners).tolist(), height, width), self.homography),
            parallax * self.parallax * width,
            (width - 1) / 2 + edge_x * width / 4,
            (height - 1) / 2 + edge_y * height / 4,
            angle * math.pi,
            _EDGE_WIDTH * width,
            int(rng.integers(-self.offset, self.offset, endpoint=True)),
            round(self.gain**light, 9),  # the last bits are others on other processors
        )


RIGS: dict[str, Rig] = {
    # A beam splitter: one view, set up by hand to some pixels, shutters that are triggered together.
    "beam-splitter": Rig(shift=0.005, corners=0.0025, offset=2, gain=1.25),
    # Two cameras beside each other, rectified: what is near is seen from elsewhere, and clocks run free.
    "binocular": Rig(shift=0.01, corners=0.0025, parallax=0.0075, offset=8, gain=1.25),
}
"""Rigs by name."""


def _known(described: Mapping[str, Any], what: str) -> dict[str, Any]:
    """The arguments that something says, all of which a rig has."""
    names = [field.name for field in fields(Rig)]
    if unknown := described.keys() - {*names}:
        raise InvalidValueError(
            f"{what} has no {', '.join(map(short, sorted(map(str, unknown))))}; it has {', '.join(names)}"
        )
    return dict(described)


def _moved_corners(moves: list[list[float]], height: int, width: int) -> Matrix:
    """The homography that moves the corners of an image, from the left top one clockwise.

    Source:
        Heckbert, "Fundamentals of Texture Mapping and Image Warping", 1989, section 2.2.3: squares to quadrilaterals.
    """
    right, bottom = max(1, width - 1), max(1, height - 1)
    corners = ((0, 0), (right, 0), (right, bottom), (0, bottom))
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (
        (x + across, y + down) for (x, y), (across, down) in zip(corners, moves, strict=True)
    )
    xs, ys = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    area = (x1 - x2) * (y3 - y2) - (x3 - x2) * (y1 - y2)
    g, h = (xs * (y3 - y2) - (x3 - x2) * ys) / area, ((x1 - x2) * ys - xs * (y1 - y2)) / area
    rows = ((x1 - x0 + g * x1, x3 - x0 + h * x3, x0), (y1 - y0 + g * y1, y3 - y0 + h * y3, y0), (g, h, 1.0))
    return tuple((a / right, b / bottom, c) for a, b, c in rows)


def _product(first: Matrix, second: Matrix) -> Matrix:
    return tuple(tuple(sum(row[k] * second[k][j] for k in range(3)) for j in range(3)) for row in first)
