"""Reading a shard."""

import json
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import hdf5plugin
import numpy as np

from spikesim import SpikeStream
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.formats.decoding import camera_from_json, reading
from spikesim_datasets.optics import SCALE
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.sample import Sample, crop_columns
from spikesim_datasets.shards.schema import (
    BLUR,
    FIRST_FRAME,
    SCHEMA,
    SHARP,
    SPIKES,
    WINDOW,
    spikes_path,
    threshold_name,
)
from spikesim_datasets.shards.writer import Compression


class ShardReader:
    """A shard, checked on opening; arrays are read when asked for. A context manager.

    Args:
        path: The file.

    Raises:
        InputFileError: The file is missing, no HDF5, of another schema, or its parts do not fit together.

    Attributes:
        key, split: Of the clip.
        exposure: (start, stop) of the exposure in the streams.
        recipe: How it was made, as JSON values.
        cameras: Camera by threshold, ascending; None where it is not known.
        windows, first_frames: Window and first raw frame of every sample.
        sharp_readouts: Readouts of the stream at which the ground truth lies, (S,).
        diagnostics: What was noted of the clip when the shard was made.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise InputFileError(f"{self.path} does not exist")
        with reading(self.path), ExitStack() as stack:
            # One open file serves one process; no lock is needed to read what is never written in place. Chunks are not
            # kept: crops at random seldom come back to one, and training keeps many shards open.
            self._file = stack.enter_context(h5py.File(self.path, "r", locking=False, rdcc_nbytes=0))
            self._check()
            stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; reading afterwards is an error."""
        self._file.close()

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W) of the blurry images and the readouts T of the streams, as (T, H, W)."""
        return self._shape

    @property
    def compression(self) -> Compression:
        """Filter of the images, by the name a recipe gives it."""
        filters = self._arrays[BLUR]._filters
        return "gzip" if "gzip" in filters else "zstd" if str(hdf5plugin.Zstd.filter_id) in filters else "none"

    def sample(self, number: int) -> Sample:
        """A whole sample.

        Raises:
            InvalidValueError: There is no such sample.
            InputFileError: The data are damaged.
        """
        self._require(number)
        return Sample(
            self.key,
            self.windows[number],
            self.first_frames[number],
            self.exposure,
            self.blur(number),
            self.sharp(number),
            self.sharp_readouts,
            {v_th: self.spikes(number, v_th) for v_th in self.cameras},
        )

    def blur(self, sample: int, rows: slice = slice(None), columns: slice = slice(None)) -> np.ndarray:
        """The blurry image of a sample, or a crop of it, RGB uint8 (H, W, 3).

        Raises:
            InvalidValueError: There is no such sample.
            InputFileError: The data are damaged.
        """
        return self._read(BLUR, (sample, rows, columns))

    def sharp(
        self, sample: int, rows: slice = slice(None), columns: slice = slice(None), frames: slice = slice(None)
    ) -> np.ndarray:
        """The ground truth of a sample, or some frames or a crop of it, RGB uint8 (S, H, W, 3).

        Raises:
            InvalidValueError: There is no such sample.
            InputFileError: The data are damaged.
        """
        return self._read(SHARP, (sample, frames, rows, columns))

    def spikes(
        self, sample: int, v_th: float | None = None, rows: slice = slice(None), columns: slice = slice(None)
    ) -> SpikeStream:
        """The spikes of a sample, or a crop of them.

        Args:
            sample: Which sample.
            v_th: Which threshold; None where there is only one.
            rows, columns: Crop in spike pixels, not empty; columns begin at a multiple of 8.

        Raises:
            InvalidValueError: The sample or the threshold is not there, the threshold is to be chosen from several, or
                the crop is not as above.
            InputFileError: The data are damaged.
        """
        v_th = self.threshold(v_th)
        return crop_columns(
            lambda bytes_: self._read(spikes_path(v_th), (sample, slice(None), rows, bytes_)),
            columns,
            self.shape[2] // SCALE,
            self.cameras[v_th],
        )

    def threshold(self, v_th: float | None) -> float:
        """The threshold meant: the one given, or the only one there is.

        Raises:
            InvalidValueError: It is not there, or is to be chosen from several.
        """
        there = ", ".join(map(threshold_name, self.cameras))
        if v_th is None:
            if len(self.cameras) > 1:
                raise InvalidValueError(f"{self.path} has spikes of the thresholds {there}; say which")
            return next(iter(self.cameras))
        if v_th not in self.cameras:
            raise InvalidValueError(f"{self.path} has no spikes of threshold {threshold_name(v_th)}; it has {there}")
        return v_th

    def _read(self, name: str, selection: tuple[Any, ...]) -> np.ndarray:
        self._require(selection[0])
        try:
            array: np.ndarray = self._arrays[name][selection]
        except OSError as error:
            raise InputFileError(
                f"{self.path}: {name} of sample {selection[0]} is damaged ({error}); build the shard again"
            ) from error
        return array

    def _require(self, sample: int) -> None:
        if not 0 <= sample < len(self):
            raise InvalidValueError(f"{self.path} has samples 0..{len(self) - 1}, not {sample}")

    def _check(self) -> None:
        file = self._file
        if file.attrs.get("schema") != SCHEMA:
            raise InvalidValueError(
                f"it has the schema {file.attrs.get('schema')!r}, expected {SCHEMA!r}; is it a shard, of this version?"
            )
        self.key, self.split = str(file.attrs["key"]), str(file.attrs["split"])
        self.recipe: dict[str, Any] = json.loads(file.attrs["recipe"])
        start, stop = map(int, file.attrs["exposure"])
        self.exposure = (start, stop)
        self.cameras = {
            float(spikes.attrs["v_th"]): camera_from_json(spikes.attrs["camera"])
            for spikes in sorted(file[SPIKES].values(), key=lambda spikes: float(spikes.attrs["v_th"]))
        }
        if not self.cameras:
            raise InvalidValueError("it holds no spikes")
        # Looked up once: by name it takes as long as reading a small crop.
        streams = [spikes_path(v_th) for v_th in self.cameras]
        self._arrays = {name: file[name] for name in (BLUR, SHARP, WINDOW, FIRST_FRAME, *streams)}
        self._shape = (self._arrays[streams[0]].shape[1], *self._arrays[BLUR].shape[1:3])
        self.sharp_readouts = tuple(map(int, self._arrays[SHARP].attrs["readouts"]))
        self.diagnostics = Diagnostics(
            *(list(map(int, file.attrs.get(field.name, ()))) for field in fields(Diagnostics))
        )
        self.windows = tuple(map(int, self._arrays[WINDOW][:]))
        self.first_frames = tuple(map(int, self._arrays[FIRST_FRAME][:]))
        for name in streams:
            width = int(self._arrays[name].attrs["width"])
            if width != self.shape[2] // SCALE:
                raise InvalidValueError(
                    f"its /{name} is {width} wide, a quarter of the blur is {self.shape[2] // SCALE}"
                )
        for name, shape in self._shapes().items():
            found = self._arrays[name].shape
            if found != shape:
                raise InvalidValueError(f"its /{name} has the shape {found}, but {shape} belongs to the rest of it")

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape that each part must have beside the others; spikes have a quarter of the blur's size."""
        samples, height, width, _ = self._arrays[BLUR].shape
        readouts = max(self.shape[0], self.exposure[1])
        return {
            BLUR: (samples, height, width, 3),
            SHARP: (samples, len(self.sharp_readouts), height, width, 3),
            WINDOW: (samples,),
            FIRST_FRAME: (samples,),
            **{
                spikes_path(v_th): (samples, readouts, height // SCALE, -(-(width // SCALE) // 8))
                for v_th in self.cameras
            },
        }
