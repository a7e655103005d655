"""Recordings of a blurry image and its spikes: read from files, and written to files as sharp frames."""

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np

from spikesim import SpikeStream, read_spikes
from spikesim.brief import Brief
from spikesim.checks import require_flag, require_instance, require_path, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.formats import FORMATS
from spikesim.formats.sidecar import Sidecar
from spikesim_datasets.alignment import Alignment
from spikesim_datasets.frame_folder import FrameFolder
from spikesim_datasets.image_files import read_image, write_gif, write_png
from spikesim_datasets.kernels.optics import LUMA
from spikesim_datasets.optics import SCALE, planes
from spikesim_datasets.progress import OnProgress, Progress, Tally, teller
from spikesim_datasets.recognition import recognise
from spikesim_datasets.sources import FRAME_SUFFIXES, VIDEO_SUFFIXES
from spikesim_datasets.videos import CONTAINERS, FINE_CRF, write_video
from ssdm_models.deblurrer import Deblurrer, require_blur
from ssdm_models.exposure_times import FRAMES, frame_times, usual_exposure
from ssdm_models.option_groups import sort_options
from ssdm_models.readout_spans import require_exposure, require_times, within

_INSIDE = "deblurring.json"  # of earlier versions
SCHEMA = "spikesim.deblurring/1"

FPS = 10
"""Frames per second of a video: seven of an exposure last long enough to be seen."""

_FRAME = re.compile(r"\d{6,}\.png")


@dataclass(frozen=True, repr=False, eq=False)
class BlurryRecording(Brief):
    """A blurry image and its spikes.

    Args:
        blur: RGB uint8 (H, W, 3), aligned with the spikes.
        spikes: Stream (T, H/4, W/4).
        alignment: How the image was aligned with them, which is kept beside what is made of it; None where it lay so.

    Raises:
        InvalidValueError: A value is none of these.
    """

    blur: np.ndarray
    spikes: SpikeStream
    alignment: Alignment | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "blur", require_blur(self.blur))
        require_instance(self.spikes, "spikes", SpikeStream)
        if self.alignment is not None:
            require_instance(self.alignment, "alignment", Alignment)

    def __iter__(self) -> Iterator[Any]:
        """The image and the spikes, in the order that a deblurrer takes them."""
        return iter((self.blur, self.spikes))


_KINDS = {"source": "an image or a video"}
"""What is said of a kind of file, where its name alone does not tell."""


@dataclass(frozen=True, repr=False)
class Deblurred(Brief):
    """What `deblur_recording` wrote.

    Attributes:
        files: The video, the image, or the images in the folder.
        times: The readout that every frame shows.
        kept: Images of them that were there already.
    """

    files: tuple[Path, ...]
    times: tuple[int, ...]
    kept: int


def read_recording(
    blur: str | os.PathLike[str],
    spikes: str | os.PathLike[str],
    alignment: Alignment | None = None,
    **format_options: Any,
) -> BlurryRecording:
    """Read a blurry image and its spikes.

    Args:
        blur: The image, of 8 bits: PNG, JPEG, TIFF, WebP, BMP, GIF or PPM.
        spikes: The spike file. A `.dat` that does not know its size has a quarter of the image's, or of the alignment's
            crop; under a homography nothing says it.
        alignment: How the image is laid over a frame of four times the spikes' size; None where it is one.
        **format_options: As for `spikesim.read_spikes`, `height` and `width` included.

    Returns:
        The image and the spikes, aligned.

    Raises:
        InvalidValueError: The image's sides are no multiples of 4, the spikes are not a quarter of it, it cannot be
            aligned so, the size of the spikes is not known, or an option is not one there is.
        InputFileError: A file is missing, damaged, or something else.
    """
    blur, spikes = require_path(blur, "blur"), require_path(spikes, "spikes")
    if alignment is not None:
        require_instance(alignment, "alignment", Alignment)
    if not blur.exists():
        raise InputFileError(f"{blur} does not exist")
    if blur.suffix.lower() in FORMATS:
        raise InvalidValueError(f"{blur} is a spike file; the image comes first, then the spikes")
    if (kind := recognise(spikes)) != "spikes":
        raise InputFileError(
            f"{spikes} is {_KINDS.get(kind, f'a {kind}')}, not the spikes of one image; "
            "`spikesim convert DATASET FOLDER` writes those of a dataset, with their images, and "
            "`spikesim deblur FOLDER FOLDER OUT` takes clip folders of recordings"
        )
    image = read_image(blur)
    if alignment is not None and alignment.homography is not None:
        stream = read_spikes(spikes, **format_options)
    elif alignment is None or alignment.crop is None:
        stream = _read_quarter(spikes, image.shape[:2], str(blur), format_options)
    else:
        stream = _read_quarter(spikes, alignment.crop[:1:-1], f"the crop of {blur}", format_options)
    if alignment is None:
        return BlurryRecording(image, stream)
    try:
        aligned = alignment.warp(image, *(SCALE * side for side in stream.shape[1:]))
    except InvalidValueError as error:
        raise InvalidValueError(f"{blur} cannot be aligned with {spikes}: {error}") from error
    return BlurryRecording(aligned, stream, alignment)


@dataclass(frozen=True)
class FrameOptions:
    """Which sharp frames of a recording are shown, and how.

    Args:
        exposure: In which readouts of the stream the image was exposed, as for `exposure_times.frame_times`.
        frames: How many frames to spread over the exposure; None makes 7, and of a single image 1, the middle.
        at: The times themselves. Then an exposure only normalises the spikes; where it is not known, all of the stream
            does.
        fps: Frames per second that a video is shown at.
        tile: As for `deblur.deblur_sequence`.

    Raises:
        InvalidValueError: A video would show less than one frame a second, or values are not as above.
    """

    exposure: tuple[int, int] | None = None
    frames: int | None = None
    at: Sequence[int] = ()
    fps: int = FPS
    tile: int | None = None

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "at": tuple(require_times(self.at, "at")),
            "fps": require_whole(self.fps, "fps", 1),
        }
        if self.exposure is not None:
            checked["exposure"] = require_exposure(self.exposure)
        for name in ("frames", "tile"):
            if getattr(self, name) is not None:
                checked[name] = require_whole(getattr(self, name), name)
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def times(self, readouts: int, length: int, usual: int) -> tuple[int, ...]:
        """The times to show, of a stream of so many readouts and by a network that looks at a window of a length.

        Args:
            readouts, length: As for `exposure_times.frame_times`.
            usual: How many, where nothing is said.
        """
        frames = usual if self.frames is None else self.frames
        return tuple(dict.fromkeys(self.at)) or frame_times(readouts, length, self.exposure, frames)

    def exposed(self, readouts: int) -> tuple[int, int]:
        """The readouts that normalise the spikes, of a stream of so many.

        Args:
            readouts: Of the stream.

        Raises:
            InvalidValueError: It is no whole number, or the exposure is not in such a stream.
        """
        return self.exposure or usual_exposure(readouts) or (0, readouts)


def taken_threshold(recording: BlurryRecording, exposure: tuple[int, int] | None = None) -> float | None:
    """The threshold that the spikes of a recording are taken to have, whatever their file says.

    It is in units of full-scale light per readout, V_th/gain: what `intensity.intensity_scale` normalises spikes by.

    Args:
        recording: The blurry image and its spikes.
        exposure: As for `FrameOptions`.

    Returns:
        None where there are no spikes in the exposure.

    Raises:
        InvalidValueError: The exposure is empty or not in the stream.
    """
    blur, stream = require_instance(recording, "recording", BlurryRecording, "read_recording gives one")
    during = within(FrameOptions(exposure).exposed(len(stream)), len(stream))
    if not (rate := stream[during].rate):
        return None
    return float(planes(blur).mean((1, 2)) @ np.array(LUMA)) / rate


FRAME_OPTIONS = tuple(field.name for field in fields(FrameOptions))


def deblur_recording(
    deblurrer: Deblurrer,
    recording: BlurryRecording,
    output: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    **options: Any,
) -> Deblurred:
    """Write the sharp frames of a recording.

    A folder gets a PNG for each: `000068.png` shows readout 68. Beside it, `OUTPUT.json` says of what they were made,
    and how the image was aligned. Frames that are there are kept, so that running again after an interruption finishes
    the work.

    Args:
        deblurrer: A trained network, as `load_deblurrer` gives it.
        recording: The blurry image and its spikes.
        output: A folder, a video (.mp4, .mov, .mkv, .gif) or a single image (.png); these replace older ones.
        overwrite: Remove frames in a folder that were made of something else, when the first new one is whole.
        on_progress: Told of frames, first of those kept.
        options: Values of `FrameOptions`.

    Returns:
        What is written.

    Raises:
        InvalidValueError: A value is meaningless, the output is none of these, or a time cannot be shown.
        OutputError: The folder holds something else, another process writes it, or a file cannot be written. Every file
            is whole or absent.
    """
    require_instance(deblurrer, "deblurrer", Deblurrer)  # type: ignore[type-abstract]
    require_instance(recording, "recording", BlurryRecording, "read_recording gives one")
    output, overwrite = require_path(output, "output"), require_flag(overwrite, "overwrite")
    tell = teller(on_progress)
    form = _form(output)
    (values,) = sort_options(options, FRAME_OPTIONS)
    chosen = FrameOptions(**values)
    blur, stream = recording
    times = chosen.times(len(stream), deblurrer.length, 1 if form == "image" else FRAMES)
    exposed = chosen.exposed(len(stream))
    if form == "image" and len(times) > 1:
        raise InvalidValueError(f"{output} is one image, not {len(times)} frames; give a folder or a video")

    def made(wanted: Sequence[int]) -> Iterator[np.ndarray]:
        tally = Tally([("", len(wanted))], len(times) - len(wanted), tell)
        # What is refused is refused here, before anything is written.
        sharp = deblurrer.frames(blur, stream, wanted, exposed, chosen.tile)
        return _noted(chain([next(sharp)], sharp), lambda: tally.step(0))

    match form:
        case "image":
            write_png(output, next(made(times)))
        case "gif":
            write_gif(output, made(times), chosen.fps)
        case "video":
            write_video(output, made(times), chosen.fps, FINE_CRF)
        case "folder":
            return _fill(output, _describe(deblurrer, recording, times, exposed), overwrite, made, tell)
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
                f"{output}: an image is .png, a video {', '.join(CONTAINERS)} or .gif; for many images, give the "
                "name of a folder"
            )
    return "folder"


def _fill(
    output: Path,
    description: dict[str, Any],
    overwrite: bool,
    made: Callable[[Sequence[int]], Iterator[np.ndarray]],
    tell: OnProgress,
) -> Deblurred:
    """Write the frames that are missing in a folder."""
    times = description["readouts"]
    folder = FrameFolder(output, "deblurred frames", _INSIDE, _FRAME, description)
    paths = {time: output / f"{time:06d}.png" for time in times}
    with folder.locked():
        there = folder.frames_there(overwrite)
        missing = [time for time, path in paths.items() if path.name not in there]
        kept = len(times) - len(missing)
        sharp = made(missing) if missing else iter(())
        before = folder.begin(there, overwrite)
        for time, frame in zip(missing, sharp, strict=True):
            write_png(paths[time], frame, before)
            before = None
        if not missing:
            tell(Progress(kept, kept))
    return Deblurred(tuple(paths.values()), times, kept)


def _noted(frames: Iterator[np.ndarray], note: Callable[[], None]) -> Iterator[np.ndarray]:
    """Frames, with a note of each that is made."""
    for frame in frames:
        note()
        yield frame


def _describe(
    deblurrer: Deblurrer, recording: BlurryRecording, times: tuple[int, ...], exposure: tuple[int, int]
) -> dict[str, Any]:
    """Everything that decides what the frames of a folder are, as JSON values.

    Of images that were not aligned nothing is said, as by versions that could not.
    """
    aligned = {} if recording.alignment is None else {"alignment": recording.alignment.record()}
    return {
        "schema": SCHEMA,
        "network": _digest(*deblurrer.weights()),
        "blur": _digest(recording.blur),
        **aligned,
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


def _read_quarter(spikes: Path, size: Sequence[int], image: str, options: dict[str, Any]) -> SpikeStream:
    """The stream of a spike file, a quarter of an image of this height and width, which messages call so.

    Where nothing says the size of a `.dat`, this is taken.
    """
    height, width = size
    if height % SCALE or width % SCALE:
        raise InvalidValueError(
            f"{image} is {width}×{height}; spikes are a quarter of the image, so its sides must be multiples of "
            f"{SCALE}; crop it to four times the size of its spikes with --crop, or scale it with --align"
        )
    stream = _read_sized(spikes, (height // SCALE, width // SCALE), image, options)
    if stream.shape[1:] != (height // SCALE, width // SCALE):
        raise InvalidValueError(
            f"{spikes} holds spikes of {stream.shape[2]}×{stream.shape[1]}, but {image} is {width}×{height}, a quarter "
            f"of which is {width // SCALE}×{height // SCALE}; give the image and the spikes of one recording, or, of "
            "cameras that are not aligned, the part that the spikes show with --crop or a homography with --align"
        )
    return stream


def _read_sized(spikes: Path, quarter: tuple[int, int], image: str, options: dict[str, Any]) -> SpikeStream:
    """The stream of a spike file, which is taken to be of this height and width if it is a `.dat` that nothing says
    the size of."""
    if spikes.suffix.lower() != ".dat" or {"height", "width"} & options.keys() or Sidecar.read(spikes) is not None:
        return read_spikes(spikes, **options)
    try:
        return read_spikes(spikes, *quarter, **options)
    except InputFileError as error:
        raise InputFileError(
            f"{error}. {quarter[0]}×{quarter[1]} is a quarter of {image}; of cameras that are not aligned, give the "
            "part that the spikes show with --crop, or a homography with --align"
        ) from error
