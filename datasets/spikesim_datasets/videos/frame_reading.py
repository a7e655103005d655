"""The frames of a video by their numbers."""

from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import av
import numpy as np

from spikesim.checks import require_instance, require_path, require_whole
from spikesim.errors import InputFileError
from spikesim_datasets.orientation import upright
from spikesim_datasets.videos.colours import to_rgb
from spikesim_datasets.videos.containers import opened
from spikesim_datasets.videos.display import orientation_of
from spikesim_datasets.videos.frame_index import DEINTERLACE, VideoIndex


def read_frames(path: Path | str, index: VideoIndex, start: int, stop: int) -> Iterator[np.ndarray]:
    """Frames start..stop−1 of a video, RGB uint8 (H, W, 3). Frame i is the i-th that decoding from the beginning gives.

    They lie as players show them: turned by what the file says of it.

    Raises:
        InputFileError: A frame is damaged, missing, or lies or is sized otherwise than the index says.
    """
    path, start, stop = require_path(path), require_whole(start, "start", 0), require_whole(stop, "stop", 0)
    require_instance(index, "index", VideoIndex, "index_video makes one")
    number, stop = start, min(stop, index.n_frames)
    angle: int | None = None
    try:
        for image in islice(_decoded(path, index, start), max(0, stop - start)):
            # An image that was asked for all that it says is in a circle, which Python may not break for hundreds of
            # images; so only one at another angle than the last is asked. Where it says nothing, what was said before
            # is still true.
            if image.rotation != angle and orientation_of(image, str(path)) not in (None, index.orientation):
                raise InputFileError(f"{path} is turned at frame {number}; the frames of a clip must all lie one way")
            angle = image.rotation
            if image.interlaced_frame and not (index.interlaced or index.may_be_interlaced):
                raise InputFileError(f"{path} is interlaced from frame {number} on; {DEINTERLACE}")
            frame = upright(to_rgb(image, index.colours), index.orientation)
            height, width, _ = frame.shape
            if (height, width) != (index.height, index.width):
                raise InputFileError(
                    f"{path} changes its size at frame {number}, from {index.width}×{index.height} to "
                    f"{width}×{height}; the frames of a clip must all have one size"
                )
            yield frame
            number += 1
    except InputFileError:
        raise
    except Exception as error:  # as in `index_video`
        raise InputFileError(f"{path} cannot be decoded at frame {number} ({error}); replace it") from error
    if number < stop:
        raise _damaged(path, number)


def _decoded(path: Path, index: VideoIndex, start: int) -> Iterator[av.VideoFrame]:
    """Decoded images from frame `start` on: from the last key frame before, or the one before that, or ...

    Seeking may not land on a key frame, as in formats without an index. Or images are incomplete behind it, and FFmpeg
    says so: not every key frame of H.264 is one that no later image looks back beyond.
    """
    timestamps = index.timestamps
    usable: dict[int | None, int] = {timestamps[number]: number for number in index.key_frames}
    for begin in sorted({0, *(number for number in index.key_frames if number <= start)}, reverse=True):
        with opened(path) as container:
            stream = container.streams.video[index.stream]
            # PyAV's thread type is kept: with threads for whole frames FFmpeg now and then fails to report damage.
            if begin:
                container.seek(timestamps[begin], stream=stream)
            images = container.decode(stream)
            first = next(images, None)
            landed = 0 if not begin else usable.get(first.pts) if first is not None else None
            if first is None or landed is None or landed > start:
                continue
            for number, image in enumerate(chain([first], images), landed):
                # Those before the one wanted count too: it may be coded from them.
                if image.is_corrupt or (timestamps and image.pts != timestamps[number]):
                    if begin:
                        break
                    raise _damaged(path, number)
                if number >= start:
                    yield image
                    start += 1
            else:
                return


def _damaged(path: Path, number: int) -> InputFileError:
    return InputFileError(f"{path} is damaged at frame {number}; replace it")
