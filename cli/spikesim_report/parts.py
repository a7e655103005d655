"""What a report is made of: tables, plots and images, as the page's template shows them."""

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from spikesim import SpikeStream
from spikesim_datasets.image_files import as_jpeg

_QUALITIES = 88, 75, 60, 45


@dataclass(frozen=True)
class PageImage:
    """An image in the page itself.

    Attributes:
        uri: Its bytes, as a `data:` address.
        width, height: Pixels.
    """

    uri: str
    width: int
    height: int

    @classmethod
    def of(cls, image: np.ndarray, most: int = 200_000) -> Self:
        """An image, RGB or grey uint8, as JPEG of so many bytes at most, or of a quality that is just bearable."""
        for quality in _QUALITIES:
            jpeg = as_jpeg(image, quality)
            if len(jpeg) <= most:
                break
        data = base64.b64encode(jpeg).decode()
        return cls(f"data:image/jpeg;base64,{data}", image.shape[1], image.shape[0])


def narrowed(image: np.ndarray, width: int) -> np.ndarray:
    """An image of at most this width."""
    if image.shape[1] <= width:
        return image
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


@dataclass(frozen=True)
class Listing:
    """Rows of words below their columns; the first cell of each row names it."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Plot:
    """A drawing, as SVG whose colours are those of the page's theme (`plots.drawn`)."""

    title: str
    svg: str


@dataclass(frozen=True)
class Gallery:
    """Images beside each other, each with a caption.

    Attributes:
        title, images: What it shows.
        columns: How many are in a row; 0 for as many as there is room for.
    """

    title: str
    images: Sequence[tuple[str, PageImage]]
    columns: int = 0


@dataclass(frozen=True)
class Slider:
    """Images of one size that lie on each other, with an edge that is moved over them."""

    title: str
    images: Sequence[tuple[str, PageImage]]


@dataclass(frozen=True)
class Notes:
    """Sentences, one below the other."""

    title: str
    notes: Sequence[str]


@dataclass(frozen=True)
class ScrubbedStream:
    """A stream whose readouts the page shows.

    Attributes:
        caption: What it is called.
        readouts, height, width: Of the stream.
        unit: Light, of full light 1, that one spike a readout stands for.
        data: Its packed bits, deflated, in base64.
    """

    caption: str
    readouts: int
    height: int
    width: int
    unit: float
    data: str

    @classmethod
    def of(cls, caption: str, stream: SpikeStream) -> Self:
        """A stream with the light of its camera; without one, the brightest hundredth of its pixels is white."""
        if stream.camera is not None:
            unit = stream.camera.v_th / stream.camera.gain
        else:
            rates = stream.counts() / len(stream)
            unit = 1 / max(float(np.quantile(rates, 0.99)), 1 / len(stream))
        data = base64.b64encode(zlib.compress(stream.packed.tobytes(), 9)).decode()
        return cls(caption, *stream.shape, unit, data)


@dataclass(frozen=True)
class Scrubber:
    """Streams of one scene, of which one readout after the other is shown: as spikes, TFP or TFI.

    Attributes:
        streams: Of one length.
        first: What the first readout is called.
        window: Readouts that TFP averages at first.
    """

    title: str
    streams: Sequence[ScrubbedStream]
    first: int = 0
    window: int = 21


Part = Listing | Plot | Gallery | Slider | Notes | Scrubber


@dataclass(frozen=True)
class Section:
    """Parts below a heading, after some words on what they show."""

    title: str
    parts: Sequence[Part]
    text: str = ""
