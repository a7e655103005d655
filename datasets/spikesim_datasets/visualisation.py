"""Images of spike streams and samples, for people to look at."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np

from spikesim import SpikeStream, as_light, tfi, tfp, tfstp, tfstp_video
from spikesim.checks import require_choice, require_flag, require_instance, require_list, require_path, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.image_files import write_gif, write_png
from spikesim_datasets.shards import Sample
from spikesim_datasets.shards.schema import threshold_name
from spikesim_datasets.sources import Clip
from spikesim_datasets.sources.clip import require_clip
from spikesim_datasets.videos import write_video

Look = Literal["spikes", "tfp", "tfi", "tfstp"]

_PIECE = 64  # readouts whose TFSTP is computed together, each piece from the stream's beginning
_CAPTION = 26  # pixels
_MARGIN = 6
_PAPER, _INK = 250, 20
_FPS = 20
_CRF = 23  # spikes are noise, which better quality would spend much on

Panel = tuple[str, np.ndarray]
"""A caption and an image, uint8 grey (h, w) or RGB (h, w, 3)."""


def spike_image(stream: SpikeStream, centre: int, look: Look, window: int) -> np.ndarray:
    """A stream around a readout, uint8 grey (H, W).

    Intensity is the light it stands for where the camera is known, else it is stretched to the brightest hundredth.

    Args:
        stream: Spikes (T, H, W).
        centre: Readout.
        look: `spikes` the bits of this readout; `tfp` the mean of the window; `tfi` one over the interval; `tfstp` the
            rate that the states of a synapse tell after it.
        window: Readouts of TFP, moved to lie in the stream; TFI and TFSTP look through the whole stream.

    Raises:
        InvalidValueError: `look` is unknown, or the window is longer than the stream.
    """
    require_instance(stream, "stream", SpikeStream)
    require_choice(look, "look", get_args(Look))
    if not len(stream):
        raise InvalidValueError("the stream is empty: no readout can be shown")
    centre = require_whole(centre, "centre", 0, len(stream) - 1)
    window = require_whole(window, "window", 1, unit="readouts")
    match look:
        case "spikes":
            return stream[centre : centre + 1].dense()[0] * np.uint8(255)
        case "tfp":
            reach = window // 2
            rate = tfp(stream, int(np.clip(centre, reach, max(reach, len(stream) - window + reach))), window)
        case "tfi":
            rate = tfi(stream, centre)
        case "tfstp":
            rate = tfstp(stream, centre)
    return as_light(rate, stream.camera)


def streams_sheet(
    streams: Mapping[str, SpikeStream],
    look: Look,
    window: int,
    moments: int = 5,
    first: int = 0,
    *,
    labels: bool = True,
) -> np.ndarray:
    """Streams at evenly spaced moments that all of them have, a row for each.

    Args:
        streams: By what captions call them; of a single one the name may be empty.
        look, window: As for `spike_image`.
        moments: How many.
        first: What captions call the first readout.
        labels: Whether there are captions.

    Returns:
        RGB uint8 (h, w, 3).

    Raises:
        InvalidValueError: There is no stream, one is empty, or an argument is outside its range.
    """
    streams = require_streams(streams)
    moments, first = require_whole(moments, "moments", 1), require_whole(first, "first", 0)
    centres = np.linspace(0, min(map(len, streams.values())) - 1, moments + 2)[1:-1].astype(int).tolist()
    rows = [
        [
            (_caption(name, f"{look} at {first + centre}"), spike_image(stream, centre, look, window))
            for centre in centres
        ]
        for name, stream in streams.items()
    ]
    return sheet(rows, 400, labels)


def sample_sheet(sample: Sample, window: int, *, labels: bool = True) -> np.ndarray:
    """A sample at one view: blur and ground truth, then for every threshold bits, two TFPs and TFI.

    Where there is no ground truth, the TFP of the exposure stands beside the blur, which is of the same time.

    Args:
        sample: The sample.
        window: Readouts of the shorter TFP.
        labels: Whether there are captions.

    Returns:
        RGB uint8 (h, w, 3).

    Raises:
        InvalidValueError: It is no sample, or the window is longer than its streams.
    """
    require_instance(sample, "sample", Sample)
    middle = sum(sample.exposure) // 2
    start, stop = sample.exposure
    rows = []
    for v_th, stream in sample.spikes.items():
        rows.append(
            [
                (f"V_th {threshold_name(v_th)}: spikes at {middle}", spike_image(stream, middle, "spikes", 1)),
                (f"TFP of {window}", spike_image(stream, middle, "tfp", window)),
                (f"TFP of {stop - start} (the exposure)", spike_image(stream, middle, "tfp", stop - start)),
                ("TFI", spike_image(stream, middle, "tfi", window)),
            ]
        )
    beside = _sharp_panels(sample, middle) or [rows[0][2]]
    return sheet([[("blur", sample.blur), *beside], *rows], labels=labels)


def streams_video(
    streams: Mapping[str, SpikeStream], look: Look, window: int, first: int = 0, *, labels: bool = True
) -> Iterator[np.ndarray]:
    """Streams beside each other, readout by readout.

    Args:
        streams, look, window, first, labels: As for `streams_sheet`.

    Yields:
        RGB uint8 (h, w, 3), as many as the shortest stream has readouts.

    Raises:
        InvalidValueError: As for `streams_sheet`.
    """
    streams, first = require_streams(streams), require_whole(first, "first", 0)
    width = 640 if len(streams) == 1 else 400
    for centre, images in enumerate(zip(*(stream_images(s, look, window) for s in streams.values()), strict=False)):
        captions = [_caption(name, f"{look} {first + centre}") for name in streams]
        yield sheet([list(zip(captions, images, strict=True))], width, labels)


def sample_video(sample: Sample, look: Look, window: int, *, labels: bool = True) -> Iterator[np.ndarray]:
    """A sample readout by readout: blur, nearest ground truth, and every threshold's stream.

    Args:
        sample: The sample.
        look, window, labels: As for `streams_sheet`.

    Yields:
        RGB uint8 (h, w, 3), as many as the shortest stream has readouts.

    Raises:
        InvalidValueError: It is no sample, or an argument is outside its range.
    """
    require_instance(sample, "sample", Sample)
    videos = [stream_images(stream, look, window) for stream in sample.spikes.values()]
    for centre, images in enumerate(zip(*videos, strict=False)):  # as many as all have
        panels = [
            (f"V_th {threshold_name(v_th)}: {look} {centre}", image)
            for v_th, image in zip(sample.spikes, images, strict=True)
        ]
        yield sheet([[("blur", sample.blur), *_sharp_panels(sample, centre)], panels], 320, labels)


def stream_images(stream: SpikeStream, look: Look, window: int) -> Iterator[np.ndarray]:
    """`spike_image` at every readout, without computing TFSTP from the first one again for each.

    Args:
        stream: Spikes (T, H, W).
        look, window: As for `spike_image`.

    Yields:
        uint8 (H, W).

    Raises:
        InvalidValueError: An argument is outside its range.
    """
    require_instance(stream, "stream", SpikeStream)
    if require_choice(look, "look", get_args(Look)) != "tfstp":
        yield from (spike_image(stream, centre, look, window) for centre in range(len(stream)))
        return
    for start in range(0, len(stream), _PIECE):
        rates = tfstp_video(stream, start, min(start + _PIECE, len(stream)))
        yield from (as_light(rate, stream.camera) for rate in rates)


def require_streams(streams: Any) -> Mapping[str, SpikeStream]:
    """Streams by their names, refused where they are none.

    Raises:
        InvalidValueError: It is no mapping of names to streams, or there is none in it.
    """
    if not isinstance(streams, Mapping):
        raise InvalidValueError(f"streams must be streams by their names, got {type(streams).__name__}")
    for name, stream in streams.items():
        require_instance(name, "a name of streams", str)
        require_instance(stream, f"the stream {name!r}", SpikeStream)
    if not streams:
        raise InvalidValueError("streams must hold one stream at least, got none")
    return streams


def clip_sheet(clip: Clip, moments: int = 5, *, labels: bool = True) -> np.ndarray:
    """A strip of the frames of a clip at evenly spaced moments; of fewer frames all.

    Args:
        clip: The clip.
        moments: How many, at least 1.
        labels: Whether there are captions.

    Returns:
        RGB uint8 (h, w, 3).

    Raises:
        InvalidValueError: It is no clip, or an argument is outside its range.
        InputFileError: Its frames cannot be read.
    """
    require_clip(clip)
    moments = require_whole(moments, "moments", 1)
    numbers = np.linspace(0, clip.n_frames - 1, moments + 2)[1:-1].astype(int).tolist()
    if clip.n_frames <= moments:
        numbers = list(range(clip.n_frames))
    panels = [(f"frame {number}", frame) for number in numbers for frame in clip.frames(number, number + 1)]
    return sheet([panels], 400, labels)


def clip_video(clip: Clip, *, labels: bool = True) -> Iterator[np.ndarray]:
    """A clip frame by frame.

    Args:
        clip: The clip.
        labels: Whether there are captions.

    Yields:
        RGB uint8 (h, w, 3).

    Raises:
        InvalidValueError: It is no clip.
        InputFileError: Its frames cannot be read.
    """
    for number, frame in enumerate(require_clip(clip).frames(0, clip.n_frames)):
        yield sheet([[(f"frame {number}", frame)]], 640, labels)


def sheet(rows: Sequence[Sequence[Panel]], width: int = 480, labels: bool = True) -> np.ndarray:
    """Panels in rows, each with its caption. Every row is as wide as the one of most panels.

    Args:
        rows: Panels, row by row: captions, and uint8 images, grey (h, w) or RGB (h, w, 3). Rows may differ in length.
        width: Of every panel of the longest row in pixels; heights follow the images' shapes.
        labels: Whether captions are written above the panels.

    Returns:
        RGB uint8 (h, w, 3), of even height and width.

    Raises:
        InvalidValueError: There is no row or no panel, or one is no caption with an image.
    """
    width, labels = require_whole(width, "width", 1, unit="pixels"), require_flag(labels, "labels")
    checked = [
        [_checked(panel) for panel in require_list(row, "each of rows", "panels")]
        for row in require_list(rows, "rows", "rows of panels")
    ]
    if not checked or not all(checked):
        raise InvalidValueError("a sheet needs rows, and each of them a panel at least")
    # Even sides, which every player of videos shows.
    full = (_MARGIN + max(map(len, checked)) * (width + _MARGIN) + 1) // 2 * 2
    drawn = [[_panel(*panel, (full - _MARGIN) // len(row) - _MARGIN, labels) for panel in row] for row in checked]
    height = _MARGIN + sum(max(panel.shape[0] for panel in row) + _MARGIN for row in drawn)
    page = np.full(((height + 1) // 2 * 2, full, 3), _PAPER, np.uint8)
    top = _MARGIN
    for row in drawn:
        left = _MARGIN
        for panel in row:
            page[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
            left += panel.shape[1] + _MARGIN
        top += max(panel.shape[0] for panel in row) + _MARGIN
    return page


def is_still(path: Path | str) -> bool:
    """Whether a file name is that of an image (.png) and not of a video (.gif, .mp4).

    Raises:
        InvalidValueError: It is neither.
    """
    extension = require_path(path).suffix.lower()
    if extension not in (".png", ".gif", ".mp4"):
        raise InvalidValueError(f"{path}: images are .png, videos .gif or .mp4")
    return extension == ".png"


def write_image(path: Path | str, image: np.ndarray) -> None:
    """Write an image as PNG.

    Args:
        path: The file, `.png`.
        image: uint8, grey (H, W) or RGB (H, W, 3).

    Raises:
        InvalidValueError: The extension is another one.
        OutputError: It cannot be written.
    """
    if not is_still(path):
        raise InvalidValueError(f"{path}: images are .png")
    write_png(path, image)


def write_animation(path: Path | str, frames: Iterable[np.ndarray]) -> None:
    """Write frames as a GIF or an MP4, by the extension.

    Args:
        path: The file.
        frames: At least one; RGB uint8 (H, W, 3) of one size.

    Raises:
        InvalidValueError: The extension is another one, or there is no frame.
        OutputError: It cannot be written.
    """
    if is_still(path):
        raise InvalidValueError(f"{path}: videos are .gif or .mp4")
    if Path(path).suffix.lower() == ".mp4":
        write_video(path, frames, _FPS, _CRF)
    else:
        write_gif(path, frames, _FPS)


def _sharp_panels(sample: Sample, readout: int) -> list[Panel]:
    """The ground truth nearest to a readout, if there is any."""
    near = sample.sharp_near(readout)
    return [] if near is None else [(f"sharp at {near[0]}", near[1])]


def _caption(name: str, what: str) -> str:
    return f"{name}: {what}" if name else what


def _checked(panel: Any) -> Panel:
    """A panel of a sheet, refused where it is none."""
    match panel:
        case (str() as caption, np.ndarray() as image) if (
            image.dtype == np.uint8 and image.ndim in (2, 3) and image.size
        ):
            return caption, image
    raise InvalidValueError(f"a panel is a caption and a uint8 image (h, w) or (h, w, 3), got {panel!r:.200}")


def _panel(caption: str, image: np.ndarray, width: int, labels: bool) -> np.ndarray:
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    upsampled = width > image.shape[1]
    resized = cv2.resize(image, (width, height), interpolation=cv2.INTER_NEAREST if upsampled else cv2.INTER_AREA)
    if resized.ndim == 2:
        resized = np.repeat(resized[..., None], 3, axis=2)
    if not labels:
        return resized
    label = np.full((_CAPTION, width, 3), _PAPER, np.uint8)
    cv2.putText(label, caption, (2, _CAPTION - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (_INK,) * 3, 1, cv2.LINE_AA)
    return np.concatenate([label, resized])
