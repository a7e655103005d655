"""Reading a shard."""

import json
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import hdf5plugin
import numpy as np

from spikesim import SpikeStream
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.formats.contents import camera_from_json
from spikesim_datasets.light import SCALE
from spikesim_datasets.shards.sample import Sample
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
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        try:
            # One open file serves one process; no lock is needed to read what is never written in place.
            self._file = h5py.File(self.path, "r", locking=False)
        except OSError as error:
            what = "does not exist" if not self.path.exists() else f"is no readable HDF5 file ({error})"
            raise InputFileError(f"{self.path} {what}") from error
        try:
            self._check()
        except KeyError as error:
            self.close()
            raise InputFileError(f"{self.path} is no whole shard: {error.args[0]}") from error
        except InputFileError:
            self.close()
            raise

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
        height, width = self._file[BLUR].shape[1:3]
        return self._file[spikes_path(next(iter(self.cameras)))].shape[1], height, width

    @property
    def compression(self) -> str:
        """Filter of the images, by the name a recipe gives it."""
        filters = self._file[BLUR]._filters
        return "gzip" if "gzip" in filters else "zstd" if str(hdf5plugin.Zstd.filter_id) in filters else "none"

    def sample(self, number: int) -> Sample:
        """A whole sample."""
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
        """The blurry image of a sample, or a crop of it, RGB uint8 (H, W, 3)."""
        return self._read(BLUR, (sample, rows, columns))

    def sharp(
        self, sample: int, rows: slice = slice(None), columns: slice = slice(None), frames: slice = slice(None)
    ) -> np.ndarray:
        """The ground truth of a sample, or some frames or a crop of it, RGB uint8 (S, H, W, 3)."""
        return self._read(SHARP, (sample, frames, rows, columns))

    def spikes(
        self, sample: int, v_th: float | None = None, rows: slice = slice(None), columns: slice = slice(None)
    ) -> SpikeStream:
        """The spikes of a sample, or a crop of them.

        Args:
            sample: Which sample.
            v_th: Which threshold; None where there is only one.
            rows, columns: Crop in spike pixels; columns begin at a multiple of 8.

        Raises:
            InvalidValueError: The threshold is not there, or is to be chosen from several.
            InputFileError: The data are damaged.
        """
        v_th = self.threshold(v_th)
        dataset = self._file[spikes_path(v_th)]
        start, stop, _ = columns.indices(int(dataset.attrs["width"]))
        if start % 8:
            raise InvalidValueError(f"crops of spikes begin at a multiple of 8 columns, got {start}")
        packed = self._read(spikes_path(v_th), (sample, slice(None), rows, slice(start // 8, -(-stop // 8))))
        if stop % 8:
            packed[..., -1] &= (1 << stop % 8) - 1
        return SpikeStream(packed, stop - start, self.cameras[v_th])

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

    @cached_property
    def recipe(self) -> dict[str, Any]:
        recipe: dict[str, Any] = json.loads(self._file.attrs["recipe"])
        return recipe

    def _read(self, name: str, selection: tuple[Any, ...]) -> np.ndarray:
        if not 0 <= selection[0] < len(self):
            raise InvalidValueError(f"{self.path} has samples 0..{len(self) - 1}, not {selection[0]}")
        try:
            array: np.ndarray = self._file[name][selection]
        except OSError as error:
            raise InputFileError(
                f"{self.path}: {name} of sample {selection[0]} is damaged ({error}); build the shard again"
            ) from error
        return array

    def _check(self) -> None:
        file = self._file
        if file.attrs.get("schema") != SCHEMA:
            raise InputFileError(
                f"{self.path} has the schema {file.attrs.get('schema')!r}, expected {SCHEMA!r}; is it "
                "a shard, of this version?"
            )
        self.key, self.split = str(file.attrs["key"]), str(file.attrs["split"])
        start, stop = file.attrs["exposure"]
        self.exposure = (int(start), int(stop))
        self.sharp_readouts = tuple(int(readout) for readout in file[SHARP].attrs["readouts"])
        self.cameras = {
            float(spikes.attrs["v_th"]): camera_from_json(spikes.attrs["camera"])
            for spikes in sorted(file[SPIKES].values(), key=lambda spikes: float(spikes.attrs["v_th"]))
        }
        self.windows = tuple(map(int, file[WINDOW][:]))
        self.first_frames = tuple(map(int, file[FIRST_FRAME][:]))
        names = [BLUR, SHARP, WINDOW, FIRST_FRAME, *(spikes_path(v_th) for v_th in self.cameras)]
        lengths = {name: len(file[name]) for name in names}
        if len(set(lengths.values())) != 1 or not self.cameras:
            raise InputFileError(
                f"{self.path} holds unequal numbers of samples: {lengths}; it is damaged, build it again"
            )
        height, width = file[BLUR].shape[1:3]
        for v_th in self.cameras:
            spikes = file[spikes_path(v_th)]
            size = (spikes.shape[2], int(spikes.attrs["width"]))
            if size != (height // SCALE, width // SCALE):
                raise InputFileError(
                    f"{self.path}: spikes of threshold {threshold_name(v_th)} are {size[1]}×{size[0]}, a quarter of "
                    f"the blur is {width // SCALE}×{height // SCALE}"
                )
