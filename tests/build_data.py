"""What tests of builds share: clips of waves, datasets of them, and what to compare."""

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spikesim_datasets.build import BuildReport, build_clips
from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.recipe import Recipe, make_recipe
from spikesim_datasets.shards import ShardReader, verify_dataset
from spikesim_datasets.shards.index import shard_files
from spikesim_datasets.sources import Clip, FrameClip, open_clips

# Exposures of 9 readouts every 12, streams of 13: 20 raw frames have the windows 1..5.
PLAN = ExposurePlan(frames=3, factor=4, gap=3, padding=2)


def write_frames(folder: Path, frames: int, height: int = 72, width: int = 120, phase: float = 0) -> Path:
    """Waves that wander over the image, one PNG a frame."""
    folder.mkdir(parents=True)
    y, x, colour = np.ogrid[:height, :width, :3]
    for number in range(frames):
        wave = np.sin((x + 3 * number + 40 * colour) / 9 + phase) * np.cos((y - number) / 7)
        Image.fromarray((127 + 120 * wave).astype(np.uint8)).save(folder / f"{number:06d}.png", compress_level=1)
    return folder


def recipe(v_th: Sequence[float] = (1.0, 2.0), **choices: Any) -> Recipe:
    return make_recipe(v_th, **{"plan": PLAN, "interpolation": "linear", "shard_samples": 2, **choices})


def clip(folder: Path) -> Clip:
    return FrameClip.open(folder, "train", folder.name, folder)


def content(out: Path) -> dict[tuple[str, int], tuple[Any, ...]]:
    """Every sample of a dataset by clip and window, as values that compare bit for bit."""
    found = {}
    for file in shard_files(out):
        with ShardReader(file) as shard:
            for sample in map(shard.sample, range(len(shard))):
                spikes = {v_th: (stream.packed.tobytes(), stream.camera) for v_th, stream in sample.spikes.items()}
                images = (sample.blur.tobytes(), sample.sharp.tobytes(), sample.sharp_readouts)
                found[sample.key, sample.window] = (sample.first_frame, sample.exposure, *images, spikes)
    return found


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of change of every file: a file that was replaced by an equal one shows."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def leftovers(out: Path) -> list[Path]:
    return [path for path in out.rglob(".*") if path.is_file()]


def assert_whole(out: Path) -> None:
    assert [check.problem for check in verify_dataset(out) if check.problem] == []
    assert leftovers(out) == []


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of 20 frames and one that is too short; not to be changed."""
    root = tmp_path_factory.mktemp("source")
    for number, (name, frames) in enumerate({"a": 20, "b": 20, "short": 5}.items()):
        write_frames(root / name, frames, phase=number)
    return root


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, BuildReport]:
    """The dataset of the source by `recipe()`, in one process; not to be changed."""
    out = tmp_path_factory.mktemp("built")
    return out, build_clips(open_clips([source]), out, recipe(), workers=1, command="spikesim build source")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", "from spikesim_cli.main import main; main()", *map(str, arguments)]


def build_command(source: Path, out: Path) -> list[str]:
    return command(
        "build", source, "--out", out, "--interp", "linear", "--factor", 4, "--shard-samples", 1, "--workers", 2
    )


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of 160 frames, 10 samples each, for builds that are ended in the middle."""
    root = tmp_path_factory.mktemp("longer")
    for number, name in enumerate(("a", "b")):
        write_frames(root / name, 160, phase=number)
    return root


LONGER = make_recipe(interpolation="linear", plan=ExposurePlan(factor=4, gap=3), shard_samples=1)


def wait_until(condition: Callable[[], Any], seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)
    return found


@pytest.fixture
def copy(built: tuple[Path, BuildReport], tmp_path: Path) -> Path:
    """The same dataset, to be changed."""
    return Path(shutil.copytree(built[0], tmp_path / "copy"))
