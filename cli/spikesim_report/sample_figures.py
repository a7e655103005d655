"""What is measured of a sample: how its spikes follow from the light, and what its scene does."""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from spikesim import SpikeStream
from spikesim_datasets.opencv import without_ipp
from spikesim_datasets.optics import Optics
from spikesim_datasets.shards import Sample

LIGHTS = np.linspace(0, 1, 33)
"""Edges of the steps of light."""

LONGEST = 40
"""Readouts; longer intervals are counted as this."""

_FLOW_WIDTH = 320  # pixels: motion is measured on frames of this width


@dataclass(frozen=True)
class StreamFigures:
    """What is measured of one stream.

    Attributes:
        rates: Spikes per readout of the exposure, mean over the pixels of each step of light (32,); NaN where none is.
        intervals: Share of the intervals of 1, 2, ..., `LONGEST` readouts.
        saturated: Share of the pixels that fire in every readout of the exposure.
        dark: Share of those that never do.
        difference: Mean absolute difference between the light of the spikes and that of the blurry image, of 1.
        quantum: The light that one spike of the exposure stands for.
    """

    rates: np.ndarray
    intervals: np.ndarray
    saturated: float
    dark: float
    difference: float
    quantum: float


def stream_figures(sample: Sample, stream: SpikeStream, optics: Optics) -> StreamFigures:
    """What is measured of a sample's stream beside its blurry image, of the same exposure."""
    start, stop = sample.exposure
    light = optics.light(sample.blur, sample.misalignment)
    rate = stream.counts(start, stop) / np.float32(stop - start)
    step = np.clip(np.digitize(light, LIGHTS) - 1, 0, len(LIGHTS) - 2).ravel()
    pixels = np.bincount(step, minlength=len(LIGHTS) - 1)
    with np.errstate(invalid="ignore"):
        rates = np.bincount(step, rate.ravel(), len(LIGHTS) - 1) / pixels
    unit = 1.0 if stream.camera is None else stream.camera.v_th / stream.camera.gain
    return StreamFigures(
        rates,
        _intervals(stream[start:stop]),
        float((rate == 1).mean()),
        float((rate == 0).mean()),
        float(np.abs(np.minimum(rate * unit, 1) - light).mean()),
        unit / (stop - start),
    )


def _intervals(stream: SpikeStream) -> np.ndarray:
    readouts, *_ = stream.shape
    spikes = stream.dense().reshape(readouts, -1).T
    pixel, readout = np.nonzero(spikes)
    same = pixel[1:] == pixel[:-1]
    lengths = np.minimum(np.diff(readout)[same], LONGEST)
    counts = np.bincount(lengths, minlength=LONGEST + 1)[1:]
    return counts / max(int(counts.sum()), 1)


def motion(sample: Sample) -> tuple[float, float] | None:
    """How far the scene moves in the exposure, pixels of the image: median, and 99th percentile; None where it is not
    known, for want of two sharp frames.
    """
    if len(sample.sharp) < 2:
        return None
    _, height, width, _ = sample.sharp.shape
    size = min(width, _FLOW_WIDTH), max(16, round(height * min(1, _FLOW_WIDTH / width)))
    small = [
        cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        for frame in sample.sharp
    ]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    with without_ipp():
        flows = [search.calc(*pair, None) for pair in pairwise(small)]  # type: ignore[call-overload]  # as in continuity
    lengths = sum(np.linalg.norm(flow, axis=2) for flow in flows) * (width / size[0])
    return float(np.median(lengths)), float(np.quantile(lengths, 0.99))
