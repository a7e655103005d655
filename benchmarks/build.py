"""Speed and memory of whole builds, where the time goes, and how a plain pipeline of the field compares.

Without arguments the script writes two built-in scenes to a temporary folder, as a GOPRO tree of 1280×720 PNG files,
and builds from that at three thresholds, with optical flow and two processes; and it writes two frames of them as
photos, and builds four random clips of those at one threshold in one process. With arguments it builds from those
sources. A readout is one frame interpolated or rendered, averaged, downscaled and sensed at every threshold. CPU is
what all processes of the build used together: other work on the machine shows in it least. Memory is the largest
resident set of any worker.

With `--plain` two pipelines as of the field (`plain_pipeline.py`) make a dataset of the first frames of the same
sources in the same run, from the frames and from readouts that are interpolated already, of which the build is then
measured as well. With `--stages` a build in one process is profiled.

    python benchmarks/build.py
    python benchmarks/build.py clip.mp4 frames/ --plain --stages
    python benchmarks/build.py 'photo:photos#24' --vth 1 --workers 1
"""

import argparse
import cProfile
import multiprocessing
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import imageio.v3 as iio

from spikesim_datasets.build import build_clips
from spikesim_datasets.planning import seconds_per_readout
from spikesim_datasets.recipe import Recipe, make_recipe
from spikesim_datasets.sources import Clip, DemoClip, excerpt, open_clips

SCENES = ("street", "garden")
FRAMES = 100  # all of a scene: six windows
THRESHOLDS = (1.0, 2.0, 4.0)
WORKERS = 2
PHOTO_CLIPS = 4
PLAIN_FRAMES = 42  # two windows

# What takes the time of a build, as the functions that do it.
STAGES = {
    "interpolation": ("flow.py", "_frames"),
    "reading frames": ("readouts.py", "_numbered_frames"),
    "exposure": ("optics.py", "add"),
    "light at ¼ size": ("optics.py", "light"),
    "looking for cuts": ("continuity.py", "look"),
    "sensing": ("simulation.py", "simulate_cameras"),
    "writing": ("writer.py", "append"),
}


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


def measure(clips: Sequence[Clip], name: str, recipe: Recipe, workers: int) -> float:
    """Build from clips into a temporary folder, print a row of the table, and give the readouts per second."""
    # Compiles, for a machine that has never built before; elsewhere, for workers begin with the memory of this process.
    compiling = multiprocessing.get_context("spawn").Process(target=seconds_per_readout, args=(clips[0], recipe))
    compiling.start()
    compiling.join()
    before = cpu_seconds()
    with tempfile.TemporaryDirectory() as out:
        report = build_clips(clips, out, recipe, workers=workers)
    used = cpu_seconds() - before
    who = resource.RUSAGE_SELF if workers == 1 else resource.RUSAGE_CHILDREN
    peak = resource.getrusage(who).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(
        f"{name:24}{workers:8}{len(recipe.cameras):12}{report.samples:9}{report.readouts:10}"
        f"{report.seconds:9.1f}{report.readouts / report.seconds:12.1f}{used:7.1f}{report.readouts / used:16.1f}"
        f"{peak / 1e9:13.2f}",
        flush=True,
    )
    return report.readouts / report.seconds


def cpu_seconds() -> float:
    """What this process and its ended children have used so far."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def compare_with_plain(clips: Sequence[Clip], name: str, recipe: Recipe, workers: int, speed: float) -> None:
    """Print how plain pipelines compare, from the first frames and from their readouts."""
    import plain_pipeline  # which imports torch, as all workers would that import this module

    v_th = [camera.v_th for camera in recipe.cameras]
    parts = [excerpt(clip, 0, min(clip.n_frames, PLAIN_FRAMES)) for clip in clips]
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "readouts"
        began = time.perf_counter()
        readouts = plain_pipeline.from_clips(parts, Path(root), v_th)
        tell_ratio("plain, from frames", readouts / (time.perf_counter() - began), speed)
        began = time.perf_counter()
        for place in sorted(folder.iterdir()):
            plain_pipeline.from_readouts(place, Path(root) / "again", v_th)
        plain = readouts / (time.perf_counter() - began)
        thresholds = ["--vth", *map(str, v_th), "--workers", str(workers)]
        row = measured_alone([str(folder), "--interp", "none", *thresholds])
        print(row, end="")
        tell_ratio("plain, from readouts", plain, float(row.split()[-4]))


def tell_ratio(what: str, plain: float, built: float) -> None:
    print(f"{what:24}{plain:.1f} readouts/s; the build makes {built / plain:.1f} times as many", flush=True)


def measured_alone(arguments: Sequence[str]) -> str:
    """What the script prints of other sources in a process of its own.

    Linux counts to a child's memory what its parent had at its start.
    """
    command = [sys.executable, __file__, "--row", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def tell_stages(clips: Sequence[Clip], recipe: Recipe) -> None:
    """Print what share of a build in one process each stage takes."""
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory() as out:
        began = time.perf_counter()
        report = profile.runcall(build_clips, clips, out, recipe, workers=1)
        seconds = time.perf_counter() - began
    found = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    print(f"\n{'stage':20}{'ms a readout':>14}{'share':>8}")
    for stage, (file, function) in STAGES.items():
        taken = sum(entry[3] for (path, _, name), entry in found.items() if path.endswith(file) and name == function)
        print(f"{stage:20}{1000 * taken / report.readouts:14.2f}{taken / seconds:8.0%}")
    print(f"{'all':20}{1000 * seconds / report.readouts:14.2f}")


def main() -> None:
    """Measure the sources given, or scenes and photos written for it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", help="as for `spikesim build`")
    parser.add_argument("--vth", nargs="+", type=float, default=THRESHOLDS, help="thresholds")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes")
    parser.add_argument("--interp", default="flow", help="interpolator, none for readouts")
    parser.add_argument("--plain", action="store_true", help="compare with plain pipelines")
    parser.add_argument("--stages", action="store_true", help="profile a build in one process")
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if not given.row:
        print(
            f"{'source':24}{'workers':>8}{'thresholds':>12}{'samples':>9}{'readouts':>10}{'seconds':>9}"
            f"{'readouts/s':>12}{'CPU s':>7}{'readouts/CPU s':>16}{'GB a worker':>13}",
            flush=True,
        )
    if given.sources:
        clips, name = open_clips(given.sources), Path(given.sources[0]).name
        recipe = make_recipe(given.vth, interpolation=given.interp)
        speed = measure(clips, name, recipe, given.workers)
        if given.plain:
            compare_with_plain(clips, name, recipe, given.workers, speed)
        if given.stages:
            tell_stages(clips, recipe)
        return
    with tempfile.TemporaryDirectory() as root:
        write_frames(Path(root))
        photos = f"photo:{root}/photos#{PHOTO_CLIPS}"
        asked = [flag for flag in ("--plain", "--stages") if getattr(given, flag[2:])]
        for arguments in ([f"{root}/train", *asked], [photos, "--vth", "1", "--workers", "1"]):
            print(measured_alone(arguments), end="")


if __name__ == "__main__":
    main()
