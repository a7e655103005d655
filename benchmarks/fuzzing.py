"""Damaged and hostile files for every reader: whatever they hold, it is read or refused in our own words.

Each round damages one file of a small valid input (bits flipped, bytes replaced, taken out or put in, the end cut off,
and in JSON a value exchanged) and lets the reader have it in a process of its own. Counted is what came of it: read,
refused by one of our errors, another exception, a crash, no end within forty seconds, and the most memory it took.
What writes is a reader as well: it writes an index, or repairs a copy of a dataset. Where it finds no fault, the index
has to be one that is read, the copy to be whole, and outside of it nothing may change; else that counts as another
exception.

    python benchmarks/fuzzing.py [--minutes 10] [--seed 0] [--keep FOLDER] [READER ...]

Without a name, every reader gets the minutes. Rounds that end badly are kept in FOLDER.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import imageio.v3
import numpy as np

SECONDS = 40.0  # longer than the limit that readers have of their own
WORST = ("foreign exception", "crash", "hang")


@dataclass(frozen=True)
class Reader:
    """A reader under test.

    Attributes:
        make: Writes a valid input into a folder.
        read: Reads all of it there.
        damaged: Pattern of the files that are damaged.
    """

    make: Callable[[Path], object]
    read: Callable[[Path], object]
    damaged: str


def _stream() -> Any:
    from spikesim import SpikeCamera, SpikeStream

    dense = np.random.default_rng(0).integers(0, 2, (40, 24, 40), np.uint8)
    return SpikeStream.from_dense(dense, SpikeCamera.preset("realistic"))


def _spikes(extension: str, damaged: str | None = None) -> Reader:
    from spikesim import read_spikes, write_spikes

    name = f"clip{extension}"
    return Reader(
        lambda folder: write_spikes(folder / name, _stream()),
        lambda folder: read_spikes(folder / name).counts(0, 1),
        damaged or name,
    )


def _spikecv(folder: Path) -> None:
    from spikesim import write_spikes

    write_spikes(folder / "clip.dat", _stream(), describe=False)
    (folder / "config.yaml").write_text("spike_h: 24\nspike_w: 40\n", "utf-8")


def _read_spikecv(folder: Path) -> None:
    from spikesim import read_spikes

    read_spikes(folder / "clip.dat")


def _frames(folder: Path, extension: str, count: int = 29) -> Path:
    rng = np.random.default_rng(1)
    whole = rng.integers(0, 256, (48, 64 + 2 * count, 3), np.uint8)
    (folder / "frames").mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / "frames" / f"{number:03d}{extension}"), whole[:, 2 * number : 2 * number + 64])
    return folder / "frames"


def _dataset(folder: Path) -> None:
    from spikesim_datasets.build import build_clips
    from spikesim_datasets.recipe import make_recipe
    from spikesim_datasets.sources import open_clips

    build_clips(open_clips([_frames(folder, ".png")]), folder / "data", make_recipe((1.0, 2.0), light=True))
    shutil.rmtree(folder / "frames")


def _read_dataset(folder: Path) -> None:
    from spikesim_datasets.shards import open_dataset

    for sample in open_dataset(folder / "data", "train"):
        sample.spikes[2.0].counts(0, 1)


def _read_shard(folder: Path) -> None:
    from spikesim_datasets.shards import ShardReader

    (path,) = (folder / "data").glob("train/*.h5")
    with ShardReader(path) as shard:
        for number in range(len(shard)):
            shard.sample(number)


def _read_remote_dataset(folder: Path) -> None:
    from spikesim_datasets.remote.block_cache import FOLDER_VARIABLE, SIZE_VARIABLE
    from spikesim_datasets.shards import open_dataset

    os.environ |= {FOLDER_VARIABLE: str(folder / "cache"), SIZE_VARIABLE: "0.01"}
    for sample in open_dataset(f"{_served(folder)}/data", "train"):
        sample.spikes[2.0].counts(0, 1)


@cache
def _served(folder: Path) -> str:
    """The address of a folder on a web server of this process."""
    from aiohttp import web

    async def serve() -> str:
        app = web.Application()
        app.router.add_static("/", folder)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return asyncio.run_coroutine_threadsafe(serve(), loop).result()


def _shards(folder: Path) -> None:
    """A dataset of several shards, and the frames that it was made of."""
    from spikesim_datasets.build import build_clips
    from spikesim_datasets.exposure import ExposurePlan
    from spikesim_datasets.recipe import make_recipe
    from spikesim_datasets.shards import ShardReader
    from spikesim_datasets.sources import open_clips

    plan = ExposurePlan(frames=3, factor=4, gap=3, padding=2)
    recipe = make_recipe((1.0, 2.0), interpolation="linear", plan=plan, shard_samples=1)
    build_clips(open_clips([_frames(folder, ".png", 14)]), folder / "data", recipe, workers=1)
    with ShardReader(folder / "data/train/frames.000.h5") as shard:
        (folder / "recipe.json").write_text(json.dumps(shard.recipe), "utf-8")


def _read_indexing(folder: Path) -> None:
    from spikesim.errors import SpikesimError
    from spikesim_datasets.indexing import rebuild_index
    from spikesim_datasets.shards.index import read_index

    (folder / "data/dataset.json").unlink(missing_ok=True)
    entries = rebuild_index(folder / "data")
    try:
        assert read_index(folder / "data") == entries
    except SpikesimError as error:
        raise AssertionError(f"an index of our own is refused: {error}") from error


def _read_repair_of_shards(folder: Path) -> None:
    dataset = _copy(folder)
    (dataset / "dataset.json").unlink()
    _repair(folder, dataset)


def _read_repair_by_index(folder: Path) -> None:
    dataset = _copy(folder)
    (dataset / "train/frames.001.h5").unlink()
    _repair(folder, dataset)


def _read_repair_by_recipes(folder: Path) -> None:
    """Repair a dataset without an index, whose only whole shard has the recipe that lies in a file."""
    import h5py

    dataset = _copy(folder)
    (dataset / "dataset.json").unlink()
    whole, damaged, *others = sorted(dataset.glob("train/*.h5"))
    for other in others:
        other.unlink()
    os.truncate(damaged, 3000)
    text = (folder / "recipe.json").read_bytes().replace(b"\0", b" ")  # which HDF5 takes for its end
    with h5py.File(whole, "r+") as file:
        file.attrs.create("recipe", text, dtype=h5py.string_dtype())
    _repair(folder, dataset)


def _copy(folder: Path) -> Path:
    """A copy of the dataset, which may be written to, so deep that ../../x is in the folder."""
    copy = folder / "copies" / "here" / "data"
    shutil.rmtree(copy, ignore_errors=True)
    return Path(shutil.copytree(folder / "data", copy))


def _repair(folder: Path, dataset: Path) -> None:
    from spikesim.errors import InputFileError, SpikesimError
    from spikesim_datasets.repair import repair_dataset
    from spikesim_datasets.shards import verify_dataset

    before = _outside(folder, dataset)
    try:
        report = repair_dataset(dataset, list(verify_dataset(dataset, workers=1)), workers=1)
    finally:
        assert _outside(folder, dataset) == before, "something was written outside of the dataset"
    if report.left:
        raise InputFileError("; ".join(report.left.values()))
    try:
        problems = [check.problem for check in verify_dataset(dataset, workers=1) if check.problem]
    except SpikesimError as error:
        problems = [str(error)]
    assert not problems, f"what was repaired is damaged: {problems}"


def _outside(folder: Path, dataset: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of change of what lies in a folder, but for a dataset in it."""
    found = (path for path in folder.rglob("*") if path != dataset and dataset not in path.parents)
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def _origins(folder: Path) -> None:
    """Where clips of each kind came from, a file each."""
    from spikesim_datasets.sources import DemoClip, DemoVariant, PhotoClip, Reading, excerpt, open_clips, origin_of
    from spikesim_datasets.videos.writing import write_video

    frames = _frames(folder, ".png")
    photos = sorted(frames.glob("*.png"))
    write_video(folder / "clip.mkv", map(imageio.v3.imread, photos), 30, 23)
    imageio.v3.imwrite(folder / "clip.tif", np.stack(list(map(imageio.v3.imread, photos[:4]))))
    (video,) = open_clips([folder / "clip.mkv"])
    (resampled,) = open_clips([folder / "clip.mkv"], reading=Reading(timing="resample"))
    (stack,) = open_clips([folder / "clip.tif"])
    form: Any = {"seed": 3, "number": 1, "n_frames": 6, "height": 64, "width": 96}
    clips = {
        "frames": open_clips([frames])[0],
        "video": video,
        "stack": stack,
        "scene": DemoClip("train", "scene", "desk", 6, 64, 96),
        "variant": DemoVariant("train", "variant", "desk", **form),
        "photo": PhotoClip("train", "photo", photos[0], (photos[1],), frames, **form, whole=180),
        "resampled": resampled,
        "part": excerpt(excerpt(video, 2, 9), 1, 4),
    }
    for name, clip in clips.items():
        (folder / f"{name}.json").write_text(json.dumps(origin_of(clip)), "utf-8")


def _read_origins(folder: Path) -> None:
    from spikesim.input_files import read_json
    from spikesim_datasets.sources import reopen

    for path in sorted(folder.glob("*.json")):
        clip = reopen(read_json(path))
        clip.fingerprint()
        next(clip.frames(0, 1))


def _layout(folder: Path) -> None:
    from spikesim_datasets.layouts import shards_to_layout

    _dataset(folder)
    shards_to_layout(folder / "data", folder / "layout")
    shutil.rmtree(folder / "data")


def _read_layout(folder: Path) -> None:
    from spikesim_datasets.layouts import layout_to_shards

    shutil.rmtree(folder / "again", ignore_errors=True)
    layout_to_shards(folder / "layout", folder / "again")


def _image(extension: str) -> Reader:
    from spikesim_datasets.image_files import read_image

    return Reader(
        lambda folder: _frames(folder, extension, 1),
        lambda folder: read_image(folder / f"frames/000{extension}"),
        "frames/*",
    )


def _video(name: str) -> Reader:
    from spikesim_datasets.sources import open_clips
    from spikesim_datasets.videos.writing import write_video

    def make(folder: Path) -> None:
        frames = np.random.default_rng(2).integers(0, 256, (20, 48, 64, 3), np.uint8)
        if name.endswith(".avi"):  # which is read, and not written
            imageio.v3.imwrite(folder / name, frames, plugin="pyav", codec="mjpeg", fps=30, out_pixel_format="yuvj420p")
        else:
            write_video(folder / name, iter(frames), 30, 23)

    def read(folder: Path) -> None:
        for clip in open_clips([folder / name]):
            for _ in clip.frames(0, clip.n_frames):
                pass

    return Reader(make, read, name)


def _network(folder: Path) -> None:
    from ssdm_models import checkpoints
    from ssdm_models.bsn import BSN

    checkpoints.save(folder / "bsn.safetensors", BSN())


def _read_network(folder: Path) -> None:
    from ssdm_models import checkpoints

    checkpoints.load(folder / "bsn.safetensors")


def _released_network(folder: Path) -> None:
    import torch

    from ssdm_models.ldn import LDN
    from ssdm_models.released import slots

    network = LDN()
    values = network.state_dict()
    torch.save({slot.released[0]: values[slot.name] for slot in slots(network, "ldn")}, folder / "ldn.pth")


def _read_released_network(folder: Path) -> None:
    from ssdm_models import checkpoints

    checkpoints.load_released(folder / "ldn.pth", "ldn")


def _training(folder: Path) -> None:
    from ssdm_models.training import train

    _dataset(folder)
    train(folder / "data", folder / "run", ["bsn"], epochs=1, crop=32, batch=1, workers=0, device="cpu")


def _read_training(folder: Path) -> None:
    from spikesim.errors import InputFileError
    from ssdm_models.training.run_verification import verify_run

    for check in verify_run(folder / "run"):
        if check.problem:
            raise InputFileError(check.problem)


def _calibration(folder: Path) -> None:
    from spikesim.calibration import calibration_from_matrices, write_calibration

    dark, readouts = np.full((12, 20), 3.0), np.full((12, 20), 9.0)
    write_calibration(folder / "cam.npz", calibration_from_matrices(dark, readouts))


def _read_calibration(folder: Path) -> None:
    from spikesim import SpikeCamera
    from spikesim.calibration import calibrated

    calibrated(SpikeCamera(), folder / "cam.npz")


def readers() -> dict[str, Reader]:
    return {
        "spikes .dat": _spikes(".dat"),
        "spikes .dat, description": _spikes(".dat", "clip.json"),
        "spikes .dat, config.yaml": Reader(_spikecv, _read_spikecv, "config.yaml"),
        "spikes .npz": _spikes(".npz"),
        "spikes .npy": _spikes(".npy"),
        "spikes .h5": _spikes(".h5"),
        "shard": Reader(_dataset, _read_shard, "data/train/*.h5"),
        "dataset, shard": Reader(_dataset, _read_dataset, "data/train/*.h5"),
        "dataset, index": Reader(_dataset, _read_dataset, "data/dataset.json"),
        "remote dataset, shard": Reader(_dataset, _read_remote_dataset, "data/train/*.h5"),
        "remote dataset, index": Reader(_dataset, _read_remote_dataset, "data/dataset.json"),
        "indexing, shards": Reader(_shards, _read_indexing, "data/train/*.h5"),
        "repair, shards": Reader(_shards, _read_repair_of_shards, "data/train/*.h5"),
        "repair, index": Reader(_shards, _read_repair_by_index, "data/dataset.json"),
        "repair, recipe of a shard": Reader(_shards, _read_repair_by_recipes, "recipe.json"),
        "origins of clips": Reader(_origins, _read_origins, "*.json"),
        "layout, description": Reader(_layout, _read_layout, "layout/spikesim.json"),
        "layout, samples": Reader(_layout, _read_layout, "layout/**/*.*"),
        "image .png": _image(".png"),
        "image .jpg": _image(".jpg"),
        "image .tif": _image(".tif"),
        "video .mp4": _video("clip.mp4"),
        "video .mkv": _video("clip.mkv"),
        "video .avi": _video("clip.avi"),
        "calibration": Reader(_calibration, _read_calibration, "cam.npz"),
        "checkpoint": Reader(_network, _read_network, "bsn.safetensors"),
        "released checkpoint": Reader(_released_network, _read_released_network, "ldn.pth"),
        "training, record": Reader(_training, _read_training, "run/bsn/config.json"),
    }


def damage(content: bytes, rng: random.Random) -> bytes:
    """Content with one to three faults."""
    damaged = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        place, length = rng.randrange(max(1, len(damaged))), rng.choice((1, 1, 2, 4, 8, 64))
        if rng.random() < 0.5:  # what describes the rest is at the beginning of most formats, or at the end
            place = rng.choice((place % 4096, max(0, len(damaged) - 1 - place % 512)))
        match rng.randrange(6):
            case 0 | 1:
                if damaged:
                    damaged[place % len(damaged)] ^= 1 << rng.randrange(8)
            case 2:
                damaged[place : place + length] = rng.randbytes(length)
            case 3:
                damaged[place : place + length] = rng.choice((b"\0", b"\xff", b"\x7f")) * length
            case 4:
                del damaged[place : place + length]
            case 5:
                damaged[place:place] = rng.randbytes(length)
    if rng.random() < 0.1:
        del damaged[rng.randrange(len(damaged) + 1) :]
    return bytes(damaged)


STRANGE = (None, True, -1, 0, 1 << 70, 1e308, "", "x", "../../x", "/etc/passwd", "\x1b[2J", "a\ud800", [], {}, [[[]]])


def exchange(text: bytes, rng: random.Random) -> bytes:
    """JSON with one value exchanged for a strange one, taken out, or doubled."""
    record = json.loads(text)
    places: list[tuple[Any, Any]] = []

    def visit(value: Any) -> None:
        keys = range(len(value)) if isinstance(value, list) else value.keys() if isinstance(value, dict) else ()
        for key in keys:
            places.append((value, key))
            visit(value[key])

    visit(record)
    holder, key = rng.choice(places)
    if rng.random() < 0.2:
        del holder[key]
    else:
        deep: Any = 0
        for _ in range(rng.choice((50, 5000))):
            deep = [deep]
        value = rng.choice((*STRANGE, "deep"))
        holder[key] = "DEEP" if value == "deep" else value
        return json.dumps(record).encode().replace(b'"DEEP"', b"[" * 5000 + b"]" * 5000)
    return json.dumps(record).encode()


def serve(name: str, folder: Path) -> None:
    """Read what lies in the folder as often as asked; answer what came of it."""
    from spikesim.errors import SpikesimError

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    read = readers()[name].read
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for _ in sys.stdin:
        try:
            read(folder)
            answer = "read", ""
        except SpikesimError as error:
            answer = "refused", str(error)
        except Exception as error:
            answer = "foreign exception", f"{type(error).__name__}: {error}"
        print(json.dumps([*answer, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]), file=answers, flush=True)


def fuzz(name: str, seconds: float, seed: int, keep: Path | None) -> tuple[Counter[str], int]:
    """What came of rounds with one reader, and the most memory in kB."""
    reader, rng, counts, memory = readers()[name], random.Random(seed), Counter[str](), 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        reader.make(folder)
        files = sorted(path for path in folder.glob(reader.damaged) if path.is_file())
        whole = {path: path.read_bytes() for path in files}
        process: subprocess.Popen[bytes] | None = None
        end, number = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            path = rng.choice(files)
            as_json = path.suffix == ".json" and rng.random() < 0.7
            content = (exchange if as_json else damage)(whole[path], rng)
            path.write_bytes(content)
            os.utime(path, ns=(number, number))  # another file each time, as far as caches are concerned
            if process is None:
                command = [sys.executable, __file__, "--serve", str(folder), name]
                process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
            assert process.stdin
            assert process.stdout
            process.stdin.write(b"\n")
            process.stdin.flush()
            first = counts.total() == 0
            ready, _, _ = select.select([process.stdout], [], [], SECONDS + 60 * first)
            answer = process.stdout.readline() if ready else b""
            if answer:
                outcome, message, used = json.loads(answer)
                memory = max(memory, used)
            else:
                outcome, message = ("crash" if ready else "hang"), ""
                process.kill()
                process.communicate()
                process = None
            counts[outcome] += 1
            if outcome in WORST:
                print(f"{name}, round {number}, {path.name}: {outcome} {message[:300]}", file=sys.stderr, flush=True)
                if keep is not None:
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{name.replace(' ', '_')}-{number}-{path.name}").write_bytes(content)
            path.write_bytes(whole[path])
            number += 1
        if process is not None:
            process.communicate()
    return counts, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reader", nargs="*")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.reader[0], given.serve)
        return
    columns = ("read", "refused", *WORST)
    print(
        f"{'reader':26}{'rounds':>8}" + "".join(f"{column:>{len(column) + 2}}" for column in columns) + "  MB at most"
    )
    for name in given.reader or readers():
        counts, memory = fuzz(name, 60 * given.minutes, given.seed, given.keep)
        cells = "".join(f"{counts[column]:>{len(column) + 2}}" for column in columns)
        print(f"{name:26}{counts.total():>8}{cells}{memory / 1000:>12.0f}", flush=True)


if __name__ == "__main__":
    main()
