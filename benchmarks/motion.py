"""How far estimated flow is from exact flow, and its cost, compared with plain dense inverse search.

Clips that are rendered know their motion: the flow from each sharp frame of their first exposure to the next, two raw
frames on. Beside `flow` as datasets hold it, estimated between the two frames, `chained` leads over the raw frame
between them, and `plain` is OpenCV's DIS of the medium preset. Error: the mean distance to where a pixel truly is,
over all pixels, also of what is hidden or outside there, and the share of pixels under 1 px. Cost: one pair on one
thread, the minimum over the pairs, also as a share of the cost of `plain`.

    python benchmarks/motion.py [SOURCE ...]

Without sources the built-in scenes are measured. Use photos of your own, as `'photo:photos#10'`, to judge the estimate.
"""

import argparse
import time
from collections.abc import Callable

import cv2
import numpy as np

from spikesim_datasets.exposure import ExposurePlan
from spikesim_datasets.interpolation.flow import FlowInterpolator
from spikesim_datasets.scenes import SCENES
from spikesim_datasets.sources import ExactClip, open_clips

Estimate = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Of a frame, the one between and the next sharp one, float (H,W,2)."""


def direct(before: np.ndarray, between: np.ndarray, after: np.ndarray) -> np.ndarray:
    """As datasets hold it."""
    return FlowInterpolator().flow([before, after])[0]


def chained(before: np.ndarray, between: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Over the frame between: where a pixel is there, and on from that place."""
    first, second = FlowInterpolator().flow([before, between, after]).astype(np.float32)
    height, width, _ = first.shape
    grid = np.dstack(np.meshgrid(np.arange(width), np.arange(height))).astype(np.float32)
    return first + cv2.remap(second, grid + first, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def plain(before: np.ndarray, between: np.ndarray, after: np.ndarray) -> np.ndarray:
    """DIS flow of the medium preset."""
    greys = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after))
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*greys, None)


METHODS: dict[str, Estimate] = {"flow": direct, "chained": chained, "plain": plain}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sources = [f"demo:{name}#1" for name in SCENES]
    parser.add_argument("sources", nargs="*", default=sources, help="as for `spikesim build`, rendered ones")
    clips = open_clips(parser.parse_args().sources)
    cv2.setNumThreads(1)
    plan = ExposurePlan()
    begin = plan.windows(plan.frames_for_one_window)[0].first_frame
    starts = [begin + frame for frame in plan.sharp_frames("sequence")[:-1]]
    errors: dict[str, list[np.ndarray]] = {name: [] for name in METHODS}
    seconds: dict[str, list[float]] = {name: [] for name in METHODS}
    motion: list[float] = []
    for clip in clips:
        assert isinstance(clip, ExactClip), f"{clip.key} is not rendered"
        for start in starts:
            frames, exact = [clip.at(start + step) for step in range(3)], clip.flow(start, start + 2)
            motion.append(float(np.hypot(*exact.T).mean()))
            for name, estimate in METHODS.items():
                started = time.perf_counter()
                found = estimate(*frames)
                seconds[name].append(time.perf_counter() - started)
                error = np.hypot(*(found - exact).T)
                errors[name].append(np.array([error.mean(), (error < 1).mean()]))
    print(f"{len(motion)} pairs of {len(clips)} clips, mean motion {np.mean(motion):.2f} px")
    print(f"{'':9}{'error px':>10}{'under 1 px':>12}{'ms a pair':>11}{'of plain':>10}")
    for name in METHODS:
        mean, near = np.mean(errors[name], axis=0)
        own, reference = min(seconds[name]), min(seconds["plain"])
        print(f"{name:9}{mean:10.2f}{near:12.1%}{1e3 * own:11.1f}{own / reference:10.2f}")


if __name__ == "__main__":
    main()
