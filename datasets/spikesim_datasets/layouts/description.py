"""What a folder in the released layout holds: by its description where it is ours, by its names where it is not."""

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, get_args

from spikesim import SpikeCamera
from spikesim.brief import Brief
from spikesim.checks import require_choice, require_list, require_mapping, require_number, require_whole
from spikesim.errors import InputFileError, InvalidValueError
from spikesim.formats.decoding import camera_from_json, camera_to_json
from spikesim.input_files import read_json
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.folders import entries_of
from spikesim_datasets.keys import Keyed, check_clip, check_place, parse_key
from spikesim_datasets.layouts.sample_files import SampleFiles, frame_name
from spikesim_datasets.optics import SCALE, require_ratio
from spikesim_datasets.shards import fields
from spikesim_datasets.shards.field import Field
from spikesim_datasets.shards.schema import check_recipe, threshold_name
from spikesim_datasets.shards.writer import Compression
from spikesim_datasets.unfinished import OF_LAYOUT, refuse_unfinished

DESCRIPTION = OF_LAYOUT
LAYOUT_SCHEMA = "spikesim.layout/1"

SPIKES = fields.SPIKES.folder

_SPIKE_FOLDER = re.compile(rf"{SPIKES}(_vth_[0-9.e+-]+)?")


@dataclass(frozen=True, repr=False)
class LayoutShard(Brief, Keyed):
    """What a shard holds beside its arrays: an entry of the description.

    Attributes:
        path: Relative to the dataset, with forward slashes.
        split, name: Of the clip.
        windows: Of its samples.
        spikes: Threshold `v_th` and `camera` of each folder of spikes.
        sharp_readouts, compression, recipe, extra, ratio: As in `ShardReader`.

    Raises:
        InvalidValueError: No shard of a dataset has such a path, a folder of spikes leads out of the layout, the
            compression or an optional field is unknown, the recipe does not say how its clip is cut into exposures, by
            which the layout names its files, or a value is not as above.
    """

    path: str
    split: str
    name: str
    windows: Sequence[int]
    spikes: dict[str, dict[str, Any]]
    sharp_readouts: Sequence[int]
    compression: Compression
    recipe: dict[str, Any]
    extra: Sequence[str] = ()
    ratio: int = SCALE

    def __post_init__(self) -> None:
        check_place(self.path)
        require_ratio(self.ratio)
        check_clip(self.split, self.name)
        for name, unit in (("windows", "numbers"), ("sharp_readouts", "readouts"), ("extra", "fields")):
            require_list(getattr(self, name), f"{name} of {self.path}", unit)
        for window in self.windows:
            require_whole(window, f"each of the windows of {self.path}", 0)
        if not self.windows or len(set(self.windows)) < len(self.windows):
            raise InvalidValueError(f"the windows of {self.path} are none, or given twice: {list(self.windows)[:10]}")
        for readout in self.sharp_readouts:
            require_whole(readout, f"each of the sharp_readouts of {self.path}", 0)
        for folder in require_mapping(self.spikes, f"the spikes of {self.path}", "what a folder holds"):
            if not _SPIKE_FOLDER.fullmatch(folder):
                raise InvalidValueError(f"no folder of spikes of {self.path} can be called {folder!r}")
        require_choice(self.compression, f"the compression of {self.path}", get_args(Compression))
        check_recipe(self.recipe)
        _ = self.plan, self.cameras  # which refuse what is none
        if unknown := set(self.extra) - fields.optional_fields().keys():
            raise InvalidValueError(f"{self.path} has the fields {', '.join(sorted(unknown))}, which are not known")

    @classmethod
    def from_record(cls, key: str, **entry: Any) -> Self:
        """The entry that the description holds as this.

        Raises:
            InvalidValueError: The key is none, or a value is as above.
            TypeError: There is too little or too much of it.
        """
        split, name = parse_key(key)
        return cls(split=split, name=name, **entry)

    def record(self) -> dict[str, Any]:
        """What the description holds of it, as JSON values."""
        return {
            "path": self.path,
            "key": self.key,
            "windows": list(self.windows),
            "spikes": self.spikes,
            "sharp_readouts": list(self.sharp_readouts),
            "compression": self.compression,
            "recipe": self.recipe,
            **({"extra": list(self.extra)} if self.extra else {}),
            **({"ratio": self.ratio} if self.ratio != SCALE else {}),
        }

    def files(self, layout: Path, window: int) -> SampleFiles:
        """Where a layout holds a sample."""
        return SampleFiles(layout / self.split, self.name, window, self.plan)

    def sample_paths(self, layout: Path, window: int) -> list[Path]:
        """The files that hold a sample in a layout."""
        files = self.files(layout, window)
        held = [field for field in fields.FIELDS.values() if not field.optional or field.name in self.extra]
        arrays = [
            path for field in held if field.file in ("png", "npy") for path in files.of(field, self.sharp_readouts)
        ]
        return [*arrays, *(files.path(folder, "dat") for folder in self.spikes)]

    @cached_property
    def plan(self) -> ExposurePlan:
        """The exposure."""
        return plan_of(self.recipe, self.path)

    @property
    def cameras(self) -> dict[str, tuple[float, SpikeCamera | None]]:
        """Threshold and camera of each folder of spikes."""
        return {
            folder: (
                require_number(spikes["v_th"], f"v_th of {folder}", above=0),
                camera_from_json(json.dumps(spikes["camera"])),
            )
            for folder, spikes in self.spikes.items()
        }


def plan_of(recipe: Mapping[str, Any], path: str) -> ExposurePlan:
    """How the recipe of a shard says that its clip is cut into exposures.

    Args:
        recipe: As `check_recipe` gives it.
        path: Of the shard, for the message.

    Raises:
        InvalidValueError: It does not say, or says what is no plan.
    """
    plan = recipe.get("choices", {}).get("plan")
    if not isinstance(plan, dict):
        raise InvalidValueError(f"the recipe of {path} does not say how its clip is cut into exposures")
    try:
        return ExposurePlan(**plan)
    except TypeError as error:
        raise InvalidValueError(f"{plan} is no plan of exposures ({error})") from error


def refuse_doubled(shards: Sequence[LayoutShard]) -> None:
    """Refuse shards of which a dataset, or a layout, could not hold all.

    Raises:
        InvalidValueError: Two have one path, or give the same file of the layout; or one gives a file twice.
    """
    for path, times in Counter(shard.path for shard in shards).items():
        if times > 1:
            raise InvalidValueError(f"there is more than one shard {path}")
    givers: dict[tuple[str, str, int], str] = {}
    for shard in shards:
        for window in shard.windows:
            files = shard.files(Path(), window)
            # All but the ground truth is named by the middle frame.
            frames = [(SPIKES, files.middle_frame)]
            frames += [(fields.SHARP.folder, frame) for frame in files.sharp_frames(shard.sharp_readouts)]
            for folder, frame in frames:
                file = (folder, shard.key, frame)
                if file in givers:
                    both = " and ".join(dict.fromkeys([givers[file], shard.path]))
                    raise InvalidValueError(
                        f"{both} would give {folder}/{shard.name}/{frame_name(frame)} of the split {shard.split} more "
                        "than once; a layout holds one of it: convert datasets with equal clips one by one"
                    )
                givers[file] = shard.path


def spike_folders(cameras: Mapping[float, SpikeCamera | None], v_th: float | None = None) -> dict[str, dict[str, Any]]:
    """What is said of each folder of spikes; that of the lowest threshold has the released name.

    Args:
        cameras: Of the thresholds there are.
        v_th: The only one that is to have a folder; None for all.

    Raises:
        InvalidValueError: There are no spikes of this threshold.
    """
    if v_th is not None:
        if v_th not in cameras:
            raise InvalidValueError(
                f"there are no spikes of threshold {threshold_name(v_th)}; choose one of "
                f"{', '.join(map(threshold_name, cameras))}"
            )
        cameras = {v_th: cameras[v_th]}
    return {
        SPIKES if i == 0 else f"{SPIKES}_vth_{threshold_name(v_th)}": {
            "v_th": v_th,
            "camera": json.loads(camera_to_json(camera)),
        }
        for i, (v_th, camera) in enumerate(cameras.items())
    }


def described(layout: Path, v_th: float | None) -> list[LayoutShard] | None:
    """The shards of a layout that we wrote; None where it is somebody else's.

    Raises:
        InputFileError: Its description is damaged.
        InvalidValueError: The threshold contradicts it.
    """
    path = layout / DESCRIPTION
    refuse_unfinished(layout)
    if not os.path.lexists(path):  # a link that leads nowhere is there, and wrong
        return None
    try:
        record = read_json(path)
        if record["schema"] != LAYOUT_SCHEMA:
            raise InvalidValueError(f"the schema is {record['schema']!r}, expected {LAYOUT_SCHEMA!r}")
        shards = [LayoutShard.from_record(**shard) for shard in record["shards"]]
        said = {shard.cameras[SPIKES][0] for shard in shards}
        if not shards:
            raise InvalidValueError("it lists no shards")
        refuse_doubled(shards)
    except (ValueError, KeyError, TypeError, AttributeError, InputFileError) as error:
        raise InputFileError(
            f"{path} is no description of a layout ({error!r}); remove it to read the layout by its names"
        ) from error
    if v_th is not None and said != {v_th}:
        raise InvalidValueError(
            f"{path} says that {SPIKES} has the threshold {', '.join(map(threshold_name, said))}, not "
            f"{threshold_name(v_th)}; leave the threshold out"
        )
    return shards


def undescribed(layout: Path, v_th: float | None, camera: SpikeCamera | None) -> list[LayoutShard]:
    """One shard a clip for a layout read by its names, with the exposure of the release.

    Raises:
        InputFileError: It is no such layout, or incomplete.
        InvalidValueError: The threshold is not known.
    """
    plan = ExposurePlan()
    clips = [clip for clip in entries_of(layout, f"*/{SPIKES}/*") if clip.is_dir()]
    if not clips:
        raise InputFileError(f"{layout} is not in the released layout: no SPLIT/{SPIKES}/CLIP folder in it")
    if v_th is None:
        raise InvalidValueError(f"{layout} does not say its threshold; give it with --vth")
    camera = None if camera is None else replace(camera, v_th=v_th)
    shards = []
    for clip in clips:
        split, name = clip.parent.parent.name, clip.name
        windows = [_window(path, plan) for path in entries_of(clip, "*.dat")]
        if not windows:
            raise InputFileError(f"{clip} holds no .dat files")
        files = [SampleFiles(layout / split, name, window, plan) for window in windows]
        readouts = _sharp_readouts(files, plan)
        shards.append(
            LayoutShard(
                f"{split}/{name}.000.h5",
                split,
                name,
                windows,
                spike_folders({v_th: camera}),
                readouts,
                "zstd",
                {"layout": layout.resolve().name, "choices": {"plan": asdict(plan)}},
                [name for name, field in fields.optional_fields().items() if _has(files, field, readouts)],
            )
        )
    return shards


def _sharp_readouts(files: Sequence[SampleFiles], plan: ExposurePlan) -> tuple[int, ...]:
    """The most ground truth that any window of a clip has; the others must have it too."""
    for sharp in ("sequence", "middle"):
        readouts = plan.sharp_readouts(sharp)
        if _has(files, fields.SHARP, readouts):
            return readouts
    return ()


def _has(files: Sequence[SampleFiles], field: Field, sharp_readouts: Sequence[int]) -> bool:
    """Whether any window of a clip has a field; then the others must have it too."""
    return any(all(path.is_file() for path in sample.of(field, sharp_readouts)) for sample in files)


def _window(path: Path, plan: ExposurePlan) -> int:
    """The window whose middle raw frame names a file."""
    digits = path.stem
    numbered = digits.isascii() and digits.isdigit()  # there are digits that int does not take
    window, rest = divmod((int(digits) - plan.middle_frame) * plan.factor, plan.period) if numbered else (0, 1)
    if rest or window < 0:
        raise InputFileError(
            f"{path} is not named by the middle frame of an exposure ({frame_name(plan.middle_frame)}, "
            f"{frame_name(plan.middle_frame + plan.period // plan.factor)}, ...)"
        )
    return window
