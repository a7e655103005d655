"""Writing a shard: consecutive samples of one clip in one HDF5 file, whole or not at all."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

import hdf5plugin
import numpy as np

from spikesim.checks import require_callable, require_choice, require_flag, require_instance, require_path
from spikesim.errors import InvalidValueError
from spikesim.files import atomic_hdf5
from spikesim_datasets.shards.axes import Lengths
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.fields import FIELDS, check_sample
from spikesim_datasets.shards.sample import Sample
from spikesim_datasets.shards.schema import SHARD_SCHEMA

Compression = Literal["zstd", "gzip", "none"]

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
        path: The file to write.
        recipe: Everything needed to build the shard again, as JSON values.
        compression: Filter of the images: `gzip` and `none` are read by any HDF5 library, `zstd` fastest. Spikes are
            stored as they are.
        replace, before: As for `spikesim.files.atomic_path`.

    Raises:
        OutputError: The file cannot be written; nothing is left of it, and an older file of the name stays.
        InvalidValueError: No sample was appended, or an argument is of another type.
    """

    def __init__(
        self,
        path: Path | str,
        recipe: dict[str, Any],
        compression: Compression = "zstd",
        *,
        replace: bool = True,
        before: Callable[[], object] | None = None,
    ) -> None:
        self._path, self._replace = require_path(path, "path"), require_flag(replace, "replace")
        self._before = None if before is None else require_callable(before, "before")
        self._filters = _FILTERS[require_choice(compression, "compression", get_args(Compression))]
        try:
            self._recipe = json.dumps(require_instance(recipe, "recipe", dict))
        except (TypeError, ValueError) as error:
            raise InvalidValueError(f"recipe must hold JSON values alone ({error})") from error
        self._form: dict[str, object] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._file = stack.enter_context(atomic_hdf5(self._path, replace=self._replace, before=self._before))
            stack.push(self._refuse_empty)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def append(self, sample: Sample) -> None:
        """Add a sample.

        Args:
            sample: Of the same clip as those before it.

        Raises:
            InvalidValueError: Its parts do not fit together, or it is of another clip, size, exposure, set of cameras
                or set of fields than the first.
        """
        lengths = check_sample(require_instance(sample, "sample", Sample))
        form = _form(sample)
        if self._form is None:
            self._create(sample, lengths)
            self._form = form
        elif form != self._form:
            raise InvalidValueError(
                f"the samples of a shard are alike in clip, size, exposure and cameras; the first is {self._form}, "
                f"window {sample.window} is {form}"
            )
        for field in FIELDS.values():
            for path, array in field.stored(sample).items():
                dataset = self._file[path]
                dataset.resize(len(dataset) + 1, axis=0)
                if array.size:
                    dataset[-1] = array
                # HDF5 gives chunks their places in the file now, or else when Python closes the dataset: that is later
                # where a profiler looks at the stack, as in workers of Dask, and the bytes would be others.
                dataset.flush()

    def note(self, diagnostics: Diagnostics) -> None:
        """Write down what was found of the clip; after the first sample.

        Args:
            diagnostics: What was found of the stretch that the shard is of.

        Raises:
            InvalidValueError: It is no `Diagnostics`.
        """
        require_instance(diagnostics, "diagnostics", Diagnostics)
        self._file.attrs.update({name: np.array(numbers, np.int32) for name, numbers in asdict(diagnostics).items()})

    def _create(self, sample: Sample, lengths: Lengths) -> None:
        self._file.attrs.update(
            {
                "schema": SHARD_SCHEMA,
                "key": sample.key,
                "split": sample.split,
                "exposure": np.array(sample.exposure, np.int32),
                "recipe": self._recipe,
            }
        )
        for field in FIELDS.values():
            attributes = field.attributes(sample)
            for path, array in field.stored(sample).items():
                # With a checksum on every chunk HDF5 itself refuses damaged data on reading. HDF5 wants a chunk in an
                # axis that may grow only, so an empty one (no ground truth) is declared as one that may.
                dataset = self._file.create_dataset(
                    path,
                    (0, *array.shape),
                    field.dtype,
                    maxshape=(None, *(length or None for length in array.shape)),
                    chunks=field.chunk(lengths),
                    fletcher32=True,
                    **(self._filters if field.filtered else {}),
                )
                dataset.attrs.update(attributes[path])

    def _refuse_empty(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._form is None:
            raise InvalidValueError(f"{self._path} would hold no sample; a shard holds at least one")


def _form(sample: Sample) -> dict[str, object]:
    """What the samples of a shard have in common."""
    return {
        "clip": sample.key,
        "exposure": tuple(sample.exposure),
        "sharp_readouts": tuple(sample.sharp_readouts),
        "cameras": {v_th: stream.camera for v_th, stream in sample.spikes.items()},
        "shapes": {path: array.shape for field in FIELDS.values() for path, array in field.stored(sample).items()},
    }
