"""The report of a spike file: how often its pixels fire, which of them do not as others, and its readouts."""

from pathlib import Path

import numpy as np

from spikesim import SpikeStream, outlying_pixels
from spikesim_datasets.visualisation import spike_image
from spikesim_report import plots
from spikesim_report.page_file import Page
from spikesim_report.parts import Gallery, Listing, Notes, PageImage, Part, ScrubbedStream, Scrubber, Section
from spikesim_report.words import Record, words_of

_MOMENTS = 4  # of the strip
_MOST_BYTES = 4_000_000  # of packed spikes that a page shows readout by readout
_LISTED = 12  # outlying pixels
_STEPS = 50  # of rates


def spikes_page(path: Path, record: Record, stream: SpikeStream, first: int = 0) -> Page:
    """The report.

    Args:
        path: The file.
        record: What `info` says of it.
        stream: What is in it.
        first: Its number of the stream's first readout.
    """
    facts = Listing("what the file holds", ("", ""), words_of(record))
    sections = [Section("Overview", [facts, _strip(stream, first)]), Section("Readouts", [_scrubber(stream, first)])]
    sections += [Section("Rates", _rates(stream, first)), Section("Outlying pixels", _outlying(stream), _OUTLYING)]
    return Page(path.name, f"spike file {path}", sections, record)


_OUTLYING = (
    "Pixels whose number of spikes differs from the median of their eight neighbours by more than noise or the edge of "
    "an object explains: dead ones hardly fire, hot ones fire far too often."
)


def _strip(stream: SpikeStream, first: int) -> Gallery:
    centres = np.linspace(0, len(stream) - 1, _MOMENTS + 2)[1:-1].astype(int).tolist()
    window = min(21, len(stream))
    return Gallery(
        f"TFP of {window} readouts",
        [(f"readout {first + centre}", PageImage.of(spike_image(stream, centre, "tfp", window))) for centre in centres],
    )


def _scrubber(stream: SpikeStream, first: int) -> Scrubber:
    """The middle of a long stream."""
    most = max(1, min(len(stream), _MOST_BYTES // stream.packed[0].nbytes))
    start = (len(stream) - most) // 2
    title = f"readouts {first + start} to {first + start + most - 1} of {len(stream)}"
    return Scrubber(title, [ScrubbedStream.of("spikes", stream[start : start + most])], first + start, min(21, most))


def _rates(stream: SpikeStream, first: int) -> list[Part]:
    pixels = stream.shape[1] * stream.shape[2]
    by_readout = np.bitwise_count(stream.packed).sum((1, 2), dtype=np.int64) / pixels
    counts = np.concatenate([stream[i : i + 65_535].counts().ravel()[None] for i in range(0, len(stream), 65_535)])
    rates = counts.sum(0, dtype=np.int64) / len(stream)
    # Steps of whole numbers of spikes: others would hold one number more or less in turn.
    step = max(1, -(-int(rates.max() * len(stream)) // _STEPS))
    edges = (np.arange(0, int(rates.max() * len(stream)) + 2 * step, step) - 0.5) / len(stream)
    heights, _ = np.histogram(rates, edges)
    return [
        plots.lines(
            "spikes per pixel, readout by readout",
            ("readout", "spikes per pixel"),
            {"spikes": (first + np.arange(len(stream)), by_readout)},
        ),
        plots.lines(
            "pixels by how often they fire",
            ("spikes per readout", "share of the pixels"),
            {"pixels": ((edges[1:] + edges[:-1]) / 2, heights / pixels)},
        ),
    ]


def _outlying(stream: SpikeStream) -> list[Part]:
    found = outlying_pixels(stream)
    if not len(found):
        return [Notes("outlying pixels", ["None of its pixels fires as no neighbour does."])]
    rows = [
        (f"row {p.row}, column {p.column}", str(p.spikes), f"{p.neighbours:g}", "hot" if p.hot else "dead")
        for p in found[:_LISTED]
    ]
    more = [Notes("more", [f"{len(found) - _LISTED} more are not listed."])] if len(found) > _LISTED else []
    columns = ("pixel", "spikes", "median of its neighbours", "")
    return [Listing(f"{len(found)} of {stream.shape[1] * stream.shape[2]} pixels", columns, rows), *more]
