"""`.h5`: ours holds the dataset `/spikes`, packed; a dataset `/raw_spike` of dense spikes is read too."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np

from spikesim.brief import short, shortened
from spikesim.camera import SpikeCamera
from spikesim.errors import InvalidValueError
from spikesim.files import atomic_hdf5
from spikesim.formats.axis_order import check_axes
from spikesim.formats.decoding import camera_to_json, dense_stream, packed_stream, reading
from spikesim.hdf5 import open_hdf5
from spikesim.hdf5.values import Values
from spikesim.stream import SpikeStream

SCHEMA = "spikesim.spikes/1"

_CHUNK_BYTES = 1 << 18  # a file is longer than its spikes by less than this


def read(
    path: Path, size: tuple[int, int] | None, *, axes: str | None = None, start: int = 0, stop: int | None = None
) -> SpikeStream:
    """The stream in an `.h5` file; see `spikesim.read_spikes`."""
    check_axes(axes)
    import h5py

    with reading(path), open_hdf5(path) as file:
        if isinstance(raw := file.get("raw_spike"), h5py.Dataset):
            return dense_stream(Values(raw), size, axes, start, stop)
        spikes = file.get("spikes")
        if not isinstance(spikes, h5py.Dataset):
            raise InvalidValueError(
                f"it has neither a dataset 'spikes' nor 'raw_spike', but {shortened(', '.join(file)) or 'nothing'}; "
                "a shard of a data set is read with spikesim_datasets.shards"
            )
        if spikes.attrs.get("schema") != SCHEMA:
            raise InvalidValueError(
                f"its 'spikes' have the schema {short(spikes.attrs.get('schema'))}, this version reads {SCHEMA!r}"
            )
        if axes not in (None, "THW"):
            raise InvalidValueError(f"it was written by spikesim and knows its axes; leave axes={axes!r} out")
        return packed_stream(Values(spikes), spikes.attrs["shape"], spikes.attrs["camera"], size, start, stop)


def has_checksum(path: Path) -> bool:
    """Whether damage shows when a file is read."""
    with reading(path), open_hdf5(path) as file:
        return bool(file["raw_spike" if "raw_spike" in file else "spikes"].fletcher32)


def write(path: Path, stream: SpikeStream) -> None:
    """Writes a stream as `/spikes` with `shape`, `camera` and `schema`; see `spikesim.write_spikes`."""
    readouts, height, width = stream.shape
    with _growing(path, height, width, stream.camera, readouts) as append:
        append(stream.packed)


def grow(
    path: Path, height: int, width: int, camera: SpikeCamera | None
) -> AbstractContextManager[Callable[[np.ndarray], None]]:
    """Opens a file like that of `write`, and gives the function that adds packed readouts to its end."""
    return _growing(path, height, width, camera, _CHUNK_BYTES)


@contextmanager
def _growing(
    path: Path, height: int, width: int, camera: SpikeCamera | None, most: int
) -> Iterator[Callable[[np.ndarray], None]]:
    """As `grow`, in chunks of at most so many readouts."""
    readout = (height, -(-width // 8))
    chunk = max(1, min(most, _CHUNK_BYTES // (readout[0] * readout[1])))
    with atomic_hdf5(path) as file:
        # With a checksum on every chunk HDF5 itself refuses damaged spikes on reading.
        spikes = file.create_dataset(
            "spikes",
            (0, *readout),
            np.uint8,
            maxshape=(None, *readout),
            chunks=(chunk, *readout),
            fletcher32=True,
        )

        def append(packed: np.ndarray) -> None:
            spikes.resize(len(spikes) + len(packed), axis=0)
            spikes[len(spikes) - len(packed) :] = packed

        yield append
        shape = (len(spikes), height, width)
        spikes.attrs.update(schema=SCHEMA, shape=shape, camera=camera_to_json(camera))
