"""The report of a dataset: its recipe, its images, and whether spikes and images say the same of the light."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from spikesim import SpikeCamera
from spikesim_datasets.optics import SCALE, Optics
from spikesim_datasets.progress import OnProgress, Progress, teller
from spikesim_datasets.remote.url import Place
from spikesim_datasets.shards import Sample, ShardReader
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.shards.index import ShardEntry, list_shards
from spikesim_datasets.shards.schema import threshold_name
from spikesim_datasets.visualisation import spike_image
from spikesim_report import plots
from spikesim_report.camera_noise import READOUTS, light_spread
from spikesim_report.page_file import Page
from spikesim_report.parts import (
    Gallery,
    Listing,
    Notes,
    PageImage,
    Part,
    ScrubbedStream,
    Scrubber,
    Section,
    Slider,
)
from spikesim_report.sample_figures import LIGHTS, LONGEST, StreamFigures, motion, stream_figures
from spikesim_report.words import Record, size, words_of
from ssdm_models.deblurrer import Deblurrer

_COMPARED = 3  # samples with an edge to move
_MEASURED = 24  # samples, evenly spread
_CLIPS = 24  # with a thumbnail
_THUMBNAIL = 320  # pixels wide
_IMAGE = 1280
_SCRUBBED = 4_500_000  # letters that streams take in the page
_DEBLURRED = 3  # thresholds, the lowest
_SATURATED, _SLOW, _DIFFERENT = 0.05, 1.0, 0.02
_LISTED = 8


class _Measured(NamedTuple):
    """What is measured of a sample."""

    key: str
    window: int
    streams: Mapping[float, StreamFigures]
    motion: tuple[float, float] | None


def dataset_page(
    path: Place, record: Record, deblurrer: Deblurrer | None = None, *, on_progress: OnProgress | None = None
) -> Page:
    """The report.

    Args:
        path: The dataset's folder, or its address.
        record: What `info` says of it.
        deblurrer: What makes sharp images beside the blurry ones, if anything.
        on_progress: Told of samples.
    """
    entries, tell = list_shards(path), teller(on_progress)
    clips, compared, measured = [], [], []
    numbers = [(entry, number) for entry in entries for number in range(entry.samples)]
    chosen = _spread(len(numbers), _MEASURED)
    shown = {chosen[i] for i in _spread(len(chosen), _COMPARED)}
    seen: set[str] = set()
    noted = Diagnostics()
    tell(Progress(0, len(chosen)))
    for done, place in enumerate(chosen):
        entry, _ = numbers[place]
        sample, optics, of_shard = _read(path, *numbers[place])
        noted = noted.merge(of_shard)
        if entry.key not in seen and len(seen) < _CLIPS:
            seen.add(entry.key)
            clips.append((entry.key, PageImage.of(_narrow(sample.blur, _THUMBNAIL), 20_000)))
        if place in shown:
            compared.append(_slider(sample, deblurrer))
        measured.append(_measure(sample, optics))
        tell(Progress(done + 1, len(chosen), entry.key))
    first, optics, _ = _read(path, *numbers[chosen[0]])
    what = Listing("what the dataset holds", ("", ""), words_of(record))
    physics = [*_physics(measured, record["choices"]), _exposure(first, optics)]
    sections = [
        Section("Overview", [what, Notes("what should worry", _worries(measured, noted))]),
        Section("Clips", [_clips(entries), Gallery("one sample of each clip, blurry", clips)]),
        Section("Samples", compared, "The edge moves with the pointer, or with the arrow keys on its slider."),
        Section("Spikes", [_scrubber(first)]),
        Section("Light and spikes", physics, _PHYSICS),
        Section("Noise", _noise(first), _NOISE),
        Section("Motion", _motion(measured)),
    ]
    return Page(str(path).rpartition("/")[2], f"dataset {path}", sections, record)


_PHYSICS = (
    "Spikes per readout of an exposure against the light of its blurry image, which is of the same time. An ideal "
    "pixel fires gain × light / V_th times a readout, once at most; where an edge moves over a pixel both are means of "
    "the same light. The intervals are those within the exposures."
)

_NOISE = (
    f"How far the light that {READOUTS} readouts tell differs from time to time and from pixel to pixel where the "
    "light is the same, as simulated for a sensor of this size; the outermost hundredth, such as hot pixels, is left "
    "out. Dashed is what the preset realistic does, whose noise is that of a real recording, at the same threshold "
    "and gain."
)


def _read(path: Place, entry: ShardEntry, number: int) -> tuple[Sample, Optics, Diagnostics]:
    with ShardReader(path / entry.path) as shard:
        return shard.sample(number), shard.optics, shard.diagnostics


def _spread(total: int, most: int) -> list[int]:
    """So many numbers of 0..total−1, evenly spread."""
    return sorted({*np.linspace(0, total - 1, min(total, most)).round().astype(int).tolist()})


def _narrow(image: np.ndarray, width: int) -> np.ndarray:
    """An image of at most this width."""
    if image.shape[1] <= width:
        return image
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _clips(entries: Sequence[ShardEntry]) -> Listing:
    by_clip: dict[str, list[ShardEntry]] = defaultdict(list)
    for entry in entries:
        by_clip[entry.key].append(entry)
    rows = [
        (key, str(sum(e.samples for e in of_clip)), str(len(of_clip)), size(sum(e.bytes for e in of_clip)))
        for key, of_clip in by_clip.items()
    ]
    return Listing("samples by clip", ("clip", "samples", "shards", "size"), rows)


def _slider(sample: Sample, deblurrer: Deblurrer | None) -> Slider:
    """A blurry image, the sharp frame nearest to its middle, and what a network makes of it at each threshold."""
    middle = sum(sample.exposure) // 2
    images = [("blurry", sample.blur)]
    if near := sample.sharp_near(middle):
        middle, sharp = near
        images.append((f"sharp at {middle}", sharp))
    for v_th, stream in [*sample.spikes.items()][:_DEBLURRED]:
        if deblurrer is not None and sample.ratio == SCALE and _has_room(deblurrer, middle, len(stream)):
            (frame,) = deblurrer.frames(sample.blur, stream, [middle], sample.exposure)
            images.append((f"deblurred, V_th {threshold_name(v_th)}", frame))
    shown = [(caption, PageImage.of(_narrow(image, _IMAGE))) for caption, image in images]
    return Slider(f"{sample.key}, exposure {sample.window}", shown)


def _has_room(deblurrer: Deblurrer, time: int, readouts: int) -> bool:
    return deblurrer.length // 2 <= time < readouts - deblurrer.length // 2


def _scrubber(sample: Sample) -> Scrubber:
    """The streams of a sample, as many as fit into the page."""
    streams: list[ScrubbedStream] = []
    room = _SCRUBBED
    for v_th, stream in sample.spikes.items():
        shown = ScrubbedStream.of(f"V_th {threshold_name(v_th)}", stream)
        room -= len(shown.data)
        if room >= 0 or not streams:
            streams.append(shown)
    start, stop = sample.exposure
    title = f"{sample.key}, exposure {sample.window}: its spikes, exposed from readout {start} to {stop - 1}"
    return Scrubber(title, streams)


def _exposure(sample: Sample, optics: Optics) -> Slider:
    """The light of the blurry image, and what the spikes of the same exposure tell of it."""
    start, stop = sample.exposure
    light = np.rint(255 * optics.light(sample.blur, sample.misalignment)).astype(np.uint8)
    images = [("light of the blurry image", light)]
    for v_th, stream in sample.spikes.items():
        long = spike_image(stream, (start + stop) // 2, "tfp", stop - start)
        images.append((f"TFP of the exposure, V_th {threshold_name(v_th)}", long))
    shown = [(caption, PageImage.of(image)) for caption, image in images]
    return Slider(f"{sample.key}, exposure {sample.window}: both are of the same light", shown)


def _noise(sample: Sample) -> list[Part]:
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


def _measure(sample: Sample, optics: Optics) -> _Measured:
    streams = {v_th: stream_figures(sample, stream, optics) for v_th, stream in sample.spikes.items()}
    return _Measured(sample.key, sample.window, streams, motion(sample))


def _physics(measured: Sequence[_Measured], choices: Record) -> list[Part]:
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


def _motion(measured: Sequence[_Measured]) -> list[Part]:
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


def _worries(measured: Sequence[_Measured], seen: Diagnostics) -> list[str]:
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
    notes = [f"{what}: {', '.join(places[:_LISTED])}{_more(places)}" for what, places in found.items()]
    for numbers, what in (
        (seen.cuts, "raw frames that begin a new scene"),
        (seen.fast, "raw frames to which motion was too fast to be followed"),
        (seen.left_out, "exposures left out because of a cut"),
    ):
        if numbers:
            notes.append(f"{what}: {', '.join(map(str, numbers[:_LISTED]))}{_more(numbers)}")
    return notes or [f"Nothing, as far as {len(measured)} samples tell."]


def _more(places: Sequence[object]) -> str:
    return f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
