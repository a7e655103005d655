"""Recordings for the Rerun viewer."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spikesim import SpikeStream
from spikesim.checks import require_instance, require_path, require_whole
from spikesim.errors import InvalidValueError, MissingExtraError
from spikesim.files import atomic_path
from spikesim_datasets.progress import OnProgress, Progress, teller
from spikesim_datasets.shards import Sample
from spikesim_datasets.visualisation import Look, require_streams, stream_images

EXTENSION = ".rrd"


def write_rerun(
    path: Path | str,
    streams: Mapping[str, SpikeStream],
    look: Look = "tfp",
    window: int = 21,
    *,
    sample: Sample | None = None,
    first: int = 0,
    on_progress: OnProgress | None = None,
) -> None:
    """Write streams for the Rerun viewer, on a time line of readouts: of each its spikes, another look at them, and how
    many pixels fire.

    Args:
        path: The file, `.rrd`.
        streams: By what they are called; of a single one the name may be empty.
        look: Beside the spikes: `tfp`, `tfi` or `tfstp`; `spikes` adds none.
        window: Readouts that a TFP averages.
        sample: Whose blurry image and ground truth are shown beside, at their readouts.
        first: What the first readout is called.
        on_progress: Told of readouts, of all streams together.

    Raises:
        InvalidValueError: The extension is another one, there is no stream, or one is empty.
        MissingExtraError: The extra [rerun] is not installed.
        OutputError: The file cannot be written; what was there before is untouched.
    """
    path, first = require_path(path), require_whole(first, "first", 0)
    if path.suffix.lower() != EXTENSION:
        raise InvalidValueError(f"{path}: recordings for Rerun are {EXTENSION}")
    streams, tell = require_streams(streams), teller(on_progress)
    if sample is not None:
        require_instance(sample, "sample", Sample)
    try:
        import rerun
    except ImportError as error:
        raise MissingExtraError(f"{path} needs rerun-sdk; pip install 'spikesim[rerun]'") from error
    total, done = sum(map(len, streams.values())), 0
    tell(Progress(0, total))
    with atomic_path(path) as temporary, rerun.RecordingStream("spikesim") as recording:
        recording.save(temporary)
        if sample is not None:
            recording.log("blur", rerun.Image(sample.blur), static=True)
            for readout, frame in zip(sample.sharp_readouts, sample.sharp, strict=True):
                recording.set_time("readout", sequence=first + readout)
                recording.log("sharp", rerun.Image(frame))
        for name, stream in streams.items():
            parts = [name] if name else []
            for readout, image in enumerate(stream_images(stream, look, window)):
                bits = stream[readout : readout + 1].dense()[0]
                recording.set_time("readout", sequence=first + readout)
                recording.log([*parts, "spikes"], rerun.Image(bits * np.uint8(255), color_model="L"))
                if look != "spikes":
                    recording.log([*parts, look], rerun.Image(image, color_model="L"))
                recording.log([*parts, "rate"], rerun.Scalars(bits.mean()))
                done += 1
                tell(Progress(done, total, name))
        recording.disconnect()
