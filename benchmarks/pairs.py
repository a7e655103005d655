"""What misaligned pairs and the field of flow add to a build, as ratios to the plain build of the same run.

Without arguments the script builds from a built-in scene of 1280×720, with the sharp sequence, at one threshold, by two
processes; with arguments from the sources given. Builds take turns for some rounds. CPU is what all processes of a
build used together: other work on the machine shows in it least. Minima of all rounds are told, and their ratios: what
else happens on a machine only adds.

    python benchmarks/pairs.py
    python benchmarks/pairs.py clip.mp4 --rounds 5
"""

import argparse
import resource
import tempfile
import time
from dataclasses import replace

from spikesim_datasets.build import build_clips
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.sources import excerpt, open_clips

PLAIN = make_recipe(sharp="sequence")
RECIPES = {
    "plain": PLAIN,
    "misaligned": replace(PLAIN, misalign="binocular"),
    "flow": replace(PLAIN, flow=True),
    "both": replace(PLAIN, misalign="binocular", flow=True),
}


def cpu_seconds() -> float:
    """What this process and its ended children have used so far."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def main() -> None:
    """Build in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", default=["demo:street"], help="as for `spikesim build`")
    parser.add_argument("--rounds", type=int, default=3, help="builds of each kind")
    parser.add_argument("--frames", type=int, help="so many frames of each clip, all where nothing is given")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    options = parser.parse_args()
    clips = [excerpt(clip, 0, options.frames) for clip in open_clips(options.sources, "train", 0)]
    taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name in RECIPES}
    for _ in range(options.rounds + 1):  # the first compiles
        for name, recipe in RECIPES.items():
            began, used = time.perf_counter(), cpu_seconds()
            with tempfile.TemporaryDirectory() as out:
                size = build_clips(clips, out, recipe, workers=options.workers).bytes
            taken[name].append((time.perf_counter() - began, cpu_seconds() - used, size))
    print(f"{'build':14}{'seconds':>9}{'CPU s':>8}{'MB':>8}{'time':>8}{'CPU':>8}  of the plain one")
    least = {name: [min(column) for column in zip(*rounds[1:], strict=True)] for name, rounds in taken.items()}
    for name, (seconds, cpu, size) in least.items():
        by_time, by_cpu = seconds / least["plain"][0], cpu / least["plain"][1]
        print(f"{name:14}{seconds:9.1f}{cpu:8.1f}{size / 1e6:8.0f}{by_time:8.2f}{by_cpu:8.2f}", flush=True)


if __name__ == "__main__":
    main()
