"""The report of a dataset: its recipe, its images, and whether spikes and images say the same of the light."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from spikesim_datasets.optics import SCALE, Optics
from spikesim_datasets.progress import OnProgress, Progress, teller
from spikesim_datasets.remote.url import Place
from spikesim_datasets.shards import Sample
from spikesim_datasets.shards.index import ShardEntry, list_shards
from spikesim_datasets.shards.schema import threshold_name
from spikesim_datasets.visualisation import spike_image
from spikesim_report.dataset_figures import (
    ABOUT_LIGHT,
    ABOUT_NOISE,
    MeasuredSample,
    ReadSample,
    light_parts,
    motion_parts,
    noise_parts,
    worries,
)
from spikesim_report.page_file import Page
from spikesim_report.parts import (
    Gallery,
    Listing,
    Notes,
    PageImage,
    ScrubbedStream,
    Scrubber,
    Section,
    Slider,
    narrowed,
)
from spikesim_report.words import Record, size, words_of
from ssdm_models.deblurrer import Deblurrer

_COMPARED = 3  # samples with an edge to move
_MEASURED = 24  # samples, evenly spread
_CLIPS = 24  # with a thumbnail
_THUMBNAIL = 320  # pixels wide
_IMAGE = 1280
_SCRUBBED = 4_500_000  # letters that streams take in the page
_DEBLURRED = 3  # thresholds, the lowest


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
    tell(Progress(0, len(chosen)))
    for done, place in enumerate(chosen):
        entry, number = numbers[place]
        read = ReadSample.of(path / entry.path, number)
        if not done:
            first = read
        sample = read.sample
        if entry.key not in seen and len(seen) < _CLIPS:
            seen.add(entry.key)
            clips.append((entry.key, PageImage.of(narrowed(sample.blur, _THUMBNAIL), 20_000)))
        if place in shown:
            compared.append(_slider(sample, deblurrer))
        measured.append(MeasuredSample.of(read))
        tell(Progress(done + 1, len(chosen), entry.key))
    what = Listing("what the dataset holds", ("", ""), words_of(record))
    physics = [*light_parts(measured, record["choices"]), _exposure(first.sample, first.optics)]
    sections = [
        Section("Overview", [what, Notes("what should worry", worries(measured))]),
        Section("Clips", [_clips(entries), Gallery("one sample of each clip, blurry", clips)]),
        Section("Samples", compared, "The edge moves with the pointer, or with the arrow keys on its slider."),
        Section("Spikes", [_scrubber(first.sample)]),
        Section("Light and spikes", physics, ABOUT_LIGHT),
        Section("Noise", noise_parts(first.sample), ABOUT_NOISE),
        Section("Motion", motion_parts(measured)),
    ]
    return Page(str(path).rpartition("/")[2], f"dataset {path}", sections, record)


def _spread(total: int, most: int) -> list[int]:
    """So many numbers of 0..total−1, evenly spread."""
    return sorted({*np.linspace(0, total - 1, min(total, most)).round().astype(int).tolist()})


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
    shown = [(caption, PageImage.of(narrowed(image, _IMAGE))) for caption, image in images]
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
