"""Reading samples in whole or in part: what a shard and a clip of the released layout have in common."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np

from spikesim import SpikeCamera, SpikeStream
from spikesim.brief import brief_object
from spikesim.checks import require_instance, require_mapping, require_number, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.keys import Keyed
from spikesim_datasets.misalignment import Misalignment
from spikesim_datasets.optics import Optics, Ratio
from spikesim_datasets.remote.url import Place
from spikesim_datasets.shards.axes import WHOLE, Cuts
from spikesim_datasets.shards.field import Field
from spikesim_datasets.shards.fields import BLUR, FIELDS, MISALIGNMENT, SHARP, SPIKES
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.shards.schema import threshold_name


class SampleReader(Keyed, ABC):
    """Samples of one clip.

    Attributes:
        path: Where they lie.
        split, name: Of the clip.
        exposure: (start, stop) of the exposure in the streams.
        recipe: How they were made, as JSON values.
        cameras: Camera by threshold, ascending; None where it is not known.
        windows, first_frames: Window and first raw frame of every sample.
        sharp_readouts: Readouts of the stream at which the ground truth lies, (S,).
        extra: Optional fields that every sample has.
    """

    path: Place
    exposure: tuple[int, int]
    recipe: dict[str, Any]
    cameras: dict[float, SpikeCamera | None]
    windows: tuple[int, ...]
    first_frames: tuple[int, ...]
    sharp_readouts: tuple[int, ...]
    extra: tuple[str, ...]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """(H, W) of the blurry images and the readouts T of the streams, as (T, H, W)."""

    @property
    @abstractmethod
    def ratio(self) -> Ratio:
        """How many pixels of the images one of the spikes is wide and high."""

    @property
    def optics(self) -> Optics:
        """How light came to its sensors; where its recipe does not say, as in the release.

        Raises:
            InvalidValueError: The recipe says what is none.
        """
        return replace(Optics.of_choices(self.recipe.get("choices", {})), ratio=self.ratio)

    @abstractmethod
    def _load(self, field: Field, number: int, cuts: Cuts, v_th: float | None) -> np.ndarray:
        """Part of a field of a sample that exists, to be changed; of spikes, the bytes for a threshold."""

    @abstractmethod
    def close(self) -> None:
        """Reading afterwards is an error."""

    def __len__(self) -> int:
        return len(self.windows)

    def __repr__(self) -> str:
        described = {"path": self.path, "key": self.key, "samples": len(self), "thresholds": tuple(self.cameras)}
        return brief_object(self, described)

    def sample(self, number: int) -> Sample:
        """A whole sample.

        Args:
            number: Of the sample, from 0.

        Raises:
            InvalidValueError: There is no such sample.
            InputFileError: The data are missing, damaged, or do not fit together.
        """
        number = self._require(number)
        return Sample(
            self.split,
            self.name,
            self.windows[number],
            self.first_frames[number],
            self.exposure,
            self.blur(number),
            self.sharp(number),
            self.sharp_readouts,
            {v_th: self.spikes(number, v_th) for v_th in self.cameras},
            {name: self.array(name, number) for name in self.extra},
        )

    def blur(self, sample: int, rows: slice = slice(None), columns: slice = slice(None)) -> np.ndarray:
        """The blurry image of a sample, or a crop of it, RGB uint8 (H, W, 3).

        Args:
            sample: Its number, from 0.
            rows, columns: Of the image, pixels; all where they are not given.

        Raises:
            InvalidValueError: There is no such sample.
            InputFileError: The data are missing or damaged.
        """
        return self._read(BLUR, sample, {"H": rows, "W": columns})

    def sharp(
        self, sample: int, rows: slice = slice(None), columns: slice = slice(None), frames: slice = slice(None)
    ) -> np.ndarray:
        """The ground truth of a sample, or some frames or a crop of it, RGB uint8 (S, H, W, 3).

        Args:
            sample: Its number, from 0.
            rows, columns: Of the images, pixels; all where they are not given.
            frames: Which of the S frames; all where they are not given.

        Raises:
            InvalidValueError: There is no such sample.
            InputFileError: The data are missing or damaged.
        """
        return self._read(SHARP, sample, {"S": frames, "H": rows, "W": columns})

    def misalignment(self, sample: int) -> Misalignment | None:
        """What lies between the cameras of a sample; None where nothing does.

        Args:
            sample: Its number, from 0.

        Raises:
            InvalidValueError: There is no such sample.
            InputFileError: The data are missing or damaged.
        """
        if MISALIGNMENT.name not in self.extra:
            return None
        values = self.array(MISALIGNMENT.name, sample)
        try:
            return Misalignment.of_values(values)
        except InvalidValueError as error:
            raise InputFileError(f"{self.path}: the misalignment of sample {sample} is none: {error}") from error

    def spikes(
        self, sample: int, v_th: float | None = None, rows: slice = slice(None), columns: slice = slice(None)
    ) -> SpikeStream:
        """The spikes of a sample, or a crop of them.

        Args:
            sample: Which sample.
            v_th: Which threshold; None where there is only one.
            rows, columns: Crop in spike pixels, not empty; columns begin at a multiple of 8.

        Raises:
            InvalidValueError: There is no such sample or threshold, the threshold is to be chosen from several, or the
                crop is not as above.
            InputFileError: The data are missing or damaged.
        """
        v_th = self.threshold(v_th)
        start, stop, step = require_instance(columns, "columns", slice).indices(self.shape[2] // self.ratio)
        if start % 8 or stop <= start or step != 1:
            raise InvalidValueError(f"a crop of spikes is of columns from a multiple of 8 on, got {columns}")
        packed = self._read(SPIKES, sample, {"h": rows, "w/8": slice(start // 8, -(-stop // 8))}, v_th)
        if stop % 8:
            packed[..., -1] &= (1 << stop % 8) - 1
        return SpikeStream(packed, stop - start, self.cameras[v_th])

    def array(self, name: str, sample: int, cuts: Cuts = WHOLE) -> np.ndarray:
        """Images or an optional field of a sample, or part of them, of the axes and shape that `fields` declares.

        Args:
            name: Of the field.
            sample: Which sample.
            cuts: Which part; see `axes.cuts_at`.

        Raises:
            InvalidValueError: There is no such sample or field.
            InputFileError: The data are missing or damaged.
        """
        field = FIELDS.get(require_instance(name, "name", str))
        if field is None or field.file in (None, "dat") or (field.optional and name not in self.extra):
            raise InvalidValueError(
                f"{self.path} has no array {name!r}; beside blur, sharp and spikes it has "
                f"{', '.join(self.extra) or 'nothing'}"
            )
        return self._read(field, sample, cuts)

    def threshold(self, v_th: float | None) -> float:
        """The threshold meant: the one given, or the only one there is.

        Args:
            v_th: A threshold, or None for the only one.

        Raises:
            InvalidValueError: It is missing, or is to be chosen from several.
        """
        available = ", ".join(map(threshold_name, self.cameras))
        if v_th is None:
            if len(self.cameras) > 1:
                raise InvalidValueError(f"{self.path} has spikes of the thresholds {available}; say which")
            return next(iter(self.cameras))
        v_th = require_number(v_th, "v_th")
        if v_th not in self.cameras:
            raise InvalidValueError(
                f"{self.path} has no spikes of threshold {threshold_name(v_th)}; it has {available}"
            )
        return v_th

    def _read(self, field: Field, sample: int, cuts: Cuts, v_th: float | None = None) -> np.ndarray:
        for axis, part in require_mapping(cuts, "cuts", "slices by axis").items():
            require_instance(part, f"the part along {axis}", slice)
        return self._load(field, self._require(sample), cuts, v_th)

    def _require(self, sample: int) -> int:
        number = require_whole(sample, "sample")
        if not 0 <= number < len(self):
            raise InvalidValueError(f"{self.path} has samples 0..{len(self) - 1}, not {number}")
        return number
