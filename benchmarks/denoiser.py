"""Effect of mirroring images to squares in BSN: time, and PSNR of short exposures.

The same weights are used with mirroring, as in the released network, and without (`BSN(square=False)`), on the middle
readout of up to ten samples of the split `test`, against the sharp frame as the spike camera sees it. Time is the
minimum. The last column is the PSNR of the outermost 20 rows, next to the mirrored part.

    python benchmarks/denoiser.py DATASET RUN
"""

import sys
import time

import numpy as np
import torch

from ssdm_models import checkpoints
from ssdm_models.bsn import BSN
from ssdm_models.evaluation.evaluation_set import EvaluationSet
from ssdm_models.intensity import intensity_scale
from ssdm_models.metrics import psnr
from ssdm_models.windows import long_exposure, short_exposures

SAMPLES, ROWS = 10, 20


@torch.inference_mode()
def main(data: str, run: str) -> None:
    network = checkpoints.load(f"{run}/bsn.safetensors", "bsn")
    assert isinstance(network, BSN)
    evaluation_set = EvaluationSet(data, "test", sequence=False, limit=SAMPLES)
    print(f"{'V_th':6}{'':10}{'s':>8}{'PSNR':>8}{'edges':>8}")
    for v_th in evaluation_set.thresholds:
        rows: dict[bool, list[tuple[float, float, float]]] = {True: [], False: []}
        for sample in map(evaluation_set.sample, evaluation_set.numbers):
            scene = evaluation_set.scene(sample, v_th, torch.device("cpu"))
            truth = np.moveaxis(evaluation_set.truth(sample)["grey"][0], 0, -1)
            scale = intensity_scale(scene.blur[None], long_exposure(scene.spikes, scene.exposure)[None])
            noisy = short_exposures(scene.spikes, scene.times)[None]
            for square, found in rows.items():
                network.square = square
                began = time.perf_counter()
                image = (scale * network(noisy)).clamp(0, 1)[0, 0, ..., None].numpy()
                took = time.perf_counter() - began
                edges = [np.concatenate([whole[:ROWS], whole[-ROWS:]]) for whole in (image, truth)]
                found.append((took, psnr(image, truth), psnr(*edges)))
        for square, found in rows.items():
            took, whole, edge = np.array(found).T
            print(
                f"{v_th:<6g}{'square' if square else 'as it is':10}"
                f"{took.min():8.2f}{whole.mean():8.2f}{edge.mean():8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        print("nothing to measure without DATASET RUN")
