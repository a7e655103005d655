"""To and from the folder layout of the S-SDM release.

    ROOT/SPLIT/blur_data/CLIP/000019.png            blurry image, named by the raw frame in the middle of its exposure
    ROOT/SPLIT/sharp_data/CLIP/000013.png, ...      ground truth, named by its raw frame
    ROOT/SPLIT/spike_data/CLIP/000019.dat           spikes of one threshold

Further thresholds lie beside it in `spike_data_vth_2` and so on. `spikesim.json` keeps what the layout has no place
for, so that the way back loses nothing; a release of somebody else has none and is read by its names alone.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np

from spikesim import SpikeCamera, SpikeStream, read_spikes, write_spikes
from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim.files import atomic_path
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.light import SCALE
from spikesim_datasets.shards import Sample, ShardReader, ShardWriter
from spikesim_datasets.shards.index import shard_files, write_index
from spikesim_datasets.shards.schema import threshold_name

DESCRIPTION = "spikesim.json"
SCHEMA = "spikesim.layout/1"

BLUR, SHARP, SPIKES = "blur_data", "sharp_data", "spike_data"


def shards_to_layout(dataset: Path | str, out: Path | str) -> int:
    """Write a dataset in the released layout.

    Args:
        dataset: Folder of the dataset.
        out: Folder to write; it must not exist yet, or be empty.

    Returns:
        The number of samples.

    Raises:
        InputFileError: There is no dataset or it is damaged.
        OutputError: `out` holds something, or cannot be written.
    """
    dataset, out = Path(dataset), Path(out)
    files = shard_files(dataset)
    if not files:
        raise InputFileError(f"{dataset} holds no shards to convert")
    _refuse_full(out)
    shards: list[dict[str, Any]] = []
    samples = 0
    for file in files:
        with ShardReader(file) as shard:
            folders = _spike_folders(tuple(shard.cameras))
            plan = _plan(shard.recipe)
            for number in range(len(shard)):
                _write_sample(out, shard.sample(number), plan, folders)
            samples += len(shard)
            shards.append(
                {
                    "path": file.relative_to(dataset).as_posix(),
                    "windows": shard.windows,
                    "spikes": {folders[v_th]: _camera_record(v_th, camera) for v_th, camera in shard.cameras.items()},
                    "sharp_readouts": shard.sharp_readouts,
                    "compression": shard.compression,
                    "recipe": shard.recipe,
                }
            )
    with atomic_path(out / DESCRIPTION) as temporary:
        temporary.write_text(json.dumps({"schema": SCHEMA, "shards": shards}, indent=1) + "\n", "utf-8")
    return samples


def layout_to_shards(layout: Path | str, out: Path | str, v_th: float | None = None) -> int:
    """Read a folder in the released layout into shards.

    Args:
        layout: Its root, which holds `train` or `test` or both.
        out: Folder of the dataset to write; it must not exist yet, or be empty.
        v_th: Threshold of `spike_data`, needed where the layout does not say.

    Returns:
        The number of samples.

    Raises:
        InputFileError: The layout is incomplete or damaged.
        InvalidValueError: The threshold is not known, or contradicts what the layout says.
        OutputError: `out` holds something, or cannot be written.
    """
    layout, out = Path(layout), Path(out)
    shards = _described(layout, v_th) or _undescribed(layout, v_th)
    _refuse_full(out)
    samples = 0
    for shard in shards:
        plan = _plan(shard["recipe"])
        key = shard["path"].rsplit(".", 2)[0]
        with ShardWriter(out / shard["path"], shard["recipe"], shard["compression"]) as writer:
            for window in shard["windows"]:
                writer.append(_read_sample(layout, key, window, plan, shard))
                samples += 1
    choices = [shard["recipe"].get("choices") for shard in shards]
    write_index(out, {"choices": choices[0]} if all(choice == choices[0] for choice in choices) else {})
    return samples


def _write_sample(out: Path, sample: Sample, plan: ExposurePlan, folders: dict[float, str]) -> None:
    split, clip = sample.key.split("/", 1)
    name = _name(sample.first_frame + plan.middle_frame)
    _write_png(out / split / BLUR / clip / f"{name}.png", sample.blur)
    for frame, readout in zip(sample.sharp, sample.sharp_readouts, strict=True):
        number = sample.first_frame + (readout - plan.padding) // plan.factor
        _write_png(out / split / SHARP / clip / f"{_name(number)}.png", frame)
    for v_th, stream in sample.spikes.items():
        # The field's loaders take every file of the folder for spikes, so no description may lie beside.
        write_spikes(out / split / folders[v_th] / clip / f"{name}.dat", stream, describe=False)


def _read_sample(layout: Path, key: str, window: int, plan: ExposurePlan, shard: dict[str, Any]) -> Sample:
    split, clip = key.split("/", 1)
    first_frame = window * plan.period // plan.factor
    name = _name(first_frame + plan.middle_frame)
    blur = _read_png(layout / split / BLUR / clip / f"{name}.png")
    readouts = tuple(shard["sharp_readouts"])
    sharp = [
        _read_png(layout / split / SHARP / clip / f"{_name(first_frame + (r - plan.padding) // plan.factor)}.png")
        for r in readouts
    ]
    spikes: dict[float, SpikeStream] = {}
    for folder, camera in shard["spikes"].items():
        path = layout / split / folder / clip / f"{name}.dat"
        stream = read_spikes(path, blur.shape[0] // SCALE, blur.shape[1] // SCALE)
        if len(stream) != plan.stream_length:
            raise InputFileError(f"{path} has {len(stream)} readouts, a stream of this layout has {plan.stream_length}")
        known = SpikeCamera.from_json(json.dumps(camera["camera"])) if camera["camera"] else None
        spikes[camera["v_th"]] = SpikeStream(stream.packed, stream.shape[2], known)
    stacked = np.stack(sharp) if sharp else np.empty((0, *blur.shape), np.uint8)
    return Sample(key, window, first_frame, plan.exposure, blur, stacked, readouts, spikes)


def _described(layout: Path, v_th: float | None) -> list[dict[str, Any]] | None:
    """The shards of a layout that we wrote; None where it is somebody else's."""
    path = layout / DESCRIPTION
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text("utf-8"))
        schema, shards = record["schema"], record["shards"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputFileError(
            f"{path} is no description of a layout ({error!r}); remove it to read the layout by its names"
        ) from error
    if schema != SCHEMA:
        raise InputFileError(f"{path} has the schema {schema!r}, expected {SCHEMA!r}")
    said = {camera["v_th"] for shard in shards for folder, camera in shard["spikes"].items() if folder == SPIKES}
    if v_th is not None and said != {v_th}:
        raise InvalidValueError(
            f"{path} says that {SPIKES} has the threshold {', '.join(map(threshold_name, said))}, not "
            f"{threshold_name(v_th)}; leave the threshold out"
        )
    return list(shards)


def _undescribed(layout: Path, v_th: float | None) -> list[dict[str, Any]]:
    """One shard a clip for a layout read by its names, with the exposure of the release."""
    plan = ExposurePlan()
    clips = sorted(clip for clip in layout.glob(f"*/{SPIKES}/*") if clip.is_dir())
    if not clips:
        raise InputFileError(f"{layout} is not in the released layout: no SPLIT/{SPIKES}/CLIP folder in it")
    if v_th is None:
        raise InvalidValueError(f"{layout} does not say its threshold; give it with --vth")
    shards = []
    for clip in clips:
        split = clip.parent.parent.name
        windows = [_window(path, plan) for path in sorted(clip.glob("*.dat"))]
        if not windows:
            raise InputFileError(f"{clip} holds no .dat files")
        shards.append(
            {
                "path": f"{split}/{clip.name}.000.h5",
                "windows": windows,
                "spikes": {SPIKES: {"v_th": float(v_th), "camera": None}},
                "sharp_readouts": _sharp_readouts(layout / split / SHARP / clip.name, windows, plan),
                "compression": "zstd",
                "recipe": {"layout": layout.resolve().name, "choices": {"plan": asdict(plan)}},
            }
        )
    return shards


def _sharp_readouts(folder: Path, windows: list[int], plan: ExposurePlan) -> tuple[int, ...]:
    """The most ground truth that every window of a clip has."""
    for sharp in ("sequence", "middle"):
        frames = plan.sharp_frames(sharp)
        first = [window * plan.period // plan.factor for window in windows]
        if all((folder / f"{_name(start + frame)}.png").is_file() for start in first for frame in frames):
            return plan.sharp_readouts(sharp)
    return ()


def _window(path: Path, plan: ExposurePlan) -> int:
    """The window whose middle raw frame names a file."""
    digits = path.stem
    window, rest = divmod((int(digits) - plan.middle_frame) * plan.factor, plan.period) if digits.isdigit() else (0, 1)
    if rest or window < 0:
        raise InputFileError(
            f"{path} is not named by the middle frame of an exposure ({_name(plan.middle_frame)}, "
            f"{_name(plan.middle_frame + plan.period // plan.factor)}, ...)"
        )
    return window


def _plan(recipe: dict[str, Any]) -> ExposurePlan:
    return ExposurePlan(**recipe["choices"]["plan"])


def _spike_folders(thresholds: tuple[float, ...]) -> dict[float, str]:
    """Folder of each threshold: the lowest has the released name."""
    return {v_th: SPIKES if i == 0 else f"{SPIKES}_vth_{threshold_name(v_th)}" for i, v_th in enumerate(thresholds)}


def _camera_record(v_th: float, camera: SpikeCamera | None) -> dict[str, Any]:
    return {"v_th": v_th, "camera": None if camera is None else json.loads(camera.to_json())}


def _name(frame: int) -> str:
    return f"{frame:06d}"


def _write_png(path: Path, image: np.ndarray) -> None:
    with atomic_path(path) as temporary:
        iio.imwrite(temporary, image, extension=".png", compress_level=1)


def _read_png(path: Path) -> np.ndarray:
    try:
        image: np.ndarray = iio.imread(path, mode="RGB")
    except (OSError, SyntaxError) as error:
        raise InputFileError(f"{path} cannot be read ({error})") from error
    return image


def _refuse_full(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} exists already and is not an empty folder; choose another")
