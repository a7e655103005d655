"""Reading a shard."""

from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import fields
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import hdf5plugin
import numpy as np

from spikesim.brief import short
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.formats.decoding import camera_from_json, reading
from spikesim.hdf5 import open_hdf5, open_hdf5_of
from spikesim.hdf5.values import Values
from spikesim.input_files import parse_json
from spikesim_datasets.keys import parse_key
from spikesim_datasets.optics import Ratio, check_ratio, ratio_of
from spikesim_datasets.remote.remote_file import RemoteFile
from spikesim_datasets.remote.url import Place, Url, require_place
from spikesim_datasets.shards.axes import Cuts, axis_lengths
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.field import Field
from spikesim_datasets.shards.fields import BLUR, FIELDS, FIRST_FRAME, SHARP, SPIKES, WINDOW, optional_fields
from spikesim_datasets.shards.sample_reader import SampleReader
from spikesim_datasets.shards.schema import SHARD_SCHEMA, check_recipe
from spikesim_datasets.shards.writer import Compression

_MOST_SAMPLES = 1 << 20


class ShardReader(SampleReader):
    """A shard, checked on opening; arrays are read when asked for. A context manager.

    Args:
        path: The file, or its address elsewhere.

    Raises:
        InvalidValueError: It is no path or address.
        InputFileError: The file is missing, no HDF5, of another schema, or its parts do not fit together; or it cannot
            be fetched.
        MissingExtraError: It lies elsewhere, and the extra `remote` is not installed.

    Attributes:
        diagnostics: What was noted of the clip when the shard was made.
    """

    def __init__(self, path: Place | str) -> None:
        self.path = require_place(path)
        self._source = RemoteFile(self.path) if isinstance(self.path, Url) else None
        with reading(str(self.path)), ExitStack() as stack:
            self._file = stack.enter_context(self._open())
            with nullcontext() if self._source is None else self._source.telling():
                self._check()
            stack.pop_all()

    def _open(self) -> h5py.File:
        # Chunks are not kept: crops at random seldom come back to one, and training keeps many shards open.
        if self._source is not None:
            return open_hdf5_of(self._source, rdcc_nbytes=0)
        assert isinstance(self.path, Path)
        return open_hdf5(self.path, rdcc_nbytes=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; reading afterwards is an error."""
        self._file.close()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W) of the blurry images and the readouts T of the streams, as (T, H, W)."""
        return self._shape

    @property
    def ratio(self) -> Ratio:
        """How many pixels of the images one of the spikes is wide and high."""
        return self._ratio

    @property
    def has_checksums(self) -> bool:
        """Whether all of its chunks have checksums, so that damage shows when they are read."""
        return all(array.has_checksums for array in self._arrays.values())

    @property
    def compression(self) -> Compression:
        """Filter of the images, by the name a recipe gives it."""
        filters = self._file[BLUR.name]._filters
        return "gzip" if "gzip" in filters else "zstd" if str(hdf5plugin.Zstd.filter_id) in filters else "none"

    def _load(self, field: Field, number: int, cuts: Cuts, v_th: float | None) -> np.ndarray:
        (path,) = field.paths(() if v_th is None else (v_th,))
        try:
            array: np.ndarray = self._arrays[path][(number, *field.cut(cuts))]
        except InputFileError:
            raise  # which was not fetched, and may be whole
        except (OSError, RuntimeError, InvalidValueError) as error:
            raise InputFileError(
                f"{self.path}: {path} of sample {number} is damaged ({error}); build the shard again"
            ) from error
        return array

    def _check(self) -> None:
        # Each is opened once, which takes as long as reading a small crop.
        opened, said = cache(self._file.__getitem__), self._file.attrs
        if said.get("schema") != SHARD_SCHEMA:
            raise InvalidValueError(
                f"it has the schema {short(said.get('schema'))}, expected {SHARD_SCHEMA!r}; is it a shard, of "
                "this version?"
            )
        self.split, self.name = parse_key(str(said["key"]), str(said["split"]))
        self.recipe = check_recipe(parse_json(said["recipe"]))
        start, stop = map(int, said["exposure"])
        self.exposure = (start, stop)
        streams = [opened(f"{SPIKES.name}/{name}").attrs for name in opened(SPIKES.name)]
        described = sorted((float(stream["v_th"]), str(stream["camera"])) for stream in streams)
        self.cameras = {v_th: camera_from_json(camera) for v_th, camera in described}
        if not self.cameras:
            raise InvalidValueError("it holds no spikes")
        self.sharp_readouts = tuple(map(int, opened(SHARP.name).attrs["readouts"]))
        self.extra = tuple(name for name in optional_fields() if name in self._file)
        self._look_up(opened)
        if not 0 <= start < stop <= self._shape[0] or not set(self.sharp_readouts) <= set(range(self._shape[0])):
            raise InvalidValueError(
                f"the exposure {self.exposure} and the sharp frames at {short(self.sharp_readouts)} are not in its "
                f"{self._shape[0]} readouts"
            )
        self.windows, self.first_frames = (
            tuple(map(int, self._arrays[field.name][:])) for field in (WINDOW, FIRST_FRAME)
        )
        self.diagnostics = Diagnostics(*(list(map(int, said.get(field.name, ()))) for field in fields(Diagnostics)))

    def _look_up(self, opened: Callable[[str], Any]) -> None:
        """Find every array, for all that is read of them. Their shapes must fit."""
        self._arrays: dict[str, Values] = {}
        samples, height, width = opened(BLUR.name).shape[:3]
        if 0 in (height, width) or samples > _MOST_SAMPLES:
            raise InvalidValueError(f"it holds {samples} samples of {width}×{height}, which nobody makes")
        readouts, rows = opened(SPIKES.paths(self.cameras)[0]).shape[1:3]
        self._shape, self._ratio = (readouts, height, width), ratio_of(height, rows, "its blur")
        check_ratio(height, width, self._ratio, "its blur")
        lengths = axis_lengths(len(self.sharp_readouts), max(readouts, self.exposure[1]), height, width, self._ratio)
        for field in FIELDS.values():
            if not field.optional or field.name in self.extra:
                for path in field.paths(self.cameras):
                    field.check_stored(path, opened(path), samples, lengths)
                    self._arrays[path] = Values(opened(path), self._source)
