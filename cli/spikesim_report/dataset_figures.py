"""What the samples of a dataset say together: of light and spikes, of noise and motion, and what should worry."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np

from spikesim import SpikeCamera
from spikesim_datasets.optics import Optics
from spikesim_datasets.remote.url import Place
from spikesim_datasets.shards import Sample, ShardReader
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.schema import threshold_name
from spikesim_report import plots
from spikesim_report.camera_noise import READOUTS, light_spread
from spikesim_report.parts import Listing, Notes, Part
from spikesim_report.sample_figures import LIGHTS, LONGEST, StreamFigures, motion, stream_figures
from spikesim_report.words import Record

_SATURATED, _DIFFERENT = 0.05, 0.02
_SLOW, _FAST = 1.0, 0.15  # pixels; of the width
_LISTED = 8

ABOUT_LIGHT = (
    "Spikes per readout of an exposure against the light of its blurry image, which is of the same time. An ideal "
    "pixel fires gain × light / V_th times a readout, once at most; where an edge moves over a pixel both are means of "
    "the same light. The intervals are those within the exposures."
)

ABOUT_NOISE = (
    f"How far the light that {READOUTS} readouts tell differs from time to time and from pixel to pixel where the "
    "light is the same, as simulated for a sensor of this size; the outermost hundredth, such as hot pixels, is left "
    "out. Dashed is what the preset realistic does, whose noise is that of a real recording, at the same threshold "
    "and gain."
)


class ReadSample(NamedTuple):
    """A sample, and what its shard says of all of its own."""

    sample: Sample
    optics: Optics
    diagnostics: Diagnostics
    resampled: bool  # whether the frames of its source lay at uneven times

    @classmethod
    def of(cls, path: Place, number: int) -> Self:
        """A sample of a shard."""
        with ShardReader(path) as shard:
            resampled = "timing" in shard.recipe["clip"]
            return cls(shard.sample(number), shard.optics, shard.diagnostics, resampled)


class MeasuredSample(NamedTuple):
    """What is measured of a sample, and what its shard says."""

    key: str
    window: int
    width: int  # of its images
    streams: Mapping[float, StreamFigures]
    motion: tuple[float, float] | None
    diagnostics: Diagnostics
    resampled: bool

    @classmethod
    def of(cls, read: ReadSample) -> Self:
        """Measure a sample."""
        sample = read.sample
        streams = {v_th: stream_figures(sample, stream, read.optics) for v_th, stream in sample.spikes.items()}
        width = sample.blur.shape[1]
        return cls(sample.key, sample.window, width, streams, motion(sample), read.diagnostics, read.resampled)


def light_parts(measured: Sequence[MeasuredSample], choices: Record) -> list[Part]:
    """Spikes against light, intervals, and how far both tell the same.

    Args:
        measured: The samples.
        choices: Of the dataset's recipe, whose cameras tell what to expect.
    """
    middles = (LIGHTS[1:] + LIGHTS[:-1]) / 2
    thresholds = sorted({v_th for found in measured for v_th in found.streams})
    gains = {camera["v_th"]: camera["gain"] for camera in choices.get("cameras", [])}
    rates, theory, intervals = {}, {}, {}
    for v_th in thresholds:
        name = f"V_th {threshold_name(v_th)}"
        found = [of_sample.streams[v_th] for of_sample in measured if v_th in of_sample.streams]
        known = np.array([figures.rates for figures in found])
        there = ~np.isnan(known).all(0)
        rates[name] = middles[there], np.nanmean(known[:, there], axis=0)
        if v_th in gains:
            theory[f"{name}, ideal"] = LIGHTS, np.minimum(gains[v_th] * LIGHTS / v_th, 1)
        intervals[name] = np.arange(1, LONGEST + 1), np.mean([figures.intervals for figures in found], axis=0)
    rows = [
        (
            f"V_th {threshold_name(v_th)}",
            *(
                f"{np.mean([getattr(m.streams[v_th], name) for m in measured if v_th in m.streams]):{form}}"
                for name, form in (("saturated", ".2%"), ("dark", ".2%"), ("difference", ".4f"))
            ),
        )
        for v_th in thresholds
    ]
    columns = ("", "pixels that always fire", "pixels that never fire", "mean difference from the blurry image's light")
    return [
        plots.lines("spikes against light", ("light of the blurry image", "spikes per readout"), rates, theory),
        plots.lines(
            "intervals between spikes", (f"readouts, {LONGEST} and more together", "share"), intervals, logarithmic=True
        ),
        Listing(f"means of {len(measured)} samples", columns, rows),
    ]


def noise_parts(sample: Sample) -> list[Part]:
    """The noise of its cameras beside what it should be."""
    found, real = {}, {}
    for v_th, stream in sample.spikes.items():
        if (camera := stream.camera) is not None:
            name = f"V_th {threshold_name(v_th)}"
            found[name] = light_spread(camera, *stream.shape[1:])
            realistic = SpikeCamera.preset("realistic", v_th=camera.v_th, gain=camera.gain)
            real[f"{name}, realistic"] = light_spread(realistic, *stream.shape[1:])
    if not found:
        return [Notes("noise", ["Not known: the dataset does not say which camera its spikes are from."])]
    title = f"spread of the light of {READOUTS} readouts"
    return [plots.lines(title, ("light", "standard deviation"), found, real)]


def motion_parts(measured: Sequence[MeasuredSample]) -> list[Part]:
    """How far the scenes of each clip move."""
    by_clip: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for found in measured:
        if found.motion is not None:
            by_clip[found.key].append(found.motion)
    if not by_clip:
        return [Notes("motion", ["Not known: it is measured between sharp frames; build with --sharp sequence."])]
    rows = [
        (key, *(f"{figure:.1f}" for figure in np.median(values, axis=0)), str(len(values)))
        for key, values in by_clip.items()
    ]
    columns = ("clip", "half of the pixels move", "one of a hundred moves", "samples")
    return [Listing("pixels of the image during one exposure, or more", columns, rows)]


def worries(measured: Sequence[MeasuredSample]) -> list[str]:
    """What a look at the figures would stop at: each kind once, with where it was found."""
    found: dict[str, list[str]] = defaultdict(list)
    for sample in measured:
        where = f"{sample.key} {sample.window}"
        for v_th, figures in sample.streams.items():
            name = f"V_th {threshold_name(v_th)}"
            if figures.saturated > _SATURATED:
                found[f"over {_SATURATED:.0%} of the pixels fire in every readout at {name}"].append(where)
            if figures.difference > _DIFFERENT + figures.quantum:
                found[f"spikes at {name} stand for other light than the blurry image"].append(where)
        if sample.motion is not None and sample.motion[1] < _SLOW:
            found["hardly anything moves, so that there is no blur to learn from"].append(where)
        if sample.motion is not None and sample.motion[1] > _FAST * sample.width:
            found[f"something moves by over {_FAST:.0%} of the width in an exposure"].append(where)
    by_clip: dict[str, Diagnostics] = {}
    for sample in measured:
        by_clip[sample.key] = by_clip.get(sample.key, Diagnostics()).merge(sample.diagnostics)
    for key, seen in by_clip.items():
        for numbers, what in (
            (seen.cuts, "raw frames that begin a new scene"),
            (seen.fast, "raw frames to which motion was too fast to be followed"),
            (seen.left_out, "exposures left out because of a cut"),
        ):
            if numbers:
                found[what].append(f"{key} {', '.join(map(str, numbers[:_LISTED]))}{_more(numbers)}")
    if uneven := sorted({sample.key for sample in measured if sample.resampled}):
        found["frames lay at uneven times, and readouts were made at true ones"] += uneven
    notes = [f"{what}: {', '.join(places[:_LISTED])}{_more(places)}" for what, places in found.items()]
    return notes or [f"Nothing, as far as {len(measured)} samples tell."]


def _more(places: Sequence[object]) -> str:
    return f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
