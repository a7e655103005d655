"""Recordings of a blurry image and its spikes: read from files, and written to files as sharp frames."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from spikesim import SpikeStream, read_spikes
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.formats import FORMATS
from spikesim.formats.sidecar import Sidecar
from spikesim_datasets.frame_folder import FrameFolder
from spikesim_datasets.image_files import read_image, write_gif, write_png
from spikesim_datasets.optics import SCALE
from spikesim_datasets.recognition import recognise
from spikesim_datasets.sources import FRAME_SUFFIXES, VIDEO_SUFFIXES
from spikesim_datasets.video_files import CONTAINERS, FINE_CRF, write_video
from ssdm_models.deblur import FRAMES, deblur_frames, frame_times, usual_exposure
from ssdm_models.ldn import LDN

DESCRIPTION = "deblurring.json"
SCHEMA = "spikesim.deblurring/1"

FPS = 10
"""Frames per second of a video: seven of an exposure last long enough to be seen."""

_FRAME = re.compile(r"\d{6,}\.png")


class BlurryRecording(NamedTuple):
    """A blurry image, RGB uint8 (H, W, 3), and its spikes (T, H/4, W/4)."""

    blur: np.ndarray
    spikes: SpikeStream


@dataclass(frozen=True)
class Deblurred:
    """What `deblur_recording` wrote.

    Attributes:
        files: The video, the image, or the images in the folder.
        readouts: The time of every frame.
        kept: Images of them that were there already.
    """

    files: tuple[Path, ...]
    readouts: tuple[int, ...]
    kept: int


def read_recording(
    blur: str | os.PathLike[str], spikes: str | os.PathLike[str], **format_options: Any
) -> BlurryRecording:
    """Read a blurry image and its spikes.

    Args:
        blur: The image, PNG, JPEG or another format of 8 bits.
        spikes: The spike file. A `.dat` that does not know its size has a quarter of the image's.
        **format_options: As for `spikesim.read_spikes`, `height` and `width` included.

    Raises:
        InvalidValueError: The image's sides are no multiples of 4, the spikes are not a quarter of it, or an option
            is not one there is.
        InputFileError: A file is missing, damaged, or something else.
    """
    blur, spikes = Path(blur), Path(spikes)
    if not blur.exists():
        raise InputFileError(f"{blur} does not exist")
    if blur.suffix.lower() in FORMATS:
        raise InvalidValueError(f"{blur} is a spike file; the image comes first, then the spikes")
    if (kind := recognise(spikes)) != "spikes":
        raise InputFileError(
            f"{spikes} is a {kind}, not the spikes of one image; `spikesim convert DATASET FOLDER` writes those of a "
            "dataset, with their images"
        )
    image = read_image(blur)
    height, width, _ = image.shape
    if height % SCALE or width % SCALE:
        raise InvalidValueError(
            f"{blur} is {width}×{height}; spikes are a quarter of the image, so its sides must be multiples of "
            f"{SCALE}; crop it to four times the size of its spikes"
        )
    quarter = (height // SCALE, width // SCALE)
    stream = _read_quarter(spikes, quarter, blur, format_options)
    if stream.shape[1:] != quarter:
        raise InvalidValueError(
            f"{spikes} holds spikes of {stream.shape[2]}×{stream.shape[1]}, but {blur} is {width}×{height}, a quarter "
            f"of which is {quarter[1]}×{quarter[0]}; give the image and the spikes of one recording"
        )
    return BlurryRecording(image, stream)


def deblur_recording(
    network: LDN,
    recording: BlurryRecording,
    output: str | os.PathLike[str],
    *,
    exposure: tuple[int, int] | None = None,
    frames: int | None = None,
    at: Sequence[int] = (),
    fps: int = FPS,
    tile: int | None = None,
    overwrite: bool = False,
    on_frame: Callable[[int, int], None] | None = None,
) -> Deblurred:
    """Write the sharp frames of a recording.

    A folder gets a PNG for each: `000068.png` shows readout 68. It says of what they were made, and frames that are
    there are kept, so that running again after an interruption finishes the work.

    Args:
        network: The student.
        recording: The blurry image and its spikes.
        output: A folder, a video (.mp4, .mov, .mkv, .gif) or a single image (.png); these replace older ones.
        exposure: In which readouts of the stream the image was exposed, as for `frame_times`.
        frames: How many frames to spread over the exposure; None makes 7, and of a single image 1, the middle.
        at: The times themselves. Then an exposure tells only how much light a spike is; where it is not known, all
            of the stream does.
        fps: Frames per second that a video is shown at.
        tile: As for `deblur_sequence`.
        overwrite: Remove frames in a folder that were made of something else.
        on_frame: Called with 1 and the total after each frame; first with the number of frames kept.

    Returns:
        What is written.

    Raises:
        InvalidValueError: A value is meaningless, the output is none of these, or a time cannot be shown.
        OutputError: The folder holds something else, or a file cannot be written. Every file is whole or absent.
    """
    output, form = Path(output), _form(output)
    if fps < 1:
        raise InvalidValueError(f"a video shows at least 1 frame a second, got fps={fps}")
    blur, stream = recording
    if frames is None:
        frames = 1 if form == "image" else FRAMES
    times = tuple(dict.fromkeys(at)) or frame_times(len(stream), network.readouts, exposure, frames)
    exposed = exposure or usual_exposure(len(stream)) or (0, len(stream))
    if form == "image" and len(times) > 1:
        raise InvalidValueError(f"{output} is one image, not {len(times)} frames; give a folder or a video")
    notify = on_frame or (lambda frames, total: None)

    def made(readouts: Sequence[int]) -> Iterator[np.ndarray]:
        # What is refused is refused here, before anything is written.
        sharp = deblur_frames(network, blur, stream, readouts, exposed, tile)
        return _noted(chain([next(sharp)], sharp), lambda: notify(1, len(times)))

    match form:
        case "image":
            write_png(output, next(made(times)))
        case "gif":
            write_gif(output, made(times), fps)
        case "video":
            write_video(output, made(times), fps, FINE_CRF)
        case "folder":
            return _fill(output, _describe(network, recording, times, exposed), times, overwrite, made, notify)
    return Deblurred((output,), times, 0)


def _form(output: Path) -> Literal["image", "gif", "video", "folder"]:
    match output.suffix.lower():
        case ".png":
            return "image"
        case ".gif":
            return "gif"
        case suffix if suffix in CONTAINERS:
            return "video"
        case suffix if suffix in (*VIDEO_SUFFIXES, *FRAME_SUFFIXES):
            raise InvalidValueError(
                f"{output}: a image is .png, a video {', '.join(CONTAINERS)} or .gif; for many images, give the "
                "name of a folder"
            )
    return "folder"


def _fill(
    output: Path,
    description: dict[str, Any],
    times: tuple[int, ...],
    overwrite: bool,
    made: Callable[[Sequence[int]], Iterator[np.ndarray]],
    notify: Callable[[int, int], None],
) -> Deblurred:
    """Write the frames that are missing in a folder."""
    folder = FrameFolder(output, "deblurred frames", DESCRIPTION, _FRAME, description)
    there = folder.frames_there(overwrite)
    paths = {readout: output / f"{readout:06d}.png" for readout in times}
    missing = [readout for readout, path in paths.items() if path.name not in there]
    kept = len(times) - len(missing)
    notify(kept, len(times))
    if missing:
        sharp = made(missing)
        if not there:
            folder.begin()
        for readout, frame in zip(missing, sharp, strict=True):
            write_png(paths[readout], frame)
    return Deblurred(tuple(paths.values()), times, kept)


def _noted(frames: Iterator[np.ndarray], note: Callable[[], None]) -> Iterator[np.ndarray]:
    """Frames, with a note of each that is made."""
    for frame in frames:
        note()
        yield frame


def _describe(
    network: LDN, recording: BlurryRecording, times: tuple[int, ...], exposure: tuple[int, int]
) -> dict[str, Any]:
    """Everything that decides what the frames of a folder are, as JSON values."""
    weights = (parameter.detach().cpu().numpy() for parameter in network.parameters())
    return {
        "schema": SCHEMA,
        "network": _digest(*weights),
        "blur": _digest(recording.blur),
        "spikes": _digest(recording.spikes.packed),
        "readouts": times,
        "exposure": exposure,
    }


def _digest(*arrays: np.ndarray) -> str:
    """SHA-256 of arrays and their shapes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _read_quarter(spikes: Path, quarter: tuple[int, int], blur: Path, options: dict[str, Any]) -> SpikeStream:
    """The stream of a spike file; where nothing says the size of a `.dat`, a quarter of the image's is taken."""
    if spikes.suffix.lower() != ".dat" or {"height", "width"} & options.keys() or Sidecar.read(spikes) is not None:
        return read_spikes(spikes, **options)
    try:
        return read_spikes(spikes, *quarter, **options)
    except InputFileError as error:
        raise InputFileError(f"{error}. {quarter[0]}×{quarter[1]} is a quarter of {blur}") from error
