"""Result of a student trained at one threshold on spikes at others: raw and normalised.

PSNR of the middle frames of the split `test`, means over samples. Normalised spikes (column `scaled`) are multiplied by
`intensity.intensity_scale`, as in `eval-ssdm` and `deblur`.

    python benchmarks/thresholds.py DATASET DeblurNet_100.pth
"""

import sys

import torch

from ssdm_models.deblur import deblur_sequence
from ssdm_models.evaluation.evaluation_set import EvaluationSet
from ssdm_models.metrics import psnr
from ssdm_models.trained_networks import load_deblurring
from ssdm_models.windows import windows


@torch.inference_mode()
def main(data: str, checkpoint: str) -> None:
    network = load_deblurring(checkpoint).deblurring
    evaluation_set = EvaluationSet(data, "test", sequence=False)
    print(f"{'V_th':6}{'blur':>8}{'spikes':>8}{'scaled':>8}")
    for v_th in evaluation_set.thresholds:
        rows = []
        for sample in map(evaluation_set.sample, evaluation_set.numbers):
            scene = evaluation_set.scene(sample, v_th, torch.device("cpu"))
            blur = scene.blur[None]
            as_they_are = network(blur, windows(scene.spikes, scene.times, network.length))
            normalised = deblur_sequence(network, scene.blur, scene.spikes, scene.times, scene.exposure)
            (truth,) = evaluation_set.truth(sample)["colour"]
            rows.append([psnr(image[0].clamp(0, 1).numpy(), truth) for image in (blur, as_they_are, normalised)])
        means = torch.tensor(rows).mean(0).tolist()
        print(f"{v_th:<6g}" + "".join(f"{mean:8.2f}" for mean in means), flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(*sys.argv[1:])
    else:
        print("nothing to measure without DATASET CHECKPOINT")
