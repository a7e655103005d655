"""Speed and memory of whole builds: from frames, and from photos, to shards.

Without arguments the script writes two built-in scenes to a temporary folder, as a GOPRO tree of 1280×720 PNG files,
and builds from that at three thresholds, with optical flow and two processes; and it writes two frames of them as
photos, and builds four random clips of those at one threshold in one process. With arguments it builds from those
sources. A readout is one frame interpolated or rendered, averaged, downscaled and sensed at every threshold. CPU is
what all processes of the build used together: other work on the machine shows in it least. Memory is the largest
resident set of any worker.

    python benchmarks/build.py
    python benchmarks/build.py clip.mp4 frames/
    python benchmarks/build.py 'photo:photos#24' --vth 1 --workers 1
"""

import argparse
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
THRESHOLDS = (1.0, 2.0, 4.0)
WORKERS = 2
PHOTO_CLIPS = 4


def write_frames(root: Path) -> None:
    """Write the scenes as ROOT/train/SCENE/000000.png, ..., and the first frame of each as ROOT/photos/SCENE.png."""
    (root / "photos").mkdir()
    for scene in SCENES:
        folder = root / "train" / scene
        folder.mkdir(parents=True)
        for number, frame in enumerate(DemoClip("train", scene, scene, FRAMES).frames(0, FRAMES)):
            iio.imwrite(folder / f"{number:06d}.png", frame, compress_level=1)
            if number == 0:
                iio.imwrite(root / "photos" / f"{scene}.png", frame, compress_level=1)


def measure(sources: list[str], thresholds: list[float], workers: int) -> None:
    """Build from sources into a temporary folder and print a row of the table."""
    clips = open_clips(sources)
    recipe = make_recipe(thresholds)
    seconds_per_readout(clips[0], recipe)  # compiles, for a machine that has never built before
    before = cpu_seconds()
    with tempfile.TemporaryDirectory() as out:
        report = build_clips(clips, out, recipe, workers=workers)
    used = cpu_seconds() - before
    who = resource.RUSAGE_SELF if workers == 1 else resource.RUSAGE_CHILDREN
    peak = resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(
        f"{Path(sources[0]).name:16}{workers:8}{len(thresholds):12}{report.samples:9}{report.readouts:10}"
        f"{report.seconds:9.1f}{report.readouts / report.seconds:12.1f}{used:7.1f}{report.readouts / used:16.1f}"
        f"{peak / 1e9:13.2f}",
        flush=True,
    )


def cpu_seconds() -> float:
    """What this process and its ended children have used so far."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    """Measure the sources given, or scenes and photos written for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", help="as for `spikesim build`")
    parser.add_argument("--vth", nargs="+", type=float, default=THRESHOLDS, help="thresholds")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes")
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.row:
        print(
            f"{'source':16}{'workers':>8}{'thresholds':>12}{'samples':>9}{'readouts':>10}{'seconds':>9}"
            f"{'readouts/s':>12}{'CPU s':>7}{'readouts/CPU s':>16}{'GB a worker':>13}",
            flush=True,
        )
    if given.sources:
        measure(given.sources, given.vth, given.workers)
        return
    with tempfile.TemporaryDirectory() as root:
        write_frames(Path(root))
        photos = f"photo:{root}/photos#{PHOTO_CLIPS}"
        for arguments in ([f"{root}/train"], [photos, "--vth", "1", "--workers", "1"]):
            # Measured in processes of their own: Linux counts to a child's memory what its parent had at its start.
            subprocess.run([sys.executable, __file__, "--row", *arguments], check=True)


if __name__ == "__main__":
    main()
