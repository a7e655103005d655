"""Quality and cost of the interpolators on real clips, compared with plain motion compensation.

PSNR: the middle frame of every 14th triple is interpolated from its neighbours, at t = 1/2. Cost: one pair and the 7
frames of an eightfold rate on one thread, the minimum of three runs, also as a share of the cost of `plain`.

    python benchmarks/interpolation.py [CLIP ...]

Without clips the built-in scenes are measured. Use real video to judge an interpolator.
"""

import argparse
import time
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from spikesim_datasets.comparison import EVERY, FIRST, psnr
from spikesim_datasets.interpolation import make_interpolator
from spikesim_datasets.scenes import SCENES
from spikesim_datasets.sources import Clip, open_clips

Between = Callable[[np.ndarray, np.ndarray, Sequence[float]], Iterator[np.ndarray]]

EIGHTFOLD = [i / 8 for i in range(1, 8)]


def plain(frame0: np.ndarray, frame1: np.ndarray, times: Sequence[float]) -> Iterator[np.ndarray]:
    """DIS flow of the medium preset both ways, combined linearly at t, and the mean of the two frames warped by it."""
    grey0, grey1 = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (frame0, frame1))
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow01, flow10 = dis.calc(grey0, grey1, None), dis.calc(grey1, grey0, None)
    height, width = grey0.shape
    grid = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)

    def warp(frame: np.ndarray, flow: np.ndarray) -> np.ndarray:
        return cv2.remap(frame, grid + flow, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    for t in map(np.float32, times):
        motion = (1 - t) * flow01 - t * flow10
        mean = (warp(frame0, -t * motion).astype(np.float32) + warp(frame1, (1 - t) * motion)) / 2
        yield np.rint(mean).astype(np.uint8)


def triples(clip: Clip) -> Iterator[list[np.ndarray]]:
    """The triples that `comparison.compare` takes of a clip of 300 frames, from one reading."""
    triple: list[np.ndarray] = []
    for i, frame in enumerate(clip.frames(FIRST, clip.n_frames)):
        if i % EVERY < 3:
            triple.append(frame)
        if len(triple) == 3:
            yield triple
            triple = []


def cost(between: Between, frame0: np.ndarray, frame1: np.ndarray) -> float:
    """Seconds that one pair takes at the eightfold rate."""

    def run() -> float:
        start = time.perf_counter()
        for _ in between(frame0, frame1, EIGHTFOLD):
            pass
        return time.perf_counter() - start

    return min(run() for _ in range(3))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", default=[f"demo:{name}" for name in SCENES], help="video files")
    clips = open_clips(parser.parse_args().clips)
    cv2.setNumThreads(1)
    methods: dict[str, Between] = {
        "plain": plain,
        **{name: make_interpolator(name).between for name in ("flow", "linear")},
    }
    quality: dict[str, list[float]] = {name: [] for name in methods}
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    for clip in clips:
        scores: dict[str, list[float]] = {name: [] for name in methods}
        for n, (before, middle, after) in enumerate(triples(clip)):
            for name, between in methods.items():
                scores[name].append(psnr(next(between(before, after, [0.5])), middle))
                if n == 0:
                    seconds[name].append(cost(between, before, after))
        for name, values in scores.items():
            quality[name].append(float(np.mean(values)))

    names = "".join(f"{clip.name:>10}" for clip in clips)
    print(f"{'':8}{names}{'mean dB':>10}{'ms a pair':>11}{'of plain':>10}")
    for name, values in quality.items():
        own, reference = float(np.mean(seconds[name])), float(np.mean(seconds["plain"]))
        print(
            f"{name:8}" + "".join(f"{value:10.2f}" for value in values) + f"{np.mean(values):10.2f}"
            f"{1e3 * own:11.0f}{own / reference:10.2f}"
        )


if __name__ == "__main__":
    main()
