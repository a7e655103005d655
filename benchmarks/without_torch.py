"""The network in the box, computed by torch and, as where torch is missing, by OpenCV.

The frames of an exposure of 1280×720, from a packed stream to images of bytes: the middle one, and seven. Both engines
alternate, on one thread and on those of both cores; the table shows the minimum of seven runs each, how many times
torch's that is, and by how many levels of 255 the frames differ at most.

    python benchmarks/without_torch.py
"""

import time

import cv2
import numpy as np
import torch

from spikesim import SpikeStream
from spikesim_datasets.exposure import ExposurePlan
from ssdm_models import load_deblurrer
from ssdm_models.deblurrer import Deblurrer
from ssdm_models.shipped import SHIPPED
from ssdm_models.without_torch.opencv_deblurrer import OpenCVDeblurrer

HEIGHT, WIDTH, ROUNDS = 720, 1280, 7
PLAN = ExposurePlan()


def main() -> None:
    rng = np.random.default_rng(0)
    blur = cv2.GaussianBlur(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8), (0, 0), 2)
    stream = SpikeStream.from_dense(rng.integers(0, 2, (PLAN.stream_length, HEIGHT // 4, WIDTH // 4), np.uint8))
    engines = (load_deblurrer(device="cpu"), OpenCVDeblurrer(SHIPPED))

    def timed(engine: Deblurrer, frames: str) -> tuple[float, np.ndarray]:
        began = time.perf_counter()
        made = list(engine.frames(blur, stream, PLAN.sharp_readouts(frames), PLAN.exposure))
        return time.perf_counter() - began, np.stack(made)

    print(f"{'':8}{'frames':>8}{'threads':>9}{'seconds':>9}{'times torch':>13}{'differs by':>12}")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
        for frames in ("middle", "sequence"):
            rounds = [[timed(engine, frames) for engine in engines] for _ in range(ROUNDS)]
            best = [min(one[i][0] for one in rounds) for i in range(len(engines))]
            by_torch = rounds[-1][0][1]
            for engine, least, (_, made) in zip(engines, best, rounds[-1], strict=True):
                difference = np.abs(made.astype(int) - by_torch).max()
                count = len(made)
                print(f"{engine.engine:8}{count:8}{threads:9}{least:9.2f}{least / best[0]:13.2f}{difference:12}")


if __name__ == "__main__":
    main()
