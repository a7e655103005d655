"""What a field of a sample is: one array with axes and a type, and how it is stored, cropped and mirrored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Literal, cast, get_args

import numpy as np

from spikesim import SpikeStream
from spikesim.checks import (
    require_choice,
    require_flag,
    require_instance,
    require_list,
    require_mapping,
    require_number,
    require_whole,
)
from spikesim.errors import InvalidValueError
from spikesim.formats.decoding import camera_to_json
from spikesim_datasets.shards.axes import Axis, Cuts, Lengths, Letter, chunk_of, shape_of
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.shards.schema import threshold_name

FileKind = Literal["png", "dat", "npy"]

_TURNS: tuple[tuple[Letter, Letter], ...] = (("H", "W"), ("h", "w"))
"""Axes that are exchanged where rows become columns."""


@dataclass(frozen=True, eq=False)
class Field:
    """One array of every sample.

    Args:
        name: Of the array in a shard, of `Sample.extra` and of a training item.
        axes: Of one sample's array, see `axes`.
        dtype: Of its values, as numpy names it.
        optional: Whether a shard may be without it. What is added later always is: older shards have none.
        filtered: Whether a shard compresses it.
        file: How a folder layout holds it: as images `png`, one for each sharp frame if it has the axis `S`; as spikes
            `dat`; as an array `npy`; None not at all, because it follows from the files' names.
        mirror_signs: Factors of the values along the last axis, for vectors that a mirror turns round: with `{"W": (-1,
            1)}` the first of two changes its sign when left and right are exchanged. `H` is top and bottom.

    Raises:
        InvalidValueError: These do not go together.
    """

    name: str
    axes: tuple[Axis, ...]
    dtype: str
    optional: bool = True
    filtered: bool = True
    file: FileKind | None = "npy"
    mirror_signs: Mapping[Letter, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not require_instance(self.name, "name of a field", str).isidentifier():
            raise InvalidValueError(f"a field is named as a variable of Python is, got {self.name!r}")
        axes = require_list(self.axes, f"the axes of {self.name}", "letters and numbers")
        object.__setattr__(self, "axes", tuple(self._axis(axis) for axis in axes))
        for name in ("optional", "filtered"):
            object.__setattr__(self, name, require_flag(getattr(self, name), f"{name} of {self.name}"))
        if self.file is not None:
            require_choice(self.file, f"file of {self.name}", get_args(FileKind))
        require_mapping(self.mirror_signs, f"mirror_signs of {self.name}", "factors by axis")
        if not isinstance(self.dtype, str) or self.dtype not in np.sctypeDict or np.dtype(self.dtype).kind not in "iuf":
            raise InvalidValueError(
                f"the dtype of {self.name} must be a number type of numpy by name, got {self.dtype!r}"
            )
        image = self.dtype == "uint8" and self.axes in (("H", "W", 3), ("S", "H", "W", 3))
        if self.is_image and not image:
            raise InvalidValueError(
                f"images are uint8 (H, W, 3) or (S, H, W, 3), but {self.name} is {self.dtype} {self.axes}"
            )
        if self.optional and self.file not in ("png", "npy"):
            raise InvalidValueError(
                f"{self.name}, which is optional, must lie in layouts as png or npy, not {self.file!r}"
            )
        for axis, signs in self.mirror_signs.items():
            require_choice(axis, f"mirror_signs of {self.name}", ("H", "W"))
            if not self.axes or self.axes[-1] != len(signs):
                raise InvalidValueError(
                    f"{self.name} has the axes {self.axes}, but {len(signs)} mirror_signs of the last"
                )

    def _axis(self, axis: Any) -> Axis:
        if isinstance(axis, str) and axis in get_args(Letter):
            return cast(Letter, axis)
        if isinstance(axis, int | np.integer) and not isinstance(axis, bool) and axis > 0:
            return int(axis)
        raise InvalidValueError(
            f"the axes of {self.name} must be {', '.join(get_args(Letter))} or a number of values, got {self.axes}"
        )

    @property
    def folder(self) -> str:
        """Where a layout holds its files."""
        return f"{self.name}_data"

    @property
    def is_image(self) -> bool:
        """Whether its values are those of coded RGB images."""
        return self.file == "png"

    @property
    def has_channels(self) -> bool:
        """Whether several values lie at each pixel."""
        return len(self.axes) > 2 and isinstance(self.axes[-1], int) and self.axes[-2] in ("W", "w")

    def nbytes(self, lengths: Lengths) -> int:
        """Size of one sample's array, not compressed.

        Args:
            lengths: Of the axes that are letters.

        Raises:
            InvalidValueError: They are no mapping, or one is missing.
        """
        return prod(self.shape(lengths)) * np.dtype(self.dtype).itemsize

    def shape(self, lengths: Lengths) -> tuple[int, ...]:
        """Shape of one sample's array.

        Args:
            lengths: Of the axes that are letters.

        Raises:
            InvalidValueError: They are no mapping, or one is missing.
        """
        return shape_of(self.axes, lengths)

    def chunk(self, lengths: Lengths) -> tuple[int, ...]:
        """Chunk of a shard's array, whose first axis are samples.

        Args:
            lengths: Of the axes that are letters.

        Raises:
            InvalidValueError: They are no mapping, or one is missing.
        """
        return chunk_of(self.axes, lengths)

    def paths(self, thresholds: Iterable[float]) -> list[str]:
        """Where a shard with these thresholds holds it.

        Args:
            thresholds: Those of the shard's streams.

        Raises:
            InvalidValueError: They are no numbers.
        """
        return [self.name]

    def stored(self, sample: Sample) -> dict[str, np.ndarray]:
        """What a shard holds of a sample, arrays of the declared shape by path; nothing if the sample is without it.

        Args:
            sample: The sample.

        Raises:
            InvalidValueError: It is no `Sample`.
        """
        require_instance(sample, "sample", Sample)
        if self.optional:
            return {self.name: sample.extra[self.name]} if self.name in sample.extra else {}
        value = getattr(sample, self.name)
        return {self.name: value if self.axes else np.array(value, self.dtype)}  # a plain number

    def attributes(self, sample: Sample) -> dict[str, dict[str, Any]]:
        """What a shard says of it, by path.

        Args:
            sample: The sample.

        Raises:
            InvalidValueError: It is no `Sample`.
        """
        require_instance(sample, "sample", Sample)
        return {self.name: {"readouts": np.array(sample.sharp_readouts, np.int32)} if "S" in self.axes else {}}

    def check(self, sample: Sample, lengths: Lengths) -> None:
        """Check what a sample has of it.

        Args:
            sample: The sample.
            lengths: Of the axes that are letters.

        Raises:
            InvalidValueError: It is of another shape or type than declared.
        """
        expected = np.dtype(self.dtype), self.shape(lengths)
        for path, array in self.stored(sample).items():
            if (array.dtype, array.shape) != expected:
                raise InvalidValueError(
                    f"{path} of {sample.key} is {array.dtype} {array.shape}, beside a blur of "
                    f"{lengths['H']}×{lengths['W']} {expected[0]} {expected[1]} fits"
                )

    def check_stored(self, path: str, array: Any, samples: int, lengths: Lengths) -> None:
        """Check what a shard has of it.

        Args:
            path: In the shard.
            array: HDF5 dataset.
            samples: Of the shard.
            lengths: Of its samples' axes.

        Raises:
            InvalidValueError: It is of another shape or type than declared.
        """
        if not hasattr(array, "shape") or not hasattr(array, "dtype"):
            raise InvalidValueError(f"array of /{path} must be an HDF5 dataset, got {type(array).__name__}")
        expected = (require_whole(samples, "samples", 0), *self.shape(lengths))
        if array.shape != expected:
            raise InvalidValueError(
                f"its /{path} has the shape {array.shape}, but {expected} belongs to the rest of it"
            )
        if array.dtype != self.dtype:
            raise InvalidValueError(f"its /{path} is {array.dtype}, expected {self.dtype}")

    def cut(self, cuts: Cuts) -> tuple[slice, ...]:
        """What to take of one sample's array.

        Args:
            cuts: What to take of the axes that are letters; all of those that are missing.

        Raises:
            InvalidValueError: They are no mapping.
        """
        require_mapping(cuts, "cuts", "slices by axis")
        return tuple(slice(None) if isinstance(axis, int) else cuts.get(axis, slice(None)) for axis in self.axes)

    @property
    def turnable(self) -> bool:
        """Whether rows and columns can be exchanged: it has both or none of them, and of the values that one mirror
        turns round as many as the other does."""
        both = all((one in self.axes) == (other in self.axes) for one, other in _TURNS)
        down, across = self._turned_round
        return both and len(down) == len(across)

    @property
    def _turned_round(self) -> tuple[list[int], list[int]]:
        """Which values of the last axis only top and bottom, and only left and right, turn round."""
        signs = [self.mirror_signs.get(axis, ()) for axis in ("H", "W")]
        down, across = ({number for number, sign in enumerate(each) if sign < 0} for each in signs)
        return sorted(down - across), sorted(across - down)

    def turned(self, value: Any) -> Any:
        """What would have been stored of the scene with rows and columns exchanged, as its transpose shows it; may be
        a view.

        Args:
            value: Array of one sample, or a crop of it; the field must be `turnable`.

        Raises:
            InvalidValueError: The array has not the axes of the field.
        """
        self._check_axes(value)
        for pair in _TURNS:
            if pair[0] in self.axes:
                value = value.swapaxes(*map(self.axes.index, pair))
        down, across = self._turned_round
        if down:
            order = np.arange(value.shape[-1])
            order[down], order[across] = across, down
            value = value[..., order]
        return value

    def _check_axes(self, value: Any) -> None:
        if not isinstance(value, np.ndarray) or value.ndim != len(self.axes):
            raise InvalidValueError(f"value must be an array of the axes {self.axes}, got {type(value).__name__}")

    def mirrored(self, value: Any, down: bool, across: bool) -> Any:
        """What would have been stored of the mirror image of the scene; may be a view.

        Args:
            value: Array of one sample, or a crop of it.
            down: Exchange top and bottom.
            across: Exchange left and right.

        Raises:
            InvalidValueError: The array has not the axes of the field, or a direction is no flag.
        """
        down, across = require_flag(down, "down"), require_flag(across, "across")
        self._check_axes(value)
        turned: dict[Axis, bool] = {"H": down, "h": down, "W": across, "w": across}
        value = value[tuple(slice(None, None, -1 if turned.get(axis) else None) for axis in self.axes)]
        for axis, signs in self.mirror_signs.items():
            if turned[axis]:
                value = value * np.array(signs, value.dtype)
        return value


class SpikeField(Field):
    """Spikes: an array for each threshold, eight pixels to a byte, and a stream in a sample.

    Args:
        name, axes, dtype, optional, filtered, file, mirror_signs: As for `Field`.

    Raises:
        InvalidValueError: As for `Field`.
    """

    @property
    def folder(self) -> str:
        return "spike_data"

    def paths(self, thresholds: Iterable[float]) -> list[str]:
        listed = require_list(thresholds, "thresholds", "numbers")
        return [f"{self.name}/vth_{threshold_name(require_number(v_th, 'each of thresholds'))}" for v_th in listed]

    def stored(self, sample: Sample) -> dict[str, np.ndarray]:
        streams = require_instance(sample, "sample", Sample).spikes
        return {path: stream.packed for path, stream in zip(self.paths(streams), streams.values(), strict=True)}

    def attributes(self, sample: Sample) -> dict[str, dict[str, Any]]:
        require_instance(sample, "sample", Sample)
        return {
            path: {"width": stream.width, "v_th": v_th, "camera": camera_to_json(stream.camera)}
            for path, (v_th, stream) in zip(self.paths(sample.spikes), sample.spikes.items(), strict=True)
        }

    def check(self, sample: Sample, lengths: Lengths) -> None:
        super().check(sample, lengths)
        for v_th, stream in sample.spikes.items():
            if stream.width != lengths["w"]:
                raise InvalidValueError(
                    f"spikes of threshold {threshold_name(v_th)} of {sample.key} are {stream.width} wide, beside a "
                    f"blur of {lengths['H']}×{lengths['W']} {lengths['w']} fits"
                )

    def check_stored(self, path: str, array: Any, samples: int, lengths: Lengths) -> None:
        attributes = getattr(array, "attrs", {})
        if (said := attributes.get("width")) is None:
            raise InvalidValueError(f"array of /{path} must be an HDF5 dataset that says its width")
        width = int(said)
        self.shape(lengths)  # refuses lengths that are none
        if width != lengths["w"]:
            raise InvalidValueError(f"its /{path} is {width} wide, but {lengths['w']} belongs to its blur")
        super().check_stored(path, array, samples, lengths)

    def mirrored(self, value: SpikeStream, down: bool, across: bool) -> SpikeStream:
        require_instance(value, "value", SpikeStream)
        down, across = require_flag(down, "down"), require_flag(across, "across")
        stream = replace(value, packed=value.packed[:, ::-1]) if down else value
        return stream.mirrored() if across else stream

    @property
    def turnable(self) -> bool:
        return True

    def turned(self, value: SpikeStream) -> SpikeStream:
        require_instance(value, "value", SpikeStream)
        return SpikeStream.from_dense(value.dense().swapaxes(1, 2), value.camera)
