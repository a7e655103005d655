"""`.npz`: ours holds `packed`, `shape` and `camera`; one array of dense spikes under any name is read too.

Not compressed: zlib makes packed spikes of real recordings only 1.1 to 1.25 times smaller.
"""

from pathlib import Path

import numpy as np

from spikesim.archives import open_npz
from spikesim.brief import shortened
from spikesim.errors import InvalidValueError
from spikesim.files import atomic_path
from spikesim.formats.axis_order import check_axes
from spikesim.formats.decoding import at_the_end, camera_to_json, dense_stream, packed_stream, reading
from spikesim.stream import SpikeStream


def read(
    path: Path,
    size: tuple[int, int] | None,
    *,
    key: str | None = None,
    axes: str | None = None,
    start: int = 0,
    stop: int | None = None,
) -> SpikeStream:
    """The stream in an `.npz` file; see `spikesim.read_spikes`."""
    check_axes(axes)
    with reading(path), open_npz(path) as arrays:
        names = list(arrays)
        if key is None and {"packed", "shape", "camera"} <= set(names):
            if axes not in (None, "THW"):
                raise InvalidValueError(f"it was written by spikesim and knows its axes; leave axes={axes!r} out")
            return packed_stream(arrays["packed"], arrays["shape"], str(arrays["camera"]), size, start, stop)
        if key is None and len(names) == 1:
            key = names[0]
        if key not in names:
            held = shortened(", ".join(names))
            raise InvalidValueError(f"it holds the arrays {held}; say with key (--key) which are the spikes")
        return dense_stream(arrays[key], size, axes, start, stop)


def has_checksum(path: Path) -> bool:
    """Whether damage shows when a file is read: archives hold checksums."""
    return True


def write(path: Path, stream: SpikeStream) -> None:
    """Writes a stream as `packed`, `shape` and `camera`; see `spikesim.write_spikes`."""
    with atomic_path(path) as temporary, temporary.open("xb") as file:
        np.savez(
            file, packed=stream.packed, shape=np.array(stream.shape), camera=np.array(camera_to_json(stream.camera))
        )


grow = at_the_end(write)
