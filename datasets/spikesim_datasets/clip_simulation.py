"""One spike file from one clip: what a spike camera would have recorded of a video."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from spikesim import Recording, SpikeCamera, simulate_to_file
from spikesim.formats import require_format
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.interpolation import make_interpolator
from spikesim_datasets.optics import Downscale, Optics
from spikesim_datasets.sources import Clip
from spikesim_datasets.synthesis import interpolated, stretch


def simulate_clip(
    clip: Clip,
    output: Path | str,
    *,
    v_th: float | None = None,
    preset: str = "ssdm",
    interpolation: str = "flow",
    weights: str | None = None,
    device: str = "auto",
    tile: int | None = None,
    precision: str = "float32",
    factor: int = ExposurePlan().factor,
    downscale: Downscale = "bilinear",
    linear_light: bool = False,
    seed: int = 0,
    start: int = 0,
    frames: int | None = None,
    on_readout: Callable[[int, int], None] | None = None,
) -> Recording:
    """Simulate the spikes of a clip into a spike file; noise is keyed by the clip's key.

    Args:
        clip: The source.
        output: File to write; the extension chooses the format. A `.dat` or `.h5` may be longer than memory.
        v_th: Threshold; None keeps the preset's own.
        preset: Camera preset.
        interpolation: Name of the interpolator; `none` takes every frame as a readout.
        weights, device, tile, precision: As for `make_interpolator`.
        factor: Readouts from one frame to the next.
        downscale, linear_light: See `Optics`.
        seed: Seed of the noise.
        start: First frame.
        frames: Number of frames; None goes on to the end.
        on_readout: Called with 1 and the total after each readout.

    Returns:
        What was written: factor·(frames − 1) + 1 readouts.

    Raises:
        InvalidValueError: A value is meaningless, or the frames are not in the clip.
        InputFileError: A frame cannot be read.
        OutputError: The file cannot be written.
    """
    require_format(output)
    changes = {} if v_th is None else {"v_th": v_th}
    camera = SpikeCamera.preset(preset, **changes)
    interpolator = make_interpolator(interpolation, weights, device, tile, precision)
    optics = Optics(downscale, linear_light)
    step = 1 if interpolator.dense else factor
    span = stretch(clip, step, start, frames)

    def light() -> Iterator[np.ndarray]:
        for _, frame in interpolated(clip, interpolator, step, [span]):
            yield optics.light(frame)
            if on_readout is not None:
                on_readout(1, len(span))

    return simulate_to_file(light(), camera, output, seed=seed, key=clip.key)
