"""One spike file from one clip: what a spike camera would have recorded of a video."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from spikesim import Recording, SpikeCamera, simulate_to_file
from spikesim.checks import require_instance
from spikesim.formats import require_format
from spikesim_datasets.camera_choice import check_calibration
from spikesim_datasets.interpolation import InterpolatorSpec
from spikesim_datasets.optics import Optics
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.readouts import interpolated
from spikesim_datasets.sources import Clip
from spikesim_datasets.sources.clip import require_clip
from spikesim_datasets.synthesis import Stretch


def simulate_clip(
    clip: Clip,
    output: Path | str,
    camera: SpikeCamera,
    interpolation: InterpolatorSpec | str = InterpolatorSpec(),
    optics: Optics = Optics(),
    *,
    stretch: Stretch = Stretch(),
    on_progress: OnProgress | None = None,
    **options: Any,
) -> Recording:
    """Simulate the spikes of a clip into a spike file; noise is keyed by the clip's key.

    Args:
        clip: The source.
        output: File to write; the extension chooses the format. A `.dat` or `.h5` may be longer than memory.
        camera: The sensor, such as `SpikeCamera.preset("ssdm", v_th=2)`.
        interpolation: What makes the readouts between frames; `none` takes every frame as a readout.
        optics: Turns frames into light.
        stretch: Which frames, and how many readouts from one to the next.
        on_progress: Told of readouts.
        **options: Further arguments of `spikesim.simulate_to_file`, such as `seed` and `device`.

    Returns:
        What was written: factor·(frames − 1) + 1 readouts.

    Raises:
        InvalidValueError: A value is meaningless, or the frames are not in the clip.
        InputFileError: A frame cannot be read.
        OutputError: The file cannot be written.
    """
    require_clip(clip)
    require_format(output)
    require_instance(optics, "optics", Optics)
    check_calibration([require_instance(camera, "camera", SpikeCamera)], clip, optics.ratio)
    require_instance(stretch, "stretch", Stretch)
    tell = teller(on_progress)
    interpolator = InterpolatorSpec.of(interpolation).make()
    if interpolator.dense:
        stretch = replace(stretch, factor=1)
    span = stretch.readouts(clip)

    def light() -> Iterator[np.ndarray]:
        tally = Tally([(clip.key, len(span))], 0, tell)
        for _, frame in interpolated(clip, interpolator, stretch.factor, [span]):
            yield optics.light(frame)
            tally.step(0)

    return simulate_to_file(light(), camera, output, key=clip.key, **options)
