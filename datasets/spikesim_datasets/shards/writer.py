"""Writing a shard: consecutive samples of one clip in one HDF5 file, whole or not at all."""

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import h5py
import hdf5plugin
import numpy as np

from spikesim.errors import InvalidValueError
from spikesim.files import atomic_hdf5
from spikesim.formats.decoding import camera_to_json
from spikesim_datasets.optics import SCALE
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.shards.schema import BLUR, FIRST_FRAME, SCHEMA, SHARP, WINDOW, spikes_path

Compression = Literal["zstd", "gzip", "none"]

# Cut for random crops: a 512² crop of blur with its 128² crop of spikes reads about half of a 720p sample.
_IMAGE_CHUNK = (120, 160)
_SPIKE_CHUNK = (30, 8)

_FILTERS: dict[Compression, dict[str, Any]] = {
    "zstd": dict(hdf5plugin.Zstd(clevel=1)),
    "gzip": {"compression": "gzip", "compression_opts": 1},
    "none": {},
}


class ShardWriter:
    """A shard in the making; it appears under its name when the `with` block is left without an error.

        with ShardWriter("train/scene.000.h5", recipe) as writer:
            for sample in samples:
                writer.append(sample)

    Args:
        path: The file to write, replaced if it exists.
        recipe: Everything needed to build the shard again, as JSON values.
        compression: Filter of the images: `gzip` and `none` are read by any HDF5 library, `zstd` fastest. Spikes are
            stored as they are: bytes of eight pixels' bits gain little.

    Raises:
        OutputError: The file cannot be written; nothing is left of it, and an older file of the name stays.
        InvalidValueError: No sample was appended.
    """

    def __init__(self, path: Path | str, recipe: dict[str, Any], compression: Compression = "zstd") -> None:
        self._path, self._recipe, self._filters = path, recipe, _FILTERS[compression]
        self._first: Sample | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._file = stack.enter_context(atomic_hdf5(self._path))
            stack.push(self._refuse_empty)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def append(self, sample: Sample) -> None:
        """Add a sample.

        Raises:
            InvalidValueError: Its parts do not fit together, or it is of another clip, size, exposure or set of cameras
                than the first.
        """
        if self._first is None:
            _refuse_misfit(sample)
            self._create(sample)
            self._first = sample
        elif _form(sample) != _form(self._first):
            raise InvalidValueError(
                f"the samples of a shard are alike in clip, size, exposure and cameras; the first is "
                f"{_form(self._first)}, window {sample.window} is {_form(sample)}"
            )
        rows: dict[str, Any] = {
            BLUR: sample.blur,
            SHARP: sample.sharp,
            WINDOW: sample.window,
            FIRST_FRAME: sample.first_frame,
        }
        rows |= {spikes_path(v_th): stream.packed for v_th, stream in sample.spikes.items()}
        for name, row in rows.items():
            dataset = self._file[name]
            dataset.resize(len(dataset) + 1, axis=0)
            if np.size(row):
                dataset[-1] = row

    def note(self, diagnostics: Diagnostics) -> None:
        """Write down what was found of the clip; after the first sample."""
        self._file.attrs.update({name: np.array(numbers, np.int32) for name, numbers in asdict(diagnostics).items()})

    def _create(self, sample: Sample) -> None:
        self._file.attrs.update(
            {
                "schema": SCHEMA,
                "key": sample.key,
                "split": sample.key.split("/")[0],
                "exposure": np.array(sample.exposure, np.int32),
                "recipe": json.dumps(self._recipe),
            }
        )
        height, width, _ = sample.blur.shape
        rows, columns = min(_IMAGE_CHUNK[0], height), min(_IMAGE_CHUNK[1], width)
        self._dataset(BLUR, sample.blur.shape, (1, rows, columns, 3), self._filters)
        sharp = self._dataset(SHARP, sample.sharp.shape, (1, 1, rows, columns, 3), self._filters)
        sharp.attrs["readouts"] = np.array(sample.sharp_readouts, np.int32)
        for v_th, stream in sample.spikes.items():
            readouts, rows, row_bytes = stream.packed.shape
            chunk = (1, readouts, min(_SPIKE_CHUNK[0], rows), min(_SPIKE_CHUNK[1], row_bytes))
            spikes = self._dataset(spikes_path(v_th), stream.packed.shape, chunk, {})
            spikes.attrs.update({"width": stream.shape[2], "v_th": v_th, "camera": camera_to_json(stream.camera)})
        for name in (WINDOW, FIRST_FRAME):
            self._file.create_dataset(name, (0,), np.int32, maxshape=(None,), chunks=(1024,), fletcher32=True)

    def _dataset(
        self, name: str, shape: tuple[int, ...], chunk: tuple[int, ...], filters: dict[str, Any]
    ) -> h5py.Dataset:
        # With a checksum on every chunk HDF5 itself refuses damaged data on reading. HDF5 wants a chunk in an axis that
        # may grow only, so an empty one (no ground truth) is declared as one that may.
        limits = (None, *(length or None for length in shape))
        return self._file.create_dataset(
            name, (0, *shape), np.uint8, maxshape=limits, chunks=chunk, fletcher32=True, **filters
        )

    def _refuse_empty(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._first is None:
            raise InvalidValueError(f"{self._path} would hold no sample; a shard holds at least one")


def _refuse_misfit(sample: Sample) -> None:
    height, width, _ = sample.blur.shape
    expected = {
        "sharp": (sample.sharp.shape, (len(sample.sharp_readouts), height, width, 3)),
        **{
            spikes_path(v_th): (stream.shape[1:], (height / SCALE, width / SCALE))
            for v_th, stream in sample.spikes.items()
        },
    }
    for name, (found, fitting) in expected.items():
        if found != fitting:
            raise InvalidValueError(
                f"{name} of {sample.key} is {found}, beside a blur of {height}×{width} {fitting} fits"
            )
    if not sample.spikes:
        raise InvalidValueError(
            f"a sample of {sample.key} has no spikes; a shard holds those of one threshold at least"
        )


def _form(sample: Sample) -> tuple[object, ...]:
    """What the samples of a shard have in common."""
    streams = tuple((v_th, stream.shape, stream.camera) for v_th, stream in sample.spikes.items())
    return sample.key, sample.blur.shape, sample.sharp.shape, sample.sharp_readouts, sample.exposure, streams
