"""The GOPRO tree in the layouts it is found in."""

from pathlib import Path
from typing import get_args

from spikesim.checks import require_path
from spikesim.errors import InputFileError
from spikesim_datasets.folders import entries_of
from spikesim_datasets.sources.clip import Clip, Split
from spikesim_datasets.sources.frames import FrameClip, frame_names
from spikesim_datasets.sources.reading import STRICT, Reading
from spikesim_datasets.sources.trees import GOPRO_AT, refuse_gopro_large

SPLITS: tuple[Split, ...] = get_args(Split)

LAYOUTS = """\
  ROOT/{train,test}/SCENE/*.png                   GOPRO_Large_all as it unpacks
  ROOT/GOPRO_Large_all/{train,test}/SCENE/*.png   the folder it was unpacked in
  ROOT/{train,test}/raw_data/SCENE/*.png          as the S-SDM release arranges it"""


def open_gopro(root: Path | str, reading: Reading = STRICT) -> list[Clip]:
    """The clips of a GOPRO tree, training split first, scenes by name.

    Args:
        root: ROOT of one of the `LAYOUTS`.
        reading: What is done with frames that are no whole series.

    Raises:
        InvalidValueError: `root` is no path, or `reading` no `Reading`.
        InputFileError: The tree is missing, in another layout, or a frame is damaged.
    """
    root = require_path(root, "root")
    if not root.is_dir():
        raise InputFileError(
            f"no GOPRO tree at {root.absolute()}. Understood are\n{LAYOUTS}\n"
            f"GOPRO_Large_all (240 fps, every frame) is published at {GOPRO_AT}; give its folder with --root. "
            "Without it, `spikesim demo` runs on built-in scenes"
        )
    source = root
    if not any((root / split).is_dir() for split in SPLITS) and (root / "GOPRO_Large_all").is_dir():
        root = root / "GOPRO_Large_all"
    clips: list[Clip] = []
    for split in SPLITS:
        for scene in _scenes(root / split):
            clips.append(FrameClip.open(scene, split, scene.name, source, reading))
    if not clips:
        raise InputFileError(f"{root.absolute()} holds no frames of a GOPRO tree. Understood are\n{LAYOUTS}")
    return clips


def _scenes(split: Path) -> list[Path]:
    if (split / "raw_data").is_dir():
        split = split / "raw_data"
    if not split.is_dir():
        return []
    scenes = [folder for folder in entries_of(split) if folder.is_dir()]
    refuse_gopro_large(scenes)
    for scene in scenes:
        if not frame_names(scene):
            raise InputFileError(f"{scene} is a scene folder without frames; fill it or remove it")
    return scenes
