"""Speed and memory of a whole build: from frames to shards at three thresholds, with optical flow and two processes.

Without arguments the script writes two built-in scenes to a temporary folder, as a GOPRO tree of 1280×720 PNG files,
and builds from that; with arguments it builds from those sources. A readout is one frame interpolated, averaged,
downscaled and sensed at every threshold. Memory is the largest resident set of any worker.

    python benchmarks/build.py
    python benchmarks/build.py clip.mp4 frames/
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import imageio.v3 as iio

from spikesim_datasets.build import build_clips
from spikesim_datasets.planning import seconds_per_readout
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.sources import DemoClip, open_clips

SCENES = ("street", "garden")
FRAMES = 68  # four windows
THRESHOLDS = (1, 2, 4)
WORKERS = 2


def write_frames(root: Path) -> None:
    """Write the scenes as ROOT/train/SCENE/000000.png, ..."""
    for scene in SCENES:
        folder = root / "train" / scene
        folder.mkdir(parents=True)
        for number, frame in enumerate(DemoClip("train", scene, scene, FRAMES).frames(0, FRAMES)):
            iio.imwrite(folder / f"{number:06d}.png", frame, compress_level=1)


def measure(sources: list[str]) -> None:
    """Build from sources into a temporary folder and print the table."""
    clips = open_clips(sources)
    recipe = make_recipe(THRESHOLDS)
    seconds_per_readout(clips[0], recipe)  # compiles, for a machine that has never built before
    with tempfile.TemporaryDirectory() as out:
        report = build_clips(clips, out, recipe, workers=WORKERS)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(
        f"{recipe.interpolation.name}, V_th {' '.join(map(str, THRESHOLDS))}, {clips[0].width}×{clips[0].height}, "
        f"{WORKERS} workers"
    )
    print(f"{'samples':>8}{'readouts':>10}{'seconds':>9}{'readouts/s':>12}{'GB a worker':>13}")
    speed = report.readouts / report.seconds
    print(f"{report.samples:8}{report.readouts:10}{report.seconds:9.1f}{speed:12.1f}{peak / 1e9:13.2f}")


def main() -> None:
    """Measure the sources given, or scenes written for it."""
    if len(sys.argv) > 1:
        measure(sys.argv[1:])
        return
    with tempfile.TemporaryDirectory() as root:
        write_frames(Path(root))
        # Measured in a process of its own: Linux counts to a child's memory what its parent had when it was started.
        subprocess.run([sys.executable, __file__, str(Path(root) / "train")], check=True)


if __name__ == "__main__":
    main()
