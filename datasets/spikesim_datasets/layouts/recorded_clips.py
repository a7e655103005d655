"""Recordings of real cameras: blurry images and the spikes of their exposures, which have equal names.

ROOT/CLIP/000001.jpg              and  ROOT/CLIP/000001.dat               side by side, or
ROOT/CLIP/blur_data/000001.jpg    and  ROOT/CLIP/spike_data/000001.dat    in two folders
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from spikesim import SpikeCamera, SpikeStream, read_spikes
from spikesim.checks import require_path
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.formats.sidecar import Sidecar
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.folders import entries_of, names_in
from spikesim_datasets.image_files import image_header
from spikesim_datasets.layouts.description import SPIKES, LayoutShard, spike_folders
from spikesim_datasets.layouts.sample_files import SampleFiles
from spikesim_datasets.optics import SCALE
from spikesim_datasets.shards.fields import BLUR
from spikesim_datasets.sources.frames import FRAME_SUFFIXES
from spikesim_datasets.sources.numbering import natural_order

SPLIT = "train"
"""The one split that recordings are: without ground truth there is nothing to keep for a test."""

_IMAGES = (*FRAME_SUFFIXES, ".gif", ".ppm")
_IN_CLIPS = f"*/{SPIKES}/*.dat", "*/*.dat"


class RecordedPair(NamedTuple):
    """A blurry image and the spikes of its exposure."""

    image: Path
    spikes: Path


@dataclass(frozen=True)
class RecordedFiles(SampleFiles):
    """Where the files of one recorded sample lie: it has no others than these two.

    Attributes:
        pair: The files.
    """

    pair: RecordedPair

    def path(self, folder: str, extension: str) -> Path:
        """The image, or the spikes."""
        return self.pair.spikes if folder == SPIKES else self.pair.image


@dataclass(frozen=True, repr=False)
class RecordedShard(LayoutShard):
    """A clip of recordings, as a clip of the released layout without ground truth.

    Attributes:
        pairs: The files of each window.
    """

    pairs: Mapping[int, RecordedPair] = field(default_factory=dict)

    def files(self, layout: Path, window: int) -> RecordedFiles:
        """Where a sample lies."""
        return RecordedFiles(layout, self.name, window, self.plan, self.pairs[window])


def is_recorded(root: Path) -> bool:
    """Whether a folder holds clip folders of recordings."""
    folders = {spikes.parent for pattern in _IN_CLIPS for spikes in entries_of(root, pattern)}
    return any(
        spikes.stem in images for folder in folders if (images := _images(folder)) for spikes in folder.glob("*.dat")
    )


def recorded_pairs(root: Path | str, images: Path | str | None = None) -> dict[str, RecordedPair]:
    """The recordings in a folder of clip folders, or in a single clip folder; images without spikes are passed over.

    Args:
        root: The folder.
        images: Another folder, in which the images of the spikes in the first lie; folders in the two are not looked
            into. None stands for the places above.

    Returns:
        Pairs by clip and name, `CLIP/000001`, or by name alone where the folder is the clip; in the order of numbers.

    Raises:
        InvalidValueError: A folder is no path.
        InputFileError: There are none; spikes have no image of their name, or several; or two spike files of a clip
            have one name.
    """
    root = require_path(root, "root")
    of_all = None if images is None else _images(require_path(images, "images"))
    patterns = ("*.dat", *_IN_CLIPS) if of_all is None else ("*.dat",)
    found: dict[str, RecordedPair] = {}
    seen: dict[Path, Mapping[str, Sequence[Path]]] = {}
    for spikes in {path: None for pattern in patterns for path in entries_of(root, pattern)}:
        folder = spikes.parent
        clip = folder.parent if folder.name == SPIKES and folder != root else folder
        name = (clip.relative_to(root) / spikes.stem).as_posix()
        if folder not in seen:
            seen[folder] = _images(folder) if of_all is None else of_all
        if len(named := seen[folder].get(spikes.stem, ())) != 1:
            places = f"beside it or in {BLUR.folder} beside {SPIKES}" if images is None else f"in {images}"
            raise InputFileError(
                f"{spikes} needs one blurry image of its name ({', '.join(_IMAGES)}), {places}; there is "
                f"{', '.join(image.name for image in named) or 'none'}"
            )
        if name in found:
            raise InputFileError(f"{found[name].spikes} and {spikes} have one name, {name}; rename one")
        found[name] = RecordedPair(named[0], spikes)
    if not found:
        raise InputFileError(
            f"{root} holds no recordings: no .dat in it or in its folders, nor in {SPIKES} there; images and spikes of "
            "one name are read"
        )
    in_order = natural_order(f"{name}.dat" for name in found)
    return {name: found[name] for name in (file.removesuffix(".dat") for file in in_order)}


def recorded_shards(root: Path, v_th: float | None, camera: SpikeCamera | None = None) -> list[RecordedShard]:
    """One shard a clip for a folder of clip folders.

    A stream of 137 readouts has the exposure of the release, readouts 20 to 116; every other was exposed in all of it.

    Args:
        root: The folder.
        v_th, camera: Threshold and sensor of the spikes, as for `layout_to_shards`.

    Raises:
        InputFileError: As for `recorded_pairs`, a file is damaged, or images are not four times the size of their
            spikes.
        InvalidValueError: The threshold is not known, or no clip can be called so.
    """
    if v_th is None:
        raise InvalidValueError(f"{root} does not say its threshold; give it with --vth")
    camera = None if camera is None else replace(camera, v_th=v_th)
    clips = defaultdict(list)
    for name, pair in recorded_pairs(root).items():
        clips[name.rpartition("/")[0] or root.resolve().name].append(pair)
    shards = []
    for name, of_clip in clips.items():
        pairs = dict(enumerate(of_clip))
        plan = _plan(len(_first_stream(pairs[0])))
        shards.append(
            RecordedShard(
                path=f"{SPLIT}/{name}.000.h5",
                split=SPLIT,
                name=name,
                windows=list(pairs),
                spikes=spike_folders({v_th: camera}),
                sharp_readouts=(),
                compression="zstd",
                recipe={"layout": root.resolve().name, "choices": {"plan": asdict(plan)}},
                pairs=pairs,
            )
        )
    return shards


def _images(folder: Path) -> Mapping[str, Sequence[Path]]:
    """The images that spikes in a folder may have, by their names without endings."""
    found = defaultdict(list)
    for place in (folder, folder.parent / BLUR.folder) if folder.name == SPIKES else (folder,):
        for name in names_in(place) if place.is_dir() else ():
            if (path := place / name).suffix.lower() in _IMAGES:
                found[path.stem].append(path)
    return found


def _plan(readouts: int) -> ExposurePlan:
    """When the image of so long a stream was exposed."""
    released = ExposurePlan()
    return released if readouts == released.stream_length else ExposurePlan(readouts, 1, 0, 0)


def _first_stream(pair: RecordedPair) -> SpikeStream:
    """The spikes of a clip's first pair, which must be a quarter of their image."""
    width, height = image_header(pair.image).size
    try:
        if height % SCALE or width % SCALE:
            raise InputFileError(f"{pair.image} is {width}×{height}, no multiples of {SCALE}")
        if Sidecar.read(pair.spikes) is not None:
            stream = read_spikes(pair.spikes)
            if stream.shape[1:] != (height // SCALE, width // SCALE):
                raise InputFileError(f"{pair.spikes} holds spikes of {stream.shape[2]}×{stream.shape[1]}")
            return stream
        return read_spikes(pair.spikes, height // SCALE, width // SCALE)
    except InputFileError as error:
        raise InputFileError(
            f"{error}. Spikes must be a quarter of their image, and {pair.image} is {width}×{height}: deblur pairs of "
            "other sizes with `spikesim deblur --crop` or `--align`; to train on them, write the images aligned, with "
            "spikesim_datasets.alignment.Alignment"
        ) from error
