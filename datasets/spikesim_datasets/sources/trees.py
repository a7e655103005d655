"""Trees of folders in which clips lie at any depth, and trees of other datasets that hold none to build from."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from spikesim.brief import short, shortened
from spikesim.checks import require_instance
from spikesim.errors import InputFileError, InvalidValueError
from spikesim_datasets.folders import entries_of
from spikesim_datasets.sources.frames import frame_names
from spikesim_datasets.sources.video import VIDEO_SUFFIXES

GOPRO_AT = "https://seungjunnah.github.io/Datasets/gopro"
"""Where GOPRO_Large_all is published."""

_DEPTHS = ("*/*", "*/*/*", "*/*/*/*")
_VIMEO = ("sep_trainlist.txt", "tri_trainlist.txt")


def nested_places(root: Path, pattern: str) -> dict[str, Path]:
    """The folders of frames and the videos below a folder that match a pattern, by what clips of them are called.

    Args:
        root: The folder.
        pattern: Of `Path.glob`, such as `*/*` or `**/images`. What it matches beside these is passed over.

    Returns:
        Places by their paths below the folder, of videos without the extension.

    Raises:
        InputFileError: The folder is missing, or nothing in it matches.
        InvalidValueError: It is no such pattern.
    """
    if not root.is_dir():
        raise InputFileError(f"{root} is no folder, in which --glob would look for clips; give one that exists")
    try:
        matched = entries_of(root, require_instance(pattern, "pattern", str))
    except (ValueError, NotImplementedError, OSError) as error:
        raise InvalidValueError(
            f"{short(pattern)} is no pattern of paths below a folder ({shortened(str(error))}); write one as '*/*' or "
            "'**/images'"
        ) from error
    found: dict[str, Path] = {}
    for path in matched:
        if path.is_dir() and frame_names(path):
            found[path.relative_to(root).as_posix()] = path
        elif path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
            found[path.relative_to(root).with_suffix("").as_posix()] = path
    if not found:
        raise InputFileError(f"{root} holds no folder of frames and no video that matches {short(pattern)}")
    return found


def advice_for(root: Path) -> str:
    """What to do about a folder that holds no clips by itself: where they lie, if they lie deeper; else nothing."""
    for pattern in _DEPTHS:
        for path in entries_of(root, pattern):
            if path.is_dir() and frame_names(path):
                below = path.relative_to(root)
                return f". Folders of frames lie deeper in it, as {below}: take them with --glob '{pattern}'"
    return ""


def refuse_other_tree(root: Path) -> None:
    """Refuse trees of well-known datasets from which no spikes can be simulated, with the reason and what to get.

    Raises:
        InputFileError: It is one.
    """
    splits = (root / split for split in ("train", "test") if (root / split).is_dir())
    refuse_gopro_large([root, *entries_of(root), *chain.from_iterable(map(entries_of, splits))])
    if any((place / name).is_file() for place in (root, root.parent) for name in _VIMEO):
        raise InputFileError(
            f"{root} is of Vimeo-90K, whose clips have three or seven frames, and one window takes 29: it is there to "
            "train interpolators. Take a video of a high frame rate, such as X4K1000FPS or GOPRO_Large_all"
        )


def refuse_gopro_large(scenes: Iterable[Path]) -> None:
    """Refuse scenes of GOPRO_Large.

    Raises:
        InputFileError: One is.
    """
    for scene in scenes:
        if (scene / "sharp").is_dir() and any((scene / name).is_dir() for name in ("blur", "blur_gamma")):
            raise InputFileError(
                f"{scene} holds `sharp` and `blur` folders: this is GOPRO_Large, which leaves out the frames between "
                f"its blurry images; GOPRO_Large_all is needed ({GOPRO_AT})"
            )
