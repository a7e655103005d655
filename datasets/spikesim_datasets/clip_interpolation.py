"""A clip at a higher rate, on disk: a folder of frames or a video, to look at or for other programs.

Building a dataset needs none of it: there, frames between frames are used as they are made, and never written.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from spikesim.checks import require_flag, require_instance, require_path, require_whole
from spikesim.errors import InvalidValueError
from spikesim_datasets.continuity import Continuity
from spikesim_datasets.frame_folder import FrameFolder
from spikesim_datasets.image_files import write_png
from spikesim_datasets.interpolation import Interpolator, InterpolatorSpec
from spikesim_datasets.progress import OnProgress, Tally, teller
from spikesim_datasets.readouts import interpolated
from spikesim_datasets.shards.diagnostics import Diagnostics
from spikesim_datasets.sources import FRAME_SUFFIXES, VIDEO_SUFFIXES, Clip, ExactClip
from spikesim_datasets.sources.clip import refuse_output_in_source
from spikesim_datasets.synthesis import Stretch
from spikesim_datasets.videos import CONTAINERS, FINE_CRF, write_video

_INSIDE = "interpolation.json"  # of earlier versions
SCHEMA = "spikesim.interpolation/1"

_FRAME = re.compile(r"\d{6,}(_\d{3,})?\.png")
_WRITERS = 2  # threads: compressing a frame takes about as long as making it


@dataclass(frozen=True)
class InterpolatedClip:
    """What `interpolate_clip` wrote.

    Attributes:
        output: Folder or video.
        frames: Frames in it, those of the clip included.
        kept: Those of them that were there already.
        diagnostics: Where the clip has scene cuts, and motion too fast to be followed.
    """

    output: Path
    frames: int
    kept: int
    diagnostics: Diagnostics


def interpolate_clip(
    clip: Clip,
    output: Path | str,
    interpolation: InterpolatorSpec | str = InterpolatorSpec(),
    stretch: Stretch = Stretch(),
    *,
    fps: int = 30,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> InterpolatedClip:
    """Write the frames of a clip and those between them.

    A folder gets a PNG for each: `000123.png` is frame 123 of the clip, `000123_000.png` the first between it and the
    next. Beside it, `OUTPUT.json` says of what and how they were made, and frames that are there are kept, so that
    running again after an interruption finishes the work. As a source, a folder is for the interpolator `none`.

    Args:
        clip: The source, which is never written to.
        output: A video (.mp4, .mov, .mkv), which replaces an older one, or a folder.
        interpolation: What makes the frames.
        stretch: Which of the clip's frames, and how many frames from one of them to the next.
        fps: Frames per second that a video is shown at.
        overwrite: Remove frames in a folder that were made of something else, or otherwise, when the first new one is
            whole.
        on_progress: Told of frames, first of those kept.

    Returns:
        What is written: factor·(frames − 1) + 1 frames.

    Raises:
        InvalidValueError: A value is meaningless, the frames are not in the clip, the interpolator makes none between,
            or the source would be written to.
        InputFileError: A frame cannot be read.
        OutputError: The folder holds something else, another process writes it, or a file cannot be written. A video is
            whole or absent.
    """
    output = require_path(output, "output")
    require_flag(overwrite, "overwrite")
    tell = teller(on_progress)
    video = _is_video(output)
    fps = require_whole(fps, "fps", 1, unit="frames a second")
    span, factor = require_instance(stretch, "stretch", Stretch).readouts(clip), stretch.factor
    if len(span) == 1:
        raise InvalidValueError(f"one frame has none to interpolate to; {clip.key} has {clip.n_frames}, give 2 or more")
    interpolator = InterpolatorSpec.of(interpolation).make()
    if interpolator.dense:
        raise InvalidValueError(f"the interpolator {interpolator.name!r} makes no frames between; choose another")
    refuse_output_in_source([output], [clip])
    diagnostics = Diagnostics()

    def made(spans: Sequence[range]) -> Iterator[tuple[int, np.ndarray]]:
        numbered = interpolated(clip, interpolator, factor, spans, Continuity(diagnostics))
        # What the interpolator refuses is refused here, before anything is written.
        return chain(list(islice(numbered, 2)), numbered)

    if video:

        def shown() -> Iterator[np.ndarray]:
            tally = Tally([(clip.key, len(span))], 0, tell)
            for _, frame in made([span]):
                yield frame
                tally.step(0)

        write_video(output, shown(), fps, FINE_CRF)
        return InterpolatedClip(output, len(span), 0, diagnostics)

    folder = FrameFolder(output, "interpolated frames", _INSIDE, _FRAME, _describe(clip, interpolator, factor, span))
    paths = {readout: output / _frame_name(readout, factor) for readout in span}
    with folder.locked():
        there = folder.frames_there(overwrite)
        missing = [readout for readout, path in paths.items() if path.name not in there]
        kept = len(span) - len(missing)
        # All of the clip is read even if nothing is missing: what is found of it does not depend on interruptions.
        numbered = made([span[:0], *_ranges(missing), span[len(span) :]])
        before = folder.begin(there, overwrite)
        tally = Tally([(clip.key, len(missing))], kept, tell)
        _write(((paths[readout], frame) for readout, frame in numbered), lambda: tally.step(0), before)
    return InterpolatedClip(output, len(span), kept, diagnostics)


def _is_video(output: Path) -> bool:
    """Whether an output is a video, not a folder."""
    suffix = output.suffix.lower()
    if suffix not in CONTAINERS and suffix in (*VIDEO_SUFFIXES, *FRAME_SUFFIXES, ".gif"):
        raise InvalidValueError(f"{output}: videos are {', '.join(CONTAINERS)}; for frames, give the name of a folder")
    return suffix in CONTAINERS


def _frame_name(readout: int, factor: int) -> str:
    frame, between = divmod(readout, factor)
    return f"{frame:06d}_{between - 1:03d}.png" if between else f"{frame:06d}.png"


def _describe(clip: Clip, interpolator: Interpolator, factor: int, span: range) -> dict[str, Any]:
    """Everything that decides what the frames of a folder are, as JSON values."""
    return {
        "schema": SCHEMA,
        "source": clip.fingerprint(),
        "interpolation": "exact" if isinstance(clip, ExactClip) else interpolator.describe(),
        "factor": factor,
        "start": span.start // factor,
        "frames": len(span) // factor + 1,
    }


def _ranges(numbers: Sequence[int]) -> list[range]:
    """Ascending numbers as ranges of consecutive ones."""
    parts = np.split(np.array(numbers, int), np.flatnonzero(np.diff(numbers) != 1) + 1)
    return [range(int(part[0]), int(part[-1]) + 1) for part in parts if len(part)]


def _write(
    frames: Iterator[tuple[Path, np.ndarray]], on_written: Callable[[], None], before: Callable[[], None] | None
) -> None:
    """Write frames in threads of their own while the next are made; the first alone, where something goes before it."""
    for path, frame in islice(frames, 0 if before is None else 1):
        write_png(path, frame, before)
        on_written()
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_WRITERS) as pool:
        for path, frame in frames:
            waiting.append(pool.submit(write_png, path, frame))
            if len(waiting) > 2 * _WRITERS:
                waiting.popleft().result()
                on_written()
        for future in waiting:
            future.result()
            on_written()
