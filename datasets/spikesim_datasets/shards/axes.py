"""Axes of a sample's arrays, by the letters that fields are declared with.

| axis | what lies along it |
|---|---|
| `S` | sharp frames |
| `S-1` | steps from one sharp frame to the next |
| `T` | readouts of the spike stream |
| `H`, `W` | pixels of the images |
| `h`, `w` | spike pixels, each `ratio` pixels of the images wide and high |
| `w/8` | bytes that hold the bits of eight spike pixels |
| a number | so many values, such as the channels of an image |
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from spikesim.checks import require_mapping
from spikesim.errors import InvalidValueError
from spikesim_datasets.optics import SCALE

Letter = Literal["S", "S-1", "T", "H", "W", "h", "w", "w/8"]
Axis = Letter | int

Lengths = Mapping[Letter, int]
"""How long each axis of a sample is."""

Cuts = Mapping[Letter, slice]
"""Which part of a sample along its axes; an axis that is not in it is whole."""

WHOLE: Cuts = {}

# Cut for random crops: a 512² crop of blur with its 128² crop of spikes reads about half of a 720p sample.
_CHUNK: Lengths = {"S": 1, "S-1": 1, "H": 120, "W": 160, "h": 30, "w": 40, "w/8": 8}
_OF_SPIKES = "h", "w", "w/8"  # at the usual ratio

_VALUES_A_CHUNK = 1024


def axis_lengths(sharp: int, readouts: int, height: int, width: int, ratio: int) -> Lengths:
    """How long the axes are.

    Args:
        sharp: Number of sharp frames.
        readouts: Of the spike stream.
        height, width: Of the images in pixels.
        ratio: How many of them one of the spikes is wide and high.
    """
    return {
        "S": sharp,
        "S-1": max(sharp - 1, 0),
        "T": readouts,
        "H": height,
        "W": width,
        "h": height // ratio,
        "w": width // ratio,
        "w/8": -(-(width // ratio) // 8),
    }


def shape_of(axes: Sequence[Axis], lengths: Lengths) -> tuple[int, ...]:
    """The shape of one sample's array.

    Raises:
        InvalidValueError: The length of an axis is missing.
    """
    _require_lengths(axes, lengths)
    return tuple(axis if isinstance(axis, int) else lengths[axis] for axis in axes)


def chunk_of(axes: Sequence[Axis], lengths: Lengths) -> tuple[int, ...]:
    """The chunk of a shard's array, whose first axis are samples; a few numbers a sample share one.

    Raises:
        InvalidValueError: The length of an axis is missing.
    """
    _require_lengths([*axes, "H", "h"], lengths)
    numbers = [axis for axis in axes if isinstance(axis, int)]
    if len(numbers) == len(axes):
        values = 1
        for number in numbers:
            values *= number
        return max(1, _VALUES_A_CHUNK // values), *numbers
    ratio = lengths["H"] // max(1, lengths["h"])
    sides = (axis if isinstance(axis, int) else _side(axis, lengths[axis], ratio) for axis in axes)
    return 1, *sides


def _side(axis: Letter, length: int, ratio: int) -> int:
    """Of a chunk along an axis: of spikes, what belongs to the same part of the images."""
    wanted = _CHUNK.get(axis, length)
    if axis in _OF_SPIKES:
        wanted = wanted * SCALE // max(1, ratio)
    return max(1, min(length, wanted))


def _require_lengths(axes: Sequence[Axis], lengths: Lengths) -> None:
    require_mapping(lengths, "lengths", "numbers by axis")
    for axis in axes:
        if isinstance(axis, str) and axis not in lengths:
            raise InvalidValueError(f"lengths must hold that of the axis {axis}, got {dict(lengths)}; see axis_lengths")


def cuts_at(rows: slice, columns: slice, frames: slice, ratio: int) -> Cuts:
    """The cuts of one place that all fields show.

    Args:
        rows, columns: In spike pixels, with start and stop.
        frames: Which sharp frames, with start and stop; of the steps, those between them.
        ratio: How many pixels of the images one of the spikes is wide and high.
    """
    return {
        "S": frames,
        "S-1": slice(frames.start, max(frames.start, frames.stop - 1)),
        "H": slice(rows.start * ratio, rows.stop * ratio),
        "W": slice(columns.start * ratio, columns.stop * ratio),
        "h": rows,
        "w": columns,
    }
