"""What misaligned pairs and the field of flow add to a build, as ratios to the plain build of the same run.

Without arguments the script builds from a built-in scene of 1280×720, with the sharp sequence, at one threshold, in one
process; with arguments from the sources given. Builds are of two windows, so that they are short, and take turns for
many rounds. Times are of a readout: sensors that may be ahead or behind see some more of a clip, which is much of so
short a one and little of a long one. A ratio is to the plain build of the same round, and medians are told: what else
happens on a machine comes and goes more slowly than that.

    python benchmarks/pairs.py
    python benchmarks/pairs.py clip.mp4 --rounds 30
"""

import argparse
import tempfile
import time
from dataclasses import replace
from statistics import median

from spikesim_datasets.build import build_clips
from spikesim_datasets.recipe import make_recipe
from spikesim_datasets.sources import excerpt, open_clips

FRAMES = 43  # two windows, with room for what is ahead or behind

PLAIN = make_recipe(sharp="sequence")
RECIPES = {
    "plain": PLAIN,
    "misaligned": replace(PLAIN, misalign="binocular"),
    "flow": replace(PLAIN, flow=True),
    "both": replace(PLAIN, misalign="binocular", flow=True),
}


def main() -> None:
    """Build in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*", default=["demo:street"], help="as for `spikesim build`")
    parser.add_argument("--rounds", type=int, default=15, help="builds of each kind")
    options = parser.parse_args()
    clips = [excerpt(clip, 0, FRAMES) for clip in open_clips(options.sources, "train", 0)]
    taken: dict[str, list[tuple[float, ...]]] = {name: [] for name in RECIPES}
    for _ in range(options.rounds + 1):  # the first compiles
        for name, recipe in RECIPES.items():
            began, used = time.perf_counter(), time.process_time()
            with tempfile.TemporaryDirectory() as out:
                report = build_clips(clips, out, recipe, workers=1)
            spent = time.perf_counter() - began, time.process_time() - used
            taken[name].append((*(1000 * seconds / report.readouts for seconds in spent), report.bytes))
    print(f"{'build':14}{'ms':>9}{'CPU ms':>8}{'MB':>8}{'time':>8}{'CPU':>8}  of the plain one, by readout")
    for name, rounds in taken.items():
        pairs = list(zip(rounds[1:], taken["plain"][1:], strict=True))
        elapsed, cpu, size = (median(column) for column in zip(*rounds[1:], strict=True))
        by_time, by_cpu = (median(mine[i] / theirs[i] for mine, theirs in pairs) for i in (0, 1))
        print(f"{name:14}{elapsed:9.2f}{cpu:8.2f}{size / 1e6:8.0f}{by_time:8.3f}{by_cpu:8.3f}", flush=True)


if __name__ == "__main__":
    main()
