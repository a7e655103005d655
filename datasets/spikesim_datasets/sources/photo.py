"""Clips rendered from still photos, for those who have no high-speed video."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from spikesim.checks import require_list, require_number, require_path, require_whole
from spikesim.errors import InputFileError
from spikesim_datasets.image_files import image_header, read_image
from spikesim_datasets.photos import CUT_PHOTOS, PHOTOS_VERSION, Composition, arrange
from spikesim_datasets.scenes.render import HEIGHT
from spikesim_datasets.sources.clip import Clip, Split, absolute, files_fingerprint, name_of
from spikesim_datasets.sources.frames import FRAME_SUFFIXES, frame_names
from spikesim_datasets.sources.left_out import tell_left_out
from spikesim_datasets.sources.rendered import MOST_CLIPS, RenderedClip, random_name, require_size

_LEAST_SIDE = 64

_State = tuple[Path, int, int]
"""A file, its time of change and its size: whether it has changed since it was read."""


@dataclass(frozen=True)
class PhotoClip(RenderedClip):
    """A photo seen by a shaking camera, with cut-outs passing before it.

    Attributes:
        split, name, seed, number, n_frames, height, width: As in `RenderedClip`.
        photo: File of the background.
        others: Files to cut out of, in turn.
        source: As in `Clip`.
        whole: Height of the larger frames that these are a part of: things are as large and move as far as in those.
            None if these are whole.

    Raises:
        InvalidValueError: A size is no multiple of 4 of at least 64, or a value is of another type.
    """

    photo: Path
    others: tuple[Path, ...]
    source: Path
    _: KW_ONLY
    whole: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("photo", "source"):
            object.__setattr__(self, name, require_path(getattr(self, name), name))
        others = require_list(self.others, "others", "paths")
        object.__setattr__(self, "others", tuple(require_path(other, "each of others") for other in others))
        if self.whole is not None:
            object.__setattr__(self, "whole", require_whole(self.whole, "whole", self.height, unit="pixels"))

    def at(self, time: float) -> np.ndarray:
        """See `ExactClip.at`."""
        return self._composition().frame(require_number(time, "time", unit="raw frames"))

    def flow(self, start: float, stop: float) -> np.ndarray:
        """See `ExactClip.flow`."""
        times = (require_number(time, name, unit="raw frames") for name, time in (("start", start), ("stop", stop)))
        return self._composition().flow(*times)

    def fingerprint(self) -> dict[str, object]:
        """See `Clip.fingerprint`."""
        return {
            "photos": files_fingerprint(path for path, _, _ in self._states()),
            "version": PHOTOS_VERSION,
            "opencv": cv2.__version__,  # which draws the letters
            "whole": self.whole,
            **self._form(),
        }

    def origin(self) -> dict[str, Any]:
        """See `ReopenableClip.origin`."""
        paths = {"photo": absolute(self.photo), "others": list(map(absolute, self.others))}
        return self._origin("photo", **paths, source=absolute(self.source), whole=self.whole)

    def _composition(self) -> Composition:
        return _arranged(self, self._states())

    def _states(self) -> tuple[_State, ...]:
        return tuple(map(_state, (self.photo, *self.others)))


def open_photos(path: Path | str, split: Split, count: int | None, seed: int, side: int | None = None) -> list[Clip]:
    """Clips of a photo or of the photos of a folder, whose sizes are read and no image decoded.

    Args:
        path: An image file, or a folder of them.
        split: The split all clips go to.
        count: Number of random clips; None gives one for each photo, named after it.
        seed: With the number of a clip it decides all that is random about it.
        side: Of square frames, a multiple of 4 from 64 to 720, that show a part of one of 1280×720, as crops do;
            None gives whole frames.

    Raises:
        InputFileError: The path does not exist, holds no photos, or one is damaged or tiny.
        InvalidValueError: The split is unknown, or a value is meaningless.
    """
    path, seed = require_path(path), require_whole(seed, "seed", 0)
    if count is not None:
        count = require_whole(count, "count", 1, MOST_CLIPS, unit="random clips")
    if side is not None:
        side = require_size(require_whole(side, "side", most=HEIGHT), "side")
    form = {} if side is None else {"height": side, "width": side, "whole": HEIGHT}
    photos = _photos(path)
    source = name_of(path) if path.is_dir() else path.stem
    clips: list[Clip] = []
    for number in range(len(photos) if count is None else count):
        rng = np.random.default_rng((seed, number, 0))
        picked = int(rng.integers(len(photos)))
        if count is None:
            picked = number
        # Of the others where there are others: numbers from the picked one on go one further.
        others = rng.integers(max(1, len(photos) - 1), size=CUT_PHOTOS)
        others += (others >= picked) & (len(photos) > 1)
        clips.append(
            PhotoClip(
                split,
                photos[picked].stem if count is None else random_name(source, number),
                photos[picked],
                tuple(photos[other] for other in others),
                path,
                seed=seed,
                number=number,
                **form,
            )
        )
    return clips


def _photos(path: Path) -> list[Path]:
    """The photos of a source, in natural order."""
    if not path.exists():
        raise InputFileError(f"{path} does not exist; photos are an image file or a folder of them")
    photos = [path / name for name in frame_names(path)] if path.is_dir() else [path]
    if not photos:
        raise InputFileError(f"{path} holds no photos ({', '.join(FRAME_SUFFIXES)})")
    if path.is_dir():
        tell_left_out(path, photos, "no photo by its name")
    with ThreadPoolExecutor(4) as pool:
        headers = list(pool.map(image_header, photos))
    for photo, (width, height, _, pages) in zip(photos, headers, strict=True):
        if pages != 1:
            raise InputFileError(f"{photo} holds {pages} images; a photo is one, give one of them as a file")
        if min(width, height) < _LEAST_SIDE:
            raise InputFileError(
                f"{photo} is {width}×{height}; photos have at least {_LEAST_SIDE} pixels a side, better as many as the "
                "frames. Remove it"
            )
    return photos


def _state(path: Path) -> _State:
    try:
        found = path.stat()
    except OSError as error:
        raise InputFileError(
            f"{path} cannot be read ({error.strerror}); it was there when its clip was opened"
        ) from error
    return path, found.st_mtime_ns, found.st_size


@lru_cache(maxsize=2)
def _arranged(clip: PhotoClip, states: tuple[_State, ...]) -> Composition:
    photo, *others = (partial(_read, *state) for state in states)
    rng = np.random.default_rng((clip.seed, clip.number, 1))
    return arrange(rng, photo(), others, clip.height, clip.width, clip.whole)


@lru_cache(maxsize=4)
def _read(path: Path, changed: int, size: int) -> np.ndarray:
    return read_image(path)
